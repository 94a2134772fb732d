"""Recurring payments: reading, pausing and cancelling them."""

import sqlite3
from typing import Any

from leads.providers.kartra.sandbox.commands.transactions import PAID, add_child
from leads.providers.kartra.sandbox.desk import Desk, done, or_no_date, or_not_available, text
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array
from leads.providers.kartra.sandbox.state import money, stamp

OVER = ("Cancelled", "Terminated")


def search_subscription(desk: Desk, params: Array) -> dict[str, Any]:
    subscription(desk, params)
    return done("Subscription exists")


def get_subscription_details(desk: Desk, params: Array) -> dict[str, Any]:
    row = subscription(desk, params)
    left = row["installments_left"]
    details = {
        "subscription_id": str(row["id"]),
        "subscription_product_id": str(row["product_id"]),
        "subscription_price_point": str(row["price_point"]),
        "subscription_lead_id": str(row["lead_id"]),
        "subscription_start_date": row["started"],
        "subscription_end_date": or_no_date(row["ended"]),
        "subscription_current_installment": str(row["installment"]),
        "subscription_installments_left": "Until cancelled" if left is None else str(left),
        "subscription_recurring_period": row["period"],
        "subscription_status": row["status"],
        "subscription_next_payment_date": or_no_date(row["next_payment"]),
        "subscription_next_scheduled_payment_amount": "N/A" if row["status"] in OVER else money(_next_cents(row)),
        "subscription_affiliate": or_not_available(row["affiliate"]),
        "subscription_jv": or_not_available(row["jv"]),
    }
    return {"subscription_details": details}


def retrieve_subscriptions_from_lead(desk: Desk, params: Array) -> dict[str, Any]:
    query = (
        "SELECT subscriptions.id, lead_id, json_extract(facts, '$.email') AS email, status"
        " FROM subscriptions JOIN leads ON leads.id = lead_id WHERE lead_id = ? ORDER BY subscriptions.id DESC"
    )
    rows = [
        {
            "subscription_id": str(row["id"]),
            "lead_id": str(row["lead_id"]),
            "lead_email": row["email"],
            "subscription_status": row["status"],
        }
        for row in desk.db.execute(query, (desk.lead_id,))
    ]
    return {"subscriptions_list": rows}


def modify_subscription_status(desk: Desk, params: Array) -> dict[str, Any]:
    row = subscription(desk, params, as_number=True)
    verb = text(params, "subscription_status_modification")
    if verb not in ("cancel", "pause", "unpause"):
        raise Declined(274)
    if verb == "cancel":
        if row["status"] == "Terminated":
            raise Declined(275)
        _cancel(desk, row)
        return done("Subscription modified", 115)
    if row["status"] in OVER:
        raise Declined(275)
    if row["processor"] == "paypal":
        raise Declined(284)
    desk.db.execute(
        "UPDATE subscriptions SET status = ? WHERE id = ?", ("Paused" if verb == "pause" else "Active", row["id"])
    )
    return done("Subscription modified", 115)


def cancel_transaction(desk: Desk, params: Array) -> dict[str, Any]:
    """Cancel the subscription that a payment belongs to, or that is named itself. Refunds nothing."""
    if text(params, "transaction_id"):
        payment = desk.owned("transactions", text(params, "transaction_id"))
        if payment is None:
            raise Declined(248)
        if payment["kind"] not in PAID or payment["is_test"]:
            raise Declined(253)
        if payment["subscription_id"] is None:
            raise Declined(249)
        number = str(payment["subscription_id"])
    else:
        number = text(params, "transaction_internal_subscription_id")
    row = desk.owned("subscriptions", number)
    if row is None:
        raise Declined(248)
    _cancel(desk, row)
    return {
        "status": "Success",
        "transaction_subscription_id": row["gateway_id"],
        "transaction_internal_subscription_id": str(row["id"]),
    }


def subscription(desk: Desk, params: Array, *, as_number: bool = False) -> sqlite3.Row:
    """The subscription named. Raises `Declined` 248."""
    row = desk.owned("subscriptions", text(params, "subscription_id"))
    if row is None:
        raise Declined(248, as_number=as_number)
    return row


def _cancel(desk: Desk, row: sqlite3.Row) -> None:
    """End a subscription for good. Raises `Declined` 252 or 267."""
    if row["status"] in OVER:
        raise Declined(252)
    if row["gateway_fails"]:
        raise Declined(267)
    desk.db.execute(
        "UPDATE subscriptions SET status = 'Cancelled', ended = ?, next_payment = NULL WHERE id = ?",
        (stamp(desk.now), row["id"]),
    )
    first = desk.db.execute(
        "SELECT * FROM transactions WHERE subscription_id = ? ORDER BY id LIMIT 1", (row["id"],)
    ).fetchone()
    if first is not None:
        add_child(desk, first, "cancellation", 0)


def _next_cents(row: sqlite3.Row) -> int:
    """The next payment in cents, quantity and tax included."""
    tax_per_mille = round(float(row["tax_percent"]) * 10)
    return int(row["cents"] * row["quantity"] * (1000 + tax_per_mille) / 1000 + 0.5)
