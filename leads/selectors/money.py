"""A lead's money, arranged as people ask for it: each subscription with its payments, then single purchases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from leads.models import OperationStep, Outcome
from leads.providers.base import Money, Subscription, Transaction

REFUNDS = ("refund", "partial_refund")
_CHARGEBACK = "chargeback"
_PAYMENTS = ("sale", "rebill")
_STATES = {
    "failed": ("Failed", "failed"),
    "chargeback": ("Charged back", "failed"),
    "cancellation": ("Cancelled", "neutral"),
    "refund": ("Refund", "waiting"),
    "partial_refund": ("Partial refund", "waiting"),
}


@dataclass(frozen=True)
class Payment:
    """A transaction with what went back of it. ``left`` is a computed estimate, None where it is not known.

    ``unlisted`` are refunds that were made here and that the provider does not list yet: its list may lag behind its
    answers, and a person may know of a refund by other ways. ``strays`` are listed, without telling of which payment,
    or that they are refunds at all, and may be of this one.
    """

    transaction: Transaction
    refunds: tuple[Transaction, ...] = ()
    chargebacks: tuple[Transaction, ...] = ()
    unlisted: tuple[OperationStep, ...] = ()
    strays: tuple[Transaction, ...] = ()

    @property
    def is_payment(self) -> bool:
        """Whether money was paid with it, as not with a failed payment or a cancellation."""
        return self.transaction.kind in _PAYMENTS

    @property
    def title(self) -> str:
        if self.transaction.kind == "rebill" and self.transaction.pay_number:
            return f"Rebill {self.transaction.pay_number}"
        return self.transaction.kind.replace("_", " ").capitalize()

    @property
    def processor(self) -> str:
        """Who took it, where that is known: what PayPal holds is known by PayPal's own number alone."""
        row = self.transaction
        return row.processor or ("PayPal" if row.gateway_subscription_id.startswith("I-") else "")

    @property
    def refunded(self) -> Decimal | None:
        amounts = [*(row.amount for row in self.refunds), *(step.amount for step in self.unlisted)]
        if self.strays or None in amounts:
            return None
        return sum((abs(amount) for amount in amounts if amount), Decimal(0))

    @property
    def left(self) -> Decimal | None:
        if not self.is_payment or self.chargebacks or self.transaction.amount is None or self.refunded is None:
            return None
        return max(self.transaction.amount - self.refunded, Decimal(0))

    @property
    def state(self) -> tuple[str, str]:
        """Word and colour."""
        if self.chargebacks:
            return _STATES[_CHARGEBACK]
        if not self.is_payment:
            return _STATES.get(self.transaction.kind, (self.transaction.kind.capitalize(), "neutral"))
        if not self.refunds and not self.unlisted:
            untold = ("Details not given" if self.transaction.is_refused else "Details not read", "neutral")
            return ("Paid", "succeeded") if self.transaction.has_details else untold
        is_full = any(refund.kind == "refund" for refund in self.refunds) or self.left == 0
        return ("Refunded", "neutral") if is_full else ("Part refunded", "waiting")


@dataclass(frozen=True)
class MoneyGroup:
    """Payments of one subscription; of none, where ``subscription`` is None.

    ``unplaced`` came without details, so nobody knows whether they are payments of this subscription.
    """

    subscription: Subscription | None
    payments: tuple[Payment, ...]
    unplaced: tuple[Transaction, ...] = ()

    @property
    def title(self) -> str:
        products = (payment.transaction.product for payment in self.payments)
        named = next((product for product in products if product), "")
        if self.subscription is None:
            is_told = all(payment.transaction.has_details for payment in self.payments)
            return "Single payments" if is_told else "Other payments"
        return named or f"Product {self.subscription.product_id or 'unknown'}"

    @property
    def is_single(self) -> bool:
        return self.subscription is None

    @property
    def the_subscription(self) -> Subscription:
        """The subscription of a group that has one. Raises ValueError for single purchases."""
        if self.subscription is None:
            raise ValueError("these payments belong to no subscription")
        return self.subscription

    @property
    def processor(self) -> str:
        return next((payment.processor for payment in self.payments if payment.processor), "")

    @property
    def last_payment(self) -> Payment | None:
        """The newest payment that money was paid with, refunded or not: an older one is never refunded instead. None
        where there is none, or it may be one of those that nobody can place."""
        return None if self.hides_last else self._last_placed

    @property
    def hides_last(self) -> bool:
        """Whether its last payment may be among those without details."""
        return bool(self._newer_unplaced)

    @property
    def hides_last_for_good(self) -> bool:
        """Whether no reading will tell."""
        return self.hides_last and all(row.is_refused for row in self._newer_unplaced)

    @property
    def is_unplaced_for_good(self) -> bool:
        """Whether no reading will place what is not."""
        return bool(self.unplaced) and all(row.is_refused for row in self.unplaced)

    @property
    def _newer_unplaced(self) -> list[Transaction]:
        last = _number(self._last_placed.transaction.id) if self._last_placed else 0
        return [row for row in self.unplaced if row.kind in ("", *_PAYMENTS) and _number(row.id) > last]

    @property
    def _last_placed(self) -> Payment | None:
        paid = (row for row in self.payments if row.transaction.kind in _PAYMENTS)
        return next((row for row in paid if row.transaction.amount != 0), None)


