"""The one write path. Every change that leaves the house is recorded, sent once, and settled by reading (`settling`).

1. A short transaction writes the operation, its steps and ``requested`` audit entries.
2. With no transaction open, the provider is called, once. Just before it, ``sent_at`` and, for money, a ``sent`` entry
   say that the call is leaving; what comes to leave later than `LEAVES_WITHIN` after that does not leave.
3. A short transaction writes the outcome of each step and its audit entry. A step whose success is still to be read
   back (`reading_back`) says so until it is.

An operation may be held back between 1 and 2 (``send_at``); whoever sends it then has to claim it, and only one can.
A process killed between 1 and 3 leaves a pending operation; after `settling.STUCK_AFTER` it counts as unknown. Nothing
here ever sends a change a second time.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, Connection, Subject, User
from accounts.services import audit
from kartra_admin.lib.deadline import Deadline
from kartra_admin.lib.errors import AppError, Conflict, FormReused
from leads.models import Operation, OperationStep, Outcome, PlaybookRun, SettledBy
from leads.providers import base
from leads.providers.base import LeadRef
from leads.providers.changes import Change, CreateLead, EditLead
from leads.providers.errors import Refused, Unavailable, Unsendable
from leads.services import _queue
from leads.wiring import provider_for

# A call carries several times as many, and an edit's fields beside them.
MOST_CHANGES = 100
# Seconds. What is on its way is left alone for far longer (`settling.STUCK_AFTER`), and may be given up then: whoever
# was held up for so long that somebody may be about to do it again sends nothing.
LEAVES_WITHIN = 60
# Kartra says yes to fields it ignores, so these are read back: by whoever sent them, at once; after so long by others.
READ_BACK = (CreateLead.kind, EditLead.kind)
READ_BACK_WITHIN = timedelta(minutes=2)
# Nothing that was recorded so shortly ago can have been given up.
_JUST_NOW = timedelta(seconds=1)
# The ids of steps, and what came of each.
Known = tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Step:
    """A change about to be sent, with what it is expected to do.

    ``lock`` names what no other open step may touch, ``evidence`` is kept for the readings, ``amount`` is the money.
    ``known`` is `known_of` the lock, taken before the reading that the step was made from.
    """

    change: Change
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    inverse: Change | None = None
    lock: str = ""
    amount: Decimal | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    known: Known | None = None


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What a service means to do: who, with whose credentials, to which lead, and why. `Step` says what.

    ``id`` is made with the form, ``request_digest`` is the `digest` of what the form asked for. ``send_at`` holds it
    back until then. ``guard`` runs in the transaction that records it, and raises where this may not be, such as above
    a limit; ``tell`` writes there what is to be logged beside. With ``background`` people's calls go first.
    """

    id: UUID
    actor: User
    connection: Connection
    request_digest: str
    lead_id: str = ""
    lead_name: str = ""
    lead_email: str = ""
    label: str = ""
    reason: str = ""
    note: str = ""
    run: PlaybookRun | None = None
    approved_by: User | None = None
    undoes: Operation | None = None
    undoes_step: OperationStep | None = None
    send_at: datetime | None = None
    guard: Callable[[], None] | None = None
    tell: Callable[[], None] | None = None
    background: bool = False

    @property
    def account(self) -> Account:
        return self.connection.account

    def as_operation(self) -> Operation:
        """Not saved yet, and without an outcome."""
        return Operation(  # type: ignore[misc]
            id=self.id,
            account=self.account,
            actor=self.actor,
            lead_id=self.lead_id,
            lead_name=self.lead_name[:500],
            lead_email=self.lead_email[:320],
            label=self.label,
            request_digest=self.request_digest,
            undoes=self.undoes,
            undoes_step=self.undoes_step,
            outcome=Outcome.HELD if self.send_at else Outcome.PENDING,
            reason=self.reason,
            note=self.note,
            approved_by=self.approved_by,
            run=self.run,
            send_at=self.send_at,
            sent_at=None if self.send_at else timezone.now(),
        )


