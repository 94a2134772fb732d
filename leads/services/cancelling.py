"""Cancel a subscription and refund its last payment, confirmed as one act.

It is a run of two parts (`runs`), recorded before anything is sent: so the wish to refund outlives a cancellation that
is held back, in doubt, or sent by a process that was killed. The refund starts by itself once the cancellation has
surely succeeded; where it failed or was taken back, the run is closed and nothing is refunded.
"""

from dataclasses import dataclass
from uuid import UUID

from accounts.models import Connection, User
from accounts.services import access
from kartra_admin.lib.errors import AppError
from leads.models import PlaybookRun
from leads.playbook_steps import CANCEL, REFUND, Step
from leads.providers.changes import CancelSubscription
from leads.services import _operations, money, runs
from leads.services.money import Changed, Terms, Whose
from leads.wiring import provider_for

NAME = "Cancel and refund"


@dataclass(frozen=True)
class LastPayment:
    """The payment to refund, and the digest of what was shown of it."""

    transaction_id: str
    seen: str


def cancel_and_refund(
    *,
    actor: User,
    connection: Connection,
    whose: Whose,
    subscription_id: str,
    terms: Terms,
    last: LastPayment,
    run_id: UUID,
) -> PlaybookRun:
    """Cancel, then refund all that is left of the last payment; `progress_of` the run tells how far it came.

    Raises as `money.change_subscription` does, and where the refund could not be made; nothing was sent then. The same
    ``run_id`` again returns the first.
    """
    access.require(actor, "transaction.refund")
    access.require(actor, "subscription.cancel")
    run = PlaybookRun(  # type: ignore[misc]
        id=run_id,
        account=connection.account,
        actor=actor,
        name=NAME,
        lead_id=whose.lead_id,
        lead_name=whose.name[:500],
        lead_email=whose.email[:320],
        subscription_id=subscription_id,
        transaction_id=last.transaction_id,
        reason=terms.reason,
        note=terms.note,
        figures_digest=_operations.digest("end", subscription_id, terms.seen, last.transaction_id, last.seen),
        goes_on=True,
    )
    if first := runs.find_replay(run):
        return first
    provider = provider_for(connection)
    try:
        plan = money.read_plan(provider, connection.account, whose, subscription_id)
        money.subscription_step(plan, CancelSubscription(subscription_id), seen=terms.seen)
        newest = plan.group.last_payment
        if newest is None or newest.transaction.id != last.transaction_id:
            raise Changed
        sale = money.read_sale(provider, connection.account, whose, last.transaction_id)
        refund = money.refund_step(sale, None, seen=last.seen)
    except AppError:
        if first := runs.find_replay(run):  # what stands against it is what the first click did
            return first
        raise
    steps = (
        Step(CANCEL, subject=subscription_id, seen=terms.seen),
        Step(REFUND, subject=last.transaction_id, seen=last.seen, amount=f"{refund.amount:.2f}"),
    )
    run.steps = [step.as_json() for step in steps]
    return runs.begin(run, connection)
