"""Collects the rows of one seeded account, and numbers the payments in the order of time."""

import json
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from leads.providers.kartra.sandbox.catalogue import Catalogue, PricePoint, Product
from leads.providers.kartra.sandbox.commands.leads import BLANK
from leads.providers.kartra.sandbox.state import stamp


@dataclass(eq=False, slots=True)
class Subscription:
    """A recurring payment while it is being made up."""

    lead: "Lead"
    product: Product
    ordinal: int
    started: datetime
    processor: str
    gateway_id: str
    status: str = "Active"
    ended: datetime | None = None
    installment: int = 1
    installments_left: int | None = None
    next_payment: datetime | None = None
    gateway_fails: bool = False
    affiliate: str = ""
    id: int = 0

    @property
    def point(self) -> PricePoint:
        return self.product.points[self.ordinal - 1]


@dataclass(eq=False, slots=True)
class Payment:
    """A transaction while it is being made up. ``id`` 0 is numbered at the end."""

    lead: "Lead"
    kind: str
    at: datetime
    cents: int
    product: Product
    ordinal: int
    subscription: Subscription | None = None
    parent: "Payment | None" = None
    original: "Payment | None" = None
    pay_number: int = 1
    quantity: int = 1
    discount: int = 0
    shipping: int = 0
    tax: int = 0
    last_four: str = ""
    is_test: bool = False
    gateway_fails: bool = False
    affiliate: str = ""
    email: str = ""
    id: int = 0


@dataclass(eq=False, slots=True)
class Lead:
    """A lead while it is being made up."""

    id: int
    facts: dict[str, str]
    codes: tuple[str, str] = ("", "")
    custom: dict[str, Any] = field(default_factory=dict)
    deleted: bool = False

    def buyer(self, email: str) -> str:
        """The lead as a payment keeps it, in JSON."""
        facts = self.facts
        return json.dumps(
            {
                "lead_first_name": facts["first_name"],
                "lead_last_name": facts["last_name"],
                "lead_email": email or facts["email"],
                "lead_id": facts["id"],
                "lead_username": facts["email"].partition("@")[0].replace(".", "_"),
                "lead_country": facts["country"],
                "lead_country_code_2": self.codes[0],
                "lead_country_code_3": self.codes[1],
                "lead_state": facts["state"],
                "lead_phone_country_code": facts["phone_country_code"],
                "lead_phone_number": facts["phone"],
                "lead_address": facts["address"],
                "lead_city": facts["city"],
                "lead_zip": facts["zip"],
            }
        )


