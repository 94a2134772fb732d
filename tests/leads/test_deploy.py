"""A real worker, as ``manage.py worker`` starts it, told to end amid a job, as a deploy does, or killed amid its calls;
then another one."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F

from kartra_admin.settings import BASE_DIR
from leads.access import Desk
from leads.models import Job, JobLead, JobSlot, Operation
from leads.providers.changes import AssignTag, GivePoints
from leads.providers.kartra.sandbox.faults import arm
from leads.providers.kartra.sandbox.server import running
from leads.providers.kartra.sandbox.state import connect
from leads.selectors.job_progress import counts_of
from leads.services.bulk import steering
from tests.entries import entries_with
from tests.leads.conftest import Sandbox
from tests.leads.services.bulk.conftest import TAG, _no_waiting, lay_down, work  # noqa: F401

LEADS, PATIENCE = 40, 60


@contextmanager
def worker(sandbox: Sandbox, **also: str) -> Iterator[subprocess.Popen[bytes]]:
    """With the tests' database, sandbox and keys, and a queue of its own."""
    database = connection.settings_dict
    is_file = connection.vendor == "sqlite"
    address = os.environ.get("TEST_DATABASE_URL", "").rpartition("/")[0]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kartra_admin.settings",
        "LOG_LEVEL": "WARNING",
        "DATA_DIR": str(sandbox.path.parent),
        "DATABASE_URL": f"sqlite:///{database['NAME']}" if is_file else f"{address}/{database['NAME']}",
        "KARTRA_APP_ID": settings.KARTRA_APP_ID,
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
        **also,
    }
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=BASE_DIR, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def points_of(sandbox: Sandbox) -> Counter[int]:
    """How often points were given, as the sandbox has it."""
    with closing(connect(sandbox.path)) as db:
        return Counter(row["lead_id"] for row in db.execute("SELECT lead_id FROM points"))


def start_job(desk: Desk, sandbox: Sandbox, number: int, **also: Any) -> tuple[Job, list[int]]:
    """Points for so many leads, checked and started."""
    with closing(connect(sandbox.path)) as db:
        found = db.execute("SELECT id FROM leads WHERE account_id = 1 AND NOT deleted ORDER BY id LIMIT ?", (number,))
        ids = [row["id"] for row in found]
    job = lay_down(desk, "\n".join(map(str, ids)), AssignTag(TAG), GivePoints(1), **also)
    work(job)
    steering.start(actor=desk.user, job=job)
    return job, ids


def stands_at(job: Job, state: str, done: int = 0) -> bool:
    job.refresh_from_db()
    return job.state == state and job.leads.filter(state="succeeded").count() >= done


@pytest.mark.django_db(transaction=True)
def test_a_deploy_in_the_middle_of_a_run_lets_what_is_under_way_end_and_another_worker_goes_on(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    desk, before = desk_of("manager"), points_of(sandbox)
    job, ids = start_job(desk, sandbox, LEADS, pace=5)
    with worker(sandbox) as first:
        wait_until(lambda: stands_at(job, "running", done=3))
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE) == 0
    assert stands_at(job, "running", done=3)
    assert job.leads.filter(state="waiting", leased_until=None).count() == counts_of(job).waiting > 0
    assert not Operation.objects.unsettled().exists()

    steering.set_pace(actor=desk.user, job=job, pace=Job.FASTEST)
    with worker(sandbox):
        wait_until(lambda: stands_at(job, "done"))
    assert counts_of(job).words == f"{LEADS} done"
    assert {pk: points_of(sandbox)[pk] - before[pk] for pk in ids} == dict.fromkeys(ids, 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_amid_calls_loses_nothing_and_does_nothing_twice(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    """Of two calls that Kartra carries out and answers late, of what was between reading and sending, and of a call
    that the kill may have met."""
    desk, before = desk_of("manager"), points_of(sandbox)
    job, ids = start_job(desk, sandbox, LEADS, pace=Job.FASTEST)
    arm(sandbox.path, "give_points_to_lead", "late", 2, seconds=20)
    with running(sandbox.path) as address, worker(sandbox, KARTRA_API_URL=f"{address}/api") as first:
        wait_until(lambda: stands_at(job, "running", done=3) and late_ones(job, sandbox, before) == 2)
        first.kill()
        assert first.wait(PATIENCE) == -signal.SIGKILL
    assert late_ones(job, sandbox, before) >= 2
    assert stands_at(job, "running", done=3)

    pass_time(timedelta(minutes=10))
    with worker(sandbox):
        wait_until(lambda: stands_at(job, "done"))
    assert counts_of(job).words == f"{LEADS} done"
    assert not Operation.objects.unsettled().exists()
    assert {pk: points_of(sandbox)[pk] - before[pk] for pk in ids} == dict.fromkeys(ids, 1)
    assert len(entries_with("points.give.succeeded", label=job.name)) == LEADS


def late_ones(job: Job, sandbox: Sandbox, before: Counter[int]) -> int:
    """How many leads have got their points without anybody here knowing."""
    given = {str(pk) for pk, times in points_of(sandbox).items() if times > before[pk]}
    pending = Operation.objects.filter(outcome="pending", label=job.name).values_list("lead_id", flat=True)
    return len(given & set(pending))


def pass_time(by: timedelta) -> None:
    """What a killed worker held lapses."""
    JobLead.objects.exclude(leased_until=None).update(leased_until=F("leased_until") - by)
    JobSlot.objects.update(leased_until=F("leased_until") - by)
    Operation.objects.unsettled().update(created_at=F("created_at") - by, sent_at=F("sent_at") - by)
