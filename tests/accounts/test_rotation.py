"""Rotating keys: all rows, resumable, and no access lost on the way."""

import importlib
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts import seals, subjects
from accounts.models import Account, AuditEntry, Connection, IndexKey, Subject, User
from accounts.selectors.keys import uses
from accounts.services import connections, rotation, second_factor
from kartra_admin.lib.crypto import Keyring, SealBroken
from tests.accounts.factors import asking, code_for, give_app

pytestmark = pytest.mark.django_db
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def placed(settings: Settings) -> list[Connection]:
    """Six people with three accounts and the index key, sealed under the old key; the new one is in place."""
    settings.CREDENTIAL_KEYS = [OLD]
    seal_index_key()
    people = [User.objects.create_user(email=f"{n}@example.com", name=str(n), role="agent") for n in range(6)]
    rows = [
        connections.place(actor=one, owner=one, api_key=f"key{n % 3}", api_password=f"password{n}")
        for n, one in enumerate(people)
    ]
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    return rows


def lose_the_old_key(settings: Settings) -> None:
    """The index key was sealed anew before it went: without that nothing would start."""
    settings.CREDENTIAL_KEYS = [NEW]
    seal_index_key()


def seal_index_key() -> None:
    """Another one, under the present keys."""
    sealed = seals.keyring().seal(Fernet.generate_key().decode(), bound_to=seals.of_index())
    IndexKey.objects.update_or_create(pk=1, defaults={"sealed_key": sealed})
    subjects.lay_index_key(using="default")  # which forgets the one before


def rotate() -> str:
    out = StringIO()
    call_command("rotatekeys", stdout=out)
    return out.getvalue()


def check_all_open() -> None:
    for n, row in enumerate(Connection.objects.select_related("account").order_by("pk")):
        opened = connections.open_credentials(row)
        assert (opened.key, opened.password) == (f"key{n % 3}", f"password{n}")


def test_everything_opens_with_the_new_key_alone(placed: list[Connection], settings: Settings) -> None:
    check_all_open()
    accounts = list(Account.objects.order_by("pk").values_list("pk", flat=True))
    assert "Sealed again: 6 connections, 3 accounts, 1 other rows." in rotate()
    settings.CREDENTIAL_KEYS = [NEW]
    check_all_open()
    again = connections.place(actor=placed[0].user, owner=placed[0].user, api_key="key1", api_password="password0")
    assert again.account_id == accounts[1]
    assert list(Account.objects.order_by("pk").values_list("pk", flat=True)) == accounts


def test_before_rotation_accounts_are_found_by_the_old_key_too(placed: list[Connection]) -> None:
    one = placed[0]
    again = connections.place(actor=one.user, owner=one.user, api_key="key0", api_password="other")
    assert again.account_id == one.account_id


def test_a_second_run_has_nothing_to_do(placed: list[Connection]) -> None:
    rotate()
    assert "Sealed again: 0 connections, 0 accounts, 0 other rows." in rotate()
    entry = AuditEntry.objects.filter(action="keys.rotate.succeeded").earliest("pk")
    assert (entry.actor_name, entry.ip, entry.detail) == (
        "manage.py rotatekeys", "command", {"connections": 6, "accounts": 3, "others": 1}
    )  # fmt: skip


