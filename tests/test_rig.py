"""The fault rig, for as long as a build may take, and proof that it would notice."""

import os
import subprocess
import sys

import pytest

from kartra_admin.settings import BASE_DIR

_SABOTAGED = """
import sys
from tests.rig import __main__ as rig, world
opened = world.opened
from contextlib import contextmanager
@contextmanager
def sabotaged():
    with opened():
        from leads.services import _operations, settling
        {0}
        yield
world.opened = sabotaged
sys.exit(rig.main())
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, and kills its children. With a database of its own, beside the tests'."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    environment["DATA_DIR"] = str(os.environ["DATA_DIR"])
    return subprocess.run(
        [sys.executable, *command],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize(
    ("runs", "parts"), [(1100, ["faults"]), (500, ["killed", "stalled"]), (400, ["at once", "locked"])]
)
def test_no_act_is_done_twice_lost_or_misjudged(runs: int, parts: list[str]) -> None:
    done = run("-m", "tests.rig", "--runs", str(runs), "--part", *parts)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("runs", "part", "sabotage"),
    [
        (20, "faults", "settling._is_refunded = lambda step, reading: True"),
        (15, "at once", "_operations.claim = lambda operation: True"),
        (30, "stalled", "_operations._is_given_up = lambda operation: False"),
    ],
)
def test_the_rig_notices_what_is_broken(runs: int, part: str, sabotage: str) -> None:
    done = run("-c", _SABOTAGED.format(sabotage), "--runs", str(runs), "--part", part)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout
