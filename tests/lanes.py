"""Pytest plugin: which tests belong to this run, and no other way to leave one out.

A run is on SQLite, or on PostgreSQL where TEST_DATABASE_URL says so. What does not depend on the database (Chromium,
PHP, Redis, the providers, which know no models, and what is marked so) is run on SQLite only. Tests whose part is
missing are deselected and the part is named in the last lines; anything else that skips itself fails, since a skipped
test looks like a passed one.
"""

import fcntl
import os
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests import parts

_ON_POSTGRES = os.environ.get("TEST_DATABASE_URL", "").startswith("postgres")
_PROVIDERS = Path(__file__).parent / "leads" / "providers"
# Its tests take minutes each. At the end of a run one worker would be at them alone, so they come first.
_LONGEST = "test_rig.py"
_REDIS_IS_MINE = Path(tempfile.gettempdir(), "kartra-admin-tests-of-redis.lock")
_HIDDEN = "A test may be left out only by a marker of tests/parts.py, not by a skip: "


def pytest_configure() -> None:
    """What a shell starts with ``&`` ignores Ctrl-C; the programs that tests start and stop must not inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _ON_POSTGRES:
        elsewhere = {"browser", "php", "redis", "once"}
    else:
        elsewhere = {"postgres"} | {part.marker for part in parts.missing()}
    left_out = [
        item
        for item in items
        if any(item.get_closest_marker(marker) for marker in elsewhere)
        or (_ON_POSTGRES and _PROVIDERS in item.path.parents and "db" not in getattr(item, "fixturenames", ()))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.path.name != _LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What uses Redis is run one at a time by all workers together, for each of these tests empties it."""
    if not item.get_closest_marker("redis"):
        return (yield)
    with _REDIS_IS_MINE.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{_HIDDEN}{report.longreprtext}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{_HIDDEN}{report.longreprtext}"
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was left out; `run.py` says it itself, after its last lane."""
    if "TEST_LANES" not in os.environ:
        for part in parts.missing():
            terminalreporter.write_line(parts.left_out_line(part), yellow=True, bold=True)
