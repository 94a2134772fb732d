"""Step-up: what is sensitive asks for the password again, unless it was given in the last five minutes."""

import time
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import Client
from django.urls import reverse

from accounts import seals
from accounts.models import AuditEntry, Connection, User
from tests.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db
AGAIN = "/sign-in/again/"
ON_TEAM = {"HTTP_REFERER": "http://testserver/team/?page=2#top"}


def log(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action))


@pytest.fixture
def someone(user_of: Callable[[str], User]) -> User:
    return user_of("viewer")


@pytest.mark.parametrize("name", ["team-add", "team-deactivate"])
def test_a_page_that_only_acts_asks_before_it_opens(client_of: SignIn, someone: User, name: str) -> None:
    url = reverse(f"accounts:{name}", args=[someone.pk] if name != "team-add" else [])
    answer = client_of("admin", stale=True).get(url)
    assert answer.status_code == 302
    assert answer["Location"] == f"{AGAIN}?next={url.replace('/', '%2F')}"
    assert client_of("admin").get(url).status_code == 200


def test_a_page_that_shows_something_asks_only_for_the_change(client_of: SignIn, someone: User) -> None:
    client, url = client_of("admin", stale=True), reverse("accounts:team-edit", args=[someone.pk])
    assert client.get(url).status_code == 200
    answer = client.post(url, {"name": "Somebody Else", "role": "admin"}, HTTP_REFERER=f"http://testserver{url}")
    assert answer["Location"].startswith(AGAIN)
    someone.refresh_from_db()
    assert (someone.name, someone.role) == ("Viewer Person", "viewer")


def test_a_fragment_is_sent_there_by_the_browser_and_returns_to_the_page(client_of: SignIn, someone: User) -> None:
    """With the fragment's own address behind the ``#``, so that the page can ask for it again."""
    url = reverse("accounts:team-deactivate", args=[someone.pk])
    for page in ("/team/7/?from=list", "/team/7/?from=list#/an/earlier/one/"):
        headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}
        answer = client_of("admin", stale=True).get(url, headers=headers)
        assert answer.status_code == 200
        assert unquote(answer["HX-Redirect"]) == f"{AGAIN}?next=/team/7/?from=list#{url}"
    assert not answer.content


def test_what_was_posted_is_not_sent_again(client_of: SignIn, someone: User) -> None:
    client = client_of("admin", stale=True)
    sent = client.post(reverse("accounts:team-deactivate", args=[someone.pk]), **ON_TEAM)
    assert sent["Location"] == f"{AGAIN}?next=%2Fteam%2F%3Fpage%3D2"
    back = client.post(sent["Location"], {"password": PASSWORD, "next": "/team/?page=2"})
    assert (back.status_code, back["Location"]) == (302, "/team/?page=2")
    someone.refresh_from_db()
    assert someone.is_active
    assert "Nothing was done yet" in client.get("/team/").content.decode()
    client.post(reverse("accounts:team-deactivate", args=[someone.pk]))
    someone.refresh_from_db()
    assert not someone.is_active


def test_what_was_typed_waits_and_is_sent_when_the_person_says_so(client_of: SignIn, someone: User) -> None:
    client, url = client_of("admin", stale=True), reverse("accounts:team-edit", args=[someone.pk])
    sent = client.post(url, {"name": "Somebody Else", "role": "agent", "password": "a secret word"})
    assert sent["Location"] == f"{AGAIN}?next=%2Fnot-sent%2F"
    assert "Somebody Else" not in str(dict(client.session)), "it may be a lead's name, so it is sealed"
    waits = seals.keyring().open(client.session["typed_form"], bound_to=seals.of_form(client.session["_auth_user_id"]))
    assert ("Somebody Else" in waits, "a secret word" in waits) == (True, False)
    back = client.post(sent["Location"], {"password": PASSWORD, "next": "/not-sent/"}, follow=True)
    page = back.content.decode()
    assert f'action="{url}"' in page
    assert '<input type="hidden" name="name" value="Somebody Else">' in page
    assert "a secret word" not in page
    assert "Passwords and keys are never kept. The form asks for them again." in page
    someone.refresh_from_db()
    assert someone.name == "Viewer Person"
    client.post(url, {"name": "Somebody Else", "role": "agent"})
    someone.refresh_from_db()
    assert (someone.name, someone.role) == ("Somebody Else", "agent")
    assert client.get("/not-sent/")["Location"] == "/"


def end(client: Client) -> None:
    """As if nobody had used this session for long."""
    session = client.session
    session["began_at"] = session["seen_at"] = 0
    session.save()


def test_what_was_typed_outlives_the_end_of_a_session(client_of: SignIn) -> None:
    client = client_of("admin")
    end(client)
    person = {"name": "New Person", "email": "new@example.com", "role": "agent", "phone_country_code": "+43"}
    sent = client.post("/team/add/", person)
    assert sent["Location"] == "/sign-in/?next=%2Fnot-sent%2F"
    client.post("/sign-in/", {"login": "admin@example.com", "password": PASSWORD})
    page = client.get("/not-sent/").content.decode()
    assert "New Person" in page
    assert "+43" in page, "no code to sign in with"
    assert "never kept" not in page, "no secret was among it"


