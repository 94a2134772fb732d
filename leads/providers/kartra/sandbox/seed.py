"""Fills a sandbox file with two made-up businesses. The same number of leads on the same day gives the same file."""

import os
import random
import sqlite3
from contextlib import closing, suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path

from leads.providers.kartra.sandbox import credentials, histories
from leads.providers.kartra.sandbox.builder import Builder
from leads.providers.kartra.sandbox.catalogue import BINDERY, STUDIO
from leads.providers.kartra.sandbox.notable import NOTABLE, add_notable
from leads.providers.kartra.sandbox.people import COMPANIES, Person, person
from leads.providers.kartra.sandbox.state import SCHEMA, days_ahead, est_now, put_settings, writing

LEADS = 2000
BINDERY_LEADS = 12


def seed(path: Path, leads: int = LEADS, today: date | None = None) -> None:
    """Make the file anew, with so many leads in the first account; at least those of `NOTABLE`.

    Histories are told from ``today``, and the sandbox's clock shows that day; the default is the real one.
    Nobody may have the old file open.
    """
    made = _make(path, leads, today)
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    made.replace(path)


def seed_missing(path: Path, leads: int = LEADS) -> None:
    """Make the file unless it is there, even if several processes come to it at once."""
    if path.exists():
        return
    made = _make(path, leads, None)
    with suppress(FileExistsError):
        path.hardlink_to(made)
    made.unlink()