class Builder:
    """Makes up one account. `insert` writes it all."""

    def __init__(self, account_id: int, catalogue: Catalogue, rng: random.Random, now: datetime) -> None:
        self.account_id = account_id
        self.catalogue = catalogue
        self.rng = rng
        self.now = now
        self.products = {product.id: product for product in catalogue.products}
        self.tag_ids = {name: number for number, name in catalogue.tags.items()}
        self.leads: list[Lead] = []
        self.emails: set[str] = set()
        self.tagged: set[tuple[int, int]] = set()
        self.payments: list[Payment] = []
        self.subscriptions: list[Subscription] = []
        self.rows: dict[str, list[tuple[Any, ...]]] = {}

    def ago(self, days: float, *, hour: int = 11, minute: int = 14) -> datetime:
        """That many days before today, at this time of day, and never later than now."""
        return min((self.now - timedelta(days=days)).replace(hour=hour, minute=minute, second=0), self.now)

    def lead(
        self,
        number: int,
        email: str,
        facts: Mapping[str, str],
        *,
        joined: datetime,
        codes: tuple[str, str] = ("", ""),
        deleted: bool = False,
    ) -> Lead:
        """Add a lead; facts that are not given stay blank."""
        when = stamp(joined)
        known = {**BLANK, "date_joined": when, "gdpr_lead_status_date": when, **facts}
        known.update(id=str(number), email=email)
        if deleted:
            known.update(lead_deleted="1", lead_deleted_date=stamp(joined + timedelta(days=1)))
        lead = Lead(number, known, codes, deleted=deleted)
        self.leads.append(lead)
        self.emails.add(email)
        return lead

    def tag(self, lead: Lead, *names: str) -> None:
        for name in names:
            row = (lead.id, self.tag_ids[name])
            if row not in self.tagged:
                self.tagged.add(row)
                self._add("lead_tags", *row)

    def on_list(self, lead: Lead, list_id: int, *, active: bool = True) -> None:
        self._add("lead_lists", lead.id, list_id, int(active))

    def in_sequence(self, lead: Lead, sequence_id: int, step: int, *, active: bool = True) -> None:
        self._add("lead_sequences", lead.id, sequence_id, str(step), "active" if active else "unsubscribed")

    def member(self, lead: Lead, membership_id: int, level_id: int, *, active: bool = True) -> None:
        self._add("lead_levels", lead.id, membership_id, level_id, int(active))

    def surveyed(self, lead: Lead, survey_id: int, score: str, seconds: int) -> None:
        self._add("lead_surveys", lead.id, survey_id, score, seconds)

    def booked(self, lead: Lead, class_id: int, starts: datetime) -> None:
        self._add("bookings", None, lead.id, class_id, stamp(starts), 1)

    def pay(self, lead: Lead, kind: str, at: datetime, product_id: int, cents: int, **more: Any) -> Payment:
        """Add a transaction."""
        payment = Payment(lead, kind, at, cents, self.products[product_id], more.pop("ordinal", 1), **more)
        self.payments.append(payment)
        return payment

    def refund(self, payment: Payment, at: datetime, cents: int | None = None, *, number: int = 0) -> Payment:
        """Give back all of a payment, or so many cents."""
        kind = "refund" if cents is None else "partial_refund"
        return self.follow(payment, kind, at, payment.cents if cents is None else cents, number=number)

    def follow(self, payment: Payment, kind: str, at: datetime, cents: int, *, number: int = 0) -> Payment:
        """Add a transaction that follows from another: a refund, a chargeback, a cancellation."""
        child = Payment(
            payment.lead, kind, at, cents, payment.product, payment.ordinal, payment.subscription, payment,
            payment.original, payment.pay_number, payment.quantity, last_four=payment.last_four, email=payment.email,
            id=number,
        )  # fmt: skip
        self.payments.append(child)
        return child

    def subscribe(self, lead: Lead, product_id: int, ordinal: int, started: datetime, **more: Any) -> Subscription:
        """Add a recurring payment; `histories.run` gives it its transactions."""
        processor = more.pop("processor", "card")
        prefix = "I-" if processor == "paypal" else "sub_"
        gateway_id = more.pop("gateway_id", "") or prefix + "".join(self.rng.choices("0123456789ABCDEF", k=12))
        subscription = Subscription(lead, self.products[product_id], ordinal, started, processor, gateway_id, **more)
        self.subscriptions.append(subscription)
        return subscription

    def _add(self, table: str, *row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    # Writing it down

    def insert(self, db: sqlite3.Connection, *, first_subscription: int, first_transaction: int) -> None:
        """Write everything. Numbers that were not given count up from the firsts, in the order of time."""
        self._set_up()
        _number(sorted(self.subscriptions, key=lambda row: row.started), first_subscription)
        _number(sorted(self.payments, key=lambda row: row.at), first_transaction)
        for lead in self.leads:
            self._add(
                "leads", lead.id, self.account_id, lead.facts["email"].lower(), json.dumps(lead.facts),
                json.dumps(lead.custom), int(lead.deleted),
            )  # fmt: skip
        for subscription in self.subscriptions:
            self._add("subscriptions", *self._subscription_row(subscription))
        buyers: dict[tuple[int, str], str] = {}
        for payment in self.payments:
            who = (payment.lead.id, payment.email)
            if who not in buyers:
                buyers[who] = payment.lead.buyer(payment.email)
            self._add("transactions", *self._payment_row(payment, buyers[who]))
        for table, rows in self.rows.items():
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  (tables of ours)

    def _subscription_row(self, row: Subscription) -> tuple[Any, ...]:
        return (
            row.id, self.account_id, row.lead.id, row.product.id, row.ordinal, row.gateway_id, row.processor,
            row.status, stamp(row.started), stamp(row.ended) if row.ended else None, row.installment,
            row.installments_left,
            row.point.period, stamp(row.next_payment) if row.next_payment else None, row.point.cents, 1, "0",
            row.affiliate, "", int(row.gateway_fails),
        )  # fmt: skip

    def _payment_row(self, row: Payment, buyer: str) -> tuple[Any, ...]:
        return (
            row.id, self.account_id, row.lead.id, row.subscription.id if row.subscription else None, row.kind,
            stamp(row.at), row.cents, row.discount, row.shipping, row.tax, row.quantity,
            row.parent.id if row.parent else 0, (row.original or row).id if row.subscription else 0, row.product.id,
            row.product.name, row.ordinal, row.pay_number, row.last_four, int(row.is_test), int(row.gateway_fails),
            row.affiliate, "", buyer,
        )  # fmt: skip

    def _set_up(self) -> None:
        """The rows of the catalogue."""
        of, account = self.catalogue, self.account_id
        for product in of.products:
            self._add("products", product.id, account, product.name, product.refund_days)
            for ordinal, point in enumerate(product.points, 1):
                self._add(
                    "price_points", product.id, ordinal, point.kind, point.cents, point.period, point.installments
                )
        for number, name in of.tags.items():
            self._add("tags", number, account, name)
        for number, name in of.lists.items():
            self._add("lists", number, account, name, of.starts.get(number))
        for number, (name, steps) in of.sequences.items():
            self._add("sequences", number, account, name, steps)
        for name in of.pages:
            self._add("pages", None, account, name)
        for number, (identifier, kind, options) in of.fields.items():
            self._add("fields", number, account, identifier, kind, json.dumps(options))
        for number, (name, levels) in of.memberships.items():
            for level_id, level in levels.items():
                self._add("levels", number, level_id, account, name, level)
        for number, (name, ready, classes) in of.calendars.items():
            self._add("calendars", number, account, name, int(ready))
            for position, class_name in enumerate(classes):
                self._add("classes", number * 10 + position, number, class_name)
        for number, (name, kind) in of.surveys.items():
            self._add("surveys", number, account, name, kind)
        for automation in of.automations:
            self._add("automations", *automation)


def _number(rows: "list[Subscription] | list[Payment]", first: int) -> None:
    taken = {row.id for row in rows}
    number = first
    for row in rows:
        if not row.id:
            while number in taken:
                number += 1
            row.id = number
            number += 1
