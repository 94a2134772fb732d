"""Settings that are refused at the start, each in one sentence."""

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from accounts import subjects
from accounts.models import IndexKey, Subject, User
from accounts.selectors import checkpoints, keys
from accounts.services import audit, connections, rotation
from kartra_admin import checks
from leads.selectors import health

KEY = Fernet.generate_key().decode()


@pytest.fixture
def sound(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a desk that is run for real, with the keys of its database."""
    monkeypatch.setattr(subjects, "opens_index_key", lambda: True)
    monkeypatch.setattr(subjects, "has_lost_index_key", lambda: False)
    monkeypatch.setattr(keys, "uses", lambda: keys.Uses([], {}))
    monkeypatch.setattr(checkpoints, "foreign_checkpoint", lambda: None)
    monkeypatch.setattr(checkpoints, "gone_checkpoint", lambda: None)
    monkeypatch.setattr(checks, "_strays", list)
    settings.DEMO = settings.DEBUG = False
    settings.SECRET_KEY = "k3Jd9-sPq0_ZxR7vLw2mTn8bYc5hGf1aUe6iOo4y"
    settings.CREDENTIAL_KEYS = [KEY]
    settings.SITE_URL = "https://desk.example.com"
    settings.KARTRA_API_URL = "https://app.kartra.com/api"
    settings.KARTRA_APP_ID = "AbCdEf"
    settings.AUDIT_ANCHORS = ["mailto:auditor@example.com"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://x"}}
    return settings


def found() -> list[str]:
    messages = run_checks(tags=["kartra_admin"])
    for message in messages:
        assert message.msg.endswith(".")
        assert "\n" not in message.msg
    return [str(message.id) for message in messages]


def test_sound_settings_pass(sound: Settings) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "refused_as"),
    [
        ("SECRET_KEY", "short", "secret_key"),
        ("SETTLE_READINGS", 0, "settle_readings"),
        ("SETTLE_WITHIN", 0, "settle_within"),
        ("KARTRA_TIMEOUT", 0.5, "kartra_timeout"),
        ("KARTRA_TIMEOUT", 61.0, "kartra_timeout"),
        ("KARTRA_TIMEOUT", float("nan"), "kartra_timeout"),
        ("MONEY_HOLD", -1, "money_hold"),
        ("SECOND_FACTOR_ROLES", ["admin", "boss"], "second_factor_roles"),
        ("ROLE_ADDRESSES", "boss=10.0.0.0/8", "role_addresses"),
        ("ROLE_ADDRESSES", "admin=the office", "role_addresses"),
        ("SESSION_HOURS", 0, "session_hours"),
        ("SESSION_IDLE_MINUTES", 1, "session_idle_minutes"),
        ("SECRET_KEY", "x" * 60, "secret_key"),
        ("CREDENTIAL_KEYS", [], "credential_keys"),
        ("AUDIT_SIGNING_KEY", "short", "audit_signing_key"),
        ("AUDIT_ANCHORS", ["mailto:nobody"], "audit_anchors"),
        ("AUDIT_ANCHORS", ["http://example.com/"], "audit_anchors"),
        ("AUDIT_ANCHORS", ["somewhere"], "audit_anchors"),
        ("AUDIT_ANCHORS", ["https://example.com:99999/"], "audit_anchors"),
        ("AUDIT_ANCHORS", ["https://example.com:port/"], "audit_anchors"),
        ("AUDIT_ANCHORS", ["https://[/"], "audit_anchors"),
        ("AUDIT_CHECKPOINT_ENTRIES", 0, "audit_checkpoint_entries"),
        ("AUDIT_CHECKPOINT_MINUTES", 0, "audit_checkpoint_minutes"),
        ("CREDENTIAL_KEYS", ["not a key"], "credential_keys"),
        ("CREDENTIAL_KEYS", [KEY, KEY[:-4]], "credential_keys"),
        ("SITE_URL", "desk.example.com", "site_url"),
        ("SITE_URL", "https://", "site_url"),
        ("SITE_URL", "https://desk.example.com/path", "site_url"),
        ("SITE_URL", "ftp://desk.example.com", "site_url"),
        ("SITE_URL", "http://[", "site_url"),
        ("KARTRA_API_URL", "http://app.kartra.com/api", "kartra_api_url"),
        ("KARTRA_API_URL", "http://127.0.0.1.evil.example/api", "kartra_api_url"),
        ("KARTRA_API_URL", "app.kartra.com", "kartra_api_url"),
        ("KARTRA_API_URL", "sandbox", "kartra_api_url"),
        ("KARTRA_API_URL", "https://", "kartra_api_url"),
        ("KARTRA_APP_ID", "", "kartra_app_id"),
    ],
)
def test_weak_or_malformed_settings_are_refused(sound: Settings, name: str, value: object, refused_as: str) -> None:
    setattr(sound, name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        checks.refuse_unsound()
    assert found() == [f"kartra_admin.{refused_as}"]


@pytest.mark.parametrize("url", ["sandbox:", "http://127.0.0.1:9000/api", "http://localhost/api", "http://[::1]:9/api"])
def test_this_machine_and_the_sandbox_may_be_spoken_to_in_the_clear(sound: Settings, url: str) -> None:
    sound.KARTRA_API_URL = url
    assert found() == []


def test_a_place_that_cannot_be_read_is_refused_without_its_password(sound: Settings) -> None:
    sound.AUDIT_ANCHORS = ["https://desk:sec/ret@example.com/"]
    (message,) = run_checks(tags=["kartra_admin"])
    assert message.msg == "AUDIT_ANCHORS: one of them has a host or a port that cannot be read."
    sound.AUDIT_ANCHORS = ["https://desk:secret@example.com:8443/", "https://example.com:443/hook"]
    assert found() == []


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("http://desk:s3cret@example.com/T0KEN?k=3y", "http://example.com"), ("htps://example.com/T0KEN", "htps://example.com"),
        ("https:///T0KEN", "one of them"), ("desk:s3cret@example.com/T0KEN", "one of them"), ("T0KEN", "one of them"),
    ],
)  # fmt: skip
def test_a_mistyped_place_is_refused_without_what_may_be_secret(sound: Settings, place: str, named: str) -> None:
    sound.AUDIT_ANCHORS = [place]
    (message,) = run_checks(tags=["kartra_admin"])
    assert message.msg == f"AUDIT_ANCHORS: {named} is neither an absolute path, nor mailto:, nor https://."


def test_a_log_that_is_kept_nowhere_else_is_a_warning(sound: Settings) -> None:
    sound.AUDIT_ANCHORS = []
    assert found() == ["kartra_admin.no_anchors"]


def test_mail_that_nobody_gets_is_a_warning(sound: Settings) -> None:
    sound.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert found() == ["kartra_admin.mail"]


def test_a_cache_of_one_process_is_a_warning_where_there_are_more(sound: Settings) -> None:
    sound.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert found() == [], "as long as it is the only one"
    sound.WEB_CONCURRENCY = 2
    checks.refuse_unsound()
    (message,) = run_checks(tags=["kartra_admin"])
    assert (message.id, message.is_serious()) == ("kartra_admin.cache", False)


@pytest.mark.django_db
def test_other_keys_than_those_of_the_database_are_refused(settings: Settings) -> None:
    old = settings.CREDENTIAL_KEYS
    assert found() == []
    settings.CREDENTIAL_KEYS = [KEY]
    assert found() == ["kartra_admin.lost_key"]
    with pytest.raises(ImproperlyConfigured, match="put the key back"):
        checks.refuse_unsound()
    settings.CREDENTIAL_KEYS = [KEY, *old]
    assert found() == []


@pytest.fixture
def half_rotated(settings: Settings) -> list[str]:
    """The old keys, which have sealed nothing but a person who was forgotten since; the index key is under the new."""
    old = settings.CREDENTIAL_KEYS
    settings.CREDENTIAL_KEYS = [KEY, *old]
    rotation.rotate_keys(program="test")
    settings.CREDENTIAL_KEYS = [*old, KEY]
    subjects.destroy([subjects.of_lead(1, "78").pk])
    return old


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["lead", "credentials"])
def test_a_key_that_still_seals_something_is_missed_though_the_index_key_opens(
    settings: Settings, half_rotated: list[str], user_of: Callable[[str], User], kind: str
) -> None:
    if kind == "lead":
        subjects.of_lead(1, "77")
    else:
        agent = user_of("agent")
        connections.place(actor=agent, owner=agent, api_key="key", api_password="password")
    assert found() == []
    settings.CREDENTIAL_KEYS = [KEY]
    assert found() == ["kartra_admin.missing_key"]
    left = {"lead": "keys of leads: 1", "credentials": "Kartra credentials: 2, accounts: 1"}[kind]
    with pytest.raises(ImproperlyConfigured, match=rf"still sealed \({left}\): put it back"):
        checks.refuse_unsound()
    (line,) = [each for each in health.check_messages() if each.name == "kartra_admin.missing_key"]
    assert (line.kind, left in line.says) == ("failed", True)
    settings.CREDENTIAL_KEYS = [KEY, *half_rotated]
    rotation.rotate_keys(program="test")
    settings.CREDENTIAL_KEYS = [KEY]
    assert found() == []


@pytest.mark.django_db
def test_who_was_forgotten_lacks_no_key(settings: Settings, half_rotated: list[str]) -> None:
    assert Subject.objects.get().is_forgotten
    settings.CREDENTIAL_KEYS = [KEY]
    assert found() == []


@pytest.mark.django_db
def test_before_the_first_migration_nothing_is_said_of_keys(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CREDENTIAL_KEYS = [KEY]
    monkeypatch.setattr(IndexKey._meta, "db_table", "not_there_yet")
    assert found() == []


@pytest.mark.django_db
@pytest.mark.parametrize("kept", ["subject", "term of the log"])
def test_a_lost_index_key_is_refused_and_not_made_again(kept: str) -> None:
    IndexKey.objects.all().delete()
    assert found() == []
    subjects.lay_index_key(using="default")
    if kept == "subject":
        subjects.of_lead(1, "77")
    else:
        audit.record(action="session.start.failed", outcome="failed", target_name="Jane")
    IndexKey.objects.all().delete()
    assert found() == ["kartra_admin.lost_index"]
    with pytest.raises(ImproperlyConfigured, match="put its row back from a backup"):
        checks.refuse_unsound()
    subjects.lay_index_key(using="default")
    assert not IndexKey.objects.exists()
    with pytest.raises(IndexKey.DoesNotExist):
        subjects.find("Jane")
