"""Sessions: listed, ended one by one or all others, and over by themselves; from some addresses only."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import networks
from accounts.middleware import SETTING_UP
from accounts.models import AuditEntry, User
from accounts.services import sessions
from leads.urls import urlpatterns as leads_urls
from tests.accounts.test_sessions import is_in, sign_in
from tests.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db
UserOf = Callable[[str], User]


def age(client: Client, *, began: float = 0, used: float = 0) -> None:
    """As if the sign-in, and the last use of it, were so many seconds ago."""
    session = client.session
    session["began_at"] = int(time.time() - began)
    session["seen_at"] = int(time.time() - used)
    session.save()


def last() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


# Listing and ending


def test_all_of_one_s_own_are_listed_and_nobody_else_s(user_of: UserOf) -> None:
    user_of("agent"), user_of("viewer")
    here, there, other = sign_in("agent@example.com"), Client(HTTP_USER_AGENT="Phone"), Client(HTTP_USER_AGENT="Other")
    sign_in("agent@example.com", client=there)
    sign_in("viewer@example.com", client=other)
    page = here.get("/sessions/").content.decode()
    assert page.count("This session") == 1
    assert "Phone" in page
    assert "Other" not in page
    assert "127.0.0.1" in page
    assert here.session.session_key not in page, "a key is worth a session"


def test_one_is_ended(user_of: UserOf) -> None:
    user_of("agent")
    here, there = sign_in("agent@example.com"), Client(HTTP_USER_AGENT="Phone")
    sign_in("agent@example.com", client=there)
    row = UserSession.objects.get(user_agent="Phone")
    here.post(f"/sessions/{row.pk}/end/")
    assert is_in(here)
    assert not is_in(there)
    assert (last().action, last().detail) == ("session.revoke.succeeded", {"address": "127.0.0.1", "browser": "Phone"})
    assert "already ended" in here.post(f"/sessions/{row.pk}/end/", follow=True).content.decode()


def test_all_others_are_ended(user_of: UserOf) -> None:
    user_of("agent")
    here, *others = [sign_in("agent@example.com") for _ in range(4)]
    answer = here.post("/sessions/end-others/", follow=True)
    assert "Ended 3 other sessions." in answer.content.decode()
    assert is_in(here)
    assert not any(map(is_in, others))


def test_nobody_ends_another_s(user_of: UserOf) -> None:
    user_of("agent"), user_of("admin")
    theirs, mine = sign_in("agent@example.com"), sign_in("admin@example.com")
    mine.post(f"/sessions/{UserSession.objects.get(user__role='agent').pk}/end/")
    mine.post("/sessions/end-others/")
    assert is_in(theirs)
    assert is_in(mine)


def test_this_very_one_is_ended_by_signing_out_only(user_of: UserOf) -> None:
    user_of("agent")
    here = sign_in("agent@example.com")
    assert here.post(f"/sessions/{UserSession.objects.get().pk}/end/").status_code == 302
    assert is_in(here)


def test_ending_asks_again_who_it_is(user_of: UserOf, client_of: SignIn) -> None:
    user_of("agent")
    there = sign_in("agent@example.com")
    stale = client_of("agent", stale=True)
    for path in (f"/sessions/{UserSession.objects.get().pk}/end/", "/sessions/end-others/"):
        assert stale.post(path)["Location"].startswith("/sign-in/again/")
    assert is_in(there)


def test_confirming_gives_the_session_another_key(user_of: UserOf) -> None:
    user_of("agent")
    client = sign_in("agent@example.com")
    before, began = client.session.session_key, UserSession.objects.get().created_at
    client.post("/sign-in/again/", {"password": PASSWORD})
    assert client.session.session_key != before
    assert (UserSession.objects.get().session_key, UserSession.objects.get().created_at) == (
        client.session.session_key, began
    )  # fmt: skip
    assert not Session.objects.filter(session_key=before).exists()


def test_a_session_that_ended_is_listed_no_more(user_of: UserOf) -> None:
    user_of("agent")
    here, there = sign_in("agent@example.com"), sign_in("agent@example.com")
    there.post("/sign-in/out/")
    assert here.get("/sessions/").content.decode().count("<tr>") == 2


# Over by themselves


def test_a_session_is_over_after_its_hours_however_much_it_is_used(user_of: UserOf, settings: Settings) -> None:
    user_of("agent")
    client = sign_in("agent@example.com")
    age(client, began=settings.SESSION_HOURS * 3600 - 30)
    assert is_in(client)
    age(client, began=settings.SESSION_HOURS * 3600)
    assert not is_in(client)
    assert last().detail == {"why": "a session lasts at most 12 hours"}
    assert "because a session lasts at most 12 hours" in client.get("/sign-in/").content.decode()


def test_a_session_that_nobody_uses_is_over(user_of: UserOf, settings: Settings) -> None:
    user_of("agent")
    settings.SESSION_IDLE_MINUTES = 15
    client = sign_in("agent@example.com")
    age(client, used=14 * 60)
    assert is_in(client)
    assert is_in(client), "that was a use"
    age(client, used=15 * 60)
    answer = client.post("/profile/", {"name": "Typed late"})
    assert answer["Location"] == "/sign-in/?next=%2Fnot-sent%2F", "what was typed is kept"
    assert last().detail == {"why": "there was no activity for 15 minutes"}
    assert not Session.objects.filter(session_data__contains="began_at").exists()


def test_what_a_page_asks_by_itself_keeps_no_session_alive(user_of: UserOf, settings: Settings) -> None:
    user_of("agent")
    settings.SESSION_IDLE_MINUTES = 15
    client = sign_in("agent@example.com")
    age(client, used=14 * 60)
    client.get("/leads/4174086/changed/?since=1")
    assert client.session["seen_at"] < time.time() - 14 * 60
    is_in(client)
    assert client.session["seen_at"] >= time.time() - 60


def test_every_address_that_pages_ask_by_themselves_is_marked() -> None:
    """Those whose templates say ``every``, and the notice that js/watching.js asks for."""
    marked = {pattern.name for pattern in leads_urls if getattr(pattern.callback, "asked_by_page", False)}
    assert marked == {"changed", "job-progress", "import-progress", "operation-status", "playbook-status"}


def test_use_is_noted_once_a_minute(user_of: UserOf, django_assert_num_queries: Callable[..., object]) -> None:
    user_of("agent")
    client = sign_in("agent@example.com")
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    is_in(client)
    assert UserSession.objects.get().last_seen_at < timezone.now() - timedelta(minutes=50)
    age(client, used=61)
    is_in(client)
    assert UserSession.objects.get().last_seen_at > timezone.now() - timedelta(minutes=1)


def test_what_ran_out_is_forgotten(user_of: UserOf) -> None:
    user_of("agent")
    old, new = sign_in("agent@example.com"), sign_in("agent@example.com")
    UserSession.objects.filter(session_key=old.session.session_key).update(
        created_at=timezone.now() - timedelta(days=2)
    )
    Session.objects.filter(session_key=old.session.session_key).update(expire_date=timezone.now())
    sessions.prune()
    assert UserSession.objects.get().session_key == new.session.session_key == Session.objects.get().session_key


# Addresses


def sign_in_from(address: str, role: str) -> Client:
    client = Client(REMOTE_ADDR=address)
    return sign_in(f"{role}@example.com", client=client)


BOUND = "admin=10.0.0.0/8,2001:db8::/32; manager=192.0.2.7"


@pytest.mark.parametrize(
    ("role", "address", "may"),
    [
        ("admin", "10.1.2.3", True),
        ("admin", "2001:db8::5", True),
        ("admin", "::ffff:10.1.2.3", True),
        ("admin", "11.1.2.3", False),
        ("admin", "2001:db9::5", False),
        ("admin", "", False),
        ("manager", "192.0.2.7", True),
        ("manager", "192.0.2.8", False),
        ("agent", "11.1.2.3", True),
        ("agent", "", True),
    ],
)
def test_a_role_may_be_bound_to_addresses(
    user_of: UserOf, settings: Settings, role: str, address: str, may: bool
) -> None:
    settings.ROLE_ADDRESSES = BOUND
    user_of(role)
    client = sign_in_from(address, role)
    assert is_in(client) is may
    assert (last().action == "session.address.denied") is not may


def test_a_session_carried_elsewhere_is_ended(user_of: UserOf, settings: Settings) -> None:
    settings.ROLE_ADDRESSES = BOUND
    user_of("admin")
    client = sign_in_from("10.1.2.3", "admin")
    elsewhere = Client(REMOTE_ADDR="198.51.100.9")
    elsewhere.cookies = client.cookies
    answer = elsewhere.get("/profile/")
    assert answer.status_code == 403
    assert "only from the addresses that your team has set" in answer.content.decode()
    assert last().action == "session.address.denied"
    assert not is_in(client)


def test_a_forged_header_moves_nobody(user_of: UserOf, settings: Settings) -> None:
    settings.ROLE_ADDRESSES = BOUND
    user_of("admin")
    settings.TRUSTED_PROXY_COUNT = 1
    forged = {"HTTP_X_FORWARDED_FOR": "10.1.2.3, 198.51.100.9"}
    client = Client(REMOTE_ADDR="127.0.0.1", **forged)
    client.post("/sign-in/", {"login": "admin@example.com", "password": PASSWORD})
    assert not is_in(client)
    honest = Client(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.9, 10.1.2.3")
    assert is_in(sign_in("admin@example.com", client=honest))


@pytest.mark.parametrize("text", ["boss=10.0.0.0/8", "admin", "admin=", "admin=10.0.0.1/8", "admin=office"])
def test_addresses_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        networks.parse(text)


def test_setting_up_names_addresses_that_exist() -> None:
    from tests.test_access import TABLE

    assert set(TABLE) >= SETTING_UP