def _make(path: Path, leads: int, today: date | None) -> Path:
    """A complete file beside the path, so that nobody meets a half of it."""
    today = today or est_now().date()
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    made.unlink(missing_ok=True)
    with closing(sqlite3.connect(made, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        with writing(db):
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            _fill(db, leads, datetime.combine(today, time(23, 59)))
            put_settings(db, {"clock_days": days_ahead(today)})
    return made


def _fill(db: sqlite3.Connection, leads: int, end_of_day: datetime) -> None:
    # What is told ends yesterday, or payments would stand in the sandbox's future.
    now = end_of_day - timedelta(days=1)
    _admission(db)
    studio = Builder(1, STUDIO, random.Random("kiln"), now)  # noqa: S311  (no secret is drawn)
    add_notable(studio)
    for number in range(4_200_001, 4_200_001 + max(0, leads - len(studio.leads))):
        _somebody(studio, number)
    studio.insert(db, first_subscription=15_001, first_transaction=100_001)
    bindery = Builder(2, BINDERY, random.Random("bindery"), now)  # noqa: S311
    _bindery(bindery)
    bindery.insert(db, first_subscription=900_001, first_transaction=9_000_001)


def _admission(db: sqlite3.Connection) -> None:
    """Who may call."""
    db.executemany(
        "INSERT INTO accounts (name, api_key, api_password, active) VALUES (?, ?, ?, ?)",
        [(*account, 1) for account in credentials.ACCOUNTS] + [(*credentials.CLOSED_ACCOUNT, 0)],
    )
    db.executemany(
        "INSERT INTO apps VALUES (?, ?, ?, ?, ?)",
        [
            (credentials.APP_ID, 1, 1, "", 1),
            (credentials.SWITCHED_OFF_APP, 0, 1, "", 1),
            (credentials.SUSPENDED_APP, 1, 0, "", 1),
            (credentials.FENCED_APP, 1, 1, credentials.FENCED_IP, 1),
            (credentials.READING_APP, 1, 1, "", 0),
        ],
    )


def _somebody(build: Builder, number: int) -> None:
    """One lead by chance, with a history."""
    rng = build.rng
    who = person(rng)
    joined = build.now - timedelta(days=rng.randint(1, 1600), minutes=rng.randint(0, 1400))
    facts = _facts(build, who)
    email = f"{who.handle}@{who.domain}"
    if email in build.emails:
        email = f"{who.handle}{number % 10_000}@{who.domain}"
    if rng.random() < 0.02:
        facts.update(first_name="", last_name="")
    lead = build.lead(
        number, email, facts, joined=joined, codes=(who.locale.code_2, who.locale.code_3), deleted=rng.random() < 0.01
    )
    _custom_fields(build, lead.custom)
    names = list(build.catalogue.tags.values())
    build.tag(lead, *(name for name in rng.sample(names, rng.choice((0, 1, 1, 2, 3, 5))) if name != "refunded"))
    for list_id in rng.sample(list(build.catalogue.lists), rng.choice((0, 1, 1, 2, 3))):
        build.on_list(lead, list_id, active=rng.random() < 0.85)
    for sequence_id in rng.sample(list(build.catalogue.sequences), rng.choice((0, 0, 1, 2))):
        build.in_sequence(lead, sequence_id, 1, active=rng.random() < 0.7)
    if rng.random() < 0.2:
        build.member(lead, *rng.choice(((9, 1), (9, 2), (9, 3), (10, 1), (11, 1))), active=rng.random() < 0.8)
    if rng.random() < 0.08:
        build.surveyed(lead, rng.choice((61, 62, 63)), str(rng.randint(0, 10)), rng.randint(20, 600))
    histories.by_chance(build, lead, joined)


def _facts(build: Builder, who: Person) -> dict[str, str]:
    rng = build.rng
    ip = f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"
    facts = {
        "first_name": who.first,
        "last_name": who.last,
        "ip": ip,
        "ip_country": who.locale.country,
        "score": str(rng.choice((0, 0, 0, 5, 10, 25, 40, 90, 300))),
        "source": rng.choice(("single-optin", "double-optin", "checkout", "import", "api", "manual", "helpdesk")),
        "blacklisted": "1" if rng.random() < 0.015 else "0",
        "gdpr_lead_status": str(rng.choices(range(6), (2, 10, 6, 2, 1, 1))[0]),
        "gdpr_lead_status_ip": ip,
        "gdpr_lead_communications": str(rng.choice((0, 1, 1))),
    }
    if rng.random() < 0.75:
        facts.update(country=who.locale.country, city=who.city, state=who.state, zip=who.zip, address=who.street)
    if who.phone and rng.random() < 0.6:
        facts.update(phone_country_code=who.locale.phone_code, phone=who.phone)
    if rng.random() < 0.15:
        facts.update(company=f"{who.last or who.first} {rng.choice(COMPANIES)}")
    if rng.random() < 0.08:
        facts.update(website=f"https://{who.handle}.example.com", twitter=f"https://social.example.com/{who.handle}")
    return facts


def _custom_fields(build: Builder, held: dict[str, object]) -> None:
    """Some answers to some of the account's custom fields."""
    rng = build.rng
    words = ("38", "41", "5", "since school", "Two kilns, one cat.", "–", "1984-04-01")
    for number, (_, kind, options) in build.catalogue.fields.items():
        if rng.random() < 0.7:
            continue
        if kind == "checkbox":
            held[str(number)] = sorted(rng.sample(range(1, len(options) + 1), rng.randint(1, len(options))))
        elif options:
            held[str(number)] = [rng.randint(1, len(options))]
        else:
            held[str(number)] = rng.choice(words)


def _bindery(build: Builder) -> None:
    """The second account: a dozen leads, one of whom shares an address with a lead of the first."""
    rng = build.rng
    first = NOTABLE["bindery_ada"]
    ada = build.lead(int(first.id), first.email, {"first_name": "Ada", "last_name": "Moreno"}, joined=build.ago(90))
    build.tag(ada, "binder")
    for number in range(int(first.id) + 1, int(first.id) + BINDERY_LEADS):
        who = person(rng)
        joined = build.ago(rng.randint(1, 300))
        lead = build.lead(number, f"{who.handle}@{who.domain}", _facts(build, who), joined=joined)
        build.tag(lead, rng.choice(("binder", "paper-club")))
        build.on_list(lead, 21)
        build.pay(lead, "sale", build.ago(rng.randint(1, 80)), 301, 12000, last_four="3003")
    histories.run(build, build.subscribe(ada, 302, 1, build.ago(70)), last_four="3003")
    build.member(ada, 12, 1)
