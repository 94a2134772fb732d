"""Refunds, cancellations and changes of billing, as they would go at Kartra."""

from leads.providers.kartra.sandbox.notable import SUBSCRIPTIONS, TRANSACTIONS
from tests.leads.providers.kartra.sandbox.box import Box

SALE = TRANSACTIONS["jon_sale"]
ACTIVE = SUBSCRIPTIONS["ada_active"]


def refunds(box: Box) -> list[str]:
    """Amounts given back of Jon's sale, oldest first."""
    kinds = ("refund", "partial_refund")
    rows = [
        box.transaction(row["transaction_id"]) for row in box.transactions("jon") if row["transaction_type"] in kinds
    ]
    return [row["transaction_full_amount"] for row in rows if row["transaction_parent_id"] == SALE]


def test_an_empty_amount_refunds_everything(box: Box) -> None:
    answer = box.did("refund_transaction", transaction_id=SALE, refund_amount="")
    row = box.transaction(answer["transaction_refunded"])
    assert answer["transaction_refunded"] != SALE
    assert (row["transaction_type"], row["transaction_full_amount"]) == ("refund", "590.00")
    assert row["transaction_parent_id"] == SALE
    assert box.number("refund_transaction", transaction_id=SALE) == "251"


def test_the_same_partial_refund_twice_gives_the_money_back_twice(box: Box) -> None:
    for _ in range(2):
        answer = box.did("refund_transaction", transaction_id=SALE, refund_amount="250.00")
        assert box.transaction(answer["transaction_refunded"])["transaction_type"] == "partial_refund"
    assert refunds(box) == ["250.00", "250.00"]
    assert box.number("refund_transaction", transaction_id=SALE, refund_amount="250.00") == "251"
    box.did("refund_transaction", transaction_id=SALE)
    assert refunds(box) == ["250.00", "250.00", "90.00"]


def test_a_refund_keeps_the_subscription(box: Box) -> None:
    box.did("refund_transaction", transaction_id=TRANSACTIONS["ada_sale"])
    assert box.subscription(ACTIVE)["subscription_status"] == "Active"


def test_a_partial_refund_that_was_seeded_counts(box: Box) -> None:
    number = box.did("refund_transaction", transaction_id=TRANSACTIONS["ada_sale"])["transaction_refunded"]
    assert box.transaction(number)["transaction_full_amount"] == "10.00"


def test_payments_keep_the_buyer_as_he_was(box: Box) -> None:
    emails = {row["lead_email"] for row in box.transactions("ada")}
    assert emails == {"ada.moreno@example.com", "ada.old@example.com"}


def test_single_payments_have_no_subscription(box: Box) -> None:
    row = box.transaction(SALE)
    assert row["transaction_internal_subscription_id"] == row["transaction_subscription_id"] == "N/A"
    assert (row["transaction_affiliate"], row["original_id"], row["transaction_parent_id"]) == ("N/A", "0", "0")


def test_paypal_payments_show_no_card(box: Box) -> None:
    paypal = SUBSCRIPTIONS["jon_paypal"]
    rows = [box.transaction(row["transaction_id"]) for row in box.transactions("jon")]
    row = next(row for row in rows if row["transaction_internal_subscription_id"] == paypal)
    assert row["transaction_last_4_card_digits"] == "N/A"
    assert row["transaction_subscription_id"].startswith("I-")


def status(box: Box, key: str, verb: str) -> str:
    number = SUBSCRIPTIONS[key]
    box.did("modify_subscription_status", subscription_id=number, subscription_status_modification=verb)
    return box.subscription(number)["subscription_status"]


def test_pausing_and_unpausing(box: Box) -> None:
    assert status(box, "ada_active", "pause") == "Paused"
    assert status(box, "ada_active", "unpause") == "Active"
    assert status(box, "paused", "unpause") == "Active"


def test_a_cancelled_subscription_never_comes_back(box: Box) -> None:
    assert status(box, "ada_active", "cancel") == "Cancelled"
    details = box.subscription(ACTIVE)
    assert details["subscription_next_scheduled_payment_amount"] == "N/A"
    assert details["subscription_next_payment_date"] == "0000-00-00 00:00:00"
    assert details["subscription_end_date"] != "0000-00-00 00:00:00"
    again = {"subscription_id": ACTIVE, "subscription_status_modification": "unpause"}
    assert box.number("modify_subscription_status", **again) == "275"
    assert box.number("cancel_transaction", transaction_internal_subscription_id=ACTIVE) == "252"
    assert box.transactions("ada")[-1]["transaction_type"] == "cancellation"


def test_paypal_can_only_be_cancelled(box: Box) -> None:
    assert status(box, "jon_paypal", "cancel") == "Cancelled"


def test_cancelling_by_any_payment_or_by_the_internal_number(box: Box) -> None:
    rebill = next(row for row in box.transactions("ada") if row["transaction_type"] == "rebill")
    by_payment = box.did("cancel_transaction", transaction_id=rebill["transaction_id"])
    assert by_payment["transaction_internal_subscription_id"] == ACTIVE
    paypal = SUBSCRIPTIONS["jon_paypal"]
    by_number = box.did("cancel_transaction", transaction_internal_subscription_id=paypal)
    assert by_number["transaction_subscription_id"] == "I-EXAMPLE00001"
    assert box.subscription(paypal)["subscription_status"] == "Cancelled"


def test_editing_changes_what_is_charged_and_when(box: Box) -> None:
    box.did(
        "edit_subscription", subscription_id=ACTIVE, subscription_amount="25.00", subscription_product_quantity="2",
        subscription_tax_percent="10", subscription_installments_left="6",
        subscription_next_payment_date="2099-03-01 10:30", subscription_recurrence__recurring_period_1="quarterly",
    )  # fmt: skip
    details = box.subscription(ACTIVE)
    assert details["subscription_next_scheduled_payment_amount"] == "55.00"
    assert details["subscription_next_payment_date"] == "2099-03-01 10:30:00"
    assert details["subscription_recurring_period"] == "quarterly"
    assert details["subscription_installments_left"] == "6"
    box.did("edit_subscription", subscription_id=ACTIVE, subscription_installments_left="until cancelled")
    assert box.subscription(ACTIVE)["subscription_installments_left"] == "Until cancelled"


def test_both_date_forms_are_taken(box: Box) -> None:
    box.did("edit_subscription", subscription_id=ACTIVE, subscription_next_payment_date="2099-03-01 10:30:15")
    assert box.subscription(ACTIVE)["subscription_next_payment_date"] == "2099-03-01 10:30:15"


def test_another_price_point_brings_its_price(box: Box) -> None:
    box.did("edit_subscription", subscription_id=ACTIVE, subscription_product_id="223", subscription_price_point="1")
    details = box.subscription(ACTIVE)
    assert details["subscription_next_scheduled_payment_amount"] == "199.00"
    assert details["subscription_recurring_period"] == "yearly"


def test_recurring_installments_take_a_second_period(box: Box) -> None:
    number = SUBSCRIPTIONS["installments"]
    box.did(
        "edit_subscription", subscription_id=number, subscription_recurrence__recurring_period_1="weekly",
        subscription_recurrence__recurring_period_2="yearly",
    )  # fmt: skip
    assert box.subscription(number)["subscription_recurring_period"] == "weekly"


def test_one_wrong_value_changes_nothing(box: Box) -> None:
    before = box.subscription(ACTIVE)
    wrong = {"subscription_amount": "30.00", "subscription_product_quantity": "0"}
    assert box.number("edit_subscription", subscription_id=ACTIVE, **wrong) == "276"
    assert box.subscription(ACTIVE) == before
