"""A lead's money, arranged as people ask for it: each subscription with its payments, then single purchases."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from leads.providers.base import Money, Subscription, Transaction

REFUNDS = ("refund", "partial_refund")
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
    """A transaction with the refunds that belong to it. ``left`` is a computed estimate, None where it is not known."""

    transaction: Transaction
    refunds: tuple[Transaction, ...] = ()

    @property
    def title(self) -> str:
        if self.transaction.kind == "rebill" and self.transaction.pay_number:
            return f"Rebill {self.transaction.pay_number}"
        return self.transaction.kind.replace("_", " ").capitalize()

    @property
    def refunded(self) -> Decimal | None:
        amounts = [refund.amount for refund in self.refunds]
        return None if None in amounts else sum((amount for amount in amounts if amount), Decimal(0))

    @property
    def left(self) -> Decimal | None:
        if self.transaction.kind not in _PAYMENTS or self.transaction.amount is None or self.refunded is None:
            return None
        return max(self.transaction.amount - self.refunded, Decimal(0))

    @property
    def state(self) -> tuple[str, str]:
        """Word and colour."""
        if self.transaction.kind not in _PAYMENTS:
            return _STATES.get(self.transaction.kind, (self.transaction.kind.capitalize(), "neutral"))
        if not self.refunds:
            return ("Paid", "succeeded") if self.transaction.has_details else ("Details not read", "neutral")
        is_full = any(refund.kind == "refund" for refund in self.refunds) or self.left == 0
        return ("Refunded", "neutral") if is_full else ("Part refunded", "waiting")


@dataclass(frozen=True)
class MoneyGroup:
    """Payments of one subscription; of none, where ``subscription`` is None."""

    subscription: Subscription | None
    payments: tuple[Payment, ...]

    @property
    def title(self) -> str:
        products = (payment.transaction.product for payment in self.payments)
        named = next((product for product in products if product), "")
        if self.subscription is None:
            return "Single purchases"
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
        return next((payment.transaction.processor for payment in self.payments if payment.transaction.processor), "")


def arrange(money: Money) -> list[MoneyGroup]:
    """Running subscriptions first, newest payment first within each."""
    payments = _payments(money.transactions)
    order = {"active": 0, "paused": 1}
    subscriptions = sorted(money.subscriptions, key=lambda row: (order.get(row.status, 2), -_number(row.id)))
    ids = {subscription.id for subscription in subscriptions}
    groups = [
        MoneyGroup(row, tuple(payment for payment in payments if payment.transaction.subscription_id == row.id))
        for row in subscriptions
    ]
    single = tuple(payment for payment in payments if payment.transaction.subscription_id not in ids)
    return [*groups, *([MoneyGroup(None, single)] if single else [])]


def _payments(transactions: Sequence[Transaction]) -> list[Payment]:
    """Each transaction once: refunds under the payment they belong to, where that is known."""
    by_parent: dict[str, list[Transaction]] = {}
    ids = {row.id for row in transactions}
    for row in transactions:
        if row.kind in REFUNDS and row.parent_id in ids:
            by_parent.setdefault(row.parent_id, []).append(row)
    nested = {row.id for rows in by_parent.values() for row in rows}
    return [
        Payment(row, tuple(sorted(by_parent.get(row.id, ()), key=lambda refund: _number(refund.id))))
        for row in sorted(transactions, key=_newest_first)
        if row.id not in nested
    ]


def _newest_first(row: Transaction) -> tuple[float, int]:
    """By time; ids stand in for times that cannot be read."""
    return (-row.at.at.timestamp() if row.at and row.at.at else 0.0, -_number(row.id))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
