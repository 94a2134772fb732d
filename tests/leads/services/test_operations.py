"""The one write path: recorded before, sent once, settled by reading."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from kartra_admin.lib.errors import FormReused
from leads.access import Desk
from leads.models import Operation, Outcome, SettledBy
from leads.providers.base import Outcome as ProviderOutcome
from leads.providers.changes import AssignTag, EditLead, GivePoints, SubscribeToList, UnassignTag
from leads.providers.errors import AlreadyDone
from leads.services import _operations, settling
from leads.services.changes import change_lead
from leads.services.reconcile import reconcile
from tests.leads.conftest import ADA, Sandbox

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]

WRITES = ("assign_tag", "unassign_tag", "give_points_to_lead", "edit_lead", "subscribe_lead_to_list")


def writes(sandbox: Sandbox) -> list[tuple[str, ...]]:
    return [commands for commands in sandbox.calls() if any(command in WRITES for command in commands)]


def add_tag(desk: Desk, tag: str = "workshop", **also: object) -> Operation:
    wanted = {"operation_id": uuid4(), "changes": [AssignTag(tag)], **also}
    return change_lead(actor=desk.user, connection=desk.connection, lead_id=ADA.id, **wanted)  # type: ignore[arg-type]


def grow_old(operation: Operation) -> None:
    hour_ago = timezone.now() - timedelta(hours=1)
    Operation.objects.filter(pk=operation.pk).update(created_at=hour_ago, sent_at=hour_ago)
    operation.refresh_from_db()


@pytest.fixture
def tag(desk_of: DeskOf) -> str:
    """A tag of the account that Ada does not carry."""
    desk = desk_of("agent")
    names = desk.account.catalogues.get(kind="tags").items
    return next(name for name in names if name not in ("customer", "vip") and "kiln" not in name)


def test_success_is_recorded_with_before_and_after(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    operation = add_tag(desk_of("agent"), tag)
    assert operation.outcome == Outcome.SUCCEEDED
    step = operation.steps.get()
    assert (step.before, step.after) == ({f"Tag {tag}": "no"}, {f"Tag {tag}": "yes"})
    entries = AuditEntry.objects.filter(operation_id=operation.pk).order_by("id")
    assert [entry.action for entry in entries] == ["tag.assign.requested", "tag.assign.succeeded"]
    assert {entry.about_id for entry in entries} == {ADA.id}
    assert writes(sandbox) == [("assign_tag",)]


def test_whose_it_is_is_looked_up_once_for_all_that_is_written_together(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    add_tag(desk, "one")
    changes = [AssignTag(f"tag {number}") for number in range(4)]
    with CaptureQueriesContext(connection) as queries:
        made = add_tag(desk, changes=changes)
    assert AuditEntry.objects.filter(operation_id=made.pk).count() == 8
    looked_up = [query for query in queries.captured_queries if "FROM accounts_subject s " in query["sql"]]
    assert len(looked_up) == 2


def test_the_same_id_again_sends_nothing_and_shows_the_first_outcome(
    desk_of: DeskOf, sandbox: Sandbox, tag: str
) -> None:
    desk, operation_id = desk_of("agent"), uuid4()
    first = add_tag(desk, tag, operation_id=operation_id)
    again = add_tag(desk, tag, operation_id=operation_id)
    assert again == first
    assert writes(sandbox) == [("assign_tag",)]


def test_the_same_id_with_something_else_in_it_is_refused(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    desk, operation_id = desk_of("agent"), uuid4()
    add_tag(desk, tag, operation_id=operation_id)
    with pytest.raises(FormReused):
        add_tag(desk, operation_id=operation_id, changes=[UnassignTag("vip")])
    assert writes(sandbox) == [("assign_tag",)]


def test_an_id_of_somebody_else_is_refused(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    operation_id = uuid4()
    add_tag(desk_of("agent"), tag, operation_id=operation_id)
    with pytest.raises(FormReused):
        add_tag(desk_of("manager"), tag, operation_id=operation_id)


@pytest.mark.parametrize("mode", ["lost", "late", "half", "junk", "500"])
def test_no_clear_answer_is_unknown_and_never_sent_again(
    desk_of: DeskOf, sandbox: Sandbox, tag: str, mode: str
) -> None:
    sandbox.arm("assign_tag", mode)
    operation = add_tag(desk_of("agent"), tag)
    assert operation.outcome == Outcome.UNKNOWN
    assert writes(sandbox) == [("assign_tag",)]
    assert AuditEntry.objects.filter(operation_id=operation.pk, action="tag.assign.unknown").count() == 1


def test_a_429_is_sent_again_since_kartra_refused_it(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    sandbox.arm("assign_tag", "429")
    assert add_tag(desk_of("agent"), tag).outcome == Outcome.SUCCEEDED
    assert len(writes(sandbox)) == 2


def test_a_refused_connection_is_surely_not_done(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    sandbox.arm("assign_tag", "refused", times=3)
    operation = add_tag(desk_of("agent"), tag)
    assert operation.outcome == Outcome.FAILED
    assert operation.steps.get().sentence


def test_a_reading_settles_what_was_done(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "lost")
    operation = add_tag(desk, tag)
    settled = settling.settle(operation, connection=desk.connection, actor=desk.user)
    assert settled.outcome == Outcome.SUCCEEDED
    assert settled.steps.get().settled_by == "reading"
    assert writes(sandbox) == [("assign_tag",)]


def test_absence_proves_nothing_while_the_change_may_still_arrive(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "500")
    operation = add_tag(desk, tag)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.UNKNOWN
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.FAILED


def test_points_that_changed_otherwise_are_left_to_a_person(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("give_points_to_lead", "500")
    operation = add_tag(desk, changes=[GivePoints(20)])
    add_tag(desk, changes=[GivePoints(7)])
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.UNKNOWN
    decided = settling.decide(
        operation=operation, actor=desk.user, connection=desk.connection, happened=False, reason="Score in Kartra is 42"
    )
    assert decided.outcome == Outcome.FAILED
    entry = AuditEntry.objects.get(operation_id=operation.pk, action="points.give.failed")
    assert (entry.actor_name, entry.detail["sentence"]) == ("Agent Person", "Score in Kartra is 42")
    assert entry.detail["settled_by"] == "Agent Person"
    step = decided.steps.get()
    assert (step.settled_by, step.decided_by) == (SettledBy.PERSON, desk.user)


@pytest.mark.parametrize("mode", ["", "refused"])
def test_an_answer_settles_without_anybody(desk_of: DeskOf, sandbox: Sandbox, tag: str, mode: str) -> None:
    if mode:
        sandbox.arm("assign_tag", mode)
    operation = add_tag(desk_of("agent"), tag)
    step = operation.steps.get()
    assert (operation.is_settled, step.settled_by, step.decided_by, step.settler) == (True, SettledBy.ANSWER, None, "")


def test_an_answer_that_comes_after_a_decision_stands_in_its_place(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "500")
    operation = add_tag(desk, tag)
    settling.decide(
        operation=operation, actor=desk.user, connection=desk.connection, happened=False, reason="Not there"
    )
    _operations._record_outcome(operation, [ProviderOutcome("succeeded")])
    step = operation.steps.get()
    assert (step.outcome, step.settled_by, step.decided_by) == (Outcome.SUCCEEDED, SettledBy.ANSWER, None)


@pytest.mark.parametrize(
    "state",
    [
        {"outcome": "succeeded", "settled_by": ""},
        {"outcome": "unknown", "settled_by": "reading"},
        {"outcome": "failed", "settled_by": "person"},
        {"outcome": "failed", "settled_by": "answer", "decided_by": ...},
    ],
    ids=["done by nothing", "in doubt and settled", "nobody decided", "an answer by a person"],
)
def test_no_step_is_settled_by_half(desk_of: DeskOf, tag: str, state: dict[str, Any]) -> None:
    desk = desk_of("agent")
    operation = add_tag(desk, tag)
    fields = {name: desk.user if value is ... else value for name, value in state.items()}
    with pytest.raises(IntegrityError), transaction.atomic():
        operation.steps.update(**fields)


def test_a_process_killed_between_intent_and_outcome_leaves_an_operation_that_reading_settles(
    desk_of: DeskOf, sandbox: Sandbox, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of("agent")
    with monkeypatch.context() as patch:
        patch.setattr(_operations, "_record_outcome", lambda *_: None)  # what SIGKILL leaves undone
        operation = add_tag(desk, tag)
    operation.refresh_from_db()
    assert operation.outcome == Outcome.PENDING
    assert reconcile().settled == 0, "it may still be on its way"
    grow_old(operation)
    assert reconcile().settled == 1
    operation.refresh_from_db()
    assert operation.outcome == Outcome.SUCCEEDED
    assert writes(sandbox) == [("assign_tag",)]


def test_a_chain_is_one_call_with_an_outcome_for_each_change(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    changes = [AssignTag(tag), AssignTag("no such tag"), SubscribeToList("Old promo")]
    operation = add_tag(desk_of("agent"), changes=changes)
    assert writes(sandbox) == [("assign_tag", "assign_tag", "subscribe_lead_to_list")]
    assert operation.outcome == Outcome.FAILED
    assert [step.outcome for step in operation.steps.all()] == ["succeeded", "failed", "succeeded"]
    failed = operation.steps.get(outcome="failed")
    assert (failed.code, failed.words) == ("212", "Tag does not exist")


def test_what_is_so_already_is_not_sent(desk_of: DeskOf, sandbox: Sandbox) -> None:
    with pytest.raises(AlreadyDone):
        add_tag(desk_of("agent"), "vip")
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


def test_what_may_not_be_sent_is_failed_and_not_in_doubt(desk_of: DeskOf, sandbox: Sandbox) -> None:
    too_much = EditLead(custom_fields={f"field_{number}": "x" for number in range(500)})
    operation = add_tag(desk_of("agent"), changes=[too_much])
    assert operation.outcome == Outcome.FAILED
    assert "Nothing was sent" in operation.steps.get().sentence
    assert writes(sandbox) == []


def test_reconcile_says_when_nobody_can_read(desk_of: DeskOf, sandbox: Sandbox, tag: str) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "lost")
    add_tag(desk, tag)
    desk.connection.delete()
    tally = reconcile()
    assert (tally.settled, tally.unread) == (0, 1)
    assert tally.reasons == {"Nobody has credentials for this account."}
