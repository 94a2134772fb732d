"""Settling what is in doubt: readings and decisions, never a second call.

A reading proves that a change was made when the state is as it should be after. For most changes a state that is
still as before proves, after a while, that it was not; so does that nobody is there, where a lead was to be created.
Neither is proved where the reading leaves out a part, would say the same either way, began before the change was sent,
or where something else was done to the same part meanwhile. For money absence proves nothing: a refund is settled by a
reading only when the refund is found, and otherwise by a person, who may say so only after readings and time. What a
person called not done is read for another day, and set right where the refund is found after all.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Connection, User
from accounts.services import access
from kartra_admin.lib.errors import AppError, Conflict
from leads import effects
from leads.models import SETTLED, Operation, OperationStep, Outcome, SettledBy
from leads.models.operations import DENIED, DENIED_FOR
from leads.providers import base, changes
from leads.providers.base import LeadRef, Provider
from leads.providers.errors import Deleted, NotFound
from leads.services._operations import conclude, learn_lead, log_step
from leads.wiring import provider_for

# Longer than any call can take, waiting for a slot, retries after a 429 and time limits together.
STUCK_AFTER = timedelta(minutes=5)
# A change that was sent may still arrive; before this age its absence proves nothing.
ABSENT_AFTER = timedelta(minutes=2)
SELDOM = timedelta(hours=6)
REFUNDS = ("refund", "partial_refund")

logger = logging.getLogger(__name__)


class Nobody:
    """Instead of a lead that was to be created: none is under any address where it would be."""


# What settles an unknown step. None where the provider knows no such lead or subscription.
Reading = base.Lead | base.Subscription | Sequence[base.FieldDefinition] | Sequence[base.Transaction] | Nobody | None


def settle(operation: Operation, *, connection: Connection, actor: User | None = None) -> Operation:
    """Read, and settle each unknown step that the reading proves. Safe to run at any time, many at once.

    Raises a `ProviderError` where nothing could be read, `Denied`. ``actor`` None means the program itself.
    """
    if actor:
        access.require(actor, "operation.settle")
    if _is_under_way(operation):
        return operation
    provider = provider_for(connection, background=actor is None)
    began_at = timezone.now()
    read: dict[str, Reading] = {}
    was_open: set[int] = set()
    for step in operation.steps.select_related("operation"):
        if (step.is_open or _is_denied(step)) and _source(step) not in read:
            read[_source(step)] = _read(provider, step)
        if step.is_open:
            was_open.add(step.pk)
    with transaction.atomic(durable=True):
        operation, rows = _locked(operation)
        doubtful = [row for row in rows if row.is_open or _is_denied(row, was_open) if _source(row) in read]
        if not doubtful or _is_under_way(operation):
            return operation
        was = {row.pk: row.outcome for row in doubtful}
        for row in doubtful:
            reading = read[_source(row)]
            _settle_by(reading, row, age=_age(operation, began_at))
            if isinstance(reading, base.Lead):
                learn_lead(operation, reading.id)
        if any(row.outcome != was[row.pk] for row in doubtful):
            conclude(operation, rows)
        if operation.outcome == Outcome.UNKNOWN or any(_is_denied(row) for row in doubtful):
            _read_again_later(operation)
        for row in doubtful:
            verdict = row.outcome if row.outcome != was[row.pk] else "read"
            log_step(row, verdict, actor=actor, actor_name="" if actor else "reconcile", seen=_seen(row, read))
    return operation


def note_unread(operation: Operation, reason: str, *, actor: User | None = None) -> None:
    """Nothing could be read, for this reason. That proves nothing, and counts as an attempt, so that it comes to wait
    for a person as it would otherwise."""
    with transaction.atomic(durable=True):
        operation, rows = _locked(operation)
        doubtful = [row for row in rows if row.is_open]
        if not doubtful or _is_under_way(operation):
            return
        by = "" if actor else "reconcile"
        cut_off = [row for row in doubtful if row.outcome == Outcome.PENDING]  # on its way, which needs no reading
        for row in cut_off:
            row.outcome = Outcome.UNKNOWN
            row.save()
        conclude(operation, rows)
        _read_again_later(operation)
        for row in cut_off:
            log_step(row, row.outcome, actor=actor, actor_name=by)
        for row in doubtful:
            log_step(row, "unread", actor=actor, actor_name=by, seen=reason)


def _locked(operation: Operation) -> tuple[Operation, list[OperationStep]]:
    operation = Operation.objects.select_for_update().get(pk=operation.pk)
    steps = operation.steps.select_related("operation__account", "operation__approved_by", "decided_by")
    return operation, list(steps)


def _settle_by(reading: Reading, row: OperationStep, *, age: timedelta) -> None:
    """Set the step's outcome, where the reading proves one. A person's 'not done' it can only prove wrong. ``age`` is
    how long before the reading began the step was sent."""
    is_proof = age > timedelta(0) and not _is_overtaken(row)
    verdict = _verdict(row, reading, is_old=age > ABSENT_AFTER) if is_proof else Outcome.UNKNOWN
    if row.outcome == Outcome.FAILED:
        if verdict != Outcome.SUCCEEDED:
            return
        logger.error("A refund that a person called not done was found: step %s", row.pk)
        row.sentence = f"Kartra shows it, although {row.decided_by} said that it was not done."[:500]
    elif verdict in SETTLED:
        row.sentence = ""  # of the doubt, which is over
    if verdict in SETTLED:
        row.settle(verdict, SettledBy.READING)
    else:
        row.outcome = Outcome.UNKNOWN
    row.save()


def _is_denied(step: OperationStep, was_open: Collection[int] = ()) -> bool:
    """Whether a person called a refund not done, and a refund that is found now can only be this one: nothing was done
    to the payment since, or it ``was_open`` when it was read for."""
    if not step.is_denied:
        return False
    is_last = step.pk in was_open or not OperationStep.objects.filter(lock=step.lock, pk__gt=step.pk).exists()
    finished_at = step.operation.finished_at
    return is_last and finished_at is not None and timezone.now() - finished_at < DENIED_FOR


def _is_under_way(operation: Operation) -> bool:
    """Whether it is still to be sent, or whoever sends it may be at it."""
    is_pending = operation.outcome == Outcome.PENDING
    return operation.outcome == Outcome.HELD or (is_pending and _age(operation) < STUCK_AFTER)


def _age(operation: Operation, at: datetime | None = None) -> timedelta:
    return (at or timezone.now()) - (operation.sent_at or operation.created_at)


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
        return provider.get_lead(LeadRef(id=lead_id, email=step.operation.lead_email))
    except Deleted:
        return None
    except NotFound:
        if isinstance(change, changes.CreateLead) and not lead_id and _is_nobody_elsewhere(provider, change.email):
            return Nobody()
        return None


def _is_nobody_elsewhere(provider: Provider, email: str) -> bool:
    """Whether nobody is, nor was, at any other address where a lead created with this email would be."""
    for address in provider.other_addresses_of_new(email):
        try:
            provider.get_lead(LeadRef(email=address))
        except Deleted:
            return False
        except NotFound:
            continue
        return False
    return True


def _is_overtaken(step: OperationStep) -> bool:
    """Whether another operation of this account did, or may have done, something to the same part of the lead since
    the state before was read. A payment's lock keeps others away."""
    operation = step.operation
    if step.lock or not operation.lead_id:
        return False
    meanwhile = Q(operation__created_at__gte=operation.created_at) | Q(operation__finished_at__gte=operation.created_at)
    others = OperationStep.objects.filter(
        meanwhile | Q(outcome__in=(Outcome.PENDING, Outcome.UNKNOWN)),
        operation__account=operation.account_id,
        operation__lead_id=operation.lead_id,
        lock="",
    ).exclude(outcome__in=(Outcome.FAILED, Outcome.WITHDRAWN))
    return any(other.after.keys() & step.after.keys() for other in others.exclude(operation=operation))


