"""What happens to a recurring payment over the years: rebills, failures, refunds, the end of it."""

import calendar
from datetime import datetime, timedelta

from leads.providers.kartra.sandbox.builder import Builder, Lead, Payment, Subscription

_MONTHS = {"monthly": 1, "every 2 months": 2, "quarterly": 3, "yearly": 12, "every 2 years": 24}
_DAYS = {"weekly": 7, "every 2 weeks": 14}


def after(moment: datetime, period: str, times: int = 1) -> datetime:
    """So many periods later, on the same day of the month or the last there is."""
    if period in _DAYS:
        return moment + timedelta(days=_DAYS[period] * times)
    months = moment.month - 1 + _MONTHS[period] * times
    year, month = moment.year + months // 12, months % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def run(
    build: Builder, row: Subscription, *, last_four: str = "", stop: datetime | None = None, ids: tuple[int, ...] = ()
) -> list[Payment]:
    """Charge a subscription from its start until it stops, ends by itself, or reaches today. Gives the payments.

    ``ids`` numbers the first of them. The status of a subscription that is stopped is the caller's to set.
    """
    point, lead = row.point, row.lead
    first_cents = 100 if point.kind == "trial" else point.cents
    payments: list[Payment] = []
    due = row.started
    end = min(stop or build.now, build.now)
    while due <= end and (point.installments is None or len(payments) < point.installments):
        number = len(payments)
        payments.append(
            build.pay(
                lead, "rebill" if payments else "sale", due, row.product.id, point.cents if payments else first_cents,
                ordinal=row.ordinal, subscription=row, original=payments[0] if payments else None,
                pay_number=number + 1, last_four=last_four, affiliate=row.affiliate,
                id=ids[number] if number < len(ids) else 0,
            )
        )  # fmt: skip
        due = after(row.started, point.period, len(payments))
    row.installment = max(1, len(payments))
    row.installments_left = None if point.installments is None else point.installments - len(payments)
    if row.installments_left == 0:
        row.status, row.ended, row.next_payment = "Terminated", payments[-1].at, None
    else:
        row.next_payment = due
    return payments


def end(build: Builder, row: Subscription, payments: list[Payment], at: datetime, status: str = "Cancelled") -> None:
    """Cancel or terminate it, with the row that Kartra keeps of that."""
    row.status, row.ended, row.next_payment = status, at, None
    if payments:
        build.follow(payments[0], "cancellation", at, 0)


def by_chance(build: Builder, lead: Lead, joined: datetime) -> None:
    """Give a lead purchases and recurring payments, as chance has it."""
    rng = build.rng
    kind = rng.random()
    if kind < 0.42:
        return
    last_four = f"{rng.randint(0, 9999):04d}"
    recurring = [product for product in build.catalogue.products if product.is_recurring]
    single = [product for product in build.catalogue.products if product.points[0].kind == "single"]
    span = max(1, (build.now - joined).days)
    for _ in range(rng.choices((1, 2, 4), (6, 3, 1))[0] if kind < 0.78 or kind > 0.95 else 0):
        product = rng.choice(single)
        at = joined + timedelta(days=rng.randint(0, span), minutes=rng.randint(0, 900))
        if at < build.now:
            _bought(build, lead, product.id, at, last_four)
    for _ in range(rng.choices((1, 2), (5, 1))[0] if kind > 0.7 else 0):
        product = rng.choice(recurring)
        ordinals = [number for number, point in enumerate(product.points, 1) if point.kind != "single"]
        at = joined + timedelta(days=rng.randint(0, span), minutes=rng.randint(0, 900))
        if at < build.now:
            _subscribed(build, lead, product.id, rng.choice(ordinals), at, last_four)


def _bought(build: Builder, lead: Lead, product_id: int, at: datetime, last_four: str) -> None:
    """One purchase, and what may become of it."""
    rng = build.rng
    product = build.products[product_id]
    quantity = rng.choice((1, 1, 1, 1, 2, 3)) if product.shipping else 1
    price = product.points[0].cents * quantity
    discount = price // 5 if rng.random() < 0.12 else 0
    tax = price // 20 if rng.random() < 0.25 else 0
    paypal = rng.random() < 0.2
    sale = build.pay(
        lead, "sale", at, product_id, price - discount + product.shipping + tax, quantity=quantity, discount=discount,
        shipping=product.shipping, tax=tax, last_four="" if paypal else last_four,
        affiliate="claire_glazes" if rng.random() < 0.06 else "",
    )  # fmt: skip
    later = min(at + timedelta(days=rng.randint(1, 25)), build.now)
    luck = rng.random()
    if luck < 0.05:
        build.refund(sale, later)
        build.tag(lead, "refunded")
    elif luck < 0.09:
        build.refund(sale, later, price // rng.choice((2, 4)))
    elif luck < 0.10:
        build.follow(sale, "chargeback", later, sale.cents)


def _subscribed(build: Builder, lead: Lead, product_id: int, ordinal: int, at: datetime, last_four: str) -> None:
    """One recurring payment, and what may become of it."""
    rng = build.rng
    paypal = rng.random() < 0.25
    row = build.subscribe(lead, product_id, ordinal, at, processor="paypal" if paypal else "card")
    luck = rng.random()
    days = max(1, (build.now - at).days)
    stop = at + timedelta(days=rng.randint(0, days)) if luck < 0.34 else None
    payments = run(build, row, last_four="" if paypal else last_four, stop=stop)
    if rng.random() < 0.06:
        paid = rng.choice(payments)
        later = min(paid.at + timedelta(days=3), build.now)
        build.refund(paid, later, paid.cents // 2 if rng.random() < 0.4 and paid.cents > 200 else None)
    if rng.random() < 0.05:
        build.follow(payments[-1], "failed", payments[-1].at - timedelta(hours=1), payments[-1].cents).parent = None
    if row.status == "Terminated" or stop is None:
        if row.status == "Active" and luck > 0.92 and not paypal:
            row.status = "Paused"
    elif luck < 0.06:
        for attempt in range(4):
            failed = build.follow(
                payments[-1], "failed", min(stop + timedelta(days=3 * attempt), build.now), row.point.cents
            )
            failed.parent = None
        end(build, row, payments, min(stop + timedelta(days=10), build.now))
    else:
        end(build, row, payments, stop, "Terminated" if luck > 0.31 else "Cancelled")
