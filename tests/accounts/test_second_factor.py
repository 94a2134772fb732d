"""The second factor: set up, asked for, spent once, at this address only, and taken away when it is lost."""

import json
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEntry, User
from accounts.services import second_factor, users
from accounts.services.users import NotYourself
from kartra_admin.lib.errors import Denied
from tests.accounts.factors import HOST, Device, asking, code_for, give_app, give_passkey, options_on
from tests.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db(transaction=True)  # allauth tells of a new factor after the commit
UserOf = Callable[[str], User]
FACTOR = "/sign-in/factor/"


@pytest.fixture
def required(settings: Settings) -> None:
    settings.SECOND_FACTOR_ROLES = ["support", "manager", "admin"]
    settings.DEMO = False


def begin(email: str, password: str = PASSWORD, client: Client | None = None) -> Client:
    client = client or Client()
    client.post("/sign-in/", {"login": email, "password": password}, **HOST)
    return client


def is_in(client: Client) -> bool:
    return client.get("/profile/", **HOST).status_code == 200


def log() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


# What a password alone is worth


def test_a_stolen_password_alone_signs_nobody_in(user_of: UserOf) -> None:
    give_app(user_of("manager"))
    thief = begin("manager@example.com")
    assert thief.get("/", **HOST)["Location"].startswith("/sign-in/")
    assert not is_in(thief)
    for code in ("", "000000", "abc", "½½½½½½", "9" * 4000, "\x00"):
        thief.post(FACTOR, {"code": code}, **HOST)
    assert not is_in(thief)
    assert "session.start.succeeded" not in log()
    assert "factor.check.failed" in log()


def test_password_and_code_sign_in(user_of: UserOf) -> None:
    secret = give_app(user_of("manager"))
    client = begin("manager@example.com")
    assert client.post(FACTOR, {"code": code_for(secret)}, **HOST)["Location"] == "/"
    assert is_in(client)
    assert AuditEntry.objects.get(action="session.start.succeeded").detail == {"by": "authenticator app, password"}


def test_a_code_counts_once(user_of: UserOf) -> None:
    """Also where the cache, which allauth remembers codes in, is another process's or was emptied."""
    secret = give_app(user_of("manager"))
    code = code_for(secret)
    begin("manager@example.com").post(FACTOR, {"code": code}, **HOST)
    cache.clear()
    again = begin("manager@example.com")
    answer = again.post(FACTOR, {"code": code}, **HOST)
    assert "A code works only once" in answer.content.decode()
    assert not is_in(again)
    assert log()[-1] == "factor.check.failed"


def test_a_code_of_another_half_minute_is_refused(user_of: UserOf) -> None:
    secret = give_app(user_of("manager"))
    client = begin("manager@example.com")
    for later in (-2, 2, 10):
        client.post(FACTOR, {"code": code_for(secret, later)}, **HOST)
    assert not is_in(client)


def test_the_code_that_set_the_app_up_is_spent(user_of: UserOf, client_of: SignIn) -> None:
    client = client_of("manager")
    secret = set_up_app(client)
    cache.clear()
    other = begin("manager@example.com")
    other.post(FACTOR, {"code": code_for(secret)}, **HOST)
    assert not is_in(other)


def test_guessing_codes_is_stopped_and_says_so(user_of: UserOf) -> None:
    secret = give_app(user_of("manager"))
    client = begin("manager@example.com")
    for _ in range(5):
        client.post(FACTOR, {"code": "123456"}, **HOST)
    answer = client.post(FACTOR, {"code": code_for(secret)}, **HOST)
    assert "Wait up to five minutes" in answer.content.decode()
    assert not is_in(client)


def test_a_recovery_code_signs_in_once(user_of: UserOf, client_of: SignIn) -> None:
    client = client_of("manager")
    set_up_app(client)
    page = client.get("/sign-in/factors/codes/", **HOST).content.decode()
    codes = re.findall(r"<code>(\d{8})</code>", page)
    assert len(codes) == 10
    assert codes[0] not in client.get("/sign-in/factors/codes/", **HOST).content.decode(), "shown once"
    for is_first in (True, False):
        other = begin("manager@example.com")
        other.post(FACTOR, {"code": codes[0]}, **HOST)
        assert is_in(other) is is_first


# Setting up