def _verdict(step: OperationStep, reading: Reading, *, is_old: bool) -> str:
    """Succeeded where the state is as it should be after, failed where it surely stayed as before, else unknown."""
    change = step.change
    absent = Outcome.FAILED if is_old else Outcome.UNKNOWN
    if isinstance(reading, Nobody):  # so that nothing was done to him either
        return absent
    if isinstance(change, changes.RefundTransaction):
        return Outcome.SUCCEEDED if _is_refunded(step, reading) else Outcome.UNKNOWN
    if isinstance(change, changes.CreateField):
        rows = reading if isinstance(reading, Sequence) else ()
        kinds = {row.identifier: row.kind for row in rows if isinstance(row, base.FieldDefinition)}
        if step.subject not in kinds:
            return absent
        return Outcome.SUCCEEDED if kinds[step.subject] == change.field_kind else Outcome.UNKNOWN
    if not isinstance(reading, base.Lead | base.Subscription) or (isinstance(reading, base.Lead) and reading.deleted):
        return Outcome.UNKNOWN
    told = effects.state_of(change, reading)
    if isinstance(change, changes.CreateLead):
        is_so = told.keys() == step.after.keys() and effects.agrees(change, step.after, reading)
        return Outcome.SUCCEEDED if is_so else Outcome.UNKNOWN
    if not told or told.keys() != step.before.keys():
        return Outcome.UNKNOWN
    is_done, is_as_before = (effects.agrees(change, state, reading) for state in (step.after, step.before))
    if is_done and is_as_before and isinstance(reading, base.Lead):  # alike but for case or order, or just the same
        is_done, is_as_before = (effects.is_untouched(change, state, reading) for state in (step.after, step.before))
    if is_done == is_as_before:
        return Outcome.UNKNOWN
    if is_done:
        return Outcome.SUCCEEDED
    # A price may read as before though it was changed, together with a quantity or a tax that nobody can read.
    return absent if told.keys() == step.after.keys() else Outcome.UNKNOWN


