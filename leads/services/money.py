"""Refunds, and changes of subscriptions: read anew, checked, bound to what was shown, recorded once, sent once."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import Account, Connection, User
from accounts.services import access
from kartra_admin.lib.errors import Conflict
from kartra_admin.lib.money import plain
from leads import effects, rules
from leads.change_permissions import PERMISSIONS
from leads.models import HELD_RUN, OPEN, Operation, OperationStep, Outcome, PlaybookRun, lock_of
from leads.providers import changes
from leads.providers.base import LeadRef, Money, Provider
from leads.providers.changes import Change
from leads.providers.errors import NotFound, RateLimited, Refused, Unavailable
from leads.selectors.money import MoneyGroup, Payment, arrange, count_own
from leads.services import _operations, limits
from leads.services._operations import Intent
from leads.wiring import provider_for

_UNREAD = "Kartra did not return what was refunded so far. Nothing was sent. Try again in a minute."


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
        super().__init__(
            "This has changed in Kartra since it was shown. Nothing was sent: look again and decide again."
        )


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
        return lock_of(self.account.pk, "transaction", self.payment.transaction.id)

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
        paid = self.payment
        back = [row.id for row in (*paid.refunds, *paid.chargebacks)]
        return _operations.digest("sale", paid.transaction.id, self.figures, back, [step.pk for step in paid.unlisted])

    def why_not(self) -> str:
        return rules.why_not_refund(self.payment, doing=doing_under(self.lock)) or self.why_not_whose

    @property
    def why_not_whose(self) -> str:
        return rules.why_not_whose(self.payment.transaction, self.whose.lead_id)


@dataclass(frozen=True)
class Plan:
    """One subscription as it was just read, with its payments. ``known`` is what had been done of it before."""

    whose: Whose
    account: Account
    group: MoneyGroup
    known: _operations.Known | None = None

    @property
    def lock(self) -> str:
        return lock_of(self.account.pk, "subscription", self.group.the_subscription.id)

    @property
    def digest(self) -> str:
        return _operations.digest("plan", effects.figures_of(self.group.the_subscription))

    def why_not(self, kind: str) -> str:
        """Against an act: ``subscription.cancel``, ``.pause``, ``.resume`` or ``.edit``."""
        doing = doing_under(self.lock)
        if kind == "subscription.cancel":
            return rules.why_not_cancel(self.group.the_subscription, doing=doing) or self.why_not_whose
        ask = {"subscription.pause": rules.why_not_pause, "subscription.resume": rules.why_not_resume}
        return ask.get(kind, rules.why_not_edit)(self.group, doing=doing) or self.why_not_whose

    @property
    def why_not_whose(self) -> str:
        return rules.why_not_whose(self.group.the_subscription, self.whose.lead_id)


def doing_under(lock: str) -> str:
    """The outcome of what may still be on its way of it, or "". A new key of the same Kartra account makes another
    account here, so what was left in one that nobody works in any more counts by the number that it is known by.

    A playbook that is held back counts too, though nothing of it is recorded under a lock before it begins."""
    account_id, noun, number = lock.split(":", 2)
    left = Account.objects.exclude(connections__user__is_active=True)
    locks = [lock, *(lock_of(account.pk, noun, number) for account in left)]
    found = OperationStep.objects.filter(lock__in=locks, outcome__in=OPEN)
    if outcome := found.values_list("outcome", flat=True).first():
        return outcome
    runs = PlaybookRun.objects.filter(HELD_RUN, account=int(account_id), **{f"{noun}_id": number})
    return Outcome.HELD if runs.exists() else ""


def read_sale(provider: Provider, account: Account, whose: Whose, transaction_id: str) -> Sale:
    """Raises `NotFound` for a transaction that is not this lead's, `Unavailable` where its refunds can't be told."""
    known = _operations.known_of(lock_of(account.pk, "transaction", transaction_id))
    read = provider.get_money(LeadRef(id=whose.lead_id))
    group, payment = _find_payment(account, read, transaction_id)
    rows = (payment.transaction, *payment.refunds, *payment.chargebacks, *payment.strays)
    if lacking := [row for row in rows if not row.has_details]:
        try:
            read = provider.add_details(read, lacking)
        except (RateLimited, Unavailable):
            raise Unavailable(_UNREAD) from None
        group, payment = _find_payment(account, read, transaction_id)
    return Sale(whose, account, group, payment, known)


def _find_payment(account: Account, read: Money, transaction_id: str) -> tuple[MoneyGroup, Payment]:
    """The payment and its group. What went back of one stands alone, where it is what was asked for."""
    groups = arrange_for(account, read)
    for group in groups:
        for payment in group.payments:
            if payment.transaction.id == transaction_id:
                return group, payment
    for group in groups:
        for payment in group.payments:
            for row in (*payment.refunds, *payment.chargebacks):
                if row.id == transaction_id:
                    return replace(group, payments=(Payment(row),)), Payment(row)
    raise NotFound("This lead has no such payment.")


def arrange_for(account: Account, read: Money) -> list[MoneyGroup]:
    """What was read, with what was refunded here and is not listed yet."""
    own = OperationStep.objects.filter(
        operation__account=account,
        kind="transaction.refund",
        outcome=Outcome.SUCCEEDED,
        lock__in=[lock_of(account.pk, "transaction", row.id) for row in read.transactions],
    )
    return count_own(arrange(read), list(own.order_by("operation__created_at")))


def read_plan(provider: Provider, account: Account, whose: Whose, subscription_id: str) -> Plan:
    """Raises `NotFound` for a subscription that is not this lead's. What of it could not be told is left out."""
    known = _operations.known_of(lock_of(account.pk, "subscription", subscription_id))
    read = provider.get_money(LeadRef(id=whose.lead_id))
    subscription = next((row for row in read.subscriptions if row.id == subscription_id), None)
    if subscription is None:
        raise NotFound("This lead has no such subscription.")
    with suppress(RateLimited, Unavailable):
        for rows in ([subscription], read.transactions):
            if lacking := [row for row in rows if not row.has_details]:
                read = provider.add_details(read, lacking)
    groups = (group for group in arrange_for(account, read) if group.subscription)
    return Plan(whose, account, next(row for row in groups if row.the_subscription.id == subscription_id), known)


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
    intent = intent_of(operation_id, actor, connection, asked, terms, run)
    if first := _operations.find_replay(intent):
        return first
    try:
        sale = read_sale(provider_for(connection), intent.account, whose, transaction_id)
        step = refund_step(sale, amount, seen=terms.seen)
    except (Changed, Refused):
        if first := _operations.find_replay(intent):  # what has changed is what the first click did
            return first
        raise
    moved = step.amount or Decimal(0)

    def keep_within_limits() -> None:
        limits.require_within(
            actor=actor, account=intent.account, lead_id=whose.lead_id, transaction_id=transaction_id, amount=moved
        )

    intent = replace(about(intent, sale.whose), send_at=None if run else held_until(), guard=keep_within_limits)
    return _operations.perform(intent, [step])


