"""One operation by itself: undo from wherever it is offered, a check, a person's decision."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from accounts import permissions
from accounts.models import AuditEntry
from leads.access import Desk
from leads.models import Operation
from leads.providers.changes import AssignTag, EditLead, GivePoints, UnassignTag
from leads.services.catalogues import create_field
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import HTMX, do, grow_old, read, see, send, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("agent")


def url(operation: Operation, act: str = "") -> str:
    return f"/operations/{operation.pk}/{act}"


def undo_form(html: str) -> tuple[str, str]:
    """Address and id of the first undo that a page offers."""
    found = re.search(r'action="(/operations/[^"]+/undo/)".*?name="operation_id" value="([^"]+)"', html, re.DOTALL)
    assert found
    return found[1], found[2]


def doubtful(desk: Desk, sandbox: Sandbox) -> Operation:
    sandbox.arm("give_points_to_lead", "500")
    operation = do(desk, GivePoints(20))
    assert operation.outcome == "unknown"
    sandbox.calls()
    return operation


def test_undo_from_the_toast(at_desk: AtDesk, desk: Desk) -> None:
    client = at_desk("agent")
    answer = client.post(
        f"/leads/{ADA.id}/tags/change/", {"operation_id": str(uuid4()), "add": "advanced"}, headers=HTMX
    )
    toasts = answer.content.decode().partition('hx-swap-oob="beforeend:#toasts"')[2]
    address, own_id = undo_form(toasts)
    undone = client.post(address, {"operation_id": own_id}, headers=HTMX)
    assert (undone.status_code, undone["HX-Redirect"]) == (200, f"/leads/{ADA.id}/")
    text = words(see(client))
    assert "Removed tag advanced" in text or "removed tag advanced" in text
    assert "advanced" not in read(desk).tags


def test_undo_from_the_activity(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    do(desk, EditLead({"city": "Dallas"}))
    address, own_id = undo_form(client.get(f"/leads/{ADA.id}/activity/").content.decode())
    sandbox.calls()
    answer = client.post(address, {"operation_id": own_id}, follow=True)
    assert answer.redirect_chain == [(f"/leads/{ADA.id}/", 302)]
    assert writes(sandbox) == [("edit_lead",)]
    assert read(desk).profile["city"] == "Boston"
    assert "(undone)" in words(answer)


def test_a_second_click_on_undo_undoes_once(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    operation = do(desk, GivePoints(20))
    sandbox.calls()
    for _ in range(2):
        assert client.post(url(operation, "undo/"), {"operation_id": "7" * 32}).status_code == 302
    assert client.post(url(operation, "undo/"), {"operation_id": "8" * 32}).status_code == 302
    assert writes(sandbox) == [("remove_points_from_lead",)]


def test_a_change_since_is_the_reason_for_not_undoing(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    operation = do(desk, AssignTag("advanced"))
    send(desk, UnassignTag("advanced"))
    sandbox.calls()
    answer = client.post(url(operation, "undo/"), {"operation_id": str(uuid4())}, follow=True)
    assert "Not undone, because it has changed since: Tag advanced is now no. Nothing was sent." in words(answer)
    assert writes(sandbox) == []


def test_a_viewer_undoes_nothing_and_the_log_says_so(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    operation = do(desk, AssignTag("advanced"))
    viewer = at_desk("viewer")
    assert "/undo/" not in viewer.get(url(operation)).content.decode()
    sandbox.calls()
    answer = viewer.post(url(operation, "undo/"), {"operation_id": str(uuid4())}, follow=True)
    assert "does not let you" in words(answer)
    assert writes(sandbox) == []
    assert AuditEntry.objects.filter(action="permission.denied").count() == 1


def test_undo_is_offered_to_who_may_do_all_of_it(
    at_desk: AtDesk, desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of("support")
    tagged, both = do(desk, AssignTag("advanced")), do(desk, EditLead({"city": "Dallas"}), UnassignTag("vip"))
    granted = do(desk, AssignTag("wholesale"), label="Grant", permission="recipe.run")
    client = at_desk("agent")
    monkeypatch.setitem(permissions.BY_ROLE, "agent", frozenset({"lead.view", "lead.tag"}))
    edit, tag = ([step.kind for step in both.steps.all()].index(kind) for kind in ("lead.edit", "tag.unassign"))
    activity = client.get(f"/leads/{ADA.id}/activity/").content.decode()
    for operation, is_offered in ((tagged, True), (both, False), (granted, False)):
        page = client.get(url(operation)).content.decode()
        assert [f'{url(operation, "undo/")}"' in html for html in (activity, page)] == [is_offered, is_offered]
        answer = client.post(url(operation, "undo/"), {"operation_id": str(uuid4())})
        assert answer.status_code == (302 if is_offered else 403)
    page = client.get(url(both)).content.decode()
    assert [url(both, f"undo/{position}/") in page for position in (edit, tag)] == [False, True]


def test_an_undo_of_what_has_no_lead_says_so(at_desk: AtDesk, desk_of: DeskOf) -> None:
    desk = desk_of("admin")
    operation = create_field(
        actor=desk.user, connection=desk.connection, operation_id=uuid4(), identifier="thread", kind="text", options=[]
    )
    client = at_desk("admin")
    answer = client.post(url(operation, "undo/"), {"operation_id": str(uuid4())}, follow=True)
    assert answer.status_code == 200
    assert "This cannot be undone" in words(answer)


def test_the_page_tells_what_was_asked_and_what_came_of_it(at_desk: AtDesk, desk: Desk) -> None:
    operation = do(desk, EditLead({"city": "Dallas"}), AssignTag("no such tag"))
    text = words(at_desk("viewer").get(url(operation)))
    for piece in (
        "Edit fields",
        "Boston",
        "Dallas",
        "Add tag no such tag",
        "Tag does not exist",
        "number 212",
        "Agent",
    ):
        assert piece in text, piece


def test_a_check_settles_what_the_reading_proves(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    sandbox.arm("assign_tag", "lost")
    operation = do(desk, AssignTag("advanced"))
    assert "Check now" in words(client.get("/"))
    sandbox.calls()
    answer = client.post(url(operation, "settle/"), follow=True)
    assert "settled by reading" in words(answer)
    assert writes(sandbox) == []
    assert "Nothing needs attention" in words(client.get("/"))


def test_a_check_that_proves_nothing_says_so(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    operation = doubtful(desk, sandbox)
    answer = at_desk("agent").post(url(operation, "settle/"), follow=True)
    assert "does not prove it either way" in words(answer)


def test_a_check_that_cannot_read_is_503(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    operation = doubtful(desk, sandbox)
    sandbox.arm("*", "junk", times=3)
    assert at_desk("agent").post(url(operation, "settle/")).status_code == 503
    operation.refresh_from_db()
    assert operation.outcome == "unknown"


def test_what_was_cut_off_long_ago_can_be_checked(at_desk: AtDesk, desk: Desk) -> None:
    client = at_desk("agent")
    operation = do(desk, AssignTag("advanced"))
    Operation.objects.filter(pk=operation.pk).update(outcome="pending")
    operation.steps.update(outcome="pending", settled_by="")
    fresh = client.post(url(operation, "settle/"), follow=True)
    assert "still being sent" in words(fresh)
    grow_old(operation)
    assert "Check now" in words(client.get(url(operation)))
    assert "Check now" in words(client.get("/"))
    client.post(url(operation, "settle/"))
    operation.refresh_from_db()
    assert operation.outcome == "succeeded"


def test_a_person_decides_with_a_reason(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    operation = doubtful(desk, sandbox)
    refused = client.post(url(operation, "decide/"), {"happened": "yes", "reason": "no"})
    assert refused.status_code == 422
    assert "Say in a few words where you looked." in words(refused)
    answer = client.post(url(operation, "decide/"), {"happened": "no", "reason": "Score in Kartra is 35"}, follow=True)
    assert "settled by Agent Person" in words(answer)
    entry = AuditEntry.objects.get(operation_id=operation.pk, outcome="failed")
    assert entry.detail["sentence"] == "Score in Kartra is 35"
    again = client.post(url(operation, "decide/"), {"happened": "yes", "reason": "I think otherwise"}, follow=True)
    assert "already settled" in words(again)
    assert writes(sandbox) == []


@pytest.mark.parametrize("act", ["settle/", "decide/"])
def test_who_may_only_look_settles_nothing(at_desk: AtDesk, desk: Desk, sandbox: Sandbox, act: str) -> None:
    operation = doubtful(desk, sandbox)
    assert at_desk("viewer").post(url(operation, act), {"happened": "yes", "reason": "I think so"}).status_code == 403


def test_one_that_does_not_exist_is_404(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    assert client.get(f"/operations/{uuid4()}/").status_code == 404
    for act in ("undo", "settle", "decide"):
        assert client.post(f"/operations/{uuid4()}/{act}/", {"operation_id": str(uuid4())}).status_code == 404
