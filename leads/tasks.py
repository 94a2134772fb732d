"""Work in the background. A task takes ids and calls a service; each may run twice, late, or in two workers at once.

The rows are what counts: a queued task is only a nudge at the right second, and the sweeps, once a minute, find what a
killed worker or a lost queue left behind. Money goes before readings, readings before bulk; what lasts takes all
threads of a worker but one.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django_tasks import task
from huey import crontab
from huey.contrib.djhuey import HUEY, db_periodic_task

from accounts.services import checkpoints, sessions
from leads.models import Heartbeat, Job, PlaybookRun
from leads.services import (
    _queue,
    approvals,
    events,
    forgetting,
    heartbeats,
    held,
    reading_back,
    reconcile,
    refreshing,
    runs,
    unusual,
)
from leads.services.bulk import approving, slices
from leads.services.imports import running as importing

MONEY, READING = 100, 50
REFRESH_LATER = timedelta(seconds=1)

_ROOM = threading.BoundedSemaphore(max(1, settings.WORKER_THREADS - 1))


@contextmanager
def room() -> Iterator[bool]:
    """A thread for what lasts some seconds; False where only the one is left that money may need."""
    has_room = _ROOM.acquire(blocking=False)
    try:
        yield has_room
    finally:
        if has_room:
            _ROOM.release()


@task(priority=MONEY)
def send_operation(operation_id: str) -> None:
    """Send one operation whose time to take it back is over, and what follows it."""
    held.send_due_operations(only=UUID(operation_id))
    runs.attend_all()


@task(priority=MONEY)
def begin_run(run_id: str) -> None:
    """Begin one run whose time to take it back is over."""
    runs.attend(PlaybookRun.objects.get(pk=run_id))


@task(priority=READING)
def settle_operation(operation_id: str) -> None:
    """Read for the outcome of one operation, and do what follows it."""
    reconcile.reconcile(only_due=True, only=UUID(operation_id))
    runs.attend_all()


@task
def work_on_job(job_id: str, number: int) -> None:
    """Work on a slot of a bulk job for some seconds, then make room for others and come again."""
    with room() as has_room:
        job = Job.objects.select_related("account", "actor", "approved_by").filter(pk=job_id).first()
        again = 1.0 if not has_room else slices.work(job, number) if job else None
    if again is not None:
        _queue.work_on_job(UUID(job_id), number, again)


@task
def look_for_work() -> None:
    """What a worker does when it starts, and again once the leases of one that was killed have lapsed."""
    slices.sweep()
    importing.sweep()


@task
def run_import(import_id: str) -> None:
    """Go on with an import for some seconds, then make room for others and come again."""
    with room() as has_room:
        again = importing.work(int(import_id)) if has_room else True
    if again:
        _queue.run_import(int(import_id), after=0.0 if has_room else 1.0)


@task
def refresh_directory(until: float) -> None:
    """Read leads again for some seconds, then make room for others and come again, for the rest of the minute."""
    with room() as has_room:
        has_more = refreshing.work() if has_room else True
    if has_more and time.time() + refreshing.SECONDS < until:
        refresh_directory.using(run_after=None if has_room else timezone.now() + REFRESH_LATER).enqueue(until)


@task
def read_told() -> None:
    """Read at once what something was told of; what one slice cannot read comes with the next minute."""
    with room() as has_room:
        if has_room:
            refreshing.work()


@db_periodic_task(crontab())
def refresh_now_and_then() -> None:
    """Ends before it is begun anew, so that the readings of two minutes never run side by side."""
    refresh_directory.enqueue(time.time() + 55)


@db_periodic_task(crontab(), priority=MONEY)
def send_due() -> None:
    held.send_due_operations()
    heartbeats.beat(Heartbeat.WORKER)


@db_periodic_task(crontab(), priority=READING)
def settle_due() -> None:
    reconcile.reconcile(only_due=True)
    reading_back.read_back_due()
    heartbeats.beat(Heartbeat.RECONCILIATION)


@db_periodic_task(crontab(), priority=READING)
def go_on_with_runs() -> None:
    runs.attend_all()


@db_periodic_task(crontab(), priority=READING)
def sweep_approvals() -> None:
    """Send what its only approver let through and has cooled; close what nobody decided in time."""
    approvals.run_cooled()
    approvals.expire_old()
    approving.expire_old()


@db_periodic_task(crontab(), priority=READING)
def sweep_jobs() -> None:
    slices.sweep()
    importing.sweep()


@db_periodic_task(crontab(), priority=READING)
def sign_the_log() -> None:
    checkpoints.attend()


@db_periodic_task(crontab())
def forget_people() -> None:
    forgetting.forget_due()


@db_periodic_task(crontab(minute="*/5"))
def look_for_unusual() -> None:
    unusual.look()


@db_periodic_task(crontab(hour="4", minute="0"))
def prune() -> None:
    """Forget what the engine keeps of each task, which nobody asks for: what was done stands with the operation. And
    sessions that ran out."""
    HUEY.storage.flush_results()
    sessions.prune()


@db_periodic_task(crontab(minute="17"))
def prune_what_came_in() -> None:
    """Forget what Kartra told long ago, or more of it than is kept, and the lines of old imports."""
    events.prune()
    importing.prune()
