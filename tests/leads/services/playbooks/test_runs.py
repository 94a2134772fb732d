"""Playbooks: previewed whole, run part by part, stopped by what fails, resumed without doing anything twice."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import AuditEntry, User
from kartra_admin.lib.errors import AppError, Denied, FormReused
from leads.access import Desk
from leads.models import Approval, Operation, Outcome, Playbook, PlaybookRun
from leads.playbook_steps import CANCEL, REFUND, attempt_id
from leads.providers.changes import AssignTag, CancelSubscription, RefundTransaction, UnassignTag
from leads.providers.errors import Refused
from leads.selectors.playbooks import Progress, list_unfinished, list_waiting, progress_of
from leads.services import approvals, playbooks, runs, settling
from leads.services.money import Changed, Terms
from tests.entries import entries_about
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import come_to_wait, grow_old, read, send, together, writes
from tests.leads.services.playbooks.conftest import (
    ACTIVE,
    BEN,
    CANCEL_CALL,
    CANCELLED,
    JON,
    MIXED,
    REFUND_CALL,
    TAGS,
    DeskOf,
    Killed,
    counts,
    make,
    preview,
    refunds,
    resume,
    start,
    states,
    step,
)

pytestmark = pytest.mark.django_db


# The whole


def test_steps_that_are_safe_together_travel_in_one_call_and_money_alone(
    desk: Desk, sandbox: Sandbox, names: None
) -> None:
    before = refunds(desk)
    playbook = make(desk, MIXED)
    run = start(desk, playbook)
    assert writes(sandbox) == [
        ("unassign_tag", "assign_tag"),
        CANCEL_CALL,
        REFUND_CALL,
        ("unsubscribe_lead_from_list",),
    ]
    assert states(run) == ["done"] * 5
    assert progress_of(run).current is None
    lead = read(desk)
    assert "vip" not in lead.tags
    assert "wholesale" in lead.tags
    assert not any(row.name == "Newsletter" and row.active for row in lead.lists)
    assert len(refunds(desk)) == len(before) + 1


def test_every_operation_carries_the_run_its_name_and_the_reason(desk: Desk, names: None) -> None:
    run = start(desk, make(desk, MIXED))
    operations = Operation.objects.filter(run=run)
    assert {operation.label for operation in operations} == {"Cancel and refund"}
    assert {operation.reason for operation in operations if operation.is_money} == {"Goodwill"}
    assert {operation.pk for operation in operations} == {attempt_id(run.pk, part, 1) for part in range(4)}
    assert all(operation.send_at is None for operation in operations), "only a run is held back, as a whole"
    log = entries_about(ADA.id).values_list("action", flat=True)
    assert {"playbook.start.requested", "subscription.cancel.succeeded", "transaction.refund.succeeded"} <= set(log)


@pytest.mark.parametrize(
    ("act", "name", "command"),
    [
        ("take-tag", "vip", "unassign_tag"),
        ("give-tag", "wholesale", "assign_tag"),
        ("leave-list", "Newsletter", "unsubscribe_lead_from_list"),
        ("leave-sequence", "", "unsubscribe_lead_from_sequence"),
        (CANCEL, "", "modify_subscription_status"),
        (REFUND, "", "refund_transaction"),
    ],
)
def test_each_step_by_itself(desk: Desk, sandbox: Sandbox, act: str, name: str, command: str) -> None:
    if act == "leave-sequence":
        name = next(row.name for row in read(desk).sequences if row.active)
    playbook = make(desk, [step(act, name)])
    run = start(desk, playbook, chosen=ACTIVE if act in (CANCEL, REFUND) else "")
    assert writes(sandbox) == [(command,)]
    assert states(run) == ["done"]


# The preview


def test_the_preview_says_what_will_happen_to_whom_for_how_much(desk: Desk, sandbox: Sandbox, names: None) -> None:
    lines = preview(desk, make(desk, MIXED)).lines
    assert [line.state for line in lines] == ["will"] * 5
    assert lines[0].sentence == "Remove tag vip from Ada Moreno."
    assert lines[2].sentence.startswith(f"Cancel subscription #{ACTIVE} (")
    assert lines[2].sentence.endswith(" of Ada Moreno.")
    assert "cannot be restarted" in lines[2].note
    assert lines[3].sentence.startswith("Refund 19.95, all of rebill ")
    assert writes(sandbox) == []


def test_what_is_so_already_is_skipped_and_stays_skipped(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [step("give-tag", "vip"), step("take-tag", "wholesale"), step("give-tag", "chargeback-risk")])
    shown = preview(desk, playbook)
    assert [line.state for line in shown.lines] == ["so", "so", "will"]
    run = start(desk, playbook)
    assert writes(sandbox) == [("assign_tag",)]
    send(desk, UnassignTag("vip"))
    assert states(run) == ["skipped", "skipped", "done"], "what was confirmed as skipped is not done later"


def test_nothing_to_do_is_not_run(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [step("give-tag", "vip")])
    assert "nothing to do" in preview(desk, playbook).why_not
    with pytest.raises(Refused):
        start(desk, playbook)
    assert writes(sandbox) == []
    assert not PlaybookRun.objects.exists()


def test_several_subscriptions_are_chosen_from(desk: Desk) -> None:
    playbook = make(desk, [step(CANCEL), step(REFUND)])
    shown = preview(desk, playbook)
    assert {choice.key for choice in shown.choices} == {ACTIVE, CANCELLED}
    assert shown.chosen == ACTIVE, "the only one that runs"
    other = preview(desk, playbook, chosen=CANCELLED)
    assert other.lines[0].state == "so"
    assert preview(desk, playbook, chosen="99999999").chosen == ""


def test_without_a_choice_money_cannot_go(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [step(REFUND)])
    margit = NOTABLE["long_history"].id
    shown = preview(desk, playbook, margit)
    assert shown.chosen == ""
    assert [(line.state, line.note) for line in shown.lines] == [("cannot", "First choose which one above.")]
    with pytest.raises(Refused):
        start(desk, playbook, lead_id=margit)
    assert writes(sandbox) == []


def test_single_purchases_can_be_refunded_and_not_cancelled(desk: Desk, sandbox: Sandbox) -> None:
    refund = make(desk, [step(REFUND)], "Refund")
    assert "single" in {choice.key for choice in preview(desk, refund, JON).choices}
    both = make(desk, [step(CANCEL), step(REFUND)], "Both")
    assert "single" not in {choice.key for choice in preview(desk, both, JON).choices}


@pytest.mark.parametrize(
    ("acts", "note"),
    [([CANCEL], "This lead has no subscription."), ([REFUND], "This lead has made no payments.")],
)
def test_a_lead_without_money_cannot(desk: Desk, sandbox: Sandbox, acts: list[str], note: str) -> None:
    playbook = make(desk, [step("give-tag", "vip"), *map(step, acts)])
    shown = preview(desk, playbook, BEN)
    assert (shown.lines[1].state, shown.lines[1].note) == ("cannot", note)
    with pytest.raises(Refused):
        start(desk, playbook, lead_id=BEN)
    assert writes(sandbox) == [], "all or nothing: not even the tag"


def test_an_older_payment_is_never_refunded_instead(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [step(REFUND), step("give-tag", "wholesale")])
    start(desk, playbook, chosen=ACTIVE)
    again = preview(desk, playbook, chosen=ACTIVE)
    assert [line.state for line in again.lines] == ["so", "so"]
    assert again.lines[0].note == "It has already been refunded."


def test_what_was_refunded_in_part_is_refunded_to_the_end(desk: Desk, sandbox: Sandbox) -> None:
    last = preview(desk, make(desk, [step(REFUND)]), chosen=ACTIVE).lines[0].step.subject
    send(desk, RefundTransaction(last, amount="5.00"))
    playbook = make(desk, [step(REFUND)], "Rest")
    shown = preview(desk, playbook, chosen=ACTIVE)
    assert shown.lines[0].sentence.startswith("Refund 14.95, what is left of 19.95, of rebill")
    start(desk, playbook, chosen=ACTIVE)
    assert Operation.objects.get().steps.get().amount == Decimal("14.95")


def test_what_has_changed_since_the_preview_sends_nothing(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, MIXED)
    seen = preview(desk, playbook).digest
    send(desk, UnassignTag("vip"))
    sandbox.calls()
    with pytest.raises(Changed):
        start(desk, playbook, seen=seen)
    assert writes(sandbox) == []
    assert not PlaybookRun.objects.exists()


def test_a_playbook_changed_meanwhile_sends_nothing(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, TAGS)
    seen = preview(desk, playbook).digest
    playbook.steps = [step(REFUND)]
    playbook.save()
    with pytest.raises(Changed):
        start(desk, playbook, seen=seen)
    assert writes(sandbox) == []


# Who may


@pytest.mark.parametrize("role", ["viewer", "agent", "auditor"])
def test_who_may_not_run_playbooks_runs_none(desk_of: DeskOf, sandbox: Sandbox, role: str) -> None:
    desk = desk_of(role)
    with pytest.raises(Denied):
        start(desk, make(desk, TAGS))
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    ("lacking", "steps"),
    [("subscription.cancel", [step(CANCEL)]), ("transaction.refund", [step(REFUND)]), ("lead.tag", TAGS)],
)
def test_every_step_needs_its_own_permission(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, lacking: str, steps: list[dict[str, str]]
) -> None:
    playbook = make(desk, [step("leave-list", "Newsletter"), *steps])
    held = desk.user.permissions - {lacking}
    monkeypatch.setattr(User, "permissions", held)
    shown = preview(desk, playbook, chosen=ACTIVE)
    assert shown.lines[1].state == "cannot"
    assert "does not let you" in shown.lines[1].note
    with pytest.raises(Denied):
        start(desk, playbook, chosen=ACTIVE)
    assert writes(sandbox) == []


def test_only_who_manages_playbooks_changes_them(desk_of: DeskOf) -> None:
    admin, support = desk_of("admin"), desk_of("support")
    playbook = Playbook(account=admin.account, name="Leave", steps=TAGS)
    with pytest.raises(Denied):
        playbooks.save_playbook(actor=support.user, playbook=playbook)
    playbooks.save_playbook(actor=admin.user, playbook=playbook)
    playbook.steps = [step(CANCEL)]
    playbooks.save_playbook(actor=admin.user, playbook=playbook)
    with pytest.raises(Denied):
        playbooks.delete_playbook(actor=support.user, playbook=playbook)
    playbooks.delete_playbook(actor=admin.user, playbook=playbook)
    made, changed, deleted = AuditEntry.objects.filter(target_kind="playbook").order_by("id")
    assert made.after["Step 2"] == "Add tag wholesale"
    assert (changed.before["Step 1"], changed.after["Step 1"]) == ("Remove tag vip", "Cancel the subscription")
    assert deleted.action == "playbook.delete.succeeded"


# Above a limit


def test_above_the_limit_the_run_waits_and_goes_on_after_the_approval(
    desk: Desk, desk_of: DeskOf, sandbox: Sandbox, names: None, limited: None
) -> None:
    playbook = make(desk, [step(CANCEL), step(REFUND), *TAGS])
    assert "asks for approval" in preview(desk, playbook).lines[1].note
    run = start(desk, playbook)
    assert counts(writes(sandbox)) == (1, 0)
    assert states(run) == ["done", "approval", "open", "open"]
    with pytest.raises(Refused, match="waiting for approval"):
        resume(desk, run)
    manager = desk_of("manager")
    approval = Approval.objects.get()
    approved = approvals.approve(actor=manager.user, connection=manager.connection, approval=approval)
    assert isinstance(approved, Operation)
    assert (approved.label, approved.run, approved.approved_by) == (playbook.name, run, manager.user)
    assert states(run) == ["done", "done", "open", "open"]
    resume(desk, run)
    assert states(run) == ["done"] * 4
    assert counts(writes(sandbox)) == (0, 1)


def test_what_was_declined_may_be_asked_for_anew(desk: Desk, desk_of: DeskOf, sandbox: Sandbox, limited: None) -> None:
    run = start(desk, make(desk, [step(REFUND)]), chosen=ACTIVE)
    manager, first = desk_of("manager"), Approval.objects.get()
    approvals.decline(actor=manager.user, connection=manager.connection, approval=first, note="Call her first")
    assert states(run) == ["failed"]
    assert "Call her first" in progress_of(run).stopped
    resume(desk, run)
    second = Approval.objects.exclude(pk=first.pk).get()
    assert (second.pk, second.run) == (attempt_id(run.pk, 0, 2), run)
    approvals.approve(actor=manager.user, connection=manager.connection, approval=second)
    assert states(run) == ["done"]
    assert counts(writes(sandbox)) == (0, 1)


# Failure, and going on


@pytest.mark.parametrize("bad", range(4), ids=["tags", "cancel", "refund", "list"])
def test_a_part_that_fails_stops_the_rest_and_resume_goes_on_from_there(
    desk: Desk, sandbox: Sandbox, names: None, bad: int
) -> None:
    """The sandbox refuses that one call for certain, whichever it is."""
    commands = ["assign_tag", "modify_subscription_status", "refund_transaction", "unsubscribe_lead_from_list"]
    before = refunds(desk)
    playbook = make(desk, MIXED)
    shown = preview(desk, playbook).digest
    sandbox.calls()
    sandbox.arm(commands[bad], "429", times=20)
    run = start(desk, playbook, seen=shown)
    assert progress_of(run).current is not None
    assert progress_of(run).current.part.number == bad
    assert progress_of(run).current.state == "failed"
    assert all(part.state == "open" for part in progress_of(run).parts[bad + 1 :])
    assert [item.run for item in list_unfinished(desk.account)] == [run]
    sandbox.disarm()
    sandbox.calls()
    resume(desk, run)
    assert states(run) == ["done"] * 5
    after = [call[0] for call in writes(sandbox)]
    assert len(after) == 4 - bad, "what was done is not sent again"
    assert Operation.objects.filter(pk=attempt_id(run.pk, bad, 2)).exists()
    assert len(refunds(desk)) == len(before) + 1
    assert list_unfinished(desk.account) == []


@pytest.mark.parametrize("mode", ["lost", "half", "junk"])
@pytest.mark.parametrize("bad", range(4), ids=["tags", "cancel", "refund", "list"])
def test_a_part_in_doubt_stops_the_rest_until_it_is_settled(
    desk: Desk, sandbox: Sandbox, names: None, bad: int, mode: str
) -> None:
    commands = ["assign_tag", "modify_subscription_status", "refund_transaction", "unsubscribe_lead_from_list"]
    before = refunds(desk)
    playbook = make(desk, MIXED)
    shown = preview(desk, playbook).digest
    sandbox.arm(commands[bad], mode)
    run = start(desk, playbook, seen=shown)
    part = progress_of(run).parts[bad]
    assert part.state == "checking"
    with pytest.raises(Refused, match="settled first"):
        resume(desk, run)
    operation = Operation.objects.get(pk=attempt_id(run.pk, bad, 1))
    grow_old(operation)
    operation = settling.settle(operation, connection=desk.connection)
    if not operation.is_settled:  # nobody but a person knows that no money moved
        come_to_wait(operation)
        operation = settling.decide(
            operation=operation, actor=desk.user, connection=desk.connection, happened=False, reason="Not in Kartra"
        )
    if progress_of(run).current:
        resume(desk, run)
    assert states(run) == ["done"] * 5
    calls = Operation.objects.filter(run=run, outcome=Outcome.SUCCEEDED).count()
    assert calls == 4
    assert len(refunds(desk)) == len(before) + 1, "one refund, whichever way it went"


def test_of_a_call_that_was_done_in_part_only_the_rest_is_tried_again(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [*TAGS, step(CANCEL)])
    run = start(desk, playbook)
    group = Operation.objects.get(pk=attempt_id(run.pk, 0, 1))
    failed = group.steps.get(kind="tag.assign")
    failed.outcome, failed.sentence = Outcome.FAILED, "No such tag"
    failed.save()
    Operation.objects.filter(pk=group.pk).update(outcome=Outcome.FAILED)
    send(desk, UnassignTag("wholesale"), AssignTag("vip"))  # an automation of Kartra gave the tag back meanwhile
    sandbox.calls()
    assert states(run) == ["done", "failed", "done"]
    resume(desk, run)
    assert writes(sandbox) == [("assign_tag",)]
    assert "vip" in read(desk).tags, "what succeeded once is not done a second time"
    assert states(run) == ["done", "done", "done"]


def test_what_somebody_else_did_meanwhile_is_skipped(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [*TAGS, step(CANCEL), step(REFUND)])
    shown = preview(desk, playbook)
    sandbox.arm("assign_tag", "429", times=20)
    run = start(desk, playbook, seen=shown.digest)
    sandbox.disarm()
    send(desk, CancelSubscription(ACTIVE), RefundTransaction(shown.subject_of(REFUND), everything=True))
    sandbox.calls()
    resume(desk, run)
    assert states(run) == ["done", "done", "skipped", "skipped"]
    assert counts(writes(sandbox)) == (0, 0)


def test_other_figures_than_were_confirmed_stop_the_run(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [*TAGS, step(REFUND)])
    shown = preview(desk, playbook, chosen=ACTIVE)
    sandbox.arm("assign_tag", "429", times=20)
    run = start(desk, playbook, chosen=ACTIVE, seen=shown.digest)
    sandbox.disarm()
    send(desk, RefundTransaction(shown.subject_of(REFUND), amount="1.00"))
    sandbox.calls()
    resume(desk, run)
    assert states(run) == ["done", "done", "open"]
    assert "has changed in Kartra" in progress_of(run).stopped
    assert counts(writes(sandbox)) == (0, 0)
    assert AuditEntry.objects.filter(action="playbook.stop.failed", operation_id=run.pk).count() == 1


@pytest.mark.parametrize("parts", range(5))
def test_killed_between_parts_resume_picks_up(
    desk: Desk, sandbox: Sandbox, names: None, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    """Killed after this many parts, before the next one is begun."""
    before = refunds(desk)
    playbook = make(desk, MIXED)
    shown, run_id = preview(desk, playbook).digest, uuid4()
    sandbox.calls()
    honest, begun = runs._attempt, 0

    def dying(*given: Any) -> None:
        nonlocal begun
        if begun == parts:
            raise Killed
        begun += 1
        honest(*given)

    monkeypatch.setattr(runs, "_attempt", dying)
    if parts < 4:
        with pytest.raises(Killed):
            start(desk, playbook, seen=shown, run_id=run_id)
    else:
        start(desk, playbook, seen=shown, run_id=run_id)
    monkeypatch.setattr(runs, "_attempt", honest)
    run = PlaybookRun.objects.get(pk=run_id)
    assert len(writes(sandbox)) == parts
    again = start(desk, playbook, seen=shown, run_id=run_id)
    assert again == run, "the same form again shows the run"
    assert writes(sandbox) == []
    if parts < 4:
        resume(desk, run)
    assert len(writes(sandbox)) == 4 - parts
    assert states(run) == ["done"] * 5
    assert len(refunds(desk)) == len(before) + 1


@pytest.mark.parametrize("command", ["assign_tag", "modify_subscription_status", "refund_transaction"])
def test_killed_while_a_part_is_on_the_wire(
    desk: Desk, sandbox: Sandbox, names: None, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The call arrives, its answer is never recorded: a pending operation, to be settled and not sent again."""
    from leads.services import _operations

    before = refunds(desk)
    playbook = make(desk, MIXED)
    shown, run_id = preview(desk, playbook).digest, uuid4()
    place = ["assign_tag", "modify_subscription_status", "refund_transaction"].index(command)
    honest = _operations._record_outcome

    def dying(operation: Operation, *given: Any, **also: Any) -> None:
        if operation.pk == attempt_id(run_id, place, 1):
            raise Killed
        honest(operation, *given, **also)

    monkeypatch.setattr(_operations, "_record_outcome", dying)
    with pytest.raises(Killed):
        start(desk, playbook, seen=shown, run_id=run_id)
    monkeypatch.setattr(_operations, "_record_outcome", honest)
    run = PlaybookRun.objects.get(pk=run_id)
    assert progress_of(run).parts[place].state == "sending"
    with pytest.raises(Refused, match="being sent"):
        resume(desk, run)
    operation = Operation.objects.get(pk=attempt_id(run_id, place, 1))
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.SUCCEEDED
    resume(desk, run)
    assert states(run) == ["done"] * 5
    assert len(refunds(desk)) == len(before) + 1