def set_up_app(client: Client) -> str:
    page = client.get("/sign-in/factors/app/", **HOST).content.decode()
    secret = re.search(r'id="app-key"[^>]*value="([A-Z2-7]{32})"', page)[1]  # type: ignore[index]
    answer = client.post("/sign-in/factors/app/", {"code": code_for(secret)}, **HOST)
    assert answer["Location"] == "/sign-in/factors/codes/", answer.content.decode()
    return secret


def test_secrets_are_sealed_in_the_database(user_of: UserOf, client_of: SignIn) -> None:
    secret = set_up_app(client_of("manager"))
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in kept
    assert kept.count("gAAAA") == 2, "the app's secret, and the seed of the recovery codes"
    assert log()[-2:] == ["factor.add.succeeded", "factor.add.succeeded"]


def test_a_copy_of_a_factor_opens_nothing_for_anybody_else(user_of: UserOf, client_of: SignIn) -> None:
    """Made by somebody who can write to the database, and has no key."""
    thief, admin = user_of("support"), user_of("admin")
    give_app(admin)
    own = client_of("support")
    secret = set_up_app(own)
    copied = Authenticator.objects.get(user=thief, type="totp").data
    Authenticator.objects.filter(user=admin).update(data={"secret": copied["secret"]})
    User.objects.filter(pk=admin.pk).update(password=User.objects.get(pk=thief.pk).password)
    as_admin = begin("admin@example.com")
    assert "cannot be opened" in as_admin.post(FACTOR, {"code": code_for(secret)}, **HOST).content.decode()
    assert not is_in(as_admin)

    set_up_app(admins := client_of("manager"))
    assert len(re.findall(r"<code>\d{8}</code>", admins.get("/sign-in/factors/codes/", **HOST).content.decode())) == 10
    theirs = Authenticator.objects.get(user=user_of("manager"), type="recovery_codes").data
    theirs.pop("viewed_at")
    Authenticator.objects.filter(user=thief, type="recovery_codes").update(data=theirs)
    assert "<code>" not in own.get("/sign-in/factors/codes/", **HOST).content.decode()


def test_a_secret_that_waits_for_its_first_code_is_sealed(client_of: SignIn, settings: Settings) -> None:
    client = client_of("manager")
    page = client.get("/sign-in/factors/app/", **HOST).content.decode()
    secret = re.search(r'id="app-key"[^>]*value="([A-Z2-7]{32})"', page)[1]  # type: ignore[index]
    assert secret not in str(dict(client.session))
    wrong = client.post("/sign-in/factors/app/", {"code": "000000"}, **HOST).content.decode()
    assert secret in wrong, "the same, so that the app need not be set up twice"
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert client.post("/sign-in/factors/app/", {"code": code_for(secret)}, **HOST).status_code == 200
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("role", ["support", "manager", "admin"])
def test_who_needs_a_factor_gets_nowhere_but_to_setting_it_up(required: None, user_of: UserOf, role: str) -> None:
    by_link(user_of(role))
    client = begin(f"{role}@example.com")
    for path in (
        "/",
        "/profile/",
        "/leads/",
        "/sessions/",
        "/directory/",
        "/sign-in/password/",
        "/settings/connection/",
    ):
        assert client.get(path, **HOST)["Location"] == "/sign-in/factors/", path
    fragment = client.get("/directory/", HTTP_HX_REQUEST="true", **HOST)
    assert (fragment["HX-Redirect"], fragment.content) == ("/sign-in/factors/", b"")
    assert client.post("/profile/", {"name": "Thief"}, **HOST)["Location"] == "/sign-in/factors/"
    assert User.objects.get(role=role).name != "Thief"
    assert "Your role needs a second factor" in client.get("/sign-in/factors/", **HOST).content.decode()
    set_up_app(client)
    assert is_in(client)


def by_link(user: User) -> None:
    """As if the person had just set his password by a link."""
    users.let_set_up_factor(user)
    user.save()


def turned_away(client: Client) -> bool:
    """Whether nothing opens but the page that says whom to ask."""
    for path in ("/", "/profile/", "/sign-in/factors/app/", "/sign-in/factors/passkey/", "/sign-in/again/"):
        assert client.get(path, **HOST)["Location"] == "/sign-in/factors/", path
    for path in ("/sign-in/factors/app/", "/sign-in/factors/passkey/"):
        assert client.post(path, {"code": "123456", "credential": "{}"}, **HOST)["Location"] == "/sign-in/factors/"
    page = client.get("/sign-in/factors/", **HOST).content.decode()
    return "Ask an admin for a set-password link" in page and "Set up an app" not in page


