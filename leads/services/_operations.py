"""The one write path. Every change that leaves the house is recorded, sent once, and settled by reading.

1. A short transaction writes the operation, its steps and ``requested`` audit entries.
2. With no transaction open, the provider is called, once.
3. A short transaction writes the outcome of each step and its audit entry.

A process killed between 1 and 3 leaves a pending operation; after `STUCK_AFTER` it counts as unknown. Nothing here ever
sends a change a second time.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Account, Connection, User
from accounts.services import audit
from kartra_admin.lib.errors import AppError, Conflict
from leads import effects
from leads.models import Operation, OperationStep, Outcome
from leads.providers import base
from leads.providers.base import LeadRef, Provider
from leads.providers.changes import Change
from leads.providers.errors import NotFound, Refused, Unsendable
from leads.wiring import provider_for

# Longer than any call can take, waiting for a slot, retries after a 429 and time limits together.
STUCK_AFTER = timedelta(minutes=5)
# A change that was sent may still arrive; before this age its absence proves nothing.
ABSENT_AFTER = timedelta(minutes=2)

# A call carries several times as many, and an edit's fields beside them.
MOST_CHANGES = 100

# What settles an unknown step: the lead, the account's fields, or None where the provider has no such lead.
Reading = base.Lead | Sequence[base.FieldDefinition] | None


@dataclass(frozen=True)
class Step:
    """A change about to be sent, with what it is expected to do."""

    change: Change
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    inverse: Change | None = None


class FormReused(Conflict):
    """The form was already sent, with something else in it."""

    def __init__(self, first: Operation) -> None:
        super().__init__("This form was already sent once. Nothing new was sent: check what you typed and save again.")
        self.first = first


def digest(*parts: Any) -> str:
    """A fingerprint of what a form asked for: the same form sent again gives the same one."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def find_replay(*, operation_id: UUID, actor: User, account: Account, request_digest: str) -> Operation | None:
    """The operation that this form started before, if any. Raises `FormReused` where it asked for something else."""
    operation = Operation.objects.filter(id=operation_id).prefetch_related("steps").first()
    if operation is None:
        return None
    if (operation.actor_id, operation.account_id, operation.request_digest) != (actor.pk, account.pk, request_digest):
        raise FormReused(operation)
    return operation


def perform(
    *,
    operation_id: UUID,
    actor: User,
    connection: Connection,
    steps: Sequence[Step],
    request_digest: str,
    lead_id: str = "",
    lead_name: str = "",
    lead_email: str = "",
    label: str = "",
    undoes: Operation | None = None,
) -> Operation:
    """Record, send once, record the outcome. Returns the operation, which may be unknown.

    The same ``operation_id`` again returns the first operation and sends nothing. Raises AppError for more than one
    call takes.
    """
    operation = Operation(
        id=operation_id,
        account=connection.account,
        actor=actor,
        lead_id=lead_id,
        lead_name=lead_name[:500],
        lead_email=lead_email[:320],
        label=label,
        request_digest=request_digest,
        undoes=undoes,
    )
    if len(steps) > MOST_CHANGES:
        raise AppError(f"One save takes at most {MOST_CHANGES} changes. Nothing was sent: do it in parts.")
    provider = provider_for(connection)
    try:
        _record_intent(operation, steps)
    except IntegrityError:
        first = find_replay(
            operation_id=operation_id, actor=actor, account=connection.account, request_digest=request_digest
        )
        if first is None:
            raise Conflict("This was undone already, or is being undone right now.") from None
        return first
    outcomes: Sequence[base.Outcome] = [base.Outcome("unknown")] * len(steps)
    try:
        outcomes = provider.send(LeadRef(id=lead_id), [step.change for step in steps])
    except Unsendable as error:
        outcomes = [base.Outcome("failed", Refused(f"Nothing was sent: {error}."))] * len(steps)
    finally:
        _record_outcome(operation, outcomes)
    return operation


def _record_intent(operation: Operation, steps: Sequence[Step]) -> None:
    with transaction.atomic(durable=True):
        operation.save(force_insert=True)
        rows = OperationStep.objects.bulk_create(
            OperationStep(
                operation=operation,
                position=position,
                kind=step.change.kind,
                subject=step.change.subject[:500],
                asked=step.change.as_json(),
                before=dict(step.before),
                after=dict(step.after),
                inverse={"kind": step.inverse.kind, "asked": step.inverse.as_json()} if step.inverse else None,
            )
            for position, step in enumerate(steps)
        )
        for row in rows:
            log_step(row, "requested", actor=operation.actor)