@pytest.mark.parametrize("ended_by", ["idleness", "a new role"])
def test_what_was_typed_is_shown_to_nobody_else(
    client_of: SignIn, user_of: Callable[[str], User], ended_by: str
) -> None:
    user_of("viewer")
    for person, is_shown in (("viewer", False), ("agent", True)):
        client = client_of("agent")
        if ended_by == "idleness":
            end(client)
        else:
            User.objects.filter(role="agent").update(session_version=F("session_version") + 1)
        sent = client.post("/leads/4174086/notes/", {"text": "Ada has moved"})
        assert sent["Location"] == "/sign-in/?next=%2Fnot-sent%2F"
        client.post("/sign-in/", {"login": f"{person}@example.com", "password": PASSWORD})
        page = client.get("/not-sent/", follow=True)
        assert page.status_code == 200
        assert ("Ada has moved" in page.content.decode()) is is_shown
        assert "typed_form" not in client.session


def test_of_a_stranger_nothing_is_kept() -> None:
    for _ in range(2):
        sent = Client().post("/leads/new/", {"first_name": "x" * 1000})
        assert sent["Location"] == "/sign-in/"
    assert not Session.objects.exists()


@pytest.mark.parametrize(("letter", "most"), [("x", 63_000), ("é", 10_000), ("\U0001f600", 5_000)])
def test_more_than_a_form_holds_is_not_kept(client_of: SignIn, letter: str, most: int) -> None:
    """Counted as it is kept, where a letter may be many bytes."""
    client = client_of("admin", stale=True)
    assert "not-sent" in client.post("/team/add/", {"name": letter * most})["Location"]
    assert len(client.session["typed_form"]) < 100_000
    client.get("/not-sent/")
    assert "not-sent" not in client.post("/team/add/", {"name": letter * (most + 2_000)})["Location"]
    assert "typed_form" not in client.session


@pytest.mark.parametrize("referer", ["", "http://elsewhere.example/team/", "javascript:alert(1)", "//evil.example/x"])
def test_it_returns_to_pages_of_ours_only(client_of: SignIn, someone: User, referer: str) -> None:
    answer = client_of("admin", stale=True).post(
        reverse("accounts:team-link", args=[someone.pk]), headers={"Referer": referer}
    )
    assert answer["Location"] == AGAIN


def test_confirming_is_logged_and_lasts_five_minutes(client_of: SignIn, someone: User) -> None:
    client, url = client_of("admin", stale=True), reverse("accounts:team-add")
    assert client.post(AGAIN, {"password": PASSWORD, "next": url})["Location"] == url
    assert [entry.actor_name for entry in log("session.confirm.succeeded")] == ["Admin Person"]
    assert client.get(url).status_code == 200
    _age(client, 299)
    assert client.get(url).status_code == 200
    _age(client, 301)
    assert client.get(url).status_code == 302


def test_a_wrong_password_is_logged_and_confirms_nothing(client_of: SignIn) -> None:
    client = client_of("admin", stale=True)
    answer = client.post(AGAIN, {"password": "wrong", "next": "/team/add/"})
    assert answer.status_code == 200
    assert "Not confirmed." in answer.content.decode()
    assert [entry.actor_name for entry in log("session.confirm.failed")] == ["Admin Person"]
    assert log("session.start.failed") == []
    assert client.get("/team/add/").status_code == 302


def test_guessing_is_stopped(client_of: SignIn) -> None:
    client = client_of("admin", stale=True)
    for _ in range(10):
        assert client.post(AGAIN, {"password": "wrong"}).status_code == 200
    assert client.post(AGAIN, {"password": PASSWORD}).status_code == 429
    assert client.get("/team/add/").status_code == 302


def test_signing_in_counts_as_confirmed(user_of: Callable[[str], User]) -> None:
    user_of("admin")
    client = Client()
    client.post("/sign-in/", {"login": "admin@example.com", "password": PASSWORD})
    assert client.get("/team/add/").status_code == 200
    assert log("session.confirm.succeeded") == []


def test_another_person_s_confirmation_counts_for_nobody_else(
    client_of: SignIn, user_of: Callable[[str], User]
) -> None:
    client = client_of("admin")
    session = client.session
    session["account_authentication_methods_user"] = str(user_of("viewer").pk)
    session.save()
    assert client.get("/team/add/").status_code == 302


def test_permission_comes_first(client_of: SignIn) -> None:
    assert client_of("agent", stale=True).get("/team/add/").status_code == 403


@pytest.mark.parametrize("url", ["/settings/connection/", "/settings/connection/remove/"])
def test_credentials_are_not_changed_without(client_of: SignIn, url: str) -> None:
    answer = client_of("agent", stale=True).post(url, {"api_key": "k", "api_password": "p"})
    assert answer["Location"].startswith(AGAIN)
    assert not Connection.objects.exists()


def _age(client: Client, seconds: int) -> None:
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - seconds}]
    session.save()
