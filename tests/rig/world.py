"""Where the cases happen: a database, a sandbox that counts what was really done, people, customers, and time."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection, connections
from django.db.models import F

from kartra_admin.lib import deadline
from tests import template

_UNTIL = ("created_at", "send_at", "sent_at", "next_reading_at")

# Counts what was carried out, and not merely asked: what is rolled back is not counted.
_COUNTERS = """
CREATE TABLE acts (id INTEGER PRIMARY KEY, what TEXT, subject INTEGER, cents INTEGER);
CREATE TRIGGER act_refund AFTER INSERT ON transactions WHEN new.kind IN ('refund', 'partial_refund')
BEGIN INSERT INTO acts (what, subject, cents) VALUES ('transaction', new.parent_id, new.cents); END;
CREATE TRIGGER act_subscription AFTER UPDATE ON subscriptions
BEGIN INSERT INTO acts (what, subject, cents) VALUES ('subscription', new.id, 0); END;
"""

# Kartra's rows are not the money: the next refund goes through at the gateway, and its row shows after so many rounds
# of the worker (NULL: never). Until then it stands at another lead's.
_HIDING = """
CREATE TABLE hiding (rounds INTEGER);
CREATE TABLE hidden (id INTEGER, lead_id INTEGER, parent_id INTEGER, rounds INTEGER);
CREATE TRIGGER hide_refund AFTER INSERT ON transactions
WHEN new.kind IN ('refund', 'partial_refund') AND EXISTS (SELECT * FROM hiding)
BEGIN
    INSERT INTO hidden SELECT new.id, new.lead_id, new.parent_id, rounds FROM hiding;
    DELETE FROM hiding;
    UPDATE transactions SET lead_id = (SELECT min(id) FROM leads), parent_id = new.id WHERE id = new.id;
END;
"""


class NoLimiter:
    """The rig has no time to keep to twenty calls a second."""

    def wait(self, name: str, *, background: bool = False) -> None:
        pass

    def still(self, name: str, turn: None, *, background: bool = False) -> None:
        pass

    def sent(self, name: str, turn: object) -> None:
        pass

    def pause(self, name: str, seconds: float) -> None:
        pass


class Clock:
    """How long the rig has let pass."""

    passed = 0.0


@contextmanager
def opened() -> Iterator[None]:
    """A database of its own, thrown away in the end, and the sandbox beside it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    test = connection.settings_dict["TEST"]
    name = f"rig_{os.getpid()}"
    test["NAME"] = str(settings.DATA_DIR / f"{name}.sqlite3") if connection.vendor == "sqlite" else name
    before = connection.settings_dict["NAME"]
    is_there = template.start_from()
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=is_there)
    data = settings.DATA_DIR / name
    data.mkdir()
    settings.DATA_DIR = data
    try:
        _prepare()
        with _kept_open():
            yield
    finally:
        connections.close_all()
        connection.creation.destroy_test_db(before, verbosity=0)
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def _kept_open() -> Iterator[None]:
    """Hold the sandbox's file open, in a process that is not forked: else each call closes it last, which makes SQLite
    tidy its log up and wait for the disk."""
    from leads.wiring import sandbox_path

    hold = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT 1 FROM leads'); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(sandbox_path())]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as holder:
        yield
        holder.communicate()


def _prepare() -> None:
    from accounts.services import connections as credentials
    from leads import wiring
    from leads.models import Limit
    from leads.providers.kartra import client
    from leads.providers.kartra.sandbox import state
    from leads.providers.kartra.sandbox.seed import seed

    Limit.objects.all().delete()
    Limit.objects.create(role="support", per_transaction=0)  # so that he has to ask
    clock = deadline.clock
    deadline.clock = lambda: clock() + Clock.passed
    wiring._limiter = lambda *_: NoLimiter()  # type: ignore[assignment]
    client.KartraClient.__init__.__kwdefaults__["sleep"] = lambda seconds: None  # type: ignore[index]
    credentials.note_worked = lambda connection: None  # type: ignore[assignment]
    path = wiring.sandbox_path()
    seed(path, leads=12)
    state.configure(path, calls_per_second=0)
    with closing(state.connect(path)) as db:
        db.executescript(_COUNTERS + _HIDING)


