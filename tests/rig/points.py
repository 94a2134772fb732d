"""The steps of the write path, and what can be made to happen there: death, a locked database, a long sleep."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from django.db import OperationalError, connection, connections

from leads.providers.kartra.client import KartraClient
from leads.services import _operations, approvals, held, runs, settling
from tests.rig import world

Job = Callable[[], object]


class Point(NamedTuple):
    """Just before or after a function is called, the first time that ``only`` holds for what it is called with."""

    owner: Any
    function: str
    when: str
    only: Callable[[tuple[Any, ...], Mapping[str, Any]], bool] = lambda args, kwargs: True


def _logs(*outcomes: str) -> Callable[[tuple[Any, ...], Mapping[str, Any]], bool]:
    return lambda args, kwargs: args[1] in outcomes


def _is_write(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return bool(kwargs["is_write"])


CONFIRMING = {
    "before intent": Point(_operations, "record", "before"),
    "inside intent": Point(_operations, "log_step", "before", _logs("requested")),
    "after intent": Point(_operations, "record", "after"),
}
CLAIMING = {
    "before claim": Point(_operations, "claim", "before"),
    "after claim": Point(_operations, "claim", "after"),
    "after check": Point(held, "_check_again", "after"),
}
SENDING = {
    "before send": Point(_operations, "send", "before"),
    "inside leaving": Point(_operations, "log_step", "before", _logs("sent")),
    "before wire": Point(KartraClient, "call", "before", _is_write),
    "after wire": Point(KartraClient, "call", "after", _is_write),
    "before outcome": Point(_operations, "_record_outcome", "before"),
    "inside outcome": Point(_operations, "log_step", "before", _logs("succeeded", "failed", "unknown")),
    "after outcome": Point(_operations, "_record_outcome", "after"),
}
SETTLING = {
    "before reading": Point(settling, "_read", "before"),
    "after reading": Point(settling, "_read", "after"),
    "inside verdict": Point(settling, "log_step", "before"),
    "after verdict": Point(settling, "settle", "after"),
}

DECIDING = {
    "before request": Point(approvals, "_record_request", "before"),
    "inside request": Point(approvals, "_log", "before"),
    "after request": Point(approvals, "_record_request", "after"),
    "before decision": Point(approvals, "_run", "before"),
    "inside decision": Point(approvals, "_take", "after"),
}
RUNNING = {
    "before run": Point(runs, "begin", "before"),
    "inside run": Point(runs, "_log", "before"),
    "before part": Point(runs, "_attempt", "before"),
    "after part": Point(runs, "_attempt", "after"),
    "before stock": Point(runs, "_take_stock", "before"),
}
# Of a playbook that was held back.
BEGINNING = {
    "before begin": Point(runs, "_begin_due", "before"),
    "after begin": Point(runs, "_go_on_for_actor", "before"),
}


@contextmanager
def at(point: Point, action: Job) -> Iterator[None]:
    """Let ``action`` happen at the point, once."""
    original = getattr(point.owner, point.function)
    once = threading.Lock()

    def fire(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if point.only(args, kwargs) and once.acquire(blocking=False):
            action()

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if point.when == "before":
            fire(args, kwargs)
            return original(*args, **kwargs)
        try:
            return original(*args, **kwargs)
        finally:
            fire(args, kwargs)

    setattr(point.owner, point.function, wrapped)
    try:
        yield
    finally:
        setattr(point.owner, point.function, original)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(job: Job) -> bool:
    """Do it in a process of its own, and wait until that has ended: whether it was killed."""
    return wait_for(start_child(job))


def start_child(job: Job) -> int:
    connections.close_all()
    process = os.fork()
    if process:
        return process
    with suppress(BaseException):  # what a web server or a worker would log
        job()
    os._exit(0)


def wait_for(process: int) -> bool:
    """Until it has ended: whether it was killed."""
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def together(jobs: list[Job], *, in_processes: bool) -> None:
    """All at the same moment."""
    if in_processes:
        for process in [start_child(job) for job in jobs]:
            wait_for(process)
        return
    barrier = threading.Barrier(len(jobs))

    def run(job: Job) -> None:
        try:
            barrier.wait()
            with suppress(Exception):
                job()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Lock:
    """Somebody else holds the database, from when it is called for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._thread: threading.Thread | None = None

    def __call__(self) -> None:
        held = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(held,))
        self._thread.start()
        held.wait(0.2)  # a transaction that is open here keeps it from locking

    def wait(self) -> None:
        if self._thread:
            self._thread.join()

    def _hold(self, held: threading.Event) -> None:
        if connection.vendor == "sqlite":
            other = sqlite3.connect(world.database_path(), isolation_level=None, timeout=5)
            other.execute("BEGIN EXCLUSIVE")
            held.set()
            time.sleep(self._seconds)
            other.execute("ROLLBACK")
            other.close()
            return
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE leads_operation IN ACCESS EXCLUSIVE MODE")
            held.set()
            time.sleep(self._seconds)
            cursor.execute("ROLLBACK")
        connections.close_all()


@contextmanager
def impatient() -> Iterator[None]:
    """Whoever meets a lock gives up almost at once, with an error."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 20" if is_sqlite else "SET lock_timeout = '20ms'")
    try:
        with suppress(OperationalError):
            yield
    finally:
        connections.close_all()
