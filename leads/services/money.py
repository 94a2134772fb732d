"""Refunds, and changes of subscriptions: read anew, checked, bound to what was shown, recorded once, sent once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.models import Account, Connection, User
from accounts.services import access
from kartra_admin.lib.errors import Conflict
from kartra_admin.lib.money import plain
from leads import effects, rules
from leads.models import OPEN, Operation, OperationStep, PlaybookRun
from leads.providers import changes
from leads.providers.base import LeadRef, Money, Provider
from leads.providers.changes import Change
from leads.providers.errors import NotFound, Refused, Unavailable
from leads.selectors.money import REFUNDS, MoneyGroup, Payment, arrange
from leads.services import _operations, _queue, limits
from leads.wiring import provider_for

logger = logging.getLogger(__name__)

# The kind of a change -> the permission it needs.
PERMISSIONS = {
    "transaction.refund": "transaction.refund",
    "subscription.cancel": "subscription.cancel",
    "subscription.pause": "subscription.pause",
    "subscription.resume": "subscription.pause",
    "subscription.edit": "subscription.edit",
}


@dataclass(frozen=True)
class Whose:
    """The lead that the money belongs to."""

    lead_id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Terms:
    """Why it is done, and what the person saw when he said yes (`Sale.digest`, `Plan.digest`)."""

    reason: str
    note: str
    seen: str


class Changed(Conflict):
    """The sale or subscription is no longer as it was shown."""

    def __init__(self) -> None:
        super().__init__("This has changed in Kartra since it was shown. Nothing was sent: look again and decide anew.")


@dataclass(frozen=True)
class Sale:
    """One payment as it was just read, with the group it stands in. ``known`` is what had been done of it before."""

    whose: Whose
    account: Account
    group: MoneyGroup
    payment: Payment
    known: _operations.Known | None = None

    @property
    def lock(self) -> str:
        return _lock(self.account, "transaction", self.payment.transaction.id)

    @property
    def figures(self) -> dict[str, str]:
        """What the dialog shows, label to text."""
        row = self.payment.transaction
        return {
            "Product": row.product,
            "Date": f"{row.at.text} {row.at.zone}" if row.at else "",
            "Paid": _amount(row.amount),
            "Refunded": _amount(self.payment.refunded),
            "Left": _amount(self.payment.left),
        }

    @property
    def digest(self) -> str:
        refunds = [refund.id for refund in self.payment.refunds]
        return _operations.digest("sale", self.payment.transaction.id, self.figures, refunds)

    def why_not(self) -> str:
        return rules.why_not_refund(self.payment, is_locked=is_locked(self.lock))


@dataclass(frozen=True)
class Plan:
    """One subscription as it was just read, with its payments. ``known`` is what had been done of it before."""

    whose: Whose
    account: Account
    group: MoneyGroup
    known: _operations.Known | None = None

    @property
    def lock(self) -> str:
        return _lock(self.account, "subscription", self.group.the_subscription.id)

    @property
    def digest(self) -> str:
        return _operations.digest("plan", effects.figures_of(self.group.the_subscription))

    def why_not(self, kind: str) -> str:
        """Against an act: ``subscription.cancel``, ``.pause``, ``.resume`` or ``.edit``."""
        locked = is_locked(self.lock)
        if kind == "subscription.cancel":
            return rules.why_not_cancel(self.group.the_subscription, is_locked=locked)
        ask = {"subscription.pause": rules.why_not_pause, "subscription.resume": rules.why_not_resume}
        return ask.get(kind, rules.why_not_edit)(self.group, is_locked=locked)


def is_locked(lock: str) -> bool:
    """Whether something of it may still be on its way."""
    return OperationStep.objects.filter(lock=lock, outcome__in=OPEN).exists()


def read_sale(provider: Provider, account: Account, whose: Whose, transaction_id: str) -> Sale:
    """Raises `NotFound` for a transaction that is not this lead's, `Unavailable` where its refunds can't be told."""
    known = _operations.known_of(_lock(account, "transaction", transaction_id))
    read = provider.get_money(LeadRef(id=whose.lead_id))
    if _has_unread_refunds(read, transaction_id):
        raise Unavailable("Kartra did not tell what was refunded so far. Nothing was sent. Try again in a minute.")
    for group in arrange(read):
        for payment in group.payments:
            if payment.transaction.id == transaction_id:
                return Sale(whose, account, group, payment, known)
    raise NotFound("This lead has no such transaction.")


def _has_unread_refunds(read: Money, transaction_id: str) -> bool:
    """Whether a refund that may be of this sale came without its details: it would be missing from what was refunded,
    and be taken for a new one later. A refund's number is higher than its sale's."""
    unread = [row.id for row in read.transactions if row.kind in REFUNDS and not row.has_details]
    return any(not (row_id + transaction_id).isdecimal() or int(row_id) > int(transaction_id) for row_id in unread)


def read_plan(provider: Provider, account: Account, whose: Whose, subscription_id: str) -> Plan:
    """Raises `NotFound` for a subscription that is not this lead's."""
    known = _operations.known_of(_lock(account, "subscription", subscription_id))
    for group in arrange(provider.get_money(LeadRef(id=whose.lead_id))):
        if group.subscription and group.subscription.id == subscription_id:
            return Plan(whose, account, group, known)
    raise NotFound("This lead has no such subscription.")


