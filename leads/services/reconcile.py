"""Settle everything that is in doubt, with whichever credentials of its account still work. Sends nothing."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from kartra_admin.lib.errors import AppError
from leads.models import Operation, OperationStep, Outcome
from leads.models.operations import DENIED, DENIED_FOR
from leads.services import _credentials, settling

# Who is about to read for an operation that is due keeps the others from it for so long.
LEASE = timedelta(minutes=1)


@dataclass
class Tally:
    """``reasons`` are the sentences of what could not be read."""

    settled: int = 0
    open: int = 0
    unread: int = 0
    reasons: set[str] = field(default_factory=set)


def reconcile(*, only_due: bool = False, only: UUID | None = None) -> Tally:
    """One pass over all accounts, or over one operation; with ``only_due`` over what is to be read for by now, each by
    one worker alone."""
    now = timezone.now()
    in_doubt = Operation.objects.unsettled().values("pk")
    denied = OperationStep.objects.filter(DENIED, operation__finished_at__gt=now - DENIED_FOR)
    denied = denied.filter(operation__outcome=Outcome.FAILED).order_by()
    either = in_doubt.union(denied.values("operation"))  # each by its own index
    unsettled = Operation.objects.filter(pk__in=either).select_related("account", "actor").order_by("created_at")
    if only:
        unsettled = unsettled.filter(pk=only)
    if only_due:
        stuck = Q(outcome=Outcome.PENDING, sent_at__lt=now - settling.STUCK_AFTER)
        unread = Q(next_reading_at=None) | Q(next_reading_at__lte=now)
        unsettled = unsettled.filter(stuck | ~Q(outcome=Outcome.PENDING), unread)
    tally = Tally()
    for operation in unsettled:
        if not only_due or _lease(operation):
            settle_with_any(operation, tally)
    return tally


def _lease(operation: Operation) -> bool:
    """Take an operation for reading. True for one caller only, until the lease is over."""
    same = Operation.objects.filter(pk=operation.pk, next_reading_at=operation.next_reading_at)
    return bool(same.update(next_reading_at=timezone.now() + LEASE))


def settle_with_any(operation: Operation, tally: Tally) -> None:
    """The actor's own credentials first, then anybody's of the same account."""
    was_settled = operation.is_settled  # by a person, who may have erred
    try:
        operation = _credentials.with_any(
            operation.account,
            lambda connection: settling.settle(operation, connection=connection),
            first=operation.actor,
        )
    except AppError as error:
        settling.note_unread(operation, error.sentence)
        tally.unread += 1
        tally.reasons.add(error.sentence)
        return
    tally.settled += operation.is_settled and not was_settled
    tally.open += not operation.is_settled
