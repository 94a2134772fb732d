"""Cancel a subscription and refund its last payment: two operations, each with its own outcome, in this order."""

from dataclasses import dataclass
from uuid import UUID

from accounts.models import Connection, User
from accounts.services import access
from kartra_admin.lib.errors import AppError
from leads.models import Approval, Operation, Outcome
from leads.providers.changes import CancelSubscription
from leads.services import approvals, money
from leads.services.money import Terms, Whose
from leads.wiring import provider_for


@dataclass(frozen=True)
class LastPayment:
    """The payment to refund, the digest of what was shown of it, and the id of its operation."""

    transaction_id: str
    seen: str
    operation_id: UUID


@dataclass(frozen=True)
class Ended:
    """``why_not_refunded`` says why no refund was started."""

    cancelled: Operation
    refund: Operation | Approval | None = None
    why_not_refunded: str = ""


def cancel_and_refund(
    *,
    actor: User,
    connection: Connection,
    whose: Whose,
    subscription_id: str,
    terms: Terms,
    operation_id: UUID,
    last: LastPayment,
) -> Ended:
    """Cancel at once; only when that surely succeeded, refund all that is left of the last payment.

    Raises as `money.change_subscription` does, and where the refund could not be made anyway; nothing was sent then.
    Called again with the same ids it sends nothing twice, and goes on where it was cut off.
    """
    access.require(actor, "transaction.refund")
    if not Operation.objects.filter(pk=operation_id).exists():
        sale = money.read_sale(provider_for(connection), connection.account, whose, last.transaction_id)
        money.refund_step(sale, None, seen=last.seen)
    cancelled = money.change_subscription(
        actor=actor,
        connection=connection,
        whose=whose,
        change=CancelSubscription(subscription_id),
        terms=terms,
        operation_id=operation_id,
        at_once=True,
    )
    if cancelled.outcome != Outcome.SUCCEEDED:
        why = "was not cancelled" if cancelled.outcome == Outcome.FAILED else "is not known to be cancelled"
        return Ended(cancelled, why_not_refunded=f"The refund was not started, since the subscription {why}.")
    try:
        refund = approvals.refund_or_request(
            actor=actor,
            connection=connection,
            whose=whose,
            transaction_id=last.transaction_id,
            amount=None,
            terms=Terms(terms.reason, terms.note, last.seen),
            operation_id=last.operation_id,
        )
    except AppError as error:
        return Ended(cancelled, why_not_refunded=f"The refund was not started. {error.sentence}")
    return Ended(cancelled, refund)
