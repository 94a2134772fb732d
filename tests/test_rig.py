"""The fault rig, for as long as a build may take, and proof that it would notice."""

import os
import re
import subprocess
import sys
from argparse import Namespace

import pytest
from django.db import connection

from kartra_admin.settings import BASE_DIR
from tests.rig.bulk import Crew

pytestmark = pytest.mark.timeout(660)

_SABOTAGED = """
import sys
from tests.rig import __main__ as rig, world
opened = world.opened
from contextlib import contextmanager
@contextmanager
def sabotaged():
    with opened():
        from leads.services import _operations, approvals, runs, settling
        {0}
        yield
world.opened = sabotaged
sys.exit(rig.main())
"""

# Two minutes without a row are taken for proof that no money moved.
_ABSENT_IS_FAILED = (
    "verdict = settling._verdict; settling._verdict = lambda step, reading, *, is_old: 'failed' if is_old and"
    " verdict(step, reading, is_old=is_old) == 'unknown' else verdict(step, reading, is_old=is_old)"
)


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
    ("runs", "parts"), [(650, ["faults"]), (200, ["killed"]), (400, ["stalled", "at once", "locked"])]
)
def test_no_act_is_done_twice_lost_or_misjudged(runs: int, parts: list[str]) -> None:
    """Two thousand runs on both databases together, each with a seed of its own; PostgreSQL takes twice as long. On
    both each act is killed at each of its steps, and meets each fault of each of its calls."""
    if connection.vendor == "postgresql" and parts != ["killed"]:
        runs = runs * 3 // 5
    done = run("-m", "tests.rig", "--seed", connection.vendor, "--runs", str(runs), "--part", *parts)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    ("runs", "part", "act", "sabotage"),
    [
        (10, "faults", "refund all", "settling._is_refunded = lambda step, reading: True"),
        (20, "faults", "refund all", _ABSENT_IS_FAILED),
        (15, "at once", "refund part", "_operations.claim = lambda operation: True"),
        (15, "stalled", "pause", "_operations._leaves = lambda operation, steps: True"),
        (20, "stalled", "refund part", "_operations.LEAVES_WITHIN = 1e9"),
        (10, "at once", "approval", "approvals._take = lambda *given, **also: None"),
        (20, "faults", "cancel+refund", "runs._attend = lambda progress: None"),
        (10, "killed", "playbook", "runs._take_stock = lambda progress: progress"),
    ],
)
def test_the_rig_notices_what_is_broken(runs: int, part: str, act: str, sabotage: str) -> None:
    done = run("-c", _SABOTAGED.format(sabotage), "--runs", str(runs), "--part", part, "--act", act)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout


_BULK = ["bulk", "--leads", "150", "--kills", "8", "--faults", "30", "--away", "2"]


def test_a_bulk_run_does_every_lead_once_though_its_workers_are_killed() -> None:
    done = run("-m", "tests.rig", *_BULK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "150 leads, 8 kills, 30 faults, database away 2 times" in done.stdout


def test_the_bulk_rig_says_what_trouble_there_was_not() -> None:
    crew = Crew(Namespace(seed="1", kills=5, faults=3, away=2))
    crew.killed, crew.armed, crew.away = 4, 3, 0
    assert crew.left_undone() == [
        "only 4 of 5 kills: the job was over before",
        "only 0 of 2 away: the job was over before",
    ]


@pytest.mark.once
@pytest.mark.parametrize(
    "sabotage",
    [
        "import uuid; from leads.models import JobLead; JobLead.id_of_attempt = lambda self, attempt: uuid.uuid4()",
        "from leads.services.bulk import one; one._is_worth_another = lambda operation: True;"
        " settling._verdict = lambda step, reading, *, is_old: 'failed'",
    ],
    ids=["every worker makes an operation of its own", "what nobody answered counts as not done"],
)
def test_the_bulk_rig_notices_what_is_broken(sabotage: str) -> None:
    done = run("-c", _SABOTAGED.format(sabotage), *_BULK)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search("got points [2-9] times", done.stdout), done.stdout + done.stderr


_KEYS = ["keys", "--secrets", "400", "--kills", "12", "--within", "0.3"]


def test_no_secret_is_lost_though_the_rotation_of_keys_is_killed() -> None:
    done = run("-m", "tests.rig", *_KEYS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "400 secrets, 12 kills in " in done.stdout
    assert " 0 unreadable, 0 left" in done.stdout


@pytest.mark.once
@pytest.mark.parametrize(
    ("sabotage", "found"),
    [
        (
            "from accounts import seals; from accounts.services import rotation;"
            " rotation._reseal_connection = lambda row: type(row).objects.filter(pk=row.pk).update("
            "sealed_key=seals.keyring().seal('lost', bound_to='nowhere'))",
            "secrets do not open, or are not what they were, after kill",
        ),
        ("from accounts.services import rotation; rotation._reseal = lambda row, kind: 0", "secrets on an older key"),
        (
            "from accounts.services import checkpoints; checkpoints.turn_key = lambda: None",
            "signing key alone: Entry 1:",
        ),
    ],
    ids=[
        "the new seal is bound to another place",
        "what lies in JSON is passed by",
        "no key vouches for the one before",
    ],
)
def test_the_rig_of_keys_notices_what_is_broken(sabotage: str, found: str) -> None:
    code = _SABOTAGED.replace("from leads.services import _operations, approvals, runs, settling", "pass")
    done = run("-c", code.format(sabotage), *_KEYS[:3], "--kills", "3", "--within", "0.3")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(f"WRONG: .*{found}", done.stdout), done.stdout + done.stderr