def _seen(step: OperationStep, read: dict[str, Reading]) -> str:
    """What a reading of money showed, for the log. Of a lead nothing: the log keeps no personal data."""
    reading = read[_source(step)]
    if isinstance(reading, base.Subscription):
        return ", ".join(
            f"{label}: {text or 'empty'}" for label, text in effects.state_of(step.change, reading).items()
        )
    if not step.lock:
        return ""
    if not isinstance(step.change, changes.RefundTransaction) or not isinstance(reading, Sequence):
        return "Kartra does not find it."
    rows = [row for row in reading if isinstance(row, base.Transaction)]
    refunds = [row for row in rows if row.kind in REFUNDS and row.parent_id == step.subject]
    found = ", ".join(f"#{row.id} of {row.amount}" for row in refunds) or "none"
    paid = next((row.amount for row in rows if row.id == step.subject), None)
    amounts = [row.amount for row in refunds]
    if paid is None or None in amounts:
        return f"Refunds seen: {found}."
    return f"Refunds seen: {found}; left {paid - sum(amount for amount in amounts if amount)}."


def _is_refunded(step: OperationStep, reading: Reading) -> bool:
    """Whether a refund stands there that was not there before, of this sale, of this amount, and is none of those that
    were made here before and not listed yet."""
    rows = reading if isinstance(reading, Sequence) else ()
    new: int = sum(
        isinstance(row, base.Transaction)
        and row.kind in REFUNDS
        and row.id not in step.evidence.get("refunds", ())
        and row.parent_id == step.subject
        and row.amount == step.amount
        for row in rows
    )
    return new > int(step.evidence.get("awaited", 0)) + (_denied_before(step) if step.is_open else 0)


def _denied_before(step: OperationStep) -> int:
    """How many refunds of this payment and amount a person had called not done shortly before this one was asked for:
    if he erred, the one that shows now may be theirs."""
    since = step.operation.created_at - DENIED_FOR
    same = OperationStep.objects.filter(DENIED, lock=step.lock, amount=step.amount, pk__lt=step.pk)
    return same.filter(operation__finished_at__gt=since).count()


def decide(*, operation: Operation, actor: User, connection: Connection, happened: bool, reason: str) -> Operation:
    """A person settles what no reading could. Money only once it waits for him, and 'not done' only after one more
    reading, for it opens the lock.

    Raises AppError for an operation that is not unknown, Conflict where it is too early or where that reading found
    it (it is settled as done then), or the `ProviderError` of that reading.
    """
    access.require(actor, "operation.settle")
    operation.refresh_from_db()
    if operation.is_money and operation.outcome == Outcome.UNKNOWN:
        if not operation.waits_for_person:
            raise Conflict("This is still being checked. You can decide once the checks are over.")
        if not happened:
            operation = _read_before_no(operation, connection, actor)
            if operation.is_settled:
                return operation
    with transaction.atomic(durable=True):
        operation, rows = _locked(operation)
        if operation.outcome != Outcome.UNKNOWN:
            raise AppError("This is already settled. Nothing was changed.")
        doubtful = [row for row in rows if row.outcome == Outcome.UNKNOWN]
        for row in doubtful:
            row.settle(Outcome.SUCCEEDED if happened else Outcome.FAILED, SettledBy.PERSON, actor)
            row.sentence = reason[:500]
            row.save()
        conclude(operation, rows)
        for row in doubtful:
            log_step(row, row.outcome, actor=actor)
    return operation


def _read_before_no(operation: Operation, connection: Connection, actor: User) -> Operation:
    """The operation after one more reading."""
    try:
        operation = settle(operation, connection=connection, actor=actor)
    except AppError as error:
        note_unread(operation, error.sentence, actor=actor)
        raise
    if operation.outcome == Outcome.SUCCEEDED:
        raise Conflict("Kartra now shows that it was done, so it is settled as done. Nothing else was changed.")
    return operation
