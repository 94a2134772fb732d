"""Settle everything that is in doubt, with whichever credentials of its account still work. Sends nothing."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from accounts.models import Connection
from kartra_admin.lib.errors import AppError
from leads.models import Operation, Outcome
from leads.services import settling

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
    unsettled = Operation.objects.unsettled().order_by("created_at")
    if only:
        unsettled = unsettled.filter(pk=only)
    if only_due:
        now = timezone.now()
        stuck = Q(outcome=Outcome.PENDING, sent_at__lt=now - settling.STUCK_AFTER)
        unread = Q(next_reading_at=None) | Q(next_reading_at__lte=now)
        unsettled = unsettled.filter(stuck | Q(outcome=Outcome.UNKNOWN), unread)
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
    usable = Connection.objects.select_related("account", "user").filter(
        account=operation.account_id, user__is_active=True
    )
    reason = "nobody holds credentials for the account"
    for connection in sorted(usable, key=lambda row: row.user_id != operation.actor_id):
        try:
            operation = settling.settle(operation, connection=connection)
        except AppError as error:
            reason = error.sentence
            continue
        tally.settled += operation.is_settled
        tally.open += not operation.is_settled
        return
    tally.unread += 1
    tally.reasons.add(reason)
