"""The small forms on the cards: in a dialog, in place, and as plain pages."""

import re
import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import AuditEntry
from leads.access import Desk
from leads.forms.cards import CARD_FORMS
from leads.models import Operation
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, posted_again, read, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]

TOUR = {"calendar": "Studio visits", "class_name": "Tour of the kiln shed", "direction": "book"}
# card; what is posted; the command on the wire; what is said
ACTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("tags", {"add": ["advanced"]}, "assign_tag", "Added tag advanced."),
    ("tags", {"remove": "vip"}, "unassign_tag", "Removed tag vip."),
    ("lists", {"add": ["Podcast listeners"]}, "subscribe_lead_to_list", "Subscribed to Podcast listeners."),
    ("lists", {"remove": "Newsletter"}, "unsubscribe_lead_from_list", "Unsubscribed from Newsletter."),
    (
        "sequences",
        {"add": "Win back", "step": "2"},
        "subscribe_lead_to_sequence_at_step",
        "Added to sequence Win back.",
    ),
    ("sequences", {"remove": "Welcome series"}, "unsubscribe_lead_from_sequence", "Removed from sequence Welcome"),
    ("points", {"direction": "give", "points": "20"}, "give_points_to_lead", "Gave points."),
    ("points", {"direction": "take", "points": "5"}, "remove_points_from_lead", "Removed points."),
    ("calendars", TOUR, "calendar_subscribe", "Booked into calendar Studio visits."),
]


def url(card: str, lead_id: str = ADA.id) -> str:
    return f"/leads/{lead_id}/{card}/change/"


def post(client: Client, card: str, data: dict[str, Any], *, htmx: bool = False, **more: Any) -> Any:
    return client.post(url(card), {"operation_id": str(uuid4()), **data}, headers=HTMX if htmx else {}, **more)


@pytest.mark.parametrize(("card", "data", "command", "said"), ACTS)
def test_in_place_it_answers_toast_side_column_and_activity(
    at_desk: AtDesk, sandbox: Sandbox, card: str, data: dict[str, Any], command: str, said: str
) -> None:
    answer = post(at_desk("agent"), card, data, htmx=True)
    assert answer.status_code == 200
    assert sandbox.calls() == [("get_lead",), (command,), ("get_lead",)]
    html = answer.content.decode()
    assert "<html" not in html
    assert 'id="lead-side"' in html
    assert re.search('<section class="card" id="profile-card"[^>]* hx-swap-oob="true">', html)
    assert 'id="activity-card"' in html
    assert 'hx-swap-oob="beforeend:#toasts"' in html
    assert said in words(answer)
    assert "close-dialog" in answer["HX-Trigger"]


@pytest.mark.parametrize(("card", "data", "command", "said"), ACTS)
def test_without_htmx_it_answers_a_redirect_and_a_message(
    at_desk: AtDesk, sandbox: Sandbox, card: str, data: dict[str, Any], command: str, said: str
) -> None:
    answer = post(at_desk("agent"), card, data, follow=True)
    assert answer.redirect_chain == [(f"/leads/{ADA.id}/", 302)]
    assert writes(sandbox) == [(command,)]
    assert said in words(answer)


@pytest.mark.parametrize("card", ["tags", "lists", "sequences", "points", "calendars"])
def test_the_form_is_a_dialog_for_htmx_and_a_page_without(at_desk: AtDesk, card: str) -> None:
    client = at_desk("agent")
    dialog, page = client.get(url(card), headers=HTMX), client.get(url(card))
    assert "<html" not in dialog.content.decode()
    assert dialog["HX-Retarget"] == "#dialog-body"
    assert "<html" in page.content.decode()
    for answer in (dialog, page):
        assert 'id="card-form"' in answer.content.decode()
        assert posted_again(answer, "operation_id")[0]


