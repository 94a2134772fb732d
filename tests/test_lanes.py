"""No test is left out in silence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR
from tests import parts

pytestmark = pytest.mark.once

MARKERS = "[pytest]\nmarkers =\n    browser\n    postgres\n    once\n    redis\n"


def run(folder: Path, code: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """What pytest says of a file with this code, with our plugin and nothing else of ours."""
    (folder / "pytest.ini").write_text(MARKERS)
    (folder / "test_it.py").write_text(f"import pytest\n{code}\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.lanes", "-p", "no:django", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "PYTEST_"))}
    done = subprocess.run(
        [*command, "-q", *arguments, "--rootdir", str(folder), "-c", str(folder / "pytest.ini"), str(folder)],
        cwd=BASE_DIR,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "def test_it(): pytest.skip('no time')",
        "@pytest.mark.skip('no time')\ndef test_it(): pass",
        "@pytest.mark.skipif(True, reason='no time')\ndef test_it(): pass",
        "pytest.importorskip('no_such_module', reason='no time')\ndef test_it(): pass",
    ],
    ids=["skip", "mark", "condition", "module"],
)
def test_a_skip_fails(tmp_path: Path, code: str) -> None:
    code_of_exit, printed = run(tmp_path, code)
    assert code_of_exit in (1, 2)
    assert "no time" in printed


def test_what_this_machine_lacks_is_left_out_and_named(tmp_path: Path) -> None:
    code, printed = run(
        tmp_path, "@pytest.mark.browser\ndef test_it(): assert False\ndef test_other(): pass", CHROMIUM="/nowhere"
    )
    assert code == 0
    assert "1 passed, 1 deselected" in printed
    assert "LEFT OUT: browser tests. To run it, install Chromium" in printed


def test_no_test_skips_itself_on_another_machine() -> None:
    """Which would fail there and be seen nowhere else; this file alone writes of skips."""
    skips = re.compile(r"\b(?:mark\.skip|pytest\.skip|importorskip)")
    files = [path for path in (BASE_DIR / "tests").rglob("*.py") if path != Path(__file__)]
    assert [path.name for path in files if skips.search(path.read_text())] == []


def test_what_only_linux_tells_is_left_out_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("linux", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        assert ("linux" in {part.marker for part in parts.missing()}) is (platform != "linux")


def test_what_does_not_depend_on_the_database_is_run_once(tmp_path: Path) -> None:
    code = "@pytest.mark.postgres\ndef test_one(): pass\n" + "".join(
        f"@pytest.mark.{marker}\ndef test_{marker}(): assert False\n" for marker in ("browser", "once")
    )
    assert "1 passed, 2 deselected" in run(tmp_path, code, TEST_DATABASE_URL="postgres://nowhere/nothing")[1]


def test_each_marker_of_a_part_is_known_to_pytest(pytestconfig: pytest.Config) -> None:
    known = {line.split(":")[0] for line in pytestconfig.getini("markers")}
    assert {part.marker for part in parts.PARTS} <= known


def test_what_shares_one_redis_is_run_one_at_a_time(tmp_path: Path) -> None:
    """They empty it, and would take it from each other."""
    code = """import pathlib, time
@pytest.mark.redis
@pytest.mark.parametrize("number", range(4))
def test_it(number, mine=pathlib.Path("FOLDER", "mine")):
    mine.touch(exist_ok=False)
    time.sleep(0.05)
    mine.unlink()
"""
    spread = ("-p", "xdist", "-n", "2")
    done = run(tmp_path, code.replace("FOLDER", str(tmp_path)), *spread, TEST_REDIS_URL="redis://nowhere")
    assert "4 passed" in done[1]