def test_a_stolen_password_alone_sets_up_no_factor(required: None, user_of: UserOf) -> None:
    """Of somebody who never had one: new long ago, or promoted."""
    manager = user_of("manager")
    assert turned_away(begin("manager@example.com"))
    manager.may_set_up_until = timezone.now() - timedelta(seconds=1)
    manager.save()
    assert turned_away(begin("manager@example.com")), "a day is over"
    assert not Authenticator.objects.exists()
    client = begin("manager@example.com")
    client.post("/sign-in/out/", **HOST)
    assert "_auth_user_id" not in client.session


def test_a_set_password_link_lets_the_first_factor_be_set_up(required: None, user_of: UserOf) -> None:
    manager = user_of("manager")
    link = urlsplit(users.set_password_link(actor=user_of("admin"), user=manager)).path
    client = Client()
    at = client.get(link, **HOST)["Location"]
    assert (
        client.post(at, {"password1": "another horse 81", "password2": "another horse 81"}, **HOST).status_code == 302
    )
    assert not is_in(begin("manager@example.com")), "the old password is nothing any more"
    client = begin("manager@example.com", "another horse 81")
    set_up_app(client)
    assert is_in(client)


def test_after_a_factor_was_taken_away_the_password_alone_sets_up_none(required: None, user_of: UserOf) -> None:
    manager = user_of("manager")
    by_link(manager)  # within the same day
    give_app(manager)
    second_factor.take_away(actor=user_of("admin"), user=manager)
    assert turned_away(begin("manager@example.com"))


def test_the_first_admin_sets_up_a_factor_within_a_day_of_being_made(
    required: None, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(f"{PASSWORD}\n"))
    call_command("createadmin", "first@example.com", name="First", stdout=StringIO())
    client = begin("first@example.com")
    set_up_app(client)
    assert is_in(client)


def test_an_admin_is_told_that_a_promoted_agent_needs_a_link(
    user_of: UserOf, client_of: SignIn, settings: Settings
) -> None:
    settings.SECOND_FACTOR_ROLES, settings.DEMO = ["manager"], False
    agent, admin = user_of("agent"), client_of("admin")
    page = admin.post(f"/team/{agent.pk}/", {"name": "Agent", "role": "manager"}, follow=True, **HOST)
    assert "Create a set-password link" in page.content.decode()
    assert turned_away(begin("agent@example.com"))


def test_recovery_codes_alone_are_no_factor_to_an_admin_either(
    user_of: UserOf, client_of: SignIn, settings: Settings
) -> None:
    """Nothing is offered that would then be refused, and the link is not forgotten."""
    settings.SECOND_FACTOR_ROLES = ["manager"]
    agent, admin = user_of("agent"), client_of("admin")
    give_app(agent)
    with asking(agent):
        RecoveryCodes.activate(agent)
    address = f"/team/{agent.pk}/"
    assert "Remove the second factor" in admin.get(address, **HOST).content.decode()
    Authenticator.objects.get(type=Authenticator.Type.TOTP).delete()
    assert "Remove the second factor" not in admin.get(address, **HOST).content.decode()
    page = admin.post(address, {"name": "Agent", "role": "manager"}, follow=True, **HOST)
    assert "Create a set-password link" in page.content.decode()


def test_in_the_demo_it_can_be_tried(user_of: UserOf, settings: Settings) -> None:
    settings.SECOND_FACTOR_ROLES, settings.DEMO = ["manager"], True
    user_of("manager")
    client = begin("manager@example.com")
    set_up_app(client)
    assert is_in(client)


@pytest.mark.parametrize("role", ["viewer", "agent", "auditor"])
def test_others_need_none(required: None, user_of: UserOf, role: str) -> None:
    user_of(role)
    assert is_in(begin(f"{role}@example.com"))


def test_a_session_from_before_it_was_needed_has_to_show_it(required: None, user_of: UserOf, client_of: SignIn) -> None:
    secret = give_app(user_of("admin"))
    client = client_of("admin")
    assert client.get("/", **HOST)["Location"] == "/sign-in/again/"
    client.post("/sign-in/again/code/", {"code": code_for(secret)}, **HOST)
    assert not is_in(client)
    client.post("/sign-in/again/code/", {"password": PASSWORD, "code": code_for(secret)}, **HOST)
    assert is_in(client)