class Locked(Conflict):
    """Something else of the same payment or subscription is not settled yet."""


class _Moved(Locked):
    """Something else of it was done since it was read."""


def digest(*parts: Any) -> str:
    """A fingerprint of what a form asked for: the same form sent again gives the same one. Keyed, for it may outlive
    the person whose values were typed."""
    return subjects.digest_of(json.dumps(parts, sort_keys=True, default=str))


def find_replay(intent: Intent) -> Operation | None:
    """The operation that this form started before, if any. Raises `FormReused` where it asked for something else."""
    operation = Operation.objects.filter(id=intent.id).prefetch_related("steps").first()
    if operation is None:
        return None
    asked = (intent.actor.pk, intent.account.pk, intent.request_digest)
    if (operation.actor_id, operation.account_id, operation.request_digest) != asked:
        raise FormReused
    return operation


def perform(intent: Intent, steps: Sequence[Step]) -> Operation:
    """Record, send once, record the outcome. Returns the operation, which may be unknown; what is held back is left to
    the worker.

    An intent of the same ``id`` again returns the first operation and sends nothing. Raises AppError for more than one
    call takes, and as `record` does.
    """
    if len(steps) > MOST_CHANGES:
        raise AppError(f"You can save at most {MOST_CHANGES} changes at once. Nothing was sent: save them in parts.")
    provider_for(intent.connection)  # raises before anything is recorded where the credentials do not open
    operation, is_new = record(intent, steps)
    if not is_new:
        return operation
    if operation.send_at:
        _queue.send_later(operation.pk, operation.send_at)
        return operation
    return send(operation, intent.connection, background=intent.background)


def record(intent: Intent, steps: Sequence[Step]) -> tuple[Operation, bool]:
    """Write the intent. Returns the operation that stands, and whether it is a new one and not the first with its id.

    Raises `Locked`, and what the intent's guard raises.
    """
    operation = intent.as_operation()
    try:
        with transaction.atomic(durable=True):
            if intent.guard:
                intent.guard()
            require_open_run(operation.run_id)
            operation.whose = subject_of(operation)
            operation.save(force_insert=True)
            _require_unmoved(operation, steps)
            rows = OperationStep.objects.bulk_create(
                _row(operation, position, step) for position, step in enumerate(steps)
            )
            if intent.tell:
                intent.tell()
            for row in rows:
                log_step(row, "requested", actor=operation.actor, whose=operation.whose)
    except (IntegrityError, _Moved) as error:
        if first := find_replay(intent):
            return first, False
        if intent.undoes or intent.undoes_step:
            raise Conflict("This was already undone, or is being undone right now.") from None
        if isinstance(error, _Moved):
            raise
        raise Locked(
            "Another change of this payment or subscription is still being settled. Nothing was sent; wait until it is "
            "done."
        ) from None
    return operation, True


def require_open_run(run_id: UUID | None) -> None:
    """Raise Conflict where the run of a playbook was closed. It stays as it is until the caller's transaction ends."""
    if run_id and PlaybookRun.objects.select_for_update().get(pk=run_id).is_closed:
        raise Conflict("This run has been closed. Nothing more was sent.")


def known_of(lock: str) -> Known:
    """What has been done, or is being done, under this lock.

    Take it before reading what the lock stands for. A reading is older than what was done since, however soon that was
    settled and the lock free again; `record` refuses to act on it then.
    """
    return tuple(OperationStep.objects.filter(lock=lock).order_by("pk").values_list("pk", "outcome"))


def _require_unmoved(operation: Operation, steps: Sequence[Step]) -> None:
    """Raise `_Moved` where a step was made from a reading that is too old.

    The account's row stays locked until the steps are written, so nobody else records anything in between.
    """
    read = [step for step in steps if step.known is not None]
    if read:
        Account.objects.select_for_update(no_key=True).get(pk=operation.account_id)
    if any(known_of(step.lock) != step.known for step in read):
        raise _Moved(
            "This payment or subscription has just been changed. Nothing was sent: look again and decide again."
        )


