"""What can be tested of the benches: that they start, the table that they make, and whose settings they measure.
Never a speed."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from accounts.models import Account
from kartra_admin.settings import BASE_DIR
from leads.models import Entry
from leads.selectors import search
from tests.bench import bench_bulk, bench_clerks, million, table
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


@pytest.mark.parametrize("path", sorted((BASE_DIR / "tests" / "bench").glob("bench_*.py")), ids=lambda path: path.stem)
def test_every_bench_can_be_begun(path: Path) -> None:
    assert importlib.import_module(f"tests.bench.{path.stem}").__doc__


@pytest.mark.django_db(transaction=True)  # SQLite makes no index within a transaction
def test_the_measured_directory_is_searched_like_any_other() -> None:
    account = Account.objects.create(provider="kartra", name="One", fingerprint="1" * 64)
    million.build(account, 50)
    assert Entry.objects.count() == 50
    for entry in Entry.objects.all():
        hits = search.find(account, entry.name, wanted=50).hits
        assert entry.name in {hit.entry.name for hit in hits}


@pytest.mark.parametrize(
    ("times", "most"),
    [([], 0), ([5.0], 1), ([0.0, 0.5, 0.999, 1.0], 3), ([0.0, 1.0, 2.0], 1), ([0.0] * 30 + [9.0], 30)],
)
def test_the_most_calls_in_any_second_are_counted_over_all_of_them(times: list[float], most: int) -> None:
    assert bench_bulk._most_in_a_second(times) == most