def test_who_needs_a_factor_does_not_remove_the_last_one(required: None, user_of: UserOf) -> None:
    by_link(user_of("admin"))
    client = begin("admin@example.com")
    set_up_app(client)
    answer = client.post("/sign-in/factors/app/remove/", **HOST)
    assert "Your role needs a second factor" in answer.content.decode()
    passkey = give_passkey(client)
    client.post("/sign-in/factors/app/remove/", **HOST)
    kept = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    client.post(f"/sign-in/factors/passkey/{kept.pk}/remove/", **HOST)
    types = set(Authenticator.objects.values_list("type", flat=True))
    assert types == {"webauthn", "recovery_codes"}
    assert passkey.id


def test_setting_up_and_removing_ask_again_who_it_is(user_of: UserOf, client_of: SignIn) -> None:
    client = client_of("agent", stale=True)
    for path in ("app/", "passkey/"):
        assert client.get(f"/sign-in/factors/{path}", **HOST)["Location"].startswith("/sign-in/again/")
    give_app(user_of("agent"))
    for path in ("app/remove/", "codes/", "codes/new/"):
        assert client.post(f"/sign-in/factors/{path}", **HOST)["Location"].startswith("/sign-in/again/")
    assert Authenticator.objects.count() == 1


# Step-up


AGAIN = "/sign-in/again/code/"
BOTH_WRONG = "The password or the code is wrong."


def confirm(client: Client, password: str, code: str) -> str:
    """What the page says, "" where it confirms and goes on."""
    answer = client.post(AGAIN, {"password": password, "code": code, "next": "/team/add/"}, **HOST)
    if answer.status_code == 302:
        assert answer["Location"] == "/team/add/"
        return ""
    return answer.content.decode()


def is_confirmed(client: Client) -> bool:
    return client.get("/team/add/", **HOST).status_code == 200


def test_step_up_takes_password_and_code_together(user_of: UserOf, client_of: SignIn) -> None:
    secret = give_app(user_of("admin"))
    client = client_of("admin")  # who gave the password just now
    to = client.get("/sign-in/again/?next=/team/add/", **HOST)
    assert to["Location"] == f"{AGAIN}?next=%2Fteam%2Fadd%2F"
    client.post("/sign-in/again/", {"password": PASSWORD, "next": "/team/add/"}, **HOST)
    assert not is_confirmed(client), "the password alone"
    page = client.get(to["Location"], **HOST).content.decode()
    assert page.index('name="password"') < page.index('name="code"')
    assert page.count("autofocus") == 1
    for password, code, field in (("", code_for(secret), "password"), (PASSWORD, "", "code")):
        said = confirm(client, password, code)
        assert f'<a href="#id_{field}">' in said
        assert "This field is required" in said
        assert 'name="next" value="/team/add/"' in said, "it still returns there"
        assert not is_confirmed(client)
    assert client.post(AGAIN, {"code": code_for(secret)}, **HOST).status_code == 200, "as it was sent before"
    assert not is_confirmed(client), "the code alone"
    assert confirm(client, PASSWORD, code_for(secret)) == ""
    assert is_confirmed(client)
    assert AuditEntry.objects.get(action="session.confirm.succeeded").detail == {"by": "authenticator app, password"}


def test_step_up_tells_nobody_which_of_the_two_was_wrong(user_of: UserOf, client_of: SignIn) -> None:
    """Neither by the page nor by the log, nor by when it stops taking tries."""
    secret = give_app(user_of("admin"))
    said = []
    for password, code in (("wrong", code_for(secret)), (PASSWORD, "000000"), ("wrong", "000000")):
        cache.clear()
        client, before = client_of("admin", stale=True), AuditEntry.objects.count()
        pages = [confirm(client, password, code) for _ in range(6)]
        assert [BOTH_WRONG in page for page in pages] == [True] * 5 + [False]
        assert "Wait up to five minutes" in pages[5]
        assert "Wait up to five minutes" in confirm(client, PASSWORD, code_for(secret))
        assert not is_confirmed(client)
        notice = [re.search(r'role="alert".*?</div>', page, re.DOTALL)[0] for page in pages]  # type: ignore[index]
        said.append((notice, [(entry.action, entry.detail) for entry in AuditEntry.objects.order_by("pk")[before:]]))
    assert said[0] == said[1] == said[2]
    assert said[0][1] == [("session.confirm.failed", {"by": "password and code"})] * 5