def _row(operation: Operation, position: int, step: Step) -> OperationStep:
    return OperationStep(  # type: ignore[misc]
        operation=operation,
        position=position,
        kind=step.change.kind,
        subject=step.change.subject[:500],
        asked=step.change.as_json(),
        before=dict(step.before),
        after=dict(step.after),
        inverse={"kind": step.inverse.kind, "asked": step.inverse.as_json()} if step.inverse else None,
        evidence=dict(step.evidence),
        lock=step.lock,
        amount=step.amount,
        outcome=operation.outcome,
    )


def claim(operation: Operation) -> bool:
    """Take a held operation for sending. True for one caller only, whatever their number."""
    with transaction.atomic(durable=True):
        now = timezone.now()
        held = Operation.objects.filter(pk=operation.pk, outcome=Outcome.HELD)
        if not held.update(outcome=Outcome.PENDING, sent_at=now):
            return False
        operation.steps.update(outcome=Outcome.PENDING)
    operation.outcome, operation.sent_at = Outcome.PENDING, now
    return True


def withdraw(operation: Operation, *, actor: User) -> Operation:
    """Take back what is held. Raises AppError where it has left already."""
    with transaction.atomic(durable=True):
        held = Operation.objects.filter(pk=operation.pk, outcome=Outcome.HELD)
        if not held.update(outcome=Outcome.WITHDRAWN, finished_at=timezone.now()):
            operation.refresh_from_db()
            if operation.outcome == Outcome.WITHDRAWN:  # a second click
                return operation
            raise AppError("Too late to take it back: it was already sent.")
        operation.steps.update(outcome=Outcome.WITHDRAWN)
        for row in operation.steps.select_related("operation__account"):
            log_step(row, Outcome.WITHDRAWN, actor=actor)
    operation.refresh_from_db()
    return operation


def refuse(operation: Operation, sentence: str) -> Operation:
    """Close a claimed operation that must not be sent after all. Nothing has left the house."""
    refused = base.Outcome("failed", None)
    _record_outcome(operation, [refused] * operation.steps.count(), sentence=sentence)
    return operation


def send(operation: Operation, connection: Connection, *, background: bool = False) -> Operation:
    """Send a pending operation that the caller has just recorded or claimed, and record what came of it."""
    deadline = Deadline(LEAVES_WITHIN)
    try:
        provider = provider_for(connection, background=background, is_late=deadline.is_over)
    except AppError as error:
        return refuse(operation, error.sentence)
    steps = list(operation.steps.all())
    if not _leaves(operation, steps):
        return operation
    outcomes: Sequence[base.Outcome] = [base.Outcome("unknown")] * len(steps)
    try:
        outcomes = provider.send(LeadRef(id=operation.lead_id), [step.change for step in steps])
    except Unsendable as error:
        outcomes = [base.Outcome("failed", Refused(f"Nothing was sent: {error}."))] * len(steps)
    finally:
        _record_outcome(operation, outcomes)
        if operation.outcome == Outcome.UNKNOWN:
            _queue.read_soon(operation.pk)
    return operation


def _leaves(operation: Operation, steps: Sequence[OperationStep]) -> bool:
    """Note that it leaves now; of money the log tells it, too. False where it took so long to come to this that the
    operation was given up: then it is never sent, for somebody may have done it again by now."""
    now, money = timezone.now(), [step for step in steps if step.lock]
    if operation.sent_at and timedelta() <= now - operation.sent_at < _JUST_NOW and not money:
        return True
    with transaction.atomic(durable=True) if money else nullcontext():
        is_pending = Operation.objects.filter(pk=operation.pk, outcome=Outcome.PENDING).update(sent_at=now)
        for step in money if is_pending else ():
            step.operation = operation
            log_step(step, "sent", actor=operation.actor)
    if is_pending:
        operation.sent_at = now
        return True
    operation.refresh_from_db()
    if operation.outcome == Outcome.UNKNOWN:
        late = Unavailable("It could not be sent in time and was given up. Nothing was sent.")
        _record_outcome(operation, [base.Outcome("failed", late)] * len(steps))
    return False