def _record_outcome(operation: Operation, outcomes: Sequence[base.Outcome]) -> None:
    with transaction.atomic(durable=True):
        rows = list(operation.steps.select_for_update())
        for row, outcome in zip(rows, outcomes, strict=True):
            row.outcome = outcome.state
            row.code = outcome.code
            row.words = outcome.words[:500]
            row.sentence = outcome.error.sentence[:500] if outcome.error else ""
            row.save()
            operation.lead_id = operation.lead_id or str(outcome.data.get("lead_id", ""))
        conclude(operation, rows)
        for row in rows:
            log_step(row, row.outcome, actor=operation.actor)


def conclude(operation: Operation, steps: Sequence[OperationStep]) -> None:
    """Set the operation's outcome from its steps: unknown while one is, else failed where one failed."""
    outcomes = {step.outcome for step in steps}
    ranked = (Outcome.PENDING, Outcome.UNKNOWN, Outcome.FAILED, Outcome.SUCCEEDED)
    operation.outcome = next(outcome for outcome in ranked if outcome in outcomes)
    operation.finished_at = timezone.now()
    operation.save(update_fields=["outcome", "lead_id", "finished_at"])


def log_step(step: OperationStep, outcome: str, *, actor: User | None, actor_name: str = "") -> None:
    """One audit entry for one step, in the transaction of its caller."""
    operation = step.operation
    detail = {
        "subject": step.subject,
        "label": operation.label,
        "code": step.code,
        "words": step.words,
        "sentence": step.sentence,
        "settled_by": step.settled_by,
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
    )


# Settling: readings and decisions, never a second call.


def settle(operation: Operation, *, connection: Connection, actor: User | None = None) -> Operation:
    """Read the lead and settle each unknown step that the reading proves. Safe to run at any time, many at once.

    Raises a `ProviderError` where nothing could be read. ``actor`` None means the program itself.
    """
    age = timezone.now() - operation.created_at
    if operation.outcome == Outcome.PENDING and age < STUCK_AFTER:
        return operation
    reading = _reading(provider_for(connection), operation)
    with transaction.atomic(durable=True):
        operation = Operation.objects.select_for_update().get(pk=operation.pk)
        rows = list(operation.steps.select_related("operation__account"))
        settled = []
        for row in rows:
            if row.outcome in (Outcome.PENDING, Outcome.UNKNOWN):
                row.outcome = _verdict(row, reading, is_old=age > ABSENT_AFTER)
                row.settled_by = "reading" if row.outcome != Outcome.UNKNOWN else ""
                row.save()
                settled.append(row)
        if not settled:
            return operation
        if not operation.lead_id and isinstance(reading, base.Lead):
            operation.lead_id = reading.id
        conclude(operation, rows)
        for row in settled:
            if row.settled_by:
                log_step(row, row.outcome, actor=actor, actor_name="" if actor else "reconcile")
    return operation


def _reading(provider: Provider, operation: Operation) -> Reading:
    step = operation.steps.all()[0]
    if step.kind == "field.create":
        return provider.list_fields()
    try:
        email = "" if operation.lead_id else step.subject
        return provider.get_lead(LeadRef(id=operation.lead_id, email=email))
    except NotFound:
        return None


def _verdict(step: OperationStep, reading: Reading, *, is_old: bool) -> str:
    """Succeeded where the state is as it should be after, failed where it surely stayed as before, else unknown."""
    absent = Outcome.FAILED if is_old else Outcome.UNKNOWN
    if step.kind == "field.create":
        names = {definition.identifier for definition in reading} if isinstance(reading, Sequence) else set()
        return Outcome.SUCCEEDED if step.subject in names else absent
    if step.kind == "lead.create":
        return Outcome.SUCCEEDED if reading is not None else absent
    if reading is None and not step.operation.lead_id:  # the lead was never made, and so nothing was done to it
        return absent
    if not isinstance(reading, base.Lead) or not effects.state_of(step.change, reading):
        return Outcome.UNKNOWN
    if effects.agrees(step.change, step.after, reading):
        return Outcome.SUCCEEDED
    return absent if effects.agrees(step.change, step.before, reading) else Outcome.UNKNOWN


def decide(*, operation: Operation, actor: User, happened: bool, reason: str) -> Operation:
    """A person settles what no reading could. Raises AppError for an operation that is not unknown."""
    with transaction.atomic(durable=True):
        operation = Operation.objects.select_for_update().get(pk=operation.pk)
        if operation.outcome != Outcome.UNKNOWN:
            raise AppError("This is settled already; nothing was changed.")
        rows = list(operation.steps.select_related("operation__account"))
        for row in rows:
            if row.outcome == Outcome.UNKNOWN:
                row.outcome = Outcome.SUCCEEDED if happened else Outcome.FAILED
                row.settled_by = actor.name[:200]
                row.sentence = reason[:500]
                row.save()
                log_step(row, row.outcome, actor=actor)
        conclude(operation, rows)
    return operation
