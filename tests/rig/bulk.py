"""A bulk run of thousands of leads whose workers are killed at random, and what each lead got of it.

``python3 run.py rig bulk`` runs it whole: 10,000 leads, 100 kills with SIGKILL, the sandbox refusing, failing and
falling silent at random, the database away now and then. `tests/test_rig.py` runs a shorter one. Points are counted by
the sandbox, and given to each lead once or not at all: that is what could be done twice. A tenth of the leads is not in
Kartra and has to be created, and of every hundred one is an id that nobody has.
"""

import argparse
import json
import logging
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.rig import world

WORKERS = 4
FAULTS = ("429", "500", "junk", "lost", "late", "refused", "half")
FAIL = ("give_points_to_lead", "give_points_to_lead", "*")  # mostly what changes something
PASTED = ("lead{}@bulk.example", "Lead {0} <lead{0}@bulk.example>", "mailto:LEAD{}@bulk.example")
_APART = (0.02, 0.4)  # seconds between two kills


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py rig bulk", description="Kill the workers of a bulk run at random.")
    parser.add_argument("--leads", type=int, default=10_000, help="how many leads (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="how many workers are killed (default: %(default)s)")
    parser.add_argument("--faults", type=int, default=1000, help="how many calls fail (default: %(default)s)")
    parser.add_argument("--away", type=int, default=10, help="how often the database is away (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="what chance begins with (default: %(default)s)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    with world.opened():
        wrong = _run(options)
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    for line in wrong:
        print(f"WRONG: {line}")
    if wrong:
        print("FAILED")
    return 1 if wrong else 0


def _run(options: argparse.Namespace) -> list[str]:
    from leads import wiring
    from leads.services.bulk import slices

    logging.disable(logging.WARNING)  # every fault is logged, as it should be
    logging.getLogger("leads.services.directory").setLevel(logging.CRITICAL)
    slices._take_turn = _without_pace
    # Calls so slow that the job is not over before all the trouble has come, and that much of it comes amid them; and
    # so quick that a worker comes to its writes before it is killed.
    took = WORKERS * sum(_APART) / 2 * options.kills / options.leads
    wiring.app_for = partial(_slow_app, wiring.app_for, took)  # type: ignore[assignment]
    _let_die_after_changes(options.kills / options.leads)
    slices.SECONDS = 0.5
    crew = Crew(options)
    _make_leads(options.leads)
    job = _lay_down(options.leads)
    crew.work(job, until="checked")
    from leads.services.bulk import steering

    job.refresh_from_db()
    steering.start(actor=job.actor, job=job)
    for _ in range(20):  # what failed for good is retried by a person
        crew.work(job, until="done")
        job.refresh_from_db()
        if job.state != "done" or not job.leads.filter(state__in=("failed", "unknown")).exists():
            break
        _settle_and_retry(job)
    print(f"{options.leads} leads, {crew.killed} kills, {crew.armed} faults, database away {crew.away} times")
    print(f"{crew.died} workers died right after a change")
    return [*crew.left_undone(), *_judge(job)]


class Crew:
    """Workers in processes of their own, and what befalls them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.chance = random.Random(options.seed)
        self.options = options
        self.killed = self.armed = self.away = self.died = 0
        # The dry run gets a third of the trouble.
        self.phase = 0

    def work(self, job: Any, *, until: str) -> None:
        """Let them work until the job is where it should be, and kill them meanwhile."""
        from django.db import connections

        self.phase += 1
        share = {1: 0.3, 2: 1.0}.get(self.phase, 1.0)
        kills, faults, away = (int(share * self.options.__dict__[key]) for key in ("kills", "faults", "away"))
        steps = max(kills, 1)
        crew: dict[int, int] = {}
        quiet = rounds = 0
        last = -1
        while True:
            for slot in range(WORKERS):
                if slot in crew and (ended := os.waitpid(crew[slot], os.WNOHANG))[0]:
                    del crew[slot]  # as a worker does that cannot go on
                    self.died += os.WIFSIGNALED(ended[1])
                if slot not in crew:
                    crew[slot] = _start(lambda slot=slot: _worker(job.pk, slot))
            time.sleep(self.chance.uniform(*_APART))
            rounds += 1
            self._arm(min(faults, self.armed + max(1, faults // steps)))
            if self.away < away and rounds % max(1, steps // (2 * away)) == 0:
                self.away += _take_database_away(self.chance.uniform(0.2, 1.5))
            if self.killed < kills:
                self.killed += 1
                _kill(crew.pop(self.chance.choice(sorted(crew))))
            state, left = _look(job)
            if state in (until, "paused"):
                break
            quiet = quiet + 1 if left == last else 0
            last = left
            if quiet > 8:  # whoever held what is left was killed: let time pass
                quiet = 0
                _pass_time(timedelta(minutes=6))
        for process in crew.values():
            _kill(process)
        connections.close_all()
        self.armed -= _not_struck()
        world.disarm()
        _pass_time(timedelta(minutes=6))

    def left_undone(self) -> list[str]:
        """What did not happen as often as it was to: then all went well for want of trouble."""
        happened = {"kills": self.killed, "faults": self.armed, "away": self.away}
        wanted = {what: self.options.__dict__[what] for what in happened}
        return [
            f"only {happened[what]} of {wanted[what]} {what}: the job was over before"
            for what in happened
            if happened[what] < wanted[what]
        ]

    def _arm(self, number: int) -> None:
        with suppress(sqlite3.OperationalError):
            while self.armed < number:
                world.arm(self.chance.choice(FAIL), self.chance.choice(FAULTS), 1)
                self.armed += 1


# Processes


def _start(job: Callable[[], object]) -> int:
    from tests.rig.points import start_child

    return start_child(job)


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _worker(job_id: Any, slot: int) -> None:
    """What a worker does, without its queue: its slot of the job, the sweeps, the readings."""
    from django.db import close_old_connections, connections

    from leads.models import Job
    from leads.services.bulk import slices
    from leads.services.reconcile import reconcile

    rounds = 0
    if connections["default"].vendor == "sqlite":
        connections["default"].settings_dict["OPTIONS"]["timeout"] = 0.3
    while True:
        rounds += 1
        try:
            job = Job.objects.select_related("account", "actor", "approved_by").get(pk=job_id)
            rest = slices.work(job, slot)
            if rounds % 4 == slot:
                reconcile(only_due=True)
                slices.sweep()
            time.sleep(0.05 if rest else 0)
        except Exception:  # noqa: BLE001  (as the queue would: the task is over, the next one comes)
            connections.close_all()
            time.sleep(0.1)
        close_old_connections()


def _slow_app(app_for: Callable[[Path], Any], took: float, path: Path) -> Any:
    """The sandbox, which takes so many seconds for a call, most of them after it was done: there a death tells most."""
    app = app_for(path)

    def answer(*request: Any) -> Any:
        time.sleep(took / 4)
        answered = app(*request)
        time.sleep(3 * took / 4)
        return answered

    return answer


def _let_die_after_changes(share: float) -> None:
    """This share of the changes kills its worker when Kartra has made it and nobody knows: a kill from outside seldom
    comes just then."""
    from leads.providers.kartra.client import KartraClient
    from tests.rig import points

    call, chance = KartraClient.call, random.SystemRandom()  # what is forked would share another one's numbers

    def deadly(*given: Any, **named: Any) -> Any:
        answer = call(*given, **named)
        if named["is_write"] and chance.random() < share:
            points.die()
        return answer

    KartraClient.call = deadly  # type: ignore[method-assign]


def _without_pace(job: Any) -> float | None:
    from leads.models import Job

    return 0.0 if Job.objects.filter(pk=job.pk, state=job.state).exists() else None


def _not_struck() -> int:
    """How many of the faults that were armed hit no call."""
    with world.sandbox() as db:
        return int(db.execute("SELECT coalesce(sum(times), 0) FROM faults").fetchone()[0])


def _take_database_away(seconds: float) -> bool:
    """SQLite is locked by somebody for longer than the workers wait; PostgreSQL throws everybody out. False where it
    could not be done."""
    from django.db import connection, connections

    if connection.vendor == "sqlite":
        with suppress(sqlite3.OperationalError):
            other = sqlite3.connect(world.database_path(), isolation_level=None, timeout=5)
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            other.execute("ROLLBACK")
            other.close()
            return True
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connections.close_all()
    return True


# The leads, the job, the time


def _is_nobody(place: int) -> bool:
    return place % 100 == 99


def _is_new(place: int) -> bool:
    return place % 10 == 4


def _pasted(place: int) -> str:
    return f"9{place:09}" if _is_nobody(place) else PASTED[place % len(PASTED)].format(place)


def _make_leads(number: int) -> None:
    """Those of the leads that Kartra knows. Every tenth has the tag."""
    with world.sandbox() as db:
        row = dict(db.execute("SELECT * FROM leads WHERE account_id = 1 AND NOT deleted LIMIT 1").fetchone())
        facts = json.loads(row["facts"]) | {"score": "0"}
        tag = db.execute("SELECT id FROM tags WHERE account_id = 1 AND name = 'advanced'").fetchone()["id"]
        first = db.execute("SELECT max(id) + 1000 FROM leads").fetchone()[0]
        db.execute("BEGIN IMMEDIATE")
        for place in (place for place in range(number) if not _is_nobody(place) and not _is_new(place)):
            lead, email = first + place, f"lead{place}@bulk.example"
            own = json.dumps(facts | {"id": str(lead), "email": email})
            db.execute("INSERT INTO leads VALUES (?, 1, ?, ?, ?, 0)", (lead, email, own, row["custom"]))
            if place % 10 == 0:
                db.execute("INSERT INTO lead_tags VALUES (?, ?)", (lead, tag))
        db.execute("COMMIT")


def _lay_down(number: int) -> Any:
    from django.conf import settings

    from leads.bulk_actions import Action
    from leads.pasting import read_pasted
    from leads.providers.changes import AssignTag, GivePoints
    from leads.services.bulk import making

    settings.BULK_APPROVAL_ABOVE = number
    manager = world.person("manager")
    return making.create_job(
        actor=manager,
        account=manager.connection.account,
        job_id=uuid4(),
        name="Rig",
        who=read_pasted("\n".join(_pasted(place) for place in range(number))),
        actions=[Action(AssignTag("advanced")), Action(GivePoints(1))],
        creates_missing=True,
        pace=20,
    )


def _look(job: Any) -> tuple[str, int]:
    """The job's state, and how many leads are still to be read or done."""
    from django.db import Error, connections

    from leads.models import Job, JobLead

    try:
        state = Job.objects.values_list("state", flat=True).get(pk=job.pk)
        waiting = JobLead.objects.filter(job=job, state__in=("waiting", "unknown"))
        return state, waiting.filter(would="").count() if state == "checking" else waiting.count()
    except Error:
        connections.close_all()
        return "", -2


def _pass_time(by: timedelta) -> None:
    """The clock goes forward: the times that are waited for go back."""
    from django.db import Error, connections
    from django.db.models import F

    from leads.models import JobLead, JobSlot, Operation

    try:
        JobLead.objects.exclude(leased_until=None).update(leased_until=F("leased_until") - by)
        JobSlot.objects.update(leased_until=F("leased_until") - by)
        open_ones = Operation.objects.unsettled()
        for field in ("created_at", "sent_at", "next_reading_at"):
            open_ones.filter(**{f"{field}__isnull": False}).update(**{field: F(field) - by})
    except Error:
        connections.close_all()


def _settle_and_retry(job: Any) -> None:
    from leads.services.bulk import slices, steering
    from leads.services.reconcile import reconcile

    _pass_time(timedelta(hours=7))
    reconcile()
    slices.sweep()
    job.refresh_from_db()
    if job.leads.filter(state="failed").exists():
        steering.retry(actor=job.actor, job=job)


# What came of it


def _judge(job: Any) -> list[str]:
    from accounts.models import AuditEntry
    from leads.models import Operation
    from leads.selectors.job_progress import counts_of
    from leads.services.bulk import results

    job.refresh_from_db()
    wrong = [] if job.state == "done" else [f"the job is {job.state}: {job.sentence}"]
    with world.sandbox() as db:
        ids = {
            row["email_key"]: row["id"] for row in db.execute("SELECT id, email_key FROM leads WHERE account_id = 1")
        }
        given = Counter(row["lead_id"] for row in db.execute("SELECT lead_id FROM points"))
        tagged = {
            row["lead_id"]
            for row in db.execute(
                "SELECT lead_id FROM lead_tags JOIN tags ON tags.id = tag_id WHERE name = 'advanced' AND account_id = 1"
            )
        }
    rows = list(job.leads.order_by("position"))
    for row in rows:
        if _is_nobody(row.position):
            wrong += [f"{row} is {row.state}"] if row.state != "missing" else []
            continue
        lead = ids.get(f"lead{row.position}@bulk.example")
        if (row.state, given[lead], lead in tagged) != ("succeeded", 1, True):
            wrong.append(f"{row} is {row.state}, got points {given[lead]} times, tagged {lead in tagged}")
    counted = counts_of(job).by_state
    if counted != Counter(row.state for row in rows):
        wrong.append(f"the counts are {counted}")
    known = sum(not _is_nobody(row.position) for row in rows)
    done = Operation.objects.filter(label="Rig")
    carried_out = done.filter(steps__kind="points.give", steps__outcome="succeeded").count()
    if carried_out != known:
        wrong.append(f"{carried_out} operations say that they gave points, to {known} leads")
    given_points = AuditEntry.objects.readable().filter(action="points.give.succeeded")
    told = sum(entry.detail.get("label") == "Rig" for entry in given_points.iterator(chunk_size=500))
    if told != known:
        wrong.append(f"the log tells of points given {told} times")
    lines = list(results.export(actor=job.actor, job=job))
    if len(lines) != len(rows) + 1:
        wrong.append(f"the results have {len(lines)} lines")
    print(f"{counts_of(job).words}; {done.count()} operations, {Operation.objects.unsettled().count()} in doubt")
    return wrong[:40]