def test_a_code_beside_a_wrong_password_is_not_spent_and_none_counts_twice(user_of: UserOf, client_of: SignIn) -> None:
    secret = give_app(user_of("admin"))
    client, code = client_of("admin", stale=True), code_for(secret)
    assert BOTH_WRONG in confirm(client, "wrong", code)
    assert confirm(client, PASSWORD, code) == ""
    cache.clear()
    again = client_of("admin", stale=True)
    assert BOTH_WRONG in confirm(again, PASSWORD, code)
    assert not is_confirmed(again)


def test_a_recovery_code_confirms_once_beside_the_password(user_of: UserOf, client_of: SignIn) -> None:
    client = client_of("admin")
    set_up_app(client)
    page = client.get("/sign-in/factors/codes/", **HOST).content.decode()
    code = re.findall(r"<code>(\d{8})</code>", page)[0]
    assert BOTH_WRONG in confirm(client_of("admin", stale=True), "wrong", code)
    for is_first in (True, False):
        other = client_of("admin", stale=True)
        assert (confirm(other, PASSWORD, code) == "") is is_first
        assert is_confirmed(other) is is_first


def test_signing_in_with_both_counts_as_confirmed_and_the_older_of_them_ends_it(user_of: UserOf) -> None:
    secret = give_app(user_of("admin"))
    client = begin("admin@example.com")
    client.post(FACTOR, {"code": code_for(secret)}, **HOST)
    assert is_confirmed(client)
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 301
    session.save()
    assert not is_confirmed(client)


def test_a_fragment_that_needs_both_is_sent_there_and_returns(user_of: UserOf, client_of: SignIn) -> None:
    secret = give_app(user_of("admin"))
    client, url = client_of("admin"), f"/team/{user_of('viewer').pk}/deactivate/"
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/team/?page=2"}
    sent = client.get(url, headers=headers, **HOST)["HX-Redirect"]
    there = client.get(sent, **HOST)["Location"]
    back = f"/team/?page=2#{url}"
    assert parse_qs(urlsplit(there).query) == {"next": [back]}
    answer = client.post(there, {"password": PASSWORD, "code": code_for(secret), "next": back}, **HOST)
    assert answer["Location"] == back
    assert client.get(url, headers=headers, **HOST).status_code == 200


def test_the_password_is_neither_guessed_nor_changed_without_both(user_of: UserOf, client_of: SignIn) -> None:
    secret, url = give_app(user_of("admin")), "/sign-in/password/"
    thief = client_of("admin")
    new = dict.fromkeys(("password1", "password2"), "another horse battery")
    assert thief.get(url, **HOST)["Location"] == "/sign-in/again/?next=%2Fsign-in%2Fpassword%2F"
    told = [thief.post(url, {"oldpassword": old, **new}, **HOST)["Location"] for old in ("wrong", PASSWORD)]
    assert told == ["/sign-in/again/"] * 2, "nothing tells which is right"
    assert thief.get("/sign-in/password/first/", **HOST)["Location"].startswith("/sign-in/again/")
    assert user_of("admin").check_password(PASSWORD)
    assert confirm(thief, PASSWORD, code_for(secret)) == ""
    assert thief.post(url, {"oldpassword": PASSWORD, **new}, **HOST)["Location"] == "/profile/"
    assert user_of("admin").check_password("another horse battery")


def test_step_up_by_passkey(client_of: SignIn) -> None:
    client = client_of("admin")
    device = give_passkey(client)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 3600
    session.save()
    there = client.get("/team/add/", follow=True, **HOST)
    assert there.redirect_chain[-1][0] == "/sign-in/again/passkey/?next=%2Fteam%2Fadd%2F"
    elsewhere = Device("http://evil.localhost", device.key, device.id, device.user)
    answer = {"credential": elsewhere.use(options_on(there.content.decode())), "next": "/team/add/"}
    back = client.post("/sign-in/again/passkey/", answer, **HOST)
    assert back["Location"] == "/sign-in/again/passkey/?next=%2Fteam%2Fadd%2F"
    page = client.get(back["Location"], **HOST).content.decode()
    assert "only for this desk" in page
    assert log()[-1] == "session.confirm.failed"
    assert 'type="password"' not in page, "it is two factors by itself"
    answer = {"credential": device.use(options_on(page)), "next": "/team/add/"}
    assert client.post("/sign-in/again/passkey/", answer, **HOST)["Location"] == "/team/add/"
    assert is_confirmed(client)