@cache
def person(role: str, number: int = 1) -> Any:
    """Somebody of this role with credentials of the account."""
    from accounts.models import User
    from accounts.services import connections as credentials
    from leads.providers.kartra.sandbox.credentials import ACCOUNTS

    email = f"{role}{number}@example.com"
    found = User.objects.filter(email=email).first()
    if found is None:
        found = User.objects.create_user(email=email, name=f"{role.title()} {number}", role=role)
        keys = ACCOUNTS[0]
        credentials.place(actor=found, owner=found, api_key=keys.api_key, api_password=keys.api_password)
    return User.objects.select_related("connection__account").get(pk=found.pk)


@cache
def playbook() -> Any:
    """Give a tag, cancel, refund."""
    from leads.models import Playbook

    steps = [{"act": "give-tag", "name": "vip"}, {"act": "cancel"}, {"act": "refund"}]
    return Playbook.objects.get_or_create(
        account=person("manager").connection.account, name="Leave", defaults={"steps": steps}
    )[0]


@dataclass(frozen=True)
class Customer:
    """Somebody with two sales and a subscription, of which `act` concerns one."""

    lead_id: int
    sale_id: int
    other_id: int
    subscription_id: int
    cents: int


def sandbox() -> closing[sqlite3.Connection]:
    from leads.providers.kartra.sandbox.state import connect
    from leads.wiring import sandbox_path

    return closing(connect(sandbox_path()))


def new_customer(chance: random.Random, *, status: str, is_of_plan: bool) -> Customer:
    """Somebody who bought just now; ``is_of_plan`` makes the sale the last payment of his subscription."""
    from leads.providers.kartra.sandbox.state import est_now, stamp

    cents = chance.choice((1995, 4700, 12000, 99900))
    with sandbox() as db:
        db.execute("BEGIN IMMEDIATE")
        lead = _copy(db, "leads", "account_id = 1 AND NOT deleted", email_key=None)
        facts = json.loads(lead["facts"]) | {"email": f"rig{lead['id']}@example.com", "id": str(lead["id"])}
        db.execute(
            "UPDATE leads SET email_key = ?, facts = ? WHERE id = ?", (facts["email"], json.dumps(facts), lead["id"])
        )
        plan = _copy(
            db,
            "subscriptions",
            "account_id = 1 AND processor != 'paypal' AND NOT gateway_fails AND status = 'Active'"
            " AND next_payment IS NOT NULL",
            lead_id=lead["id"], status=status, quantity=1, tax_percent="0", cents=2500, installments_left=None,
            next_payment=stamp(est_now(1) + timedelta(days=20)),
        )  # fmt: skip
        bought = {
            "lead_id": lead["id"], "cents": cents, "discount": 0, "shipping": 0, "tax": 0, "subscription_id": None,
            "at": stamp(est_now() - timedelta(days=2)), "pay_number": None,
        }  # fmt: skip
        what = "account_id = 1 AND kind = 'sale' AND NOT is_test AND NOT gateway_fails"
        sale = _copy(db, "transactions", what, **bought | {"subscription_id": plan["id"] if is_of_plan else None})
        other = _copy(db, "transactions", what, **bought)
        db.execute("COMMIT")
    return Customer(lead["id"], sale["id"], other["id"], plan["id"], cents)


def _copy(db: sqlite3.Connection, table: str, which: str, **changed: Any) -> dict[str, Any]:
    """A row like one that is there, with another number."""
    row = dict(db.execute(f"SELECT * FROM {table} WHERE {which} ORDER BY id LIMIT 1").fetchone())
    row |= changed | {"id": db.execute(f"SELECT max(id) + 1 FROM {table}").fetchone()[0]}
    if "parent_id" in row:
        row["parent_id"] = row["original_id"] = row["id"]
    if "buyer" in row:
        row["buyer"] = json.dumps(json.loads(row["buyer"]) | {"lead_id": str(row["lead_id"])})
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    return row


