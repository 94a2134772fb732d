"""The made-up business: the same each time, quick to make, and as various as a real one."""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from leads.providers.kartra.sandbox.catalogue import LONG_TAG
from leads.providers.kartra.sandbox.notable import NOTABLE, SUBSCRIPTIONS, TRANSACTIONS
from leads.providers.kartra.sandbox.seed import seed, seed_missing
from leads.providers.kartra.sandbox.state import connect, est_now, read_settings
from tests.leads.providers.kartra.sandbox.box import Box

TODAY = date(2026, 3, 31)


def dump(path: Path) -> list[str]:
    """Everything but the settings, which hold how far the clock is from the real one."""
    with closing(sqlite3.connect(path)) as db:
        return [line for line in db.iterdump() if '"settings"' not in line]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("whole") / "whole.sqlite3"
    started = time.perf_counter()
    seed(path)
    assert time.perf_counter() - started < 10
    with closing(connect(path)) as db:
        yield db


def counted(db: sqlite3.Connection, query: str) -> dict[str, int]:
    return dict(Counter(str(row[0]) for row in db.execute(query)))


def facts(db: sqlite3.Connection) -> list[dict[str, str]]:
    return [json.loads(row[0]) for row in db.execute("SELECT facts FROM leads WHERE account_id = 1")]


def test_the_same_day_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        seed(tmp_path / name, leads=120, today=TODAY)
    assert dump(tmp_path / "one") == dump(tmp_path / "two")


def test_the_clock_shows_the_day_that_was_given(tmp_path: Path) -> None:
    seed(tmp_path / "file", leads=0, today=TODAY)
    with closing(connect(tmp_path / "file")) as db:
        days = read_settings(db)["clock_days"]
        latest = db.execute("SELECT max(at) FROM transactions").fetchone()[0]
    assert est_now(days).date() == TODAY
    assert latest < "2026-03-31"


def test_a_small_file_has_all_notable_leads(box: Box) -> None:
    for key, (number, email) in NOTABLE.items():
        if key not in ("deleted", "bindery_ada"):
            assert box.lead(key)["id"] == number
            assert box.lead(key)["email"] == email
    assert all(box.did("search_transaction", transaction_id=number) for number in TRANSACTIONS.values())
    assert all(box.did("search_subscription", subscription_id=number) for number in SUBSCRIPTIONS.values())


def test_a_file_that_is_there_is_left_alone(box: Box) -> None:
    box.did("give_points_to_lead", "empty", points="9")
    seed_missing(box.path)
    assert box.lead("empty")["score"] == "9"
    seed(box.path, leads=0)
    assert box.lead("empty")["score"] == "0"


def test_there_are_two_thousand_leads_and_a_second_business(whole: sqlite3.Connection) -> None:
    assert counted(whole, "SELECT account_id FROM leads") == {"1": 2000, "2": 12}


def test_payments_are_of_every_kind(whole: sqlite3.Connection) -> None:
    kinds = counted(whole, "SELECT kind FROM transactions")
    assert kinds.keys() == {"sale", "rebill", "refund", "partial_refund", "failed", "cancellation", "chargeback"}
    assert all(count >= 5 for count in kinds.values())
    assert kinds["sale"] > 1000


def test_subscriptions_are_in_every_state_and_of_every_kind(whole: sqlite3.Connection) -> None:
    assert counted(whole, "SELECT status FROM subscriptions").keys() == {"Active", "Paused", "Cancelled", "Terminated"}
    assert counted(whole, "SELECT processor FROM subscriptions").keys() == {"card", "paypal"}
    periods = counted(whole, "SELECT period FROM subscriptions")
    assert {"monthly", "yearly", "quarterly", "weekly", "every 2 weeks"} <= periods.keys()
    kinds = counted(
        whole,
        "SELECT kind FROM subscriptions JOIN price_points ON price_points.product_id = subscriptions.product_id"
        " AND ordinal = price_point",
    )
    assert kinds.keys() == {"recurring", "installments", "recurring installments", "trial"}


def test_no_payment_lies_in_the_future_and_none_before_its_parent(whole: sqlite3.Connection) -> None:
    late = "SELECT count(*) FROM transactions WHERE at > datetime('now', '-5 hours')"
    assert whole.execute(late).fetchone()[0] == 0
    early = "SELECT count(*) FROM transactions a JOIN transactions b ON b.id = a.parent_id WHERE a.at < b.at"
    assert whole.execute(early).fetchone()[0] == 0


def test_no_more_is_refunded_than_was_paid(whole: sqlite3.Connection) -> None:
    over = (
        "SELECT count(*) FROM transactions a WHERE kind IN ('sale', 'rebill') AND cents <"
        " (SELECT total(cents) FROM transactions b WHERE b.parent_id = a.id AND b.kind LIKE '%refund')"
    )
    assert whole.execute(over).fetchone()[0] == 0


def test_people_come_from_everywhere(whole: sqlite3.Connection) -> None:
    people = facts(whole)
    assert len({person["country"] for person in people}) > 20
    assert {person["gdpr_lead_status"] for person in people} == set("012345")
    assert sum(not person["first_name"] for person in people) > 10
    assert sum(person["blacklisted"] == "1" for person in people) > 10
    assert sum(person["lead_deleted"] == "1" for person in people) > 5
    names = "".join(person["first_name"] for person in people)
    for first, last in (("؀", "ۿ"), ("֐", "׿"), ("぀", "鿿"), ("가", "힣"), ("Ͱ", "Ͽ"), ("Ѐ", "ӿ")):
        assert any(first <= letter <= last for letter in names)


def test_addresses_and_telephones_belong_to_nobody(whole: sqlite3.Connection) -> None:
    people = facts(whole)
    assert {person["email"].partition("@")[2] for person in people} == {"example.com", "example.org", "example.net"}
    assert all(person["email"].isascii() for person in people)
    numbers = {person["phone_country_code"]: person["phone"] for person in people if person["phone"]}
    assert numbers.keys() >= {"+1", "+44", "+33", "+61", "+353", "+46"}
    assert all(
        "55501" in person["phone"]
        for person in people
        if person["phone_country_code"] == "+1" and person["phone"] != "5550142"
    )


def test_the_account_is_well_furnished(box: Box) -> None:
    def names(what: str) -> list[Any]:
        return list(box.act(f"retrieve_account_{what}")[f"account_{what}"])

    tags = names("tags")
    assert len(tags) >= 40
    assert {"customer", "vip", "kiln-club-gold", "kiln-club-revoke", LONG_TAG, "vip & friends"} <= set(tags)
    assert len(LONG_TAG) == 100
    assert any(not tag.isascii() for tag in tags)
    assert (len(names("lists")), len(names("sequences"))) == (12, 8)
    assert len(names("pages")) > 5
    kinds = Counter(field["field_type"] for field in box.act("retrieve_custom_fields")["custom_fields"])
    assert kinds.keys() == {"input_field", "text_area", "drop_down", "radio_button", "checkbox"}
    assert kinds.total() >= 10


def test_one_lead_has_a_very_long_history(box: Box) -> None:
    assert len(box.transactions("long_history")) > 500