def refund_step(sale: Sale, amount: Decimal | None, *, seen: str) -> _operations.Step:
    """The refund as it would be sent now. Raises `Changed` where the sale is not as it was seen, `Refused`."""
    if sale.digest != seen:
        raise Changed
    left = sale.payment.left or Decimal(0)
    moved = left if amount is None else amount
    if why := sale.why_not() or rules.why_not_amount(sale.payment, moved):
        raise Refused(why)
    refunded = sale.payment.refunded or Decimal(0)
    # Kartra takes no amount for everything. That is sent only where it was chosen and nothing was refunded yet.
    everything = amount is None and not refunded
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
        evidence={
            "refunds": [refund.id for refund in sale.payment.refunds],
            "awaited": sum(step.amount == moved for step in sale.payment.unlisted),
        },
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
    held: bool = True,
) -> Operation:
    """Cancel, pause, resume or edit a subscription. Raises as `refund_transaction` does.

    ``held`` False sends it now, for who has given the time to take it back already.
    """
    access.require(actor, PERMISSIONS[change.kind])
    asked = _operations.digest(change.kind, whose.lead_id, change.as_json(), terms.reason, terms.note)
    intent = intent_of(operation_id, actor, connection, asked, terms, run)
    if first := _operations.find_replay(intent):
        return first
    try:
        plan = read_plan(provider_for(connection), intent.account, whose, change.subject)
        step = subscription_step(plan, change, seen=terms.seen)
    except (Changed, Refused):
        if first := _operations.find_replay(intent):  # as above
            return first
        raise
    intent = replace(about(intent, plan.whose), send_at=held_until() if held else None)
    return _operations.perform(intent, [step])


def subscription_step(plan: Plan, change: Change, *, seen: str) -> _operations.Step:
    """The change as it would be sent now. Raises `Changed` or `Refused`."""
    require_told(plan)
    if plan.digest != seen:
        raise Changed
    if why := plan.why_not(change.kind):
        raise Refused(why)
    before = effects.state_of(change, plan.group.the_subscription)
    return _operations.Step(change, before, effects.expected(change, before), lock=plan.lock, known=plan.known)


def require_told(plan: Plan) -> None:
    """Raise `Refused` where its details could not be read: what they are now is not known, changed or not."""
    if plan.group.the_subscription.is_refused:
        raise Refused("Kartra does not return the details of this subscription. Nothing was sent. Change it in Kartra.")
    if rules.why_unknown(plan.group.the_subscription):
        raise Refused(
            "Kartra did not return the details of this subscription. Nothing was sent. Try again in a minute."
        )


def intent_of(
    operation_id: UUID, actor: User, connection: Connection, asked: str, terms: Terms, run: PlaybookRun | None = None
) -> Intent:
    """What is meant to be done with money, before it is read whose it is."""
    return Intent(
        id=operation_id,
        actor=actor,
        connection=connection,
        request_digest=asked,
        label=run.name if run else "",
        reason=terms.reason,
        note=terms.note,
        run=run,
    )


def about(intent: Intent, whose: Whose) -> Intent:
    return replace(intent, lead_id=whose.lead_id, lead_name=whose.name, lead_email=whose.email)


def held_until() -> datetime | None:
    """When what is confirmed now is done, where there is time to take it back; None where there is none."""
    return timezone.now() + timedelta(seconds=settings.MONEY_HOLD) if settings.MONEY_HOLD else None


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:.2f}"
