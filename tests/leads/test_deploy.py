"""A real worker, as ``manage.py worker`` starts it, told to end amid a job, as a deploy does; then another one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from django.conf import settings
from django.db import connection

from kartra_admin.settings import BASE_DIR
from leads.access import Desk
from leads.models import Job, Operation
from leads.providers.changes import AssignTag, GivePoints
from leads.providers.kartra.sandbox.state import connect
from leads.selectors.job_progress import counts_of
from leads.services.bulk import steering
from tests.leads.conftest import Sandbox
from tests.leads.services.bulk.conftest import TAG, _no_waiting, lay_down, work  # noqa: F401

LEADS, PATIENCE = 40, 60


@contextmanager
def worker(sandbox: Sandbox) -> Iterator[subprocess.Popen[bytes]]:
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
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
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


@pytest.mark.django_db(transaction=True)
def test_a_deploy_in_the_middle_of_a_run_lets_what_is_under_way_end_and_another_worker_goes_on(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    desk = desk_of("manager")
    with closing(connect(sandbox.path)) as db:
        found = db.execute("SELECT id FROM leads WHERE account_id = 1 AND NOT deleted ORDER BY id LIMIT ?", (LEADS,))
        ids = [row["id"] for row in found]
        before = dict(db.execute("SELECT lead_id, count(*) FROM points GROUP BY lead_id").fetchall())
    job = lay_down(desk, "\n".join(map(str, ids)), AssignTag(TAG), GivePoints(1), pace=5)

    def stands_at(state: str, done: int = 0) -> bool:
        job.refresh_from_db()
        return job.state == state and job.leads.filter(state="succeeded").count() >= done

    work(job)
    steering.start(actor=desk.user, job=job)
    with worker(sandbox) as first:
        wait_until(lambda: stands_at("running", done=3))
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE) == 0
    assert stands_at("running", done=3)
    assert job.leads.filter(state="waiting", leased_until=None).count() == counts_of(job).waiting > 0
    assert not Operation.objects.unsettled().exists()

    steering.set_pace(actor=desk.user, job=job, pace=Job.FASTEST)
    with worker(sandbox):
        wait_until(lambda: stands_at("done"))
    assert counts_of(job).words == f"{LEADS} done"
    with closing(connect(sandbox.path)) as db:
        after = dict(db.execute("SELECT lead_id, count(*) FROM points GROUP BY lead_id").fetchall())
    assert {pk: after.get(pk, 0) - before.get(pk, 0) for pk in ids} == dict.fromkeys(ids, 1)