def test_step_up_by_a_passkey_takes_the_finger_or_pin(client_of: SignIn) -> None:
    """Or it would be possession alone."""
    device = give_passkey(client_of("admin"))
    client = client_of("admin")  # by password, just now
    device.is_verified = False
    page = client.get("/sign-in/again/passkey/", **HOST).content.decode()
    client.post("/sign-in/again/passkey/", {"credential": device.use(options_on(page))}, **HOST)
    assert not is_confirmed(client)
    assert log()[-1] == "session.confirm.failed"


# Passkeys


def ask(client: Client) -> dict[str, object]:
    options: dict[str, object] = client.get("/sign-in/passkey/", HTTP_ACCEPT="application/json", **HOST).json()[
        "request_options"
    ]["publicKey"]
    return options


def test_a_passkey_signs_in_alone(client_of: SignIn) -> None:
    device = give_passkey(client_of("manager"))
    client = Client()
    assert client.post("/sign-in/passkey/", {"credential": device.use(ask(client))}, **HOST)["Location"] == "/"
    assert is_in(client)
    assert AuditEntry.objects.filter(action="session.start.succeeded").latest("pk").detail == {"by": "passkey"}


def test_strangers_do_not_fill_the_database_by_asking_for_a_passkey() -> None:
    for tries, status in ((20, 200), (5, 429)):
        for _ in range(tries):
            assert Client().get("/sign-in/passkey/", HTTP_ACCEPT="application/json", **HOST).status_code == status
    assert Session.objects.count() == 20
    elsewhere = Client(REMOTE_ADDR="198.51.100.1").get("/sign-in/passkey/", HTTP_ACCEPT="application/json", **HOST)
    assert elsewhere.status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://sub.localhost", "http://localhost:99", "", "null"])
def test_a_passkey_of_another_origin_is_refused(client_of: SignIn, origin: str) -> None:
    """Though it is signed rightly, as by a browser that was led to a page that only looks like ours."""
    device = give_passkey(client_of("manager"))
    device.origin = origin
    alone = Client()
    answer = alone.post("/sign-in/passkey/", {"credential": device.use(ask(alone))}, follow=True, **HOST)
    assert "only for this desk&#x27;s own address" in answer.content.decode()
    assert not is_in(alone)
    assert log()[-1] == "session.start.failed"
    second = begin("manager@example.com")
    options = options_on(second.get(FACTOR, **HOST).content.decode())
    assert "Not signed in." in second.post(FACTOR, {"credential": device.use(options)}, **HOST).content.decode()
    assert not is_in(second)
    assert log()[-1] == "factor.check.failed"


def test_an_answer_to_an_older_question_is_refused(client_of: SignIn) -> None:
    device = give_passkey(client_of("manager"))
    client = Client()
    answer = {"credential": device.use(ask(client))}
    client.post("/sign-in/passkey/", answer, **HOST)
    assert is_in(client)
    for again in (client, Client()):
        again.logout()
        ask(again)
        again.post("/sign-in/passkey/", answer, **HOST)
        assert not is_in(again)


def test_a_passkey_that_nobody_opened_by_finger_or_pin_is_refused(client_of: SignIn) -> None:
    device = give_passkey(client_of("manager"))
    device.is_verified = False
    client = Client()
    client.post("/sign-in/passkey/", {"credential": device.use(ask(client))}, **HOST)
    assert not is_in(client)


def test_a_deactivated_person_s_passkey_opens_nothing(user_of: UserOf, client_of: SignIn) -> None:
    device = give_passkey(client_of("manager"))
    User.objects.filter(pk=user_of("manager").pk).update(is_active=False)
    client = Client()
    client.post("/sign-in/passkey/", {"credential": device.use(ask(client))}, **HOST)
    assert not is_in(client)


