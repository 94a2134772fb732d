"""The create page: one call, an existing lead is shown instead, nothing typed is lost."""

from collections.abc import Callable

import pytest
from django.test import Client

from leads.access import Desk
from leads.models import Operation
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import posted_again, typed, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
URL = "/leads/new/"
NEW = "new.person@example.com"


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("agent")


def test_a_lead_is_made_with_all_that_was_typed_and_shown(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    posted = typed(
        desk,
        email=f" {NEW} ",
        first_name="Nell",
        tags=["customer"],
        lists=["Newsletter"],
        sequence="Win back",
        step="2",
        custom__glazes=["1", "2"],
    )
    answer = at_desk("agent").post(URL, posted, follow=True)
    assert writes(sandbox) == [
        ("create_lead", "assign_tag", "subscribe_lead_to_list", "subscribe_lead_to_sequence_at_step")
    ]
    text = words(answer)
    for piece in (f"Created lead {NEW}", "Nell", "celadon, shino", "Win back step 2", "Newsletter"):
        assert piece in text, piece


def test_an_existing_address_is_409_with_a_link_and_nothing_lost(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    answer = at_desk("agent").post(URL, typed(desk, email=ADA.email, company="Typed"))
    assert answer.status_code == 409
    assert f'href="/leads/{ADA.id}/"' in answer.content.decode()
    assert "Open Ada Moreno" in words(answer)
    assert posted_again(answer, "company") == ["Typed"]
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    "changed", [{"email": "junk"}, {"email": ""}, {"tags": ["no such tag"]}, {"custom__plan": "9"}], ids=repr
)
def test_what_is_wrong_is_422_and_nothing_lost(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, changed: dict[str, object]
) -> None:
    answer = at_desk("agent").post(URL, typed(desk, **{"email": NEW, "company": "Typed", **changed}))
    assert answer.status_code == 422
    assert posted_again(answer, "company") == ["Typed"]
    assert sandbox.calls() == []


def test_what_kartra_refuses_is_said_at_the_form(at_desk: AtDesk, desk: Desk) -> None:
    client = at_desk("agent")
    posted = typed(desk, email=NOTABLE["deleted"].email, company="Typed")
    answer = client.post(URL, posted)
    assert answer.status_code == 422
    assert posted_again(answer, "company") == ["Typed"]
    assert "Nothing was changed." in words(answer)
    again = {**posted, "email": NEW, "operation_id": posted_again(answer, "operation_id")[0]}
    assert client.post(URL, again).status_code == 302


def test_a_lost_answer_leads_to_the_operation_and_a_check_to_the_lead(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox
) -> None:
    client = at_desk("agent")
    sandbox.arm("create_lead", "lost")
    answer = client.post(URL, typed(desk, email=NEW), follow=True)
    operation = Operation.objects.get()
    assert answer.redirect_chain == [(f"/operations/{operation.pk}/", 302)]
    assert "It may or may not have happened" in words(answer)
    settled = client.post(f"/operations/{operation.pk}/settle/", follow=True)
    assert "Succeeded" in words(settled)
    operation.refresh_from_db()
    assert f'href="/leads/{operation.lead_id}/"' in settled.content.decode()


def test_a_tag_that_fails_still_leads_to_the_lead(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    import sqlite3

    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute("DELETE FROM tags WHERE name = 'beginner'")
    kartra.close()
    answer = at_desk("agent").post(URL, typed(desk, email=NEW, tags=["beginner"]), follow=True)
    operation = Operation.objects.get()
    assert answer.redirect_chain == [(f"/leads/{operation.lead_id}/", 302)]
    assert "1 of 2 changes done" in words(answer)


def test_the_same_form_again_makes_no_second_lead(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    posted = typed(desk, email=NEW)
    client.post(URL, posted)
    client.post(URL, posted)
    assert writes(sandbox) == [("create_lead",)]


def test_the_address_of_the_search_is_filled_in(at_desk: AtDesk) -> None:
    answer = at_desk("agent").get(URL, {"email": '"><script>@example.com'})
    assert posted_again(answer, "email") == ['"><script>@example.com']


def test_a_viewer_may_not(at_desk: AtDesk) -> None:
    assert at_desk("viewer").get(URL).status_code == 403
