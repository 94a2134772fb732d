"""Notes on the lead page: in place and without HTMX."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEntry
from leads.models import Note
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, see, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
URL = f"/leads/{ADA.id}/notes/"


def test_in_place_the_card_comes_back(at_desk: AtDesk, sandbox: Sandbox) -> None:
    agent = at_desk("agent")
    see(agent)
    sandbox.calls()
    answer = agent.post(URL, {"text": "Call <b>Tuesday</b>\nafter five"}, headers=HTMX)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "<html" not in html
    assert "Call &lt;b&gt;Tuesday&lt;/b&gt;<br>after five" in html
    assert "Agent Person" in html
    assert sandbox.calls() == []


def test_without_htmx_it_leads_back_to_the_lead(at_desk: AtDesk) -> None:
    answer = at_desk("agent").post(URL, {"text": "Call on Tuesday"}, follow=True)
    assert answer.redirect_chain == [(f"/leads/{ADA.id}/", 302)]
    assert "Call on Tuesday" in words(answer)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
@pytest.mark.parametrize("text", ["", "   ", "x" * 5001])
def test_what_is_wrong_is_422_and_nothing_lost(at_desk: AtDesk, text: str, headers: dict[str, str]) -> None:
    answer = at_desk("agent").post(URL, {"text": text}, headers=headers)
    assert answer.status_code == 422
    assert text.strip() in answer.content.decode()
    assert 'class="field has-error"' in answer.content.decode()
    assert not Note.objects.exists()


def test_everybody_sees_it_and_only_its_author_may_delete_it(at_desk: AtDesk) -> None:
    agent, manager = at_desk("agent"), at_desk("manager")
    agent.post(URL, {"text": "Call on Tuesday"})
    note = Note.objects.get()
    assert "Call on Tuesday" in words(see(at_desk("viewer")))
    assert 'name="delete"' in see(agent).content.decode()
    assert 'name="delete"' not in see(manager).content.decode()
    assert manager.post(URL, {"delete": str(note.pk)}).status_code == 403
    assert AuditEntry.objects.get(action="permission.denied").actor_name == "Manager Person"
    assert agent.post(URL, {"delete": str(note.pk)}, headers=HTMX).status_code == 200
    assert not Note.objects.exists()


def test_a_lead_that_there_is_not_takes_no_note(at_desk: AtDesk) -> None:
    for number, says in (("999999999", "No lead with"), (NOTABLE["deleted"].id, "This lead was deleted in Kartra")):
        answer = at_desk("agent").post(f"/leads/{number}/notes/", {"text": "Call on Tuesday"})
        assert (answer.status_code, says in answer.content.decode()) == (404, True)
    assert not Note.objects.exists()


def test_a_note_of_another_lead_is_not_found(at_desk: AtDesk) -> None:
    agent = at_desk("agent")
    agent.post(URL, {"text": "Call on Tuesday"})
    other = f"/leads/{NOTABLE['ben'].id}/notes/"
    for number in (str(Note.objects.get().pk), "999999", "9" * 40):
        assert agent.post(other, {"delete": number}).status_code == 404
    assert Note.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_only_look_writes_none(at_desk: AtDesk, role: str) -> None:
    assert at_desk(role).post(URL, {"text": "Call on Tuesday"}).status_code == 403
