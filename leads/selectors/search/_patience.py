"""Questions that are given up when they take too long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

_STEPS = 20_000  # of SQLite's machine, between two looks at the clock


class TookTooLong(Exception):
    """The database was stopped."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop whatever is asked of the database inside after so many seconds. Raises `TookTooLong`."""
    until = time.monotonic() + seconds
    try:
        if connection.vendor == "sqlite":
            connection.ensure_connection()
            connection.connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
            try:
                yield
            finally:
                connection.connection.set_progress_handler(None, 0)
        else:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
                yield
    except OperationalError:
        if time.monotonic() < until:
            raise
        raise TookTooLong from None
