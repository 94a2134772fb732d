"""Nudging the background worker. What is to be done stands in the database already, and is found without a nudge too.

So a queue that can't be reached is no reason to fail: the sweep does the work, at most a minute later.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

logger = logging.getLogger(__name__)

FIRST_READING_AFTER = timedelta(seconds=3)


def send_later(operation_id: UUID, at: datetime) -> None:
    """Have a held operation sent when its time has come."""
    _enqueue("send_operation", operation_id, at)


def begin_later(run_id: UUID, at: datetime) -> None:
    """Have a held run begun when its time has come."""
    _enqueue("begin_run", run_id, at)


def read_soon(operation_id: UUID) -> None:
    """Have an operation in doubt read for, a few seconds from now."""
    _enqueue("settle_operation", operation_id, timezone.now() + FIRST_READING_AFTER)


def work_on_job(job_id: UUID, number: int, after: float = 0.0) -> None:
    """Have a slot of a bulk job worked on, in so many seconds."""
    _enqueue("work_on_job", job_id, timezone.now() + timedelta(seconds=after) if after else None, number)


def read_told() -> None:
    """Have leads read again of which something was told."""
    _enqueue("read_told", None, None)


def run_import(import_id: int, after: float = 0.0) -> None:
    """Have an import gone on with, in so many seconds."""
    _enqueue("run_import", import_id, timezone.now() + timedelta(seconds=after) if after else None)


def look_for_work(after: timedelta) -> None:
    """Have jobs found that nobody is at."""
    _enqueue("look_for_work", None, timezone.now() + after)


def _enqueue(name: str, row_id: UUID | int | None, at: datetime | None, *more: int) -> None:
    try:
        from leads import tasks  # late: tasks call the services that call this

        getattr(tasks, name).using(run_after=at).enqueue(*([] if row_id is None else [str(row_id)]), *more)
    except Exception:
        logger.exception("could not queue %s; the sweep will do it", name)
