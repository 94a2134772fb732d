"""What is known beforehand to be impossible, and what is left to the provider."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from leads import rules
from leads.models import Outcome
from leads.providers.base import Subscription, Transaction
from leads.selectors.money import MoneyGroup, Payment


def payment(kind: str = "sale", amount: str | None = "20.00", refunded: str | None = "", **also: Any) -> Payment:
    paid = Transaction("1", kind, has_details=True, amount=Decimal(amount) if amount is not None else None, **also)
    refunds = ()
    if refunded != "":
        refunds = (Transaction("2", "refund", amount=Decimal(refunded) if refunded is not None else None),)
    return Payment(paid, refunds)


def with_chargeback() -> Payment:
    return replace(payment(), chargebacks=(Transaction("2", "chargeback", amount=Decimal("20.00")),))


def with_stray() -> Payment:
    return replace(payment(), strays=(Transaction("2", "refund", has_details=True, amount=Decimal("20.00")),))


def group(status: str = "active", **row: Any) -> MoneyGroup:
    return MoneyGroup(Subscription("9", status, has_details=True), (payment(**row),))


def test_a_sale_and_a_rebill_may_be_refunded() -> None:
    assert rules.why_not_refund(payment()) == ""
    assert rules.why_not_refund(payment("rebill", refunded="19.99")) == ""


@pytest.mark.parametrize("kind", ["refund", "partial_refund", "failed", "cancellation", "chargeback", "gift"])
def test_nothing_else_may(kind: str) -> None:
    assert rules.why_not_refund(payment(kind)) == "Only sales and rebills can be refunded."


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (payment(refunded="20.00"), "It has already been refunded."),
        (payment(refunded="25.00"), "It has already been refunded."),
        (payment(amount="0"), "Nothing was paid."),
        (payment(amount=None), "Kartra did not return its amount. Reload to read it again."),
        (payment(refunded=None), "It is unknown what was refunded so far. Reload to read it again."),
        (Payment(Transaction("1", "sale")), "Kartra did not return its amount. Reload to read it again."),
        (
            Payment(Transaction("1", "sale", is_refused=True)),
            "Kartra does not return its details. Refund it in Kartra.",
        ),
        (
            replace(payment(), refunds=(Transaction("2", "refund", is_refused=True),)),
            "Kartra does not return the details of one of its refunds, so what is left is unknown. "
            "Refund it in Kartra.",
        ),
        (
            replace(payment(), strays=(Transaction("2", "refund", is_refused=True),)),
            "Kartra lists a refund without saying which payment it belongs to. Refund it in Kartra.",
        ),
        (
            replace(payment(), strays=(Transaction("2", ""),)),
            "Kartra lists a transaction without saying what it is, and it may be a refund of this payment. "
            "Reload, or refund it in Kartra.",
        ),
        (payment(amount="19.955"), "Its amount has fractions of a cent. Refund it in Kartra."),
        (payment(refunded="5.005"), "Its amount has fractions of a cent. Refund it in Kartra."),
        (with_chargeback(), "It was charged back: the customer's bank has already taken the money back."),
        (
            with_stray(),
            "Kartra lists a refund without saying which payment it belongs to. Reload, or refund it in Kartra.",
        ),
    ],
)
def test_what_stands_against_a_refund(row: Payment, why: str) -> None:
    assert rules.why_not_refund(row) == why


def test_a_lock_comes_first() -> None:
    assert "being checked" in rules.why_not_refund(payment(refunded="20.00"), doing=Outcome.UNKNOWN)


def test_at_most_what_is_left() -> None:
    row = payment(refunded="9.95")
    assert rules.why_not_amount(row, Decimal("10.05")) == ""
    assert rules.why_not_amount(row, Decimal("10.06")) == "Only 10.05 is left of this payment."


ACTS = {
    "cancel": lambda row, **also: rules.why_not_cancel(row.the_subscription, **also),
    "pause": rules.why_not_pause,
    "resume": rules.why_not_resume,
    "edit": rules.why_not_edit,
}


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        ("active", {"cancel", "pause", "edit"}),
        ("paused", {"cancel", "resume", "edit"}),
        ("cancelled", set()),
        ("terminated", set()),
        ("on hold", {"cancel", "pause", "resume", "edit"}),
    ],
)
def test_the_status_decides(status: str, possible: set[str]) -> None:
    assert {name for name, why_not in ACTS.items() if not why_not(group(status))} == possible


@pytest.mark.parametrize("mark", [{"processor": "PayPal"}, {"gateway_subscription_id": "I-EXAMPLE00001"}])
def test_paypal_can_only_be_cancelled(mark: dict[str, str]) -> None:
    row = group(**mark)
    assert {name for name, why_not in ACTS.items() if not why_not(row)} == {"cancel"}
    assert rules.why_not_edit(row) == "PayPal bills this subscription. It can only be cancelled."


@pytest.mark.parametrize("name", ACTS)
def test_a_lock_stands_against_every_act(name: str) -> None:
    status = "paused" if name == "resume" else "active"
    assert "being checked" in ACTS[name](group(status), doing=Outcome.UNKNOWN)


def test_a_lock_says_how_far_it_came() -> None:
    held, leaving = (
        rules.why_not_refund(payment(), doing=Outcome.HELD),
        rules.why_not_edit(group(), doing=Outcome.PENDING),
    )
    assert held.startswith("A refund of it is held back, and nothing was sent yet.")
    assert leaving.startswith("A change of it is being sent.")


@pytest.mark.parametrize("name", ACTS)
def test_nothing_is_done_to_a_subscription_of_which_nothing_was_told(name: str) -> None:
    status = "paused" if name == "resume" else "active"
    row = replace(group(status), subscription=Subscription("9", status))
    assert ACTS[name](row) == "Kartra did not return its details. Reload to read them again."
    refused = replace(row, subscription=Subscription("9", status, is_refused=True))
    assert ACTS[name](refused) == "Kartra does not return its details. Change or cancel it in Kartra."
    far = replace(row, subscription=Subscription("9", status, is_beyond=True))
    assert ACTS[name](far) == "It is too old to be read here. Open it to see its details."


@pytest.mark.parametrize(
    ("unplaced", "why"),
    [
        (Transaction("1", "sale"), "Kartra did not return its payments, so it may be a PayPal subscription."),
        (Transaction("1", "sale", is_refused=True), "Kartra does not return its payments, so it may be"),
        (Transaction("1", "sale", is_beyond=True), "Its payments are too old to be read here."),
    ],
)
def test_without_its_payments_paypal_is_not_ruled_out(unplaced: Transaction, why: str) -> None:
    row = replace(group(), payments=(), unplaced=(unplaced,))
    assert {name for name, why_not in ACTS.items() if not why_not(row)} == {"cancel"}
    assert rules.why_not_pause(row).startswith(why)
    assert rules.why_not_pause(replace(group(), unplaced=(unplaced,))) == ""
    assert rules.why_not_pause(replace(group(), payments=())) == ""


def test_a_payment_too_far_back_is_to_be_opened() -> None:
    row = Payment(Transaction("1", "sale", is_beyond=True))
    assert rules.why_not_refund(row).startswith("It is too old to be read here. Open it")