def test_a_resume_that_was_shown_something_else_does_nothing(desk: Desk, sandbox: Sandbox, names: None) -> None:
    playbook = make(desk, [step(REFUND), *TAGS])
    shown = preview(desk, playbook, chosen=ACTIVE).digest
    sandbox.arm("refund_transaction", "429", times=60)
    run = start(desk, playbook, chosen=ACTIVE, seen=shown)
    first = progress_of(run).next_id
    resume(desk, run)
    assert progress_of(run).parts[0].attempts == 2
    sandbox.calls()
    resume(desk, run, next_id=first)
    assert progress_of(run).parts[0].attempts == 2, "a second click on the same button"
    assert sandbox.calls() == []


def test_a_run_that_is_over_cannot_be_resumed(desk: Desk, sandbox: Sandbox) -> None:
    run = start(desk, make(desk, TAGS))
    sandbox.calls()
    assert progress_of(run).next_id is None
    runs.resume_run(actor=desk.user, connection=desk.connection, run=run, next_id=uuid4())
    assert sandbox.calls() == []


def test_somebody_else_who_may_goes_on(desk: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    playbook = make(desk, [*TAGS, step(CANCEL)])
    shown = preview(desk, playbook).digest
    sandbox.arm("assign_tag", "429", times=20)
    run = start(desk, playbook, seen=shown)
    sandbox.disarm()
    with pytest.raises(Denied):
        resume(desk_of("agent"), run)
    manager = desk_of("manager")
    resume(manager, run)
    assert states(run) == ["done"] * 3
    assert Operation.objects.get(pk=attempt_id(run.pk, 1, 1)).actor == manager.user


# Closing


def test_a_run_is_closed_with_a_reason_and_goes_on_no_more(desk: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    sandbox.arm("refund_transaction", "429", times=20)
    run = start(desk, make(desk, [step(CANCEL), step(REFUND)]))
    sandbox.disarm()
    next_id = progress_of(run).next_id
    with pytest.raises(Denied):
        runs.close_run(actor=desk_of("agent").user, run=run, note="She keeps it")
    with pytest.raises(AppError, match="Say why"):
        runs.close_run(actor=desk.user, run=run, note=" ")
    assert [item.run for item in list_unfinished(desk.account)] == [run]
    manager = desk_of("manager").user
    for _ in range(2):  # a second click
        runs.close_run(actor=manager, run=run, note="She keeps it")
    assert list_unfinished(desk.account) == []
    assert progress_of(run).why_not == "This run is closed by Manager Person: She keeps it"
    sandbox.calls()
    with pytest.raises(Refused, match="closed"):
        resume(desk, run, next_id)
    assert writes(sandbox) == []
    [entry] = AuditEntry.objects.filter(action="playbook.close.succeeded")
    assert (entry.actor_name, entry.operation_id, entry.detail["sentence"]) == (
        "Manager Person",
        run.pk,
        "She keeps it",
    )


def test_what_is_in_doubt_may_be_closed_and_stays_to_be_settled(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "lost")
    run = start(desk, make(desk, [step(CANCEL), step(REFUND)]))
    runs.close_run(actor=desk.user, run=run, note="No refund after all")
    operation = Operation.objects.get()
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == Outcome.SUCCEEDED
    runs.attend_all()
    assert counts(writes(sandbox)) == (1, 0)


def test_what_is_done_or_on_its_way_is_not_closed(desk: Desk, sandbox: Sandbox) -> None:
    run = start(desk, make(desk, [step(CANCEL)]))
    with pytest.raises(Refused, match="All steps are done"):
        runs.close_run(actor=desk.user, run=run, note="Too late")
    Operation.objects.update(outcome=Outcome.PENDING)
    Operation.objects.get().steps.update(outcome=Outcome.PENDING, settled_by="")
    with pytest.raises(Refused, match="being sent"):
        runs.close_run(actor=desk.user, run=run, note="Too late")


def test_a_playbook_in_doubt_waits_for_a_person_however_it_is_settled(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "lost")
    run = start(desk, make(desk, [step(CANCEL), step(REFUND)]))
    settling.settle(Operation.objects.get(), connection=desk.connection)
    runs.attend_all()
    assert states(run) == ["done", "open"]
    assert [item.run for item in list_waiting(desk.account)] == [run]


def test_a_run_that_ends_outside_of_it_is_ended_by_the_worker(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("modify_subscription_status", "lost")
    run = start(desk, make(desk, [step(CANCEL)]))
    settling.settle(Operation.objects.get(), connection=desk.connection)
    runs.attend_all()
    run.refresh_from_db()
    assert run.ended_at is not None
    assert not run.is_closed


# Twice


def test_the_same_form_with_something_else_in_it_is_refused(desk: Desk, sandbox: Sandbox) -> None:
    playbook, run_id = make(desk, TAGS), uuid4()
    shown = preview(desk, playbook).digest
    start(desk, playbook, seen=shown, run_id=run_id)
    sandbox.calls()
    with pytest.raises(FormReused):
        start(desk, playbook, run_id=run_id, terms=Terms("Bought twice", "", shown))
    assert writes(sandbox) == []


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_run(desk: Desk, sandbox: Sandbox) -> None:
    before, playbook, run_id = refunds(desk), make(desk, MIXED), uuid4()
    shown = preview(desk, playbook).digest
    sandbox.calls()
    results = together(*[lambda: start(desk, playbook, seen=shown, run_id=run_id)] * 4)
    assert {getattr(result, "pk", result) for result in results} == {run_id}
    calls = writes(sandbox)
    assert counts(calls) == (1, 1)
    assert len(calls) == 4
    assert len(refunds(desk)) == len(before) + 1


@pytest.mark.django_db(transaction=True)
def test_two_resumes_at_once_send_each_part_once(desk: Desk, sandbox: Sandbox) -> None:
    before, playbook = refunds(desk), make(desk, MIXED)
    shown = preview(desk, playbook).digest
    sandbox.arm("assign_tag", "429", times=20)
    run = start(desk, playbook, seen=shown)
    sandbox.disarm()
    next_id = progress_of(run).next_id
    sandbox.calls()
    results = together(*[lambda: resume(desk, run, next_id=next_id)] * 4)
    assert all(isinstance(result, Progress | AppError) for result in results), results
    calls = writes(sandbox)
    assert counts(calls)[0] <= 1
    assert counts(calls)[1] <= 1
    for _ in range(3):  # whoever came second may have stopped where the first was still sending
        if next_id := progress_of(run).next_id:
            resume(desk, run, next_id=next_id)
    assert states(run) == ["done"] * 5
    assert counts([*calls, *writes(sandbox)]) == (1, 1)
    assert len(refunds(desk)) == len(before) + 1


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_refund_once(desk: Desk, sandbox: Sandbox) -> None:
    """Two agents, two tabs: two runs of the same playbook; the payment's lock lets one refund through."""
    before, playbook = refunds(desk), make(desk, [step(REFUND)])
    shown = preview(desk, playbook, chosen=ACTIVE).digest
    sandbox.calls()
    together(*[lambda: start(desk, playbook, chosen=ACTIVE, seen=shown)] * 3)
    assert counts(writes(sandbox)) == (0, 1)
    assert len(refunds(desk)) == len(before) + 1
