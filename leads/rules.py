"""What may be done with a payment or a subscription, as far as it can be known beforehand.

Each function returns why not, in one sentence, or "" where nothing that is known stands against it. What cannot be
known (the refund window, a test payment) is left to the provider, whose refusal is shown.

``doing`` is the outcome of what is not settled yet of the same payment or subscription, or "".
"""

from decimal import Decimal

from leads.models import Outcome
from leads.providers.base import Subscription, Transaction
from leads.selectors.money import MoneyGroup, Payment

FINISHED = ("cancelled", "terminated")
LOWEST_PRICE, HIGHEST_PRICE = Decimal("1.00"), Decimal("9999.99")
HIGHEST_QUANTITY = 9999
_CENT = Decimal("0.01")
_STANDS: dict[str, str] = {
    Outcome.HELD: "is held back, and nothing was sent yet",
    Outcome.PENDING: "is being sent",
    Outcome.UNKNOWN: "is being checked",
}


def why_not_refund(payment: Payment, *, doing: str = "") -> str:
    """Against refunding anything of this payment."""
    transaction = payment.transaction
    if doing:
        return f"A refund of it {_STANDS[doing]}. Nothing more can be refunded until that is settled."
    if not payment.is_payment:
        return "Only sales and rebills can be refunded."
    if payment.chargebacks:
        return "It was charged back: the customer's bank has already taken the money back."
    if transaction.is_beyond:
        return "It is too old to be read here. Open it to see what was paid and what was refunded."
    if transaction.is_refused:
        return "Kartra does not return its details. Refund it in Kartra."
    if not transaction.has_details or transaction.amount is None:
        return "Kartra did not return its amount. Reload to read it again."
    if transaction.amount <= 0:
        return "Nothing was paid."
    if payment.strays:
        or_reload = "Refund it" if all(row.is_refused for row in payment.strays) else "Reload, or refund it"
        if any(not row.kind for row in payment.strays):
            return (
                "Kartra lists a transaction without saying what it is, and it may be a refund of this payment. "
                f"{or_reload} in Kartra."
            )
        return f"Kartra lists a refund without saying which payment it belongs to. {or_reload} in Kartra."
    if any(row.is_refused for row in payment.refunds):
        return (
            "Kartra does not return the details of one of its refunds, so what is left is unknown. Refund it in Kartra."
        )
    if payment.left is None:
        return "It is unknown what was refunded so far. Reload to read it again."
    if payment.left <= 0:
        return "It has already been refunded."
    if transaction.amount % _CENT or payment.left % _CENT:
        return "Its amount has fractions of a cent. Refund it in Kartra."
    return ""


def why_not_whose(row: Transaction | Subscription, lead_id: str) -> str:
    """Against any act on what Kartra lists for this lead, and says to be another's."""
    if not row.lead_id or row.lead_id == lead_id:
        return ""
    if isinstance(row, Subscription):
        return "Kartra says that this subscription belongs to another lead. Change or cancel it in Kartra."
    return "Kartra says that this payment belongs to another lead. Refund it in Kartra."


def why_not_amount(payment: Payment, amount: Decimal) -> str:
    """Against refunding this much of a payment that may be refunded."""
    if payment.left is not None and amount > payment.left:
        return f"Only {payment.left:.2f} is left of this payment."
    return ""


def why_not_cancel(subscription: Subscription, *, doing: str = "") -> str:
    return _locked(doing) or _finished(subscription) or why_unknown(subscription)


def why_not_pause(group: MoneyGroup, *, doing: str = "") -> str:
    subscription = group.the_subscription
    if subscription.status == "paused":
        return "It is already paused."
    return _locked(doing) or _finished(subscription) or _paypal(group)


def why_not_resume(group: MoneyGroup, *, doing: str = "") -> str:
    subscription = group.the_subscription
    if subscription.status == "active":
        return "It is already running."
    return _locked(doing) or _finished(subscription) or _paypal(group)


def why_not_edit(group: MoneyGroup, *, doing: str = "") -> str:
    return _locked(doing) or _finished(group.the_subscription) or _paypal(group)


def why_unknown(subscription: Subscription) -> str:
    """Against any act on a subscription of which no more than its number was read."""
    if subscription.is_beyond:
        return "It is too old to be read here. Open it to see its details."
    if subscription.is_refused:
        return "Kartra does not return its details. Change or cancel it in Kartra."
    return "" if subscription.has_details else "Kartra did not return its details. Reload to read them again."


def is_paypal(group: MoneyGroup) -> bool:
    """Whether a payment of it shows that PayPal holds the subscription. Kartra does not say it of the subscription."""
    return any("paypal" in payment.processor.casefold() for payment in group.payments)


def _locked(doing: str) -> str:
    return f"A change of it {_STANDS[doing]}. Nothing more can be changed until that is settled." if doing else ""


def _finished(subscription: Subscription) -> str:
    if subscription.status not in FINISHED:
        return ""
    return f"It is {subscription.status} for good. The customer has to buy again."


def _paypal(group: MoneyGroup) -> str:
    """Against what PayPal does not let Kartra do, unless it is known that PayPal does not hold it."""
    if why := why_unknown(group.the_subscription):
        return why
    if is_paypal(group):
        return "PayPal bills this subscription. It can only be cancelled."
    if group.payments or not group.unplaced:
        return ""
    if group.is_unplaced_for_good:
        return "Kartra does not return its payments, so it may be a PayPal subscription. Change it in Kartra."
    if all(row.is_beyond or row.is_refused for row in group.unplaced):
        return "Its payments are too old to be read here. Open it to see whether PayPal bills it."
    return "Kartra did not return its payments, so it may be a PayPal subscription. Reload to read them again."
