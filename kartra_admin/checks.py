"""Settings that would let the product start and then fail, or leak, are refused at the start: one sentence each."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from accounts import networks
from accounts.evidence.checkpoints import public_keys
from accounts.permissions import ROLES
from kartra_admin.lib.crypto import Keyring

# Of every check of settings, wherever it is made.
TAG = "kartra_admin"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@checks.register(TAG)
def check_settings(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Everything that is wrong with the environment."""
    return [*_secrets(), *_evidence(), *_addresses(), *_sign_in(), *_numbers(), *_sharing()]


@checks.register(TAG)
def check_keys(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Whether these are the keys of this database. Before the first migration, and without a database, nothing is said.

    With other keys everything would seem empty: nothing would be found, and what is sealed would not open.
    """
    from accounts import subjects  # late: models are not there when this is imported
    from accounts.selectors import keys

    try:
        is_theirs, is_lost = subjects.opens_index_key(), subjects.has_lost_index_key()
        broken = keys.uses().broken if is_theirs else {}
    except (DatabaseError, ValueError):  # the second for keys that are none, of which `_secrets` tells
        return []
    if is_lost:
        return [
            checks.Error(
                "The key that people and the audit log are found by is gone from the database (accounts_indexkey): "
                "put its row back from a backup. No other one is made, for it would find nothing of what is there.",
                id="kartra_admin.lost_index",
            )
        ]
    if broken:
        what = ", ".join(f"{label}: {count}" for label, count in broken.items())
        return [
            checks.Error(
                f"CREDENTIAL_KEYS lacks a key under which part of this database is still sealed ({what}): put it back "
                "behind the newest one, and remove it only when rotatekeys says that nothing needs it.",
                id="kartra_admin.missing_key",
            )
        ]
    if is_theirs:
        return []
    return [
        checks.Error(
            "CREDENTIAL_KEYS does not open what this database sealed: put the key back that it was sealed with, beside "
            "newer ones. Without it nothing that was kept of people can be read or found.",
            id="kartra_admin.lost_key",
        )
    ]


@checks.register(TAG)
def check_log(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Whether the audit log can go on, and is signed with the key that it was signed with before."""
    try:
        return [*_signing_key(), *_gone(), *_strays()]
    except (DatabaseError, ValueError):  # the second for keys that are none, of which `_evidence` tells
        return []


def _signing_key() -> list[checks.CheckMessage]:
    from accounts.selectors import checkpoints  # late: models are not there when this is imported

    if (last := checkpoints.foreign_checkpoint()) is None:
        return []
    return [
        checks.Error(
            f"AUDIT_SIGNING_KEY is not the key {last.key}, which signed checkpoint {last.pk}, the last one, nor "
            "vouches for it. If that key is yours, put it behind the new one (AUDIT_SIGNING_KEY=new,old; these digits "
            "where the secret is lost) and run rotatekeys. If not, somebody wrote to the database: run auditverify.",
            id="kartra_admin.signing_key",
        )
    ]


def _gone() -> list[checks.CheckMessage]:
    from accounts.selectors import checkpoints

    if (gone := checkpoints.gone_checkpoint()) is None:
        return []
    return [
        checks.Error(
            f"Checkpoint {gone} of the audit log was sent outside, and the database lost it, so "
            "nothing is signed, for somebody wrote to it. Run auditverify beside what was kept outside, and see "
            "docs/operations.md, 'When the log takes no entry'.",
            id="kartra_admin.gone_checkpoint",
        )
    ]


def _strays() -> list[checks.CheckMessage]:
    from accounts.selectors import evidence

    mend = "Run auditverify, and see docs/operations.md, 'When the log takes no entry'."
    if evidence.is_headless():
        lost = f"The audit log has lost its head (accounts_chainhead), so no entry can be written. {mend}"
        return [checks.Error(lost, id="kartra_admin.headless_log")]
    if (stray := evidence.stray()) is None:
        return []
    if evidence.is_blocked():
        blocked = (
            "Somebody wrote to the audit log past the desk, where the next entry is to stand: nothing can be done."
        )
        return [checks.Error(f"{blocked} {mend}", id="kartra_admin.blocked_log")]
    beside = f"Somebody wrote entry {stray} to the audit log past the desk: its chain never gave that number. {mend}"
    return [checks.Warning(beside, id="kartra_admin.stray_entry")]


@checks.register(TAG, deploy=True)
def check_durability(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Whether the database keeps what it confirmed when the power fails: a refund that was sent must not be forgotten,
    for it would be sent again."""
    asks = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}[connection.vendor]
    try:
        with connection.cursor() as cursor:
            cursor.execute(asks)
            (kept,) = cursor.fetchone()
    except DatabaseError:
        return []
    if kept not in (0, 1, "off"):  # of SQLite OFF and NORMAL
        return []
    return [
        checks.Warning(
            "The database confirms what is not yet on its disk (synchronous_commit of PostgreSQL, synchronous of "
            "SQLite): a refund that was sent could be forgotten when the power fails, and be sent again.",
            id="kartra_admin.durability",
        )
    ]


def refuse_unsound() -> None:
    """Raise `ImproperlyConfigured` for what is wrong. Commands check by themselves; a web server is to call this."""
    wrong = [message.msg for message in checks.run_checks(tags=[TAG]) if message.is_serious()]
    if wrong:
        raise ImproperlyConfigured(" ".join(wrong))


def _secrets() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if len(settings.SECRET_KEY) < 40 or len(set(settings.SECRET_KEY)) < 10:
        found.append(
            checks.Error("SECRET_KEY is too weak: give it at least 40 random characters.", id="kartra_admin.secret_key")
        )
    try:
        Keyring(settings.CREDENTIAL_KEYS)
    except ValueError:
        found.append(
            checks.Error(
                "CREDENTIAL_KEYS must be one or more Fernet keys (32 random bytes in URL-safe base64), "
                "comma-separated, newest first.",
                id="kartra_admin.credential_keys",
            )
        )
    return found


def _evidence() -> list[checks.CheckMessage]:
    from accounts import anchors

    found: list[checks.CheckMessage] = []
    try:
        public_keys(settings.AUDIT_SIGNING_KEY)
    except ValueError:
        found.append(
            checks.Error(
                "AUDIT_SIGNING_KEY must be 32 random bytes in URL-safe base64; behind it, after commas, older ones or "
                "their public keys.",
                id="kartra_admin.audit_signing_key",
            )
        )
    for place in settings.AUDIT_ANCHORS:
        try:
            anchors.check(place)
        except ValueError as error:
            found.append(checks.Error(f"AUDIT_ANCHORS: {error}.", id="kartra_admin.audit_anchors"))
    if not (settings.AUDIT_ANCHORS or settings.DEBUG or settings.DEMO):
        found.append(
            checks.Warning(
                "AUDIT_ANCHORS is not set, so whoever controls this machine could rewrite the audit log: name "
                "a folder elsewhere, or mailto: somebody.",
                id="kartra_admin.no_anchors",
            )
        )
    return found


def _addresses() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    site = _split(settings.SITE_URL)
    if site is None or site.scheme not in ("http", "https") or not site.hostname or site.path not in ("", "/"):
        found.append(
            checks.Error(
                "SITE_URL must be the address people type, such as https://desk.example.com, without a path.",
                id="kartra_admin.site_url",
            )
        )
    url = settings.KARTRA_API_URL
    api = _split(url)
    if url != "sandbox:" and not (
        api and api.hostname and (api.scheme == "https" or (api.scheme == "http" and api.hostname in _LOOPBACK))
    ):
        found.append(
            checks.Error(
                "KARTRA_API_URL must start with https:// (http:// only for this machine), or be sandbox: for the "
                "sandbox.",
                id="kartra_admin.kartra_api_url",
            )
        )
    if not settings.KARTRA_APP_ID:
        found.append(
            checks.Error(
                "KARTRA_APP_ID is not set: it is the App ID that Kartra shows beside the API key.",
                id="kartra_admin.kartra_app_id",
            )
        )
    return found


def _sign_in() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if unknown := set(settings.SECOND_FACTOR_ROLES) - set(ROLES):
        roles = ", ".join(ROLES)
        found.append(
            checks.Error(
                f"SECOND_FACTOR_ROLES names {', '.join(sorted(unknown))}, which is not a role. Roles are {roles}.",
                id="kartra_admin.second_factor_roles",
            )
        )
    try:
        networks.parse(settings.ROLE_ADDRESSES)
    except ValueError as error:
        found.append(
            checks.Error(
                f"ROLE_ADDRESSES cannot be read: {error}. Write it as admin=10.0.0.0/8,2001:db8::/32; manager=1.2.3.4.",
                id="kartra_admin.role_addresses",
            )
        )
    return found


def _numbers() -> list[checks.CheckMessage]:
    """What would let money be settled without a reading, or a call without an end."""
    sound = {
        "SETTLE_READINGS": (settings.SETTLE_READINGS >= 1, "at least 1: how often an unclear money outcome is checked"),
        "SETTLE_WITHIN": (
            settings.SETTLE_WITHIN > 0,
            "more than 0: the seconds over which the first checks are spread",
        ),
        "KARTRA_TIMEOUT": (1 <= settings.KARTRA_TIMEOUT <= 60, "between 1 and 60 seconds"),
        "SESSION_HOURS": (1 <= settings.SESSION_HOURS <= 24 * 14, "between 1 hour and 14 days"),
        "SESSION_IDLE_MINUTES": (settings.SESSION_IDLE_MINUTES >= 2, "at least 2: minutes without activity"),
        "AUDIT_CHECKPOINT_ENTRIES": (settings.AUDIT_CHECKPOINT_ENTRIES >= 1, "at least 1: entries to a checkpoint"),
        "AUDIT_CHECKPOINT_MINUTES": (settings.AUDIT_CHECKPOINT_MINUTES >= 1, "at least 1: minutes to a checkpoint"),
        "FORGET_AFTER_DAYS": (0 <= settings.FORGET_AFTER_DAYS <= 365, "between 0 and 365 days"),
        "MONEY_HOLD": (settings.MONEY_HOLD >= 0, "0 or more: the seconds in which money can be taken back"),
    }
    return [
        checks.Error(f"{name} must be {rule}.", id=f"kartra_admin.{name.lower()}")
        for name, (is_sound, rule) in sound.items()
        if not is_sound
    ]


def _sharing() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if settings.DEBUG or settings.DEMO:
        return found
    if settings.WEB_CONCURRENCY > 1 and "LocMem" in settings.CACHES["default"]["BACKEND"]:
        found.append(
            checks.Warning(
                f"CACHE_URL is not set, so each of the {settings.WEB_CONCURRENCY} web processes counts failed sign-ins "
                "alone: set it, or WEB_CONCURRENCY to 1.",
                id="kartra_admin.cache",
            )
        )
    if "console" in settings.EMAIL_BACKEND:
        found.append(
            checks.Warning(
                "EMAIL_URL is not set, so links to set a forgotten password are written to the worker's log.",
                id="kartra_admin.mail",
            )
        )
    return found


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        return None
