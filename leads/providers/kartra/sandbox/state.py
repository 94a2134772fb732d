"""The sandbox's SQLite file: its tables, its switches and its clock.

Safe for several threads and processes: WAL, write transactions begun IMMEDIATE, a busy timeout, one connection for
each piece of work.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

EST = timezone(timedelta(hours=-5), "EST")
NO_DATE = "0000-00-00 00:00:00"

# What can be switched, and how it stands at first.
SWITCHES: dict[str, Any] = {
    "calls_per_second": 20,  # for each App, in any sliding second; 0 lifts the limit
    "test_mode": False,  # new addresses are rewritten to local-part@kartra.com
    "email_only": False,  # get_lead knows a lead by email alone, as its page has it, and answers an id with 206
    "require_https": False,  # calls over plain http are answered 201
    "envelope": "actions",  # or "bare": single answers in the shapes that Kartra's pages print
    "chained_status": "Success",  # or "Error": the top status of a chain of which an action failed
}

_CHOICES = {"envelope": ("actions", "bare"), "chained_status": ("Success", "Error")}

SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE apps (id TEXT PRIMARY KEY, active INTEGER, developer_active INTEGER, only_ip TEXT, may_write INTEGER);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, api_key TEXT UNIQUE, api_password TEXT, active INTEGER);
CREATE TABLE calls (id INTEGER PRIMARY KEY, at REAL, app TEXT, account TEXT, commands TEXT, admitted INTEGER);
CREATE TABLE faults (id INTEGER PRIMARY KEY, command TEXT, mode TEXT, times INTEGER, seconds REAL);

CREATE TABLE leads (id INTEGER PRIMARY KEY, account_id INTEGER, email_key TEXT, facts TEXT, custom TEXT,
    deleted INTEGER, UNIQUE (account_id, email_key));
CREATE TABLE fields (id INTEGER PRIMARY KEY, account_id INTEGER, identifier TEXT, kind TEXT, options TEXT,
    UNIQUE (account_id, identifier));
CREATE TABLE tags (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT, UNIQUE (account_id, name));
CREATE TABLE lead_tags (lead_id INTEGER, tag_id INTEGER, PRIMARY KEY (lead_id, tag_id)) WITHOUT ROWID;
CREATE TABLE lists (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT, starts_sequence_id INTEGER,
    UNIQUE (account_id, name));
CREATE TABLE lead_lists (lead_id INTEGER, list_id INTEGER, active INTEGER,
    PRIMARY KEY (lead_id, list_id)) WITHOUT ROWID;
CREATE TABLE sequences (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT, steps INTEGER,
    UNIQUE (account_id, name));
CREATE TABLE lead_sequences (lead_id INTEGER, sequence_id INTEGER, step TEXT, status TEXT,
    PRIMARY KEY (lead_id, sequence_id)) WITHOUT ROWID;
CREATE TABLE pages (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT);
CREATE TABLE calendars (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT, ready INTEGER,
    UNIQUE (account_id, name));
CREATE TABLE classes (id INTEGER PRIMARY KEY, calendar_id INTEGER, name TEXT, UNIQUE (calendar_id, name));
CREATE TABLE bookings (id INTEGER PRIMARY KEY, lead_id INTEGER, class_id INTEGER, starts_at TEXT, active INTEGER);
CREATE INDEX bookings_by_lead ON bookings (lead_id, class_id);
CREATE TABLE levels (membership_id INTEGER, id INTEGER, account_id INTEGER, membership_name TEXT, name TEXT,
    PRIMARY KEY (membership_id, id)) WITHOUT ROWID;
CREATE TABLE lead_levels (lead_id INTEGER, membership_id INTEGER, level_id INTEGER, active INTEGER,
    PRIMARY KEY (lead_id, membership_id, level_id)) WITHOUT ROWID;
CREATE TABLE automations (tag_id INTEGER, membership_id INTEGER, level_id INTEGER, grants INTEGER);
CREATE TABLE surveys (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT, kind TEXT);
CREATE TABLE lead_surveys (lead_id INTEGER, survey_id INTEGER, score TEXT, seconds INTEGER,
    PRIMARY KEY (lead_id, survey_id)) WITHOUT ROWID;
CREATE TABLE points (id INTEGER PRIMARY KEY, lead_id INTEGER, points INTEGER, expires_at TEXT);
CREATE INDEX points_by_lead ON points (lead_id);

CREATE TABLE products (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT, refund_days INTEGER);
CREATE TABLE price_points (product_id INTEGER, ordinal INTEGER, kind TEXT, cents INTEGER, period TEXT,
    installments INTEGER, PRIMARY KEY (product_id, ordinal)) WITHOUT ROWID;
CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, account_id INTEGER, lead_id INTEGER, product_id INTEGER,
    price_point INTEGER, gateway_id TEXT, processor TEXT, status TEXT, started TEXT, ended TEXT, installment INTEGER,
    installments_left INTEGER, period TEXT, next_payment TEXT, cents INTEGER, quantity INTEGER, tax_percent TEXT,
    affiliate TEXT, jv TEXT, gateway_fails INTEGER);
CREATE INDEX subscriptions_by_lead ON subscriptions (lead_id);
CREATE TABLE transactions (id INTEGER PRIMARY KEY, account_id INTEGER, lead_id INTEGER, subscription_id INTEGER,
    kind TEXT, at TEXT, cents INTEGER, discount INTEGER, shipping INTEGER, tax INTEGER, quantity INTEGER,
    parent_id INTEGER, original_id INTEGER, product_id INTEGER, product_name TEXT, price_point INTEGER,
    pay_number INTEGER, last_four TEXT, is_test INTEGER, gateway_fails INTEGER, affiliate TEXT, jv TEXT, buyer TEXT);
CREATE INDEX transactions_by_lead ON transactions (lead_id);
CREATE INDEX transactions_by_parent ON transactions (parent_id);
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Raises sqlite3.OperationalError where there is no such file."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=20, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous=NORMAL")
    return db


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: committed at the end, rolled back by an exception."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def reading(db: sqlite3.Connection) -> Iterator[None]:
    """A read transaction: one view of the state, whoever writes meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def configure(path: Path, **switches: Any) -> None:
    """Set switches of `SWITCHES`, for all processes, from the next call on. Raises ValueError where one cannot be."""
    if unknown := switches.keys() - SWITCHES.keys():
        raise ValueError(f"There is no switch {', '.join(sorted(unknown))}. There are {', '.join(SWITCHES)}.")
    for name, choices in _CHOICES.items():
        if switches.get(name, choices[0]) not in choices:
            raise ValueError(f"The switch {name} is {' or '.join(choices)}.")
    with closing(connect(path)) as db, writing(db):
        put_settings(db, switches)


def put_settings(db: sqlite3.Connection, values: dict[str, Any]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO settings VALUES (?, ?)", [(name, json.dumps(value)) for name, value in values.items()]
    )


def read_settings(db: sqlite3.Connection) -> dict[str, Any]:
    """All switches, and ``clock_days``: how many days the sandbox's clock is ahead of the real one."""
    stored = {row["name"]: json.loads(row["value"]) for row in db.execute("SELECT name, value FROM settings")}
    return {**SWITCHES, "clock_days": 0, **stored}


def est_now(clock_days: int = 0) -> datetime:
    """The time on Kartra's clock, naive, without fractions."""
    return datetime.now(EST).replace(tzinfo=None, microsecond=0) + timedelta(days=clock_days)


def days_ahead(today: date) -> int:
    """How far the sandbox's clock must be ahead of the real one to show this day."""
    return (today - est_now().date()).days


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def parse_stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  (EST without saying so, as Kartra writes it)


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