def refund_transaction(
    *,
    actor: User,
    connection: Connection,
    whose: Whose,
    transaction_id: str,
    amount: Decimal | None,
    terms: Terms,
    operation_id: UUID,
    run: PlaybookRun | None = None,
) -> Operation:
    """Refund part of a payment, or with ``amount`` None all that is left.

    Raises `limits.AboveLimit`, `Denied`, `Refused`, `Changed`, `Locked`, or a `ProviderError` of the reading; nothing
    was sent then.
    """
    access.require(actor, "transaction.refund")
    asked = _operations.digest("refund", whose.lead_id, transaction_id, str(amount), terms.reason, terms.note)
    account = connection.account
    first = _operations.find_replay(operation_id=operation_id, actor=actor, account=account, request_digest=asked)
    if first:
        return first
    sale = read_sale(provider_for(connection), account, whose, transaction_id)
    step = refund_step(sale, amount, seen=terms.seen)
    operation = new_operation(operation_id, actor, sale.whose, account, asked, terms, run)
    moved = step.amount or Decimal(0)

    def keep_within_limits() -> None:
        limits.require_within(actor=actor, account=account, lead_id=whose.lead_id, amount=moved)

    return dispatch(operation, step, connection, guard=keep_within_limits)


def refund_step(sale: Sale, amount: Decimal | None, *, seen: str) -> _operations.Step:
    """The refund as it would be sent now. Raises `Changed` where the sale is not as it was seen, `Refused`."""
    if sale.digest != seen:
        raise Changed
    left = sale.payment.left or Decimal(0)
    moved = left if amount is None else amount
    if why := sale.why_not() or rules.why_not_amount(sale.payment, moved):
        raise Refused(why)
    refunded = sale.payment.refunded or Decimal(0)
    # Kartra takes no amount for everything. Only where nothing was refunded yet does 'everything' mean one thing.
    everything = moved == sale.payment.transaction.amount and not refunded
    transaction_id = sale.payment.transaction.id
    change = (
        changes.RefundTransaction(transaction_id, everything=True)
        if everything
        else changes.RefundTransaction(transaction_id, amount=plain(moved))
    )
    return _operations.Step(
        change,
        before={"Refunded": _amount(refunded), "Left": _amount(left)},
        after={"Refunded": _amount(refunded + moved), "Left": _amount(left - moved)},
        lock=sale.lock,
        amount=moved,
        evidence={"refunds": [refund.id for refund in sale.payment.refunds]},
        known=sale.known,
    )


def change_subscription(
    *,
    actor: User,
    connection: Connection,
    whose: Whose,
    change: Change,
    terms: Terms,
    operation_id: UUID,
    run: PlaybookRun | None = None,
    at_once: bool = False,
) -> Operation:
    """Cancel, pause, resume or edit a subscription. Raises as `refund_transaction` does.

    ``at_once`` does not hold it back, for a caller who needs its outcome before he goes on.
    """
    access.require(actor, PERMISSIONS[change.kind])
    asked = _operations.digest(change.kind, whose.lead_id, change.as_json(), terms.reason, terms.note)
    account = connection.account
    first = _operations.find_replay(operation_id=operation_id, actor=actor, account=account, request_digest=asked)
    if first:
        return first
    plan = read_plan(provider_for(connection), account, whose, change.subject)
    step = subscription_step(plan, change, seen=terms.seen)
    operation = new_operation(operation_id, actor, plan.whose, account, asked, terms, run)
    if at_once:
        operation.send_at = None
    return dispatch(operation, step, connection)


