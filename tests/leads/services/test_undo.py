"""Undo brings back what was, once, and only while it is still as it was left."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from kartra_admin.lib.errors import AppError, Conflict, Denied
from leads.access import Desk
from leads.models import Operation, Recipe
from leads.providers.changes import (
    AssignTag,
    Change,
    EditLead,
    GivePoints,
    RemovePoints,
    SubscribeToCalendar,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
    UnsubscribeFromList,
    UnsubscribeFromSequence,
)
from leads.providers.errors import Refused
from leads.services import _operations
from leads.services.recipes import run_recipe
from leads.services.undo import undo_operation
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import do, read, send, together, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]


def undo(desk: Desk, operation: Operation, **changed: object) -> Operation:
    fresh = Operation.objects.get(pk=operation.pk)
    wanted = {"operation_id": uuid4(), **changed}
    return undo_operation(actor=desk.user, connection=desk.connection, operation=fresh, **wanted)  # type: ignore[arg-type]


def picture(desk: Desk) -> dict[str, object]:
    """All of the lead that undo may touch."""
    lead = read(desk)
    return {
        "profile": dict(lead.profile),
        "email": lead.email,
        "custom": {value.identifier: value.display for value in lead.custom_fields},
        "tags": set(lead.tags),
        "lists": {row.name for row in lead.lists if row.active},
        "sequences": {(row.name, row.step) for row in lead.sequences if row.active},
        "score": lead.score,
    }


@pytest.mark.parametrize(
    "changes",
    [
        [AssignTag("advanced")],
        [UnassignTag("vip")],
        [SubscribeToList("Podcast listeners")],
        [UnsubscribeFromList("Newsletter")],
        [SubscribeToSequence("Win back", "2")],
        [SubscribeToSequence("Welcome series", "5")],
        [UnsubscribeFromSequence("Welcome series")],
        [GivePoints(20)],
        [RemovePoints(7)],
        [EditLead({"city": "Dallas", "company": ""}, {"glazes": [], "plan": "1"})],
        [EditLead({}, {}, "ada.new@example.com")],
        [EditLead({"city": "Dallas"}), AssignTag("advanced"), UnassignTag("vip"), SubscribeToList("Podcast listeners")],
    ],
    ids=repr,
)
def test_undo_brings_back_what_was_in_one_call(desk_of: DeskOf, sandbox: Sandbox, changes: Sequence[Change]) -> None:
    desk = desk_of("agent")
    before = picture(desk)
    operation = do(desk, *changes)
    assert picture(desk) != before
    sandbox.calls()
    undone = undo(desk, operation)
    assert undone.outcome == "succeeded"
    assert len(writes(sandbox)) == 1
    assert picture(desk) == before
    assert undone.undoes_id == operation.pk
    assert Operation.objects.get(pk=operation.pk).is_undone


def test_an_undo_is_logged_like_any_change(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    undone = undo(desk, do(desk, AssignTag("advanced")))
    entries = AuditEntry.objects.filter(operation_id=undone.pk).order_by("id")
    assert [entry.action for entry in entries] == ["tag.unassign.requested", "tag.unassign.succeeded"]
    assert (entries[1].before, entries[1].after) == ({"Tag advanced": "yes"}, {"Tag advanced": "no"})
    assert entries[1].detail["label"] == "Undo"


@pytest.mark.parametrize(
    ("change", "meanwhile", "said"),
    [
        (AssignTag("advanced"), UnassignTag("advanced"), "Tag advanced is now no"),
        (EditLead({"city": "Dallas"}), EditLead({"city": "Austin"}), "City is now Austin"),
        (EditLead({"city": "Dallas"}), EditLead({"city": ""}), "City is now empty"),
        (EditLead({"last_name": "van dyke"}), EditLead({"last_name": "Van Dyke"}), "Last name is now Van Dyke"),
        (EditLead({"company": "Smith, Jones"}), EditLead({"company": "Jones, Smith"}), "Company is now Jones, Smith"),
        (GivePoints(5), GivePoints(1), "Points is now 41"),
        (SubscribeToSequence("Win back"), UnsubscribeFromSequence("Win back"), "Sequence Win back is now not"),
        (SubscribeToList("Podcast listeners"), UnsubscribeFromList("Podcast listeners"), "is now not subscribed"),
    ],
    ids=repr,
)
def test_what_changed_since_is_not_undone_and_the_reason_is_said(
    desk_of: DeskOf, sandbox: Sandbox, change: Change, meanwhile: Change, said: str
) -> None:
    desk = desk_of("agent")
    operation = do(desk, change)
    send(desk, meanwhile)
    sandbox.calls()
    with pytest.raises(Refused, match=said):
        undo(desk, operation)
    assert writes(sandbox) == []


def test_an_undo_of_fields_is_read_back_too(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    operation = do(desk, EditLead({}, {}, "ada.new@example.com"))
    sandbox.configure(test_mode=True)
    step = undo(desk, operation).steps.get()
    assert step.after == {"Email": read(desk).email}
    assert "stored another value for Email" in step.sentence


def test_nothing_is_undone_twice(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    operation = do(desk, AssignTag("advanced"))
    undo(desk, operation)
    sandbox.calls()
    with pytest.raises(Refused, match="already undone"):
        undo(desk, operation)
    assert writes(sandbox) == []


def test_the_same_form_again_shows_the_first_undo(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk, operation_id = desk_of("agent"), uuid4()
    operation = do(desk, AssignTag("advanced"))
    first = undo(desk, operation, operation_id=operation_id)
    sandbox.calls()
    assert undo(desk, operation, operation_id=operation_id) == first
    assert writes(sandbox) == []


def test_an_undo_is_not_undone(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    undone = undo(desk, do(desk, AssignTag("advanced")))
    assert not undone.can_undo
    with pytest.raises(Refused):
        undo(desk, undone)


def test_an_undo_that_failed_may_be_tried_again(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    operation = do(desk, AssignTag("advanced"))
    sandbox.arm("unassign_tag", "refused", times=3)
    assert undo(desk, operation).outcome == "failed"
    assert undo(desk, operation).outcome == "succeeded"


def test_an_undo_in_doubt_is_not_sent_again(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    operation = do(desk, AssignTag("advanced"))
    sandbox.arm("unassign_tag", "500")
    assert undo(desk, operation).outcome == "unknown"
    sandbox.calls()
    with pytest.raises(Refused):
        undo(desk, operation)
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    "change", [GivePoints(5, 30), SubscribeToCalendar("Studio visits", "Tour of the kiln shed")], ids=repr
)
def test_what_cannot_be_taken_back_is_not_offered(desk_of: DeskOf, change: Change) -> None:
    desk = desk_of("agent")
    operation = do(desk, change)
    assert operation.outcome == "succeeded"
    assert not operation.can_undo
    with pytest.raises(Refused):
        undo(desk, operation)


def test_only_the_steps_that_were_done_are_undone(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    before = picture(desk)
    operation = do(desk, AssignTag("advanced"), AssignTag("no such tag"), SubscribeToList("Podcast listeners"))
    assert operation.outcome == "failed"
    assert operation.can_undo
    undone = undo(desk, operation)
    assert [step.kind for step in undone.steps.all()] == ["list.unsubscribe", "tag.unassign"]
    assert picture(desk) == before


def test_one_change_of_a_save_is_undone_and_the_rest_later(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    before = picture(desk)
    operation = do(desk, EditLead({"city": "Dallas"}), AssignTag("advanced"), AssignTag("beginner"), GivePoints(20))
    sandbox.calls()

    undone = undo(desk, operation, position=1)
    assert [(step.kind, step.subject) for step in undone.steps.all()] == [("tag.unassign", "advanced")]
    assert writes(sandbox) == [("unassign_tag",)]
    now = picture(desk)
    assert now["tags"] == before["tags"] | {"beginner"}
    assert (now["profile"]["city"], now["score"]) == ("Dallas", before["score"] + 20)  # type: ignore[index, operator]

    for position in (1, 4, 10**30):
        with pytest.raises(Refused):
            undo(desk, operation, position=position)
    assert not undone.can_undo
    with pytest.raises(Refused):
        undo(desk, undone)

    rest = undo(desk, operation)
    assert [step.kind for step in rest.steps.all()] == ["points.remove", "tag.unassign", "lead.edit"]
    assert picture(desk) == before
    with pytest.raises(Refused):
        undo(desk, operation, position=0)


def test_a_change_that_is_being_undone_alone_is_not_undone_with_the_rest(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    operation = do(desk, AssignTag("advanced"), GivePoints(20))
    sandbox.arm("remove_points_from_lead", "500")
    assert undo(desk, operation, position=1).outcome == "unknown"
    sandbox.calls()
    rest = undo(desk, operation)
    assert [step.kind for step in rest.steps.all()] == ["tag.unassign"]
    assert not Operation.objects.get(pk=operation.pk).can_undo


@pytest.mark.parametrize(("position", "other"), [(None, 1), (1, None), (1, 1)], ids=repr)
def test_two_who_undo_the_same_points_take_them_once(
    desk_of: DeskOf, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, position: int | None, other: int | None
) -> None:
    """The second one does all of it between the reading of the first and what the first writes down."""
    desk = desk_of("agent")
    operation = do(desk, AssignTag("advanced"), GivePoints(20))
    perform = _operations.perform
    sandbox.calls()

    def late(*given: Any) -> Operation:
        monkeypatch.setattr(_operations, "perform", perform)
        assert undo(desk, operation, position=other).outcome == "succeeded"
        return perform(*given)

    monkeypatch.setattr(_operations, "perform", late)
    with pytest.raises(Conflict, match="already undone"):
        undo(desk, operation, position=position)
    sent = [command for commands in writes(sandbox) for command in commands]
    assert sent.count("remove_points_from_lead") == 1


def test_what_was_taken_back_otherwise_does_not_hinder_the_rest(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    before = picture(desk)
    operation = do(desk, AssignTag("advanced"), AssignTag("beginner"), GivePoints(5))
    send(desk, UnassignTag("advanced"), RemovePoints(5))
    undone = undo(desk, operation)
    assert [(step.kind, step.subject) for step in undone.steps.all()] == [("tag.unassign", "beginner")]
    assert picture(desk) == before


def test_an_operation_in_doubt_is_not_undone(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "lost")
    operation = do(desk, AssignTag("advanced"))
    with pytest.raises(Refused):
        undo(desk, operation)


def test_a_viewer_undoes_nothing(desk_of: DeskOf, sandbox: Sandbox) -> None:
    operation = do(desk_of("agent"), AssignTag("advanced"))
    viewer = desk_of("viewer")
    with pytest.raises(Denied):
        undo(viewer, operation)
    assert writes(sandbox) == []


def test_a_colleague_may_undo_and_is_named(desk_of: DeskOf) -> None:
    operation = do(desk_of("agent"), AssignTag("advanced"))
    undone = undo(desk_of("manager"), operation)
    assert undone.actor.name == "Manager Person"


def test_a_recipe_is_undone_by_who_may_run_recipes(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    recipe = Recipe.objects.create(account=desk.account, name="Gold", give_tag="kiln-club-gold", take_tag="vip")
    before = picture(desk)
    operation = run_recipe(
        actor=desk.user,
        connection=desk.connection,
        recipe=recipe,
        lead_id=ADA.id,
        grant=True,
        operation_id=uuid4(),
    )
    undo(desk, operation)
    assert picture(desk) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_who_undo_at_once_undo_once(desk_of: DeskOf, sandbox: Sandbox, attempt: int) -> None:
    desk = desk_of("agent")
    operation = do(desk, GivePoints(20))
    before = read(desk).score
    sandbox.calls()
    results = together(*[lambda: undo(desk, operation)] * 4)
    assert len(writes(sandbox)) == 1
    done = [result for result in results if isinstance(result, Operation)]
    refused = [result for result in results if isinstance(result, AppError)]
    assert (len(done), len(refused)) == (1, 3)
    assert {type(error) for error in refused} <= {Conflict, Refused}
    assert before is not None
    assert read(desk).score == before - 20


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_clicks_at_once_send_once(desk_of: DeskOf, sandbox: Sandbox, attempt: int) -> None:
    desk, operation_id = desk_of("agent"), uuid4()
    results = together(*[lambda: do(desk, GivePoints(20), operation_id=operation_id)] * 4)
    assert {result.pk for result in results} == {operation_id}
    assert len(writes(sandbox)) == 1
    assert Operation.objects.get().outcome == "succeeded"
    assert AuditEntry.objects.filter(action="points.give.requested").count() == 1
