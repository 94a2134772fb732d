"""What the next page says may name a lead, and stands nowhere in the clear while it waits."""

from collections.abc import Callable

import pytest
from django.conf import settings as project
from django.contrib.sessions.models import Session
from django.test import Client

from tests.leads.helpers import words

pytestmark = pytest.mark.django_db
CANARY = "Quetzalina"


@pytest.fixture
def client(client_of: Callable[..., Client]) -> Client:
    """Somebody whose next page names the canary."""
    client = client_of("admin")
    answer = client.post("/settings/reasons/", {"text": f"As {CANARY} asked"})
    assert answer.status_code == 302
    return client


def test_no_cookie_and_no_session_names_whom_it_is_about(client: Client) -> None:
    sessions = [session.get_decoded() for session in Session.objects.all()]
    assert any("_messages" in session for session in sessions), "the test would notice"
    assert CANARY not in str(sessions)
    cookies = client.cookies.output()
    assert project.SESSION_COOKIE_NAME in cookies
    assert "messages" not in cookies
    assert CANARY not in cookies


def test_the_next_page_says_it_once(client: Client) -> None:
    said = f"Reason ‘As {CANARY} asked’ saved."
    assert said in words(client.get("/settings/reasons/"))
    assert not any("_messages" in session.get_decoded() for session in Session.objects.all())
    assert said not in words(client.get("/settings/reasons/"))


def test_several_wait_together(client: Client) -> None:
    client.post("/settings/reasons/", {"text": "Another"})
    text = words(client.get("/settings/reasons/"))
    assert f"Reason ‘As {CANARY} asked’ saved." in text
    assert "Reason ‘Another’ saved." in text


def test_what_does_not_open_is_left_out(client: Client) -> None:
    sealed = [session.get_decoded()["_messages"] for session in Session.objects.all()]
    session = client.session
    session["_messages"] = sealed[0][:-4] + "AAAA"
    session.save()
    answer = client.get("/settings/reasons/")
    assert answer.status_code == 200
    assert "saved." not in words(answer)