@pytest.mark.parametrize(
    ("card", "data"),
    [
        ("tags", {}),
        ("tags", {"add": ["no such tag"]}),
        ("lists", {"add": ["no such list"]}),
        ("sequences", {"add": "Win back", "step": "a b"}),
        ("points", {"points": "0", "direction": "give"}),
        ("points", {"points": "many", "direction": "give"}),
        ("points", {"points": "5", "direction": "sideways"}),
        ("points", {"points": "5", "direction": "give", "expires_in_days": "-1"}),
        ("calendars", {"calendar": "Studio visits"}),
        ("calendars", {**TOUR, "date": "2030-01-01"}),
        ("calendars", {**TOUR, "date": "31/31/2030", "time": "10:00"}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("htmx", [True, False], ids=["fragment", "page"])
def test_what_is_wrong_is_422_in_the_dialog_and_on_the_page(
    at_desk: AtDesk, sandbox: Sandbox, card: str, data: dict[str, Any], htmx: bool
) -> None:
    answer = post(at_desk("agent"), card, data, htmx=htmx)
    assert answer.status_code == 422
    assert "Not saved. Nothing you typed is lost." in words(answer)
    assert ("<html" in answer.content.decode()) is not htmx
    for name in ("points", "calendar"):
        assert posted_again(answer, name) == ([data[name]] if name in data else posted_again(answer, name))
    assert sandbox.calls() == []


@pytest.mark.parametrize("htmx", [True, False], ids=["fragment", "page"])
def test_what_kartra_refuses_is_said_in_the_form_and_nothing_typed_is_lost(
    at_desk: AtDesk, sandbox: Sandbox, htmx: bool
) -> None:
    client = at_desk("agent")
    answer = post(client, "calendars", {**TOUR, "class_name": "No such class"}, htmx=htmx)
    assert answer.status_code == 422
    assert posted_again(answer, "class_name") == ["No such class"]
    assert posted_again(answer, "calendar") == ["Studio visits"]
    fresh = posted_again(answer, "operation_id")[0]
    assert fresh != str(Operation.objects.get().pk)
    again = client.post(url("calendars"), {**TOUR, "operation_id": fresh}, follow=True)
    assert "Booked into calendar" in words(again)


def test_a_booking_long_ago_is_refused_by_kartra_and_not_a_fault_of_ours(at_desk: AtDesk) -> None:
    answer = post(at_desk("agent"), "calendars", {**TOUR, "date": "0001-01-01", "time": "10:00"})
    assert answer.status_code == 422
    assert Operation.objects.get().outcome == "failed"


def test_several_tags_are_one_call_and_one_entry_each(at_desk: AtDesk, sandbox: Sandbox) -> None:
    post(at_desk("agent"), "tags", {"add": ["advanced", "beginner", "🏺 collector", "advanced"]})
    assert writes(sandbox) == [("assign_tag",) * 3]
    assert AuditEntry.objects.filter(action="tag.assign.succeeded").count() == 3


def test_points_with_expiry_are_not_offered_for_undo(at_desk: AtDesk) -> None:
    answer = post(at_desk("agent"), "points", {"direction": "give", "points": "20", "expires_in_days": "30"}, htmx=True)
    assert "Gave points." in words(answer)
    assert "/undo/" not in answer.content.decode()


@pytest.mark.parametrize("htmx", [True, False], ids=["fragment", "page"])
def test_what_is_so_already_is_said(at_desk: AtDesk, sandbox: Sandbox, htmx: bool) -> None:
    answer = post(at_desk("agent"), "tags", {"add": ["vip"]}, htmx=htmx)
    assert answer.status_code == 422
    assert "the lead already has this" in words(answer)
    assert writes(sandbox) == []


@pytest.mark.parametrize("mode", ["lost", "500", "junk"])
def test_no_clear_answer_is_said_with_where_to_check(at_desk: AtDesk, sandbox: Sandbox, mode: str) -> None:
    sandbox.arm("assign_tag", mode)
    answer = post(at_desk("agent"), "tags", {"add": ["advanced"]}, htmx=True)
    assert answer.status_code == 200
    assert "It may or may not have happened; nothing is sent again." in words(answer)
    assert "Check now" in words(answer)


@pytest.mark.parametrize("role", ["viewer", "auditor"])
@pytest.mark.parametrize(("card", "data", "command", "said"), ACTS)
def test_who_may_not_is_refused_on_the_record(
    at_desk: AtDesk, sandbox: Sandbox, role: str, card: str, data: dict[str, Any], command: str, said: str
) -> None:
    answer = post(at_desk(role), card, data)
    assert answer.status_code == 403
    assert sandbox.calls() == []
    assert AuditEntry.objects.filter(action="permission.denied").count() == 1


@pytest.mark.parametrize("card", CARD_FORMS)
def test_who_may_not_is_not_shown_the_form(at_desk: AtDesk, card: str) -> None:
    assert at_desk("viewer").get(url(card)).status_code == 403


def test_there_is_no_other_card(at_desk: AtDesk) -> None:
    assert at_desk("agent").get(url("money")).status_code == 404


def test_a_lead_that_is_gone_is_404(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    for key in ("999999999", NOTABLE["deleted"].id):
        answer = client.post(url("tags", key), {"operation_id": str(uuid4()), "add": "advanced"})
        assert answer.status_code == 404
    assert writes(sandbox) == []


def test_without_catalogues_the_form_says_where_to_read_them(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client = at_desk("agent")
    desk_of("agent").account.catalogues.all().delete()
    answer = client.get(url("tags"))
    assert "were not read from Kartra yet" in words(answer)
    assert 'href="/settings/catalogues/"' in answer.content.decode()


def test_a_tag_that_is_gone_in_kartra_fails_with_its_own_words(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    client = at_desk("agent")
    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute("DELETE FROM tags WHERE name = 'advanced'")
    kartra.close()
    answer = post(client, "tags", {"add": ["advanced", "beginner"]}, htmx=True)
    assert "1 of 2 changes done" in words(answer)
    operation = Operation.objects.get()
    assert "Tag does not exist" in words(client.get(f"/operations/{operation.pk}/"))
    assert "beginner" in read(desk_of("agent")).tags