@pytest.mark.parametrize(
    "junk",
    [
        "", "null", "[]", "1", '"x"', "{", "{}", '{"response": 1}', '{"response": {"clientDataJSON": 5}}',
        '{"response": {"clientDataJSON": "!!"}}', '{"response": {"clientDataJSON": "bnVsbA"}}',
        '{"rawId": "AA", "response": {"clientDataJSON": "eyJvcmlnaW4iOiJodHRwOi8vbG9jYWxob3N0In0"}}',
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "AA", "signature": "AA",'
        ' "authenticatorData": "AA", "clientDataJSON": "eyJvcmlnaW4iOiJodHRwOi8vbG9jYWxob3N0In0"}}',
    ],
)  # fmt: skip
def test_a_forged_answer_is_refused_wherever_it_is_posted(user_of: UserOf, client_of: SignIn, junk: str) -> None:
    client = client_of("admin")
    give_passkey(client)
    factors = list(Authenticator.objects.values_list("pk", flat=True))
    stage, out = begin("admin@example.com"), Client()
    ask(out)
    for browser, path in (
        (client, "/sign-in/factors/passkey/"),
        (client, "/sign-in/again/passkey/"),
        (stage, FACTOR),
        (out, "/sign-in/passkey/"),
    ):
        assert browser.post(path, {"name": "x", "credential": junk}, **HOST).status_code in (200, 302)
    assert not is_in(stage)
    assert not is_in(out)
    assert list(Authenticator.objects.values_list("pk", flat=True)) == factors


# Lost


def test_an_admin_takes_a_lost_factor_away(user_of: UserOf, client_of: SignIn) -> None:
    person = user_of("manager")
    secret = give_app(person)
    theirs = begin("manager@example.com")
    theirs.post(FACTOR, {"code": code_for(secret)}, **HOST)
    admin = client_of("admin")
    assert "None" not in admin.get(f"/team/{person.pk}/", **HOST).content.decode().split("Second factor")[1][:60]
    assert admin.get(f"/team/{person.pk}/factor/", **HOST).status_code == 200
    assert is_in(theirs), "asking is not doing"
    team = admin.get("/team/", **HOST).content.decode()
    assert team.count("No second factor") == 1, "the admin's own"
    admin.post(f"/team/{person.pk}/factor/", **HOST)
    assert admin.get("/team/", **HOST).content.decode().count("No second factor") == 2
    assert not is_in(theirs)
    assert is_in(begin("manager@example.com"))
    entry = AuditEntry.objects.get(action="factor.reset.succeeded")
    assert (entry.actor_name, entry.target_name, entry.before) == (
        "Admin Person", "Manager Person", {"factors": ["authenticator app"]}
    )  # fmt: skip


def test_taking_away_asks_again_who_it_is(user_of: UserOf, client_of: SignIn) -> None:
    give_app(user_of("manager"))
    path = f"/team/{user_of('manager').pk}/factor/"
    assert client_of("admin", stale=True).post(path, **HOST)["Location"].startswith("/sign-in/again/")
    assert Authenticator.objects.exists()


def test_nobody_takes_his_own_away_so_nor_without_the_right(user_of: UserOf) -> None:
    give_app(user_of("admin"))
    give_app(user_of("manager"))
    with pytest.raises(NotYourself):
        second_factor.take_away(actor=user_of("admin"), user=user_of("admin"))
    with pytest.raises(Denied):
        second_factor.take_away(actor=user_of("manager"), user=user_of("admin"))
    assert Authenticator.objects.count() == 2


def test_an_only_admin_who_lost_his_is_helped_from_the_command_line(user_of: UserOf) -> None:
    give_app(user_of("admin"))
    out = StringIO()
    call_command("resetfactor", "Admin@example.com", stdout=out)
    assert "no second factor" in out.getvalue()
    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.get(action="factor.reset.succeeded").actor_name == "manage.py resetfactor"
    with pytest.raises(CommandError):
        call_command("resetfactor", "nobody@example.com")


def test_an_only_admin_without_a_factor_is_let_set_one_up_from_the_command_line(
    required: None, user_of: UserOf
) -> None:
    """Whose day is over, or who had none when this came to be asked."""
    user_of("admin")
    assert turned_away(begin("admin@example.com"))
    call_command("resetfactor", "admin@example.com", stdout=StringIO())
    client = begin("admin@example.com")
    set_up_app(client)
    assert is_in(client)