def _record_outcome(operation: Operation, outcomes: Sequence[base.Outcome], *, sentence: str = "") -> None:
    with transaction.atomic(durable=True):
        rows = list(operation.steps.select_for_update())
        told = [
            (row, outcome)
            for row, outcome in zip(rows, outcomes, strict=True)
            if row.is_open or outcome.state != "unknown"  # not to know is no news of what is settled
        ]
        for row, outcome in told:
            if outcome.state == "unknown":
                row.outcome = Outcome.UNKNOWN
            else:
                row.settle(outcome.state, SettledBy.NOT_TAKEN if outcome.is_not_taken else SettledBy.ANSWER)
            lead_id = str(outcome.data.get("lead_id", ""))
            if row.outcome == Outcome.SUCCEEDED and row.kind in READ_BACK and (operation.lead_id or lead_id):
                row.read_back_at = timezone.now() + READ_BACK_WITHIN
            row.code = outcome.code
            row.words = outcome.words[:500]
            row.sentence = (outcome.error.sentence if outcome.error else sentence)[:500]
            row.save()
            learn_lead(operation, lead_id)
        conclude(operation, rows)
        whose = subject_of(operation)
        for row, _ in told:
            log_step(row, row.outcome, actor=operation.actor, whose=whose)


def learn_lead(operation: Operation, lead_id: str) -> None:
    """It turned out whom it was about: what was sealed before that belongs to this lead. Inside a transaction."""
    if lead_id and not operation.lead_id:
        operation.lead_id = lead_id
        subjects.join(subjects.of_operation(operation.pk), subject_of(operation))


def subject_of(operation: Operation) -> Subject:
    """Whose it is: found by the lead's name from now on, and not forgotten before the caller's transaction ends."""
    if operation.lead_id:
        return subjects.of_lead(operation.account_id, operation.lead_id, operation.lead_label)
    return subjects.of_operation(operation.pk, operation.lead_label)


def conclude(operation: Operation, steps: Sequence[OperationStep]) -> None:
    """Set the operation's outcome from its steps: unknown while one is, else failed where one failed."""
    outcomes = {step.outcome for step in steps}
    ranked = (Outcome.PENDING, Outcome.UNKNOWN, Outcome.FAILED, Outcome.SUCCEEDED)
    operation.outcome = next(outcome for outcome in ranked if outcome in outcomes)
    operation.finished_at = timezone.now()
    if operation.outcome == Outcome.UNKNOWN and operation.next_reading_at is None:
        operation.next_reading_at = timezone.now()
    operation.save(update_fields=["outcome", "lead_id", "finished_at", "next_reading_at"])


def log_step(
    step: OperationStep,
    outcome: str,
    *,
    actor: User | None,
    actor_name: str = "",
    seen: str = "",
    whose: Subject | None = None,
) -> None:
    """One audit entry for one step, in the transaction of its caller. ``seen`` is what a reading showed, ``whose`` the
    operation's subject, where it was found in this transaction."""
    operation = step.operation
    approver = operation.approved_by
    detail = {
        "subject": step.subject,
        "label": operation.label,
        "amount": f"{step.amount:.2f}" if step.amount is not None else "",
        "reason": operation.reason,
        "note": operation.note,
        "approved_by": str(approver) if approver else "",
        "code": step.code,
        "words": step.words,
        "sentence": step.sentence,
        "settled_by": step.settler,
        "seen": seen,
    }
    audit.record(
        action=f"{step.kind}.{outcome}",
        outcome=outcome,
        actor=actor,
        actor_name=actor_name,
        account=operation.account,
        target_kind="lead",
        target_id=operation.lead_id,
        target_name=operation.lead_label,
        operation_id=operation.id,
        before=step.before,
        after=step.after if outcome in ("requested", Outcome.SUCCEEDED) else {},
        detail={key: value for key, value in detail.items() if value},
        subject=whose,
    )