def subscription_step(plan: Plan, change: Change, *, seen: str) -> _operations.Step:
    """The change as it would be sent now. Raises `Changed` or `Refused`."""
    if plan.digest != seen:
        raise Changed
    if why := plan.why_not(change.kind):
        raise Refused(why)
    before = effects.state_of(change, plan.group.the_subscription)
    return _operations.Step(change, before, effects.expected(change, before), lock=plan.lock, known=plan.known)


def new_operation(
    operation_id: UUID,
    actor: User,
    whose: Whose,
    account: Account,
    asked: str,
    terms: Terms,
    run: PlaybookRun | None = None,
) -> Operation:
    """The operation as it will be recorded. Steps of a playbook are not held back: their run was confirmed whole."""
    hold = timedelta(seconds=0 if run else settings.MONEY_HOLD)
    return Operation(
        id=operation_id,
        account=account,
        actor=actor,
        lead_id=whose.lead_id,
        lead_name=whose.name,
        lead_email=whose.email,
        label=run.name if run else "",
        request_digest=asked,
        reason=terms.reason,
        note=terms.note,
        run=run,
        send_at=timezone.now() + hold if hold else None,
    )


def dispatch(
    operation: Operation, step: _operations.Step, connection: Connection, *, guard: Callable[[], None] | None = None
) -> Operation:
    """Record it; send it now, or leave it to the worker where it is held back."""
    first = _operations.record(operation, [step], guard=guard)
    if first is not operation:
        return first
    if operation.send_at:
        _queue.send_later(operation.pk, operation.send_at)
        return operation
    return _operations.send(operation, connection)


def send_due_operations(*, only: UUID | None = None) -> int:
    """Send what was held back long enough, or just that one if it was. Gives how many were due. Safe at any time, many
    at once: each is claimed by one.
    """
    due = Operation.objects.due(timezone.now()).select_related("account", "actor", "approved_by").order_by("send_at")
    found = list(due.filter(pk=only) if only else due)
    for operation in found:
        try:
            connection = _connection_for(operation)
            if connection:
                send_held(operation, connection)
            elif _operations.claim(operation):
                _operations.refuse(operation, "Nobody here holds credentials for the account any more.")
        except Exception:  # the others are not to wait for it
            logger.exception("could not send operation %s", operation.pk)
    return len(found)


def _connection_for(operation: Operation) -> Connection | None:
    """The actor's own credentials; where he has none any more, those of the account that worked last."""
    usable = Connection.objects.select_related("account", "user").filter(
        account=operation.account_id, user__is_active=True
    )
    own = usable.filter(user=operation.actor_id).first()
    return own or usable.order_by(F("last_worked_at").desc(nulls_last=True)).first()


def send_held(operation: Operation, connection: Connection) -> Operation:
    """Send what was held back long enough, if nobody else does. The sale is read again first: it may have changed."""
    if not _operations.claim(operation):
        operation.refresh_from_db()
        return operation
    try:
        _check_again(operation, connection)
    except Exception as error:
        sentence = getattr(error, "sentence", "It could not be checked again, so it was not sent.")
        _operations.refuse(operation, sentence)
        if not hasattr(error, "sentence"):
            raise
        return operation
    return _operations.send(operation, connection)


def _check_again(operation: Operation, connection: Connection) -> None:
    """Raise AppError where the operation must not be sent any more."""
    step = operation.steps.get()
    access.require(operation.actor, PERMISSIONS[step.kind])
    whose = Whose(operation.lead_id, operation.lead_name, operation.lead_email)
    provider = provider_for(connection)
    if step.kind == "transaction.refund":
        sale = read_sale(provider, operation.account, whose, step.subject)
        now = {"Refunded": _amount(sale.payment.refunded), "Left": _amount(sale.payment.left)}
    else:
        plan = read_plan(provider, operation.account, whose, step.subject)
        now = effects.state_of(step.change, plan.group.the_subscription)
    if now != step.before:
        raise Changed


def _lock(account: Account, what: str, number: str) -> str:
    return f"{account.pk}:{what}:{number}"


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:.2f}"
