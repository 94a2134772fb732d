"""What can be tested of the benches: the table that they make, and whose settings they measure. Never a speed."""

import subprocess
import sys
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR
from tests.bench import bench_clerks, table
from tests.bench.table import Line


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.504, "1.5"), (0.9912, "0.991"), (0.35, "0.35"), (1 / 47, "1/47"), (1 / 2000, "1/2,000"), (0, "0")],
)
def test_a_ratio_is_written_as_people_read_it(ratio: float, text: str) -> None:
    assert table.as_text(ratio) == text


@pytest.mark.parametrize(
    ("ratio", "at_least", "is_met"), [(1.4, False, True), (1.6, False, False), (1.6, True, True), (1.4, True, False)]
)
def test_a_missed_goal_is_said(ratio: float, at_least: bool, is_met: bool) -> None:
    shown = Line("x", ratio, "y", goal=1.5, at_least=at_least).shown_goal
    assert shown == ("at least 1.5" if at_least else "at most 1.5") + ("" if is_met else ": **missed**")


def test_all_that_was_said_is_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(table.TABLE, str(tmp_path / "lines"))
    table.say(Line("page", 1.25, "in turns", goal=1.5))
    table.say(Line("calls", 0.15, "counted"))
    sentence, _, *rows = table.as_markdown(table.read(tmp_path / "lines")).splitlines()
    assert sentence.startswith("Taken on 20")
    assert "processors and" in sentence
    assert rows[2:] == ["| page | 1.25 | at most 1.5 | in turns |", "| calls | 0.15 |  | counted |"]


def test_an_unknown_bench_is_named() -> None:
    command = [sys.executable, "-m", "tests.bench", "pages", "pgaes"]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such bench: pgaes. There are audit, bulk, calls, clerks, log, pacing, pages, search." in done.stderr


def test_the_clerks_are_served_as_the_operator_is_told_to_serve() -> None:
    application, *arguments = bench_clerks.recommended()
    assert application == "kartra_admin.wsgi:application"
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    assert given["--worker-class"] == "gthread"
    assert int(given["--workers"]) * int(given["--threads"]) >= bench_clerks.CLERKS
    assert "--bind" not in arguments