def refund_in_kartra(transaction_id: int, cents: int) -> int:
    """Somebody refunds in Kartra itself, which is no act of the desk. Gives the id of the act, to be left out."""
    from leads.providers.kartra.sandbox.commands.transactions import add_child
    from leads.providers.kartra.sandbox.desk import Desk
    from leads.providers.kartra.sandbox.state import est_now

    with sandbox() as db:
        db.execute("BEGIN IMMEDIATE")
        row = db.execute("SELECT * FROM transactions WHERE id = ?", (transaction_id,)).fetchone()
        add_child(Desk(db, 1, est_now(), False, {}), row, "partial_refund", cents)
        act: int = db.execute("SELECT max(id) FROM acts").fetchone()[0]
        db.execute("COMMIT")
    return act


def acts_on(what: str, subject: int, but_not: set[int]) -> list[int]:
    """What was really done of it, as cents, without what was not the desk's."""
    with sandbox() as db:
        rows = db.execute("SELECT id, cents FROM acts WHERE what = ? AND subject = ?", (what, subject)).fetchall()
    return [row["cents"] for row in rows if row["id"] not in but_not]


def arm(command: str, mode: str, times: int) -> None:
    from leads.providers.kartra.sandbox import faults
    from leads.wiring import sandbox_path

    faults.arm(sandbox_path(), command, mode, times)


def hide_refund(rounds: int | None) -> None:
    """Let the row of the next refund show only after so many rounds of the worker, or never."""
    with sandbox() as db:
        db.execute("INSERT INTO hiding VALUES (?)", (rounds,))


def show_hidden() -> None:
    """One round nearer to the rows of refunds that were done."""
    with sandbox() as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE hidden SET rounds = rounds - 1")
        for row in db.execute("SELECT * FROM hidden WHERE rounds <= 0").fetchall():
            db.execute(
                "UPDATE transactions SET lead_id = ?, parent_id = ? WHERE id = ?",
                (row["lead_id"], row["parent_id"], row["id"]),
            )
        db.execute("DELETE FROM hidden WHERE rounds <= 0")
        db.execute("COMMIT")


def disarm() -> None:
    """What was armed and not met."""
    with sandbox() as db:
        db.execute("DELETE FROM faults")
        db.execute("DELETE FROM hiding")


def operations(customer: Customer) -> Any:
    from leads.models import Operation

    return Operation.objects.filter(account=person("manager").connection.account_id, lead_id=str(customer.lead_id))


def entries(operation_id: Any, action: str = "") -> Any:
    """What the log holds of an operation."""
    from accounts.models import AuditEntry

    found = AuditEntry.objects.filter(operation_id=operation_id)
    return found.filter(action=action) if action else found


def pass_time(customer: Customer, seconds: float) -> None:
    """For all that the desk keeps of this customer the clock goes forward: its times go back. Deadlines come nearer."""
    from leads.models import Approval, PlaybookRun

    back = timedelta(seconds=seconds)
    Clock.passed += seconds
    operations(customer).update(**{field: F(field) - back for field in _UNTIL})
    about = {"lead_id": str(customer.lead_id)}
    Approval.objects.filter(**about).update(created_at=F("created_at") - back)
    PlaybookRun.objects.filter(**about).update(
        **{field: F(field) - back for field in ("created_at", "begin_at", "leased_until")}
    )


def tick() -> None:
    """What the worker does once a minute."""
    from leads.services import held, runs
    from leads.services.reconcile import reconcile

    show_hidden()
    held.send_due_operations()
    reconcile(only_due=True)
    runs.attend_all()


def database_path() -> Path:
    return Path(str(connection.settings_dict["NAME"]))
