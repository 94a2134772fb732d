"""Settle everything that is in doubt, with whichever credentials of its account still work."""

from dataclasses import dataclass, field

from accounts.models import Account, Connection
from kartra_admin.lib.errors import AppError
from leads.models import Operation
from leads.services import _operations


@dataclass
class Tally:
    """``reasons`` are the sentences of what could not be read."""

    settled: int = 0
    open: int = 0
    unread: int = 0
    reasons: set[str] = field(default_factory=set)


def reconcile() -> Tally:
    """One pass over all accounts."""
    tally = Tally()
    for account in Account.objects.filter(operations__in=Operation.objects.unsettled()).distinct():
        for operation in Operation.objects.unsettled().filter(account=account).order_by("created_at"):
            _settle(operation, tally)
    return tally


def _settle(operation: Operation, tally: Tally) -> None:
    """The actor's own credentials first, then anybody's of the same account."""
    usable = Connection.objects.select_related("account", "user").filter(
        account=operation.account, user__is_active=True
    )
    reason = "nobody holds credentials for the account"
    for connection in sorted(usable, key=lambda row: row.user_id != operation.actor_id):
        try:
            operation = _operations.settle(operation, connection=connection)
        except AppError as error:
            reason = error.sentence
            continue
        tally.settled += operation.is_settled
        tally.open += not operation.is_settled
        return
    tally.unread += 1
    tally.reasons.add(reason)
