"""Payments: reading them, and refunding."""

import json
import re
import sqlite3
from datetime import timedelta
from typing import Any

from leads.providers.kartra.sandbox.desk import Desk, done, or_not_available, text
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array
from leads.providers.kartra.sandbox.state import money, parse_stamp, stamp

PAID = ("sale", "rebill")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")


def search_transaction(desk: Desk, params: Array) -> dict[str, Any]:
    _transaction(desk, params)
    return done("Transaction exists")


def get_transaction_details(desk: Desk, params: Array) -> dict[str, Any]:
    row = _transaction(desk, params)
    subscribed = row["subscription_id"] is not None
    base = row["cents"] + row["discount"] - row["shipping"] - row["tax"]
    details = {
        "transaction_id": str(row["id"]),
        **json.loads(row["buyer"]),
        "product_name": row["product_name"],
        "product_id": str(row["product_id"]),
        "product_price_point": str(row["price_point"]),
        "transaction_full_amount": money(row["cents"]),
        "transaction_quantity": str(row["quantity"]),
        "transaction_affiliate": or_not_available(row["affiliate"]),
        "transaction_jv": or_not_available(row["jv"]),
        "transaction_base_amount": money(base),
        "transaction_discount": money(row["discount"]),
        "transaction_shipping": money(row["shipping"]),
        "transaction_tax": money(row["tax"]),
        "transaction_date": row["at"],
        "transaction_type": row["kind"],
        "transaction_parent_id": str(row["parent_id"]),
        "transaction_subscription_id": _gateway_id(desk, row) if subscribed else "N/A",
        "transaction_internal_subscription_id": or_not_available(row["subscription_id"]),
        "transaction_subscription_pay_number": str(row["pay_number"]) if subscribed else "N/A",
        "transaction_last_4_card_digits": or_not_available(row["last_four"]),
        "original_id": str(row["original_id"]),
    }
    return {"transaction_details": details}


def retrieve_transactions_from_lead(desk: Desk, params: Array) -> dict[str, Any]:
    query = "SELECT id, lead_id, buyer, kind FROM transactions WHERE lead_id = ? ORDER BY id"
    rows = [
        {
            "transaction_id": str(row["id"]),
            "lead_id": str(row["lead_id"]),
            "lead_email": json.loads(row["buyer"])["lead_email"],
            "transaction_type": row["kind"],
        }
        for row in desk.db.execute(query, (desk.lead_id,))
    ]
    return {"transaction_list": rows}


def refund_transaction(desk: Desk, params: Array) -> dict[str, Any]:
    """Refund the amount, or all that is left where the amount is empty. Asked twice, it refunds twice."""
    row = _transaction(desk, params)
    asked = text(params, "refund_amount")
    if asked and (not _AMOUNT.fullmatch(asked) or not _cents(asked)):
        raise Declined(268)
    if row["kind"] not in PAID or row["is_test"]:
        raise Declined(253)
    refunded = desk.db.execute(
        "SELECT total(cents) FROM transactions WHERE parent_id = ? AND kind IN ('refund', 'partial_refund')",
        (row["id"],),
    ).fetchone()[0]
    left = row["cents"] - int(refunded)
    cents = _cents(asked) if asked else left
    if not 0 < cents <= left:
        raise Declined(251)
    days = desk.db.execute("SELECT refund_days FROM products WHERE id = ?", (row["product_id"],)).fetchone()[0]
    if parse_stamp(row["at"]) + timedelta(days=days) < desk.now:
        raise Declined(250)
    if row["gateway_fails"] or desk.fault == "266":
        raise Declined(266)
    kind = "partial_refund" if asked and cents < row["cents"] else "refund"
    number = add_child(desk, row, kind, cents)
    if desk.fault == "266-done":
        raise Declined(266)
    return {"status": "Success", "transaction_refunded": str(number)}


def add_child(desk: Desk, row: sqlite3.Row, kind: str, cents: int) -> int:
    """A new transaction that follows from this one: a refund, a cancellation. Gives its id."""
    child = dict(row)
    child.update(
        id=desk.db.execute("SELECT max(id) + 1 FROM transactions").fetchone()[0],
        kind=kind, at=stamp(desk.now), cents=cents, discount=0, shipping=0, tax=0, parent_id=row["id"], gateway_fails=0,
    )  # fmt: skip
    names = ", ".join(child)
    marks = ", ".join(f":{name}" for name in child)
    desk.db.execute(f"INSERT INTO transactions ({names}) VALUES ({marks})", child)  # noqa: S608  (names of ours)
    return int(child["id"])


def _transaction(desk: Desk, params: Array) -> sqlite3.Row:
    row = desk.owned("transactions", text(params, "transaction_id"))
    if row is None:
        raise Declined(247)
    return row


def _gateway_id(desk: Desk, row: sqlite3.Row) -> str:
    query = "SELECT gateway_id FROM subscriptions WHERE id = ?"
    return str(desk.db.execute(query, (row["subscription_id"],)).fetchone()["gateway_id"])


def _cents(amount: str) -> int:
    whole, _, part = amount.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))
