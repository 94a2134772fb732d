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


def read_soon(operation_id: UUID) -> None:
    """Have an operation in doubt read for, a few seconds from now."""
    _enqueue("settle_operation", operation_id, timezone.now() + FIRST_READING_AFTER)


def _enqueue(name: str, operation_id: UUID, at: datetime) -> None:
    try:
        from leads import tasks  # late: tasks call the services that call this

        getattr(tasks, name).using(run_after=at).enqueue(str(operation_id))
    except Exception:
        logger.exception("could not queue %s; the sweep will do it", name)