@pytest.mark.parametrize("after", range(9))
def test_killed_after_any_row_and_run_again(
    placed: list[Connection], settings: Settings, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    written = 0

    def dying(reseal: Callable[..., int]) -> Callable[..., int]:
        def inner(row: object) -> int:
            nonlocal written
            if written == after:
                raise KeyboardInterrupt
            written += 1
            return reseal(row)

        return inner

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_reseal_connection", dying(rotation._reseal_connection))
        patch.setattr(rotation, "_reseal_account", dying(rotation._reseal_account))
        with pytest.raises(KeyboardInterrupt):
            rotate()
    check_all_open()
    done = min(after, 6)
    assert f"Sealed again: {6 - done} connections, {3 - (after - done)} accounts, 1 other rows." in rotate()
    settings.CREDENTIAL_KEYS = [NEW]
    check_all_open()


def test_credentials_placed_meanwhile_are_not_overwritten(
    placed: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = rotation._connections

    def then_somebody_places() -> list[Connection]:
        rows = read()
        one = rows[0].user
        connections.place(actor=one, owner=one, api_key="key0", api_password="placed meanwhile")
        return rows

    monkeypatch.setattr(rotation, "_connections", then_somebody_places)
    rotation.rotate_keys(program="test")
    assert connections.open_credentials(Connection.objects.get(pk=placed[0].pk)).password == "placed meanwhile"


def test_what_no_key_opens_is_named_and_left(placed: list[Connection], settings: Settings) -> None:
    lose_the_old_key(settings)
    with pytest.raises(CommandError, match=r"0@example\.com"):
        rotate()
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    check_all_open()


def test_accounts_whose_digests_are_swapped_do_not_rotate_into_each_other(placed: list[Connection]) -> None:
    one, two, _ = Account.objects.order_by("pk")
    Account.objects.filter(pk=one.pk).update(sealed_digest=two.sealed_digest)
    with pytest.raises(CommandError, match="account"):
        rotate()
    assert Account.objects.get(pk=one.pk).fingerprint == one.fingerprint


# The page


def test_the_page_counts_by_key_and_says_what_is_left(
    placed: list[Connection], settings: Settings, client_of: Callable[[str], Client]
) -> None:
    client = client_of("admin")
    found = uses()
    assert [(key.is_newest, key.total) for key in found.keys] == [(True, 0), (False, 16)]
    assert found.keys[1].counts == {"Kartra credentials": 12, "accounts": 3, "index key": 1}
    age = timezone.now() - (found.keys[1].since or timezone.now())
    assert timedelta(0) < age < timedelta(minutes=5)
    assert "16 not yet sealed" in client.get("/settings/keys/").content.decode()
    rotate()
    found = uses()
    assert [key.total for key in found.keys] == [16, 0]
    page = client.get("/settings/keys/").content.decode()
    assert "Nothing needs an older key" in page
    assert not [key for key in settings.CREDENTIAL_KEYS if key in page]
    assert all(key.mark in page for key in found.keys)


def test_keys_are_counted_by_the_database_without_a_look_at_each_seal(
    placed: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(ring: Keyring, token: str) -> None:
        raise AssertionError("a seal was looked at")

    rotate()
    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "made_by", look)
        few = len(counted())
        for number in range(300):
            subjects.of_lead(1, str(number))
        assert len(counted()) == few
    assert uses().keys[0].counts["keys of leads"] == 300


def counted() -> list[dict[str, str]]:
    with CaptureQueriesContext(connection) as seen:
        uses()
    return list(seen)


def test_a_spoilt_name_of_a_seal_is_counted_and_stops_nothing(placed: list[Connection]) -> None:
    rotate()
    mark = uses().keys[0].mark
    Subject.objects.create(digest="1", sealed_key=f"{mark}no hex!!.x")
    Subject.objects.create(digest="2", sealed_key="no mark!6920aa00.x")
    found = uses()
    assert (found.keys[0].counts["keys of leads"], found.broken) == (1, {"keys of leads": 1})
    with pytest.raises(CommandError, match="2 keys of leads"):
        rotate()


def test_seals_from_before_they_had_names_are_counted_and_named(placed: list[Connection], settings: Settings) -> None:
    ring = Keyring([OLD])
    for number in range(3):
        key = ring.seal(Fernet.generate_key().decode(), bound_to=seals.of_subject())
        Subject.objects.create(digest=f"{number}", sealed_key=key)
    Subject.objects.create(sealed_key="")
    assert uses().keys[1].counts["keys of leads"] == 3
    rotate()
    found = uses()
    assert (found.keys[0].counts["keys of leads"], found.left, found.broken) == (3, 0, {})
    settings.CREDENTIAL_KEYS = [NEW]
    assert {subject.sealed_key[:8] for subject in Subject.objects.filter(digest__isnull=False)} == {found.keys[0].mark}


def test_the_page_says_what_no_key_opens(
    placed: list[Connection], settings: Settings, client_of: Callable[[str], Client]
) -> None:
    lose_the_old_key(settings)
    page = client_of("admin").get("/settings/keys/").content.decode()
    assert "Some sealed data cannot be opened with any current key" in page
    assert "Kartra credentials: 12" in page


def test_second_factors_rotate_with_the_rest(placed: list[Connection], settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = [OLD]
    user = placed[0].user
    secret = give_app(user)
    with asking(user):
        codes = RecoveryCodes.activate(user).generate_codes()
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    assert uses().keys[1].counts["second factors"] == 2
    assert "3 accounts, 3 other rows." in rotate()
    settings.CREDENTIAL_KEYS = [NEW]
    app, recovery = Authenticator.objects.order_by("pk")
    with asking(user):
        assert app.wrap().validate_code(code_for(secret))
        assert recovery.wrap().generate_codes() == codes


def test_a_code_spent_meanwhile_stays_spent(placed: list[Connection], settings: Settings) -> None:
    give_app(placed[0].user)
    row = Authenticator.objects.get()
    second_factor.spend_code(row)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
    rotation._reseal(row, next(kind for kind in seals.kinds() if kind.label == "second factors"))
    assert not second_factor.spend_code(row)


def test_the_seals_of_factors_from_before_they_had_an_owner_are_bound_to_him(placed: list[Connection]) -> None:
    ring, user, other = seals.keyring(), placed[0].user, placed[1].user
    for kind, field in (("totp", "secret"), ("recovery_codes", "seed")):
        held = {field: ring.seal(kind, bound_to="second factor"), "used_mask": 3}
        Authenticator.objects.create(user=user, type=kind, data=held)
    Authenticator.objects.create(user=user, type="webauthn", data={"name": "Phone"})
    importlib.import_module("accounts.migrations.0014_factors_of_their_owners").bind(apps, None)
    app, recovery, passkey = (row.data for row in Authenticator.objects.order_by("pk"))
    assert ring.open(app["secret"], bound_to=seals.of_factor(user.pk)) == "totp"
    assert ring.open(recovery["seed"], bound_to=seals.of_factor(user.pk)) == "recovery_codes"
    assert (recovery["used_mask"], passkey) == (3, {"name": "Phone"})
    with pytest.raises(SealBroken):
        ring.open(app["secret"], bound_to=seals.of_factor(other.pk))
