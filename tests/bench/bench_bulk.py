"""The limit while bulk runs: 4 worker processes, a Kartra that answers after 0.3 s, and a clerk who wants to read.

Counted by the server, by when each call arrived: the share of the limit that bulk reaches once it is warm; of all calls
since the workers were started, the most in any second and the answers of 429. And how much longer a clerk's whole call
takes than without bulk, from asking to the lead, the server's 0.3 s among it. On SQLite, and on PostgreSQL where
TEST_POSTGRES_URL names one.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.bench import stage
from tests.bench.table import Line, say

RATE, CALL, WORKERS = 20, 0.3, 4
LEADS = 1500
WARM, SECONDS = 6.0, 1.008 * float(os.environ.get("BENCH_SECONDS", "40"))
CLERK_EVERY = 0.7
LONGER_AT_MOST = 0.1
HOW = f"{WORKERS} worker processes, calls of {CALL} s, {SECONDS:.0f} s counted by the sandbox server"
SINCE = f"{WORKERS} worker processes, calls of {CALL} s, all calls since they started, counted by the sandbox server"


def measure(lane: str, folder: Path) -> None:
    with stage.sandbox(folder, leads=LEADS, answers_after=CALL, calls_per_second=RATE) as address:
        stage.open_desk(folder, address, KARTRA_CALLS_PER_SECOND=str(RATE), REFRESH_SHARE="0", WORKER_THREADS="5")
        job, clerk = _lay_down(stage.sandbox_file(folder))
        alone = clerk.calls(15.0)
        began = time.time()
        workers = [subprocess.Popen([sys.executable, "manage.py", "worker"]) for _ in range(WORKERS)]
        try:
            _wait_until_it_runs(job)
            time.sleep(WARM)
            start = time.time()
            beside = clerk.calls(SECONDS)
            _tell(lane, stage.sandbox_file(folder), began, start, alone, beside)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def _tell(
    lane: str, sandbox: Path, began: float, start: float, alone: Sequence[float], beside: Sequence[float]
) -> None:
    from leads.providers.kartra.sandbox.state import connect

    with closing(connect(sandbox)) as db:
        rows = db.execute("SELECT at, admitted FROM calls WHERE at >= ? ORDER BY at", (began,)).fetchall()
    times = [row["at"] for row in rows]
    most = _most_in_a_second(times)
    reached = sum(start <= at < start + SECONDS for at in times) / SECONDS / RATE
    refused = sum(not row["admitted"] for row in rows) / len(rows)
    longer = (_p95(beside) - _p95(alone)) / LONGER_AT_MOST
    say(Line(f"bulk: calls a second, to the limit, {lane}", reached, HOW, goal=0.99, at_least=True))
    say(Line(f"bulk: most calls in any one second, to the limit, {lane}", most / RATE, SINCE, goal=1))
    say(Line(f"bulk: answers of 429, to all, {lane}", refused, SINCE, goal=0))
    how = f"a lead read by a clerk, the whole call of {len(beside)} beside bulk, less that of {len(alone)} without"
    say(Line(f"bulk: how much longer a clerk's call takes at p95, to 100 ms, {lane}", max(longer, 0), how, goal=1))


def _most_in_a_second(times: Sequence[float]) -> int:
    """Of times in order, the most in any window of one second."""
    first, most = 0, 0
    for place, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        most = max(most, place - first + 1)
    return most


def _p95(calls: Sequence[float]) -> float:
    return sorted(calls)[int(len(calls) * 0.95)]


# The job and the clerk


class Clerk:
    """Reads a lead now and then, as a page does."""

    def __init__(self, connection: Any, lead_id: str) -> None:
        self._connection = connection
        self._lead_id = lead_id

    def calls(self, seconds: float) -> list[float]:
        """How long each call took, in seconds."""
        from leads.providers.base import LeadRef
        from leads.wiring import provider_for

        took = []
        chance = random.Random(1)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            provider = provider_for(self._connection)
            asked = time.monotonic()
            provider.get_lead(LeadRef(id=self._lead_id))
            took.append(time.monotonic() - asked)
            time.sleep(CLERK_EVERY * chance.uniform(0.2, 0.8))
        return took


def _lay_down(sandbox: Path) -> tuple[Any, Clerk]:
    """A job that was checked and started, without the time that takes."""
    from uuid import uuid4

    from leads.bulk_actions import Action
    from leads.models import Job
    from leads.pasting import read_pasted
    from leads.providers.changes import GivePoints
    from leads.providers.kartra.sandbox.state import connect
    from leads.services.bulk import making

    manager = stage.seat("manager")
    with closing(connect(sandbox)) as db:
        ids = [str(row["id"]) for row in db.execute("SELECT id FROM leads WHERE account_id = 1 AND NOT deleted")]
    job = making.create_job(
        actor=manager, account=manager.connection.account, job_id=uuid4(), name="Bench",
        who=read_pasted("\n".join(ids)), actions=[Action(GivePoints(1))], creates_missing=False, pace=20,
    )  # fmt: skip
    job.leads.update(would="change")
    Job.objects.update(state="running", started_at=job.created_at)
    return job, Clerk(manager.connection, ids[0])


def _wait_until_it_runs(job: Any) -> None:
    for _ in range(600):
        if job.leads.exclude(state="waiting").exists():
            return
        time.sleep(0.2)
    raise SystemExit("The workers did not begin.")


if __name__ == "__main__":
    sys.exit(stage.on_each_database(measure))