def arrange(money: Money) -> list[MoneyGroup]:
    """Running subscriptions first, newest payment first within each."""
    payments = _payments(money.transactions)
    order = {"active": 0, "paused": 1}
    subscriptions = sorted(money.subscriptions, key=lambda row: (order.get(row.status, 2), -_number(row.id)))
    ids = {subscription.id for subscription in subscriptions}
    unplaced = tuple(row for row in money.transactions if not row.has_details and not row.subscription_id)
    groups = [
        MoneyGroup(
            row, tuple(payment for payment in payments if payment.transaction.subscription_id == row.id), unplaced
        )
        for row in subscriptions
    ]
    single = tuple(payment for payment in payments if payment.transaction.subscription_id not in ids)
    return [*groups, *([MoneyGroup(None, single)] if single else [])]


def count_own(groups: Iterable[MoneyGroup], steps: Sequence[OperationStep]) -> list[MoneyGroup]:
    """The groups, with what was refunded here and is not listed yet. ``steps`` are oldest first, of any payment."""
    by_payment: dict[str, list[OperationStep]] = {}
    for step in steps:
        by_payment.setdefault(step.subject, []).append(step)
    return [
        replace(group, payments=tuple(_with_own(row, by_payment.get(row.transaction.id, ())) for row in group.payments))
        for group in groups
    ]


def _with_own(payment: Payment, steps: Sequence[OperationStep]) -> Payment:
    return replace(payment, unlisted=tuple(match(payment.refunds, steps)[1]))


def match(
    refunds: Sequence[Transaction], steps: Sequence[OperationStep]
) -> tuple[dict[str, OperationStep], list[OperationStep]]:
    """The operation that made each listed refund, by its id, and those whose refund is not listed yet.

    The provider does not tell which call made a refund, so each operation takes the first one of its amount that was
    not there before it.
    """
    made_by: dict[str, OperationStep] = {}
    unlisted = []
    for step in steps:
        if step.kind != "transaction.refund" or step.outcome != Outcome.SUCCEEDED:
            continue
        known = {*step.evidence.get("refunds", ()), *made_by}
        found = next((row for row in refunds if row.id not in known and row.amount == step.amount), None)
        if found:
            made_by[found.id] = step
        else:
            unlisted.append(step)
    return made_by, unlisted


def _payments(transactions: Sequence[Transaction]) -> list[Payment]:
    """Each transaction once: what went back under the payment it belongs to, where that is known."""
    by_parent: dict[str, list[Transaction]] = {}
    ids = {row.id for row in transactions}
    strays = []
    for row in sorted(transactions, key=lambda row: _number(row.id)):
        if row.kind not in ("", *REFUNDS, _CHARGEBACK):
            continue
        if row.kind and row.parent_id in ids:
            by_parent.setdefault(row.parent_id, []).append(row)
        elif not (row.kind and row.parent_id):
            strays.append(row)
    nested = {row.id for rows in by_parent.values() for row in rows}
    return [
        Payment(
            row,
            tuple(back for back in by_parent.get(row.id, ()) if back.kind in REFUNDS),
            tuple(back for back in by_parent.get(row.id, ()) if back.kind == _CHARGEBACK),
            strays=tuple(stray for stray in strays if _may_be_of(stray, row)),
        )
        for row in sorted(transactions, key=_newest_first)
        if row.id not in nested
    ]


def _may_be_of(stray: Transaction, payment: Transaction) -> bool:
    """Whether it may be a refund or chargeback of it: its number is higher than its payment's."""
    if payment.kind not in ("", *_PAYMENTS) or stray.id == payment.id:
        return False
    is_numbered = (stray.id + payment.id).isdecimal()
    return stray.parent_id in ("", payment.id) and not (is_numbered and int(stray.id) < int(payment.id))


def _newest_first(row: Transaction) -> tuple[float, int]:
    """By time; ids stand in for times that cannot be read."""
    return (-row.at.at.timestamp() if row.at and row.at.at else 0.0, -_number(row.id))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
