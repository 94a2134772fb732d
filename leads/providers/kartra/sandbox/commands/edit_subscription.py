"""Editing what a recurring payment charges, and when."""

import re
from datetime import datetime
from typing import Any

from leads.providers.kartra.sandbox.commands.subscriptions import OVER, subscription
from leads.providers.kartra.sandbox.desk import Desk, done, text
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array
from leads.providers.kartra.sandbox.state import stamp

EVERY = ("monthly", "every 2 months", "quarterly", "yearly", "every 2 years", "weekly", "every 2 weeks")
EVERY_SHORT = ("monthly", "every 2 months", "weekly", "every 2 weeks")
EVERY_LONG = ("yearly", "every 2 years")

EDITABLE = (
    "product_id", "price_point", "next_payment_date", "amount", "recurrence", "product_quantity", "installments_left",
    "tax_percent",
)  # fmt: skip

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")


def edit_subscription(desk: Desk, params: Array) -> dict[str, Any]:
    row = subscription(desk, params)
    if row["status"] in OVER:
        raise Declined(275)
    if row["processor"] == "paypal":
        raise Declined(284)
    sent = {
        key
        for key in EDITABLE
        if text(params, f"subscription_{key}") or isinstance(params.get(f"subscription_{key}"), dict)
    }
    if not sent:
        raise Declined(285)
    changes: dict[str, Any] = {}
    product_id, ordinal = row["product_id"], row["price_point"]
    if sent & {"product_id", "price_point"}:
        product_id, ordinal, changes = _price_point(desk, params)
    if "next_payment_date" in sent:
        changes["next_payment"] = _date(desk, text(params, "subscription_next_payment_date"))
    if "amount" in sent:
        changes["cents"] = _amount(text(params, "subscription_amount"))
    if "recurrence" in sent:
        changes["period"] = _recurrence(desk, params, product_id, ordinal)
    if "product_quantity" in sent:
        changes["quantity"] = _quantity(text(params, "subscription_product_quantity"))
    if "installments_left" in sent:
        changes["installments_left"] = _installments(text(params, "subscription_installments_left"))
    if "tax_percent" in sent:
        changes["tax_percent"] = _tax(text(params, "subscription_tax_percent"))
    marks = ", ".join(f"{name} = ?" for name in changes)
    desk.db.execute(f"UPDATE subscriptions SET {marks} WHERE id = ?", (*changes.values(), row["id"]))  # noqa: S608
    return done("Subscription modified", 115)


def _price_point(desk: Desk, params: Array) -> tuple[int, int, dict[str, Any]]:
    """The pair of product and price point, and what follows from it."""
    product, ordinal = text(params, "subscription_product_id"), text(params, "subscription_price_point")
    if not product or not ordinal:
        raise Declined(283)
    if not product.isdigit() or not ordinal.isdigit():
        raise Declined(278)
    row = desk.db.execute(
        "SELECT price_points.* FROM price_points JOIN products ON products.id = product_id"
        " WHERE account_id = ? AND product_id = ? AND ordinal = ? AND kind != 'single'",
        (desk.account_id, int(product), int(ordinal)),
    ).fetchone()
    if row is None:
        raise Declined(283)
    changes = {
        "product_id": row["product_id"],
        "price_point": row["ordinal"],
        "cents": row["cents"],
        "period": row["period"],
    }
    return row["product_id"], row["ordinal"], changes


def _date(desk: Desk, written: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", written):
        raise Declined(260)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise Declined(260) from None
    if moment < desk.now:
        raise Declined(261)
    return stamp(moment)


def _amount(written: str) -> int:
    if not _DECIMAL.fullmatch(written):
        raise Declined(268)
    cents = round(float(written) * 100)
    if not 100 <= cents <= 999_999:
        raise Declined(277)
    return cents


def _recurrence(desk: Desk, params: Array, product_id: int, ordinal: int) -> str:
    kind = desk.db.execute(
        "SELECT kind FROM price_points WHERE product_id = ? AND ordinal = ?", (product_id, ordinal)
    ).fetchone()["kind"]
    if kind == "trial":
        raise Declined(281)
    recurrence = params["subscription_recurrence"]
    if not isinstance(recurrence, dict):
        raise Declined(280)
    first, second = text(recurrence, "recurring_period_1"), text(recurrence, "recurring_period_2")
    both = kind == "recurring installments"
    if first not in (EVERY_SHORT if both else EVERY) or (second and (not both or second not in EVERY_LONG)):
        raise Declined(280)
    return first


def _quantity(written: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", written):
        raise Declined(278)
    if not 1 <= int(written) <= 9999:
        raise Declined(276)
    return int(written)


def _installments(written: str) -> int | None:
    if written == "until cancelled":
        return None
    if not re.fullmatch(r"[0-9]{1,4}", written) or int(written) < 1:
        raise Declined(282)
    return int(written)


def _tax(written: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,4})?", written):
        raise Declined(278)
    if not 0 <= float(written) <= 100:
        raise Declined(290)
    return written
