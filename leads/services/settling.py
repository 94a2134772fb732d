"""Settling what is in doubt: readings and decisions, never a second call.

A reading proves that a change was made when the state is as it should be after. For most changes a state that is
still as before proves, after a while, that it was not. For money it never does: a refund is settled by a reading only
when the refund is found, and otherwise by a person.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Connection, User
from kartra_admin.lib.errors import AppError
from leads import effects
from leads.models import Operation, OperationStep, Outcome
from leads.providers import base, changes
from leads.providers.base import LeadRef, Provider
from leads.providers.errors import NotFound
from leads.services._operations import conclude, log_step
from leads.wiring import provider_for

# Longer than any call can take, waiting for a slot, retries after a 429 and time limits together.
STUCK_AFTER = timedelta(minutes=5)
# A change that was sent may still arrive; before this age its absence proves nothing.
ABSENT_AFTER = timedelta(minutes=2)
SELDOM = timedelta(hours=6)

# What settles an unknown step. None where the provider knows no such lead or subscription.
Reading = base.Lead | base.Subscription | Sequence[base.FieldDefinition] | Sequence[base.Transaction] | None


def settle(operation: Operation, *, connection: Connection, actor: User | None = None) -> Operation:
    """Read, and settle each unknown step that the reading proves. Safe to run at any time, many at once.

    Raises a `ProviderError` where nothing could be read. ``actor`` None means the program itself.
    """
    if _is_under_way(operation):
        return operation
    provider = provider_for(connection, background=actor is None)
    read: dict[str, Reading] = {}
    for step in operation.steps.select_related("operation"):
        if step.is_open and _source(step) not in read:
            read[_source(step)] = _read(provider, step)
    with transaction.atomic(durable=True):
        operation = Operation.objects.select_for_update().get(pk=operation.pk)
        rows = list(operation.steps.select_related("operation__account", "operation__approved_by"))
        doubtful = [row for row in rows if row.is_open and _source(row) in read]
        if not doubtful or _is_under_way(operation):
            return operation
        is_old = _age(operation) > ABSENT_AFTER
        cut_off = {row.pk for row in doubtful if row.outcome == Outcome.PENDING}
        for row in doubtful:
            reading = read[_source(row)]
            row.outcome = _verdict(row, reading, is_old=is_old)
            row.settled_by = "reading" if row.outcome != Outcome.UNKNOWN else ""
            row.save()
            if not operation.lead_id and isinstance(reading, base.Lead):
                operation.lead_id = reading.id
        conclude(operation, rows)
        if operation.outcome == Outcome.UNKNOWN:
            _read_again_later(operation)
        for row in doubtful:
            verdict = row.outcome if row.settled_by or row.pk in cut_off else "read"
            log_step(row, verdict, actor=actor, actor_name="" if actor else "reconcile")
    return operation


def _is_under_way(operation: Operation) -> bool:
    """Whether it is still to be sent, or whoever sends it may be at it."""
    is_pending = operation.outcome == Outcome.PENDING
    return operation.outcome == Outcome.HELD or (is_pending and _age(operation) < STUCK_AFTER)


def _age(operation: Operation) -> timedelta:
    return timezone.now() - (operation.sent_at or operation.created_at)


def _read_again_later(operation: Operation) -> None:
    """A few readings soon, then ever rarer."""
    operation.readings += 1
    soon = settings.SETTLE_WITHIN / settings.SETTLE_READINGS
    late = settings.SETTLE_WITHIN * 2 ** min(operation.readings - settings.SETTLE_READINGS + 1, 12)
    seconds = soon if operation.readings < settings.SETTLE_READINGS else late
    operation.next_reading_at = timezone.now() + min(timedelta(seconds=seconds), SELDOM)
    operation.save(update_fields=["readings", "next_reading_at"])


def _source(step: OperationStep) -> str:
    """What tells of the step: one reading serves all steps with the same."""
    noun = step.kind.partition(".")[0]
    return f"{noun} {step.subject}" if noun == "subscription" else noun if noun in ("field", "transaction") else "lead"


def _read(provider: Provider, step: OperationStep) -> Reading:
    """What tells whether this step was done."""
    change, lead_id = step.change, step.operation.lead_id
    try:
        if isinstance(change, changes.CreateField):
            return provider.list_fields()
        if isinstance(change, changes.RefundTransaction):
            return provider.get_money(LeadRef(id=lead_id)).transactions
        if step.kind.startswith("subscription."):
            return provider.get_subscription(step.subject)
        return provider.get_lead(LeadRef(id=lead_id, email="" if lead_id else step.operation.lead_email))
    except NotFound:
        return None


def _verdict(step: OperationStep, reading: Reading, *, is_old: bool) -> str:
    """Succeeded where the state is as it should be after, failed where it surely stayed as before, else unknown."""
    change = step.change
    absent = Outcome.FAILED if is_old else Outcome.UNKNOWN
    if isinstance(change, changes.RefundTransaction):
        return Outcome.SUCCEEDED if _is_refunded(step, reading) else Outcome.UNKNOWN
    if isinstance(change, changes.CreateField):
        names = {row.identifier for row in reading} if isinstance(reading, Sequence) else set()  # type: ignore[union-attr]
        return Outcome.SUCCEEDED if step.subject in names else absent
    if isinstance(change, changes.CreateLead):  # in test mode Kartra keeps it under another address, and tells nobody
        return Outcome.SUCCEEDED if reading is not None else Outcome.UNKNOWN
    if not isinstance(reading, base.Lead | base.Subscription) or not effects.state_of(change, reading):
        return Outcome.UNKNOWN
    is_as_before = effects.agrees(change, step.before, reading)
    if effects.agrees(change, step.after, reading):
        # Where a subscription reads the same before and after, as with a price times a quantity, it proves nothing.
        proves = not (is_as_before and isinstance(reading, base.Subscription))
        return Outcome.SUCCEEDED if proves else Outcome.UNKNOWN
    return absent if is_as_before else Outcome.UNKNOWN


def _is_refunded(step: OperationStep, reading: Reading) -> bool:
    """Whether a refund stands there that was not there before, of this sale, of this amount."""
    rows = reading if isinstance(reading, Sequence) else ()
    return any(
        isinstance(row, base.Transaction)
        and row.kind in ("refund", "partial_refund")
        and row.id not in step.evidence.get("refunds", ())
        and row.parent_id == step.subject
        and row.amount == step.amount
        for row in rows
    )


def decide(*, operation: Operation, actor: User, happened: bool, reason: str) -> Operation:
    """A person settles what no reading could. Raises AppError for an operation that is not unknown."""
    with transaction.atomic(durable=True):
        operation = Operation.objects.select_for_update().get(pk=operation.pk)
        if operation.outcome != Outcome.UNKNOWN:
            raise AppError("This is settled already; nothing was changed.")
        rows = list(operation.steps.select_related("operation__account", "operation__approved_by"))
        for row in rows:
            if row.outcome == Outcome.UNKNOWN:
                row.outcome = Outcome.SUCCEEDED if happened else Outcome.FAILED
                row.settled_by = actor.name[:200]
                row.sentence = reason[:500]
                row.save()
                log_step(row, row.outcome, actor=actor)
        conclude(operation, rows)
    return operation
