"""What serves the desk: a web server and a worker that is kept running."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run
from kartra_admin.settings import BASE_DIR

pytestmark = pytest.mark.once
_PARTS = """
import sys
sys.path.insert(0, {root!r})
import run

run.ROOT, run.AGAIN_AFTER = run.Path({folder!r}), 0.2
child = "import os, signal, sys, time; leave = lambda name: print(os.getpid(), file=open(name, 'w'), flush=True);" \\
    "signal.signal(signal.SIGTERM, lambda *_: (leave(sys.argv[1]), sys.exit()));" \\
    "leave(sys.argv[1] + '-up'); time.sleep(float(sys.argv[2]))"
lives = {lives!r}
sys.exit(run.run_together(
    {{name: [sys.executable, "-c", child, name, str(seconds)] for name, seconds in lives.items()}}, None,
    lambda: print("ready", flush=True) or True,
))
"""


def start(folder: Path, **lives: float) -> subprocess.Popen[str]:
    """Programs that live for so many seconds, and leave a file of their name where they were ended in good order."""
    code = _PARTS.format(root=str(BASE_DIR), folder=str(folder), lives=lives)
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 20
    while not all((folder / f"{name}-up").exists() for name in lives):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_web_and_worker_end_in_good_order_when_told(tmp_path: Path, number: signal.Signals) -> None:
    running = start(tmp_path, web=60, worker=60)
    os.killpg(running.pid, number)
    said, errors = running.communicate(timeout=20)
    assert (running.returncode, said.split()) == (0, ["ready", "Ended."])
    assert errors == ""
    assert (tmp_path / "web").exists()
    assert (tmp_path / "worker").exists()


def test_when_the_web_server_ends_all_ends_and_it_is_said(tmp_path: Path) -> None:
    running = start(tmp_path, web=0.5, worker=60)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 1
    assert errors == "The web ended by itself, so everything ends. The lines above say why.\n"
    assert (tmp_path / "worker").exists()


def test_a_worker_that_dies_comes_back_and_the_web_server_stays(tmp_path: Path) -> None:
    running = start(tmp_path, web=60, worker=60)
    web, workers = pid_in(tmp_path / "web-up"), [pid_in(tmp_path / "worker-up")]
    for _ in range(2):
        (tmp_path / "worker-up").unlink()
        os.kill(workers[-1], signal.SIGKILL)
        workers.append(pid_in(tmp_path / "worker-up"))
    assert len(set(workers)) == 3
    assert running.poll() is None
    assert pid_in(tmp_path / "web-up") == web
    assert not (tmp_path / "web").exists()
    os.kill(running.pid, signal.SIGTERM)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 0
    assert errors == "The worker ended by itself and is started again. The lines above say why.\n" * 2
    assert pid_in(tmp_path / "worker") == workers[-1]
    assert pid_in(tmp_path / "web") == web


def pid_in(path: Path) -> int:
    """Of who left the file, once it is there."""
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text())


def test_the_small_server_is_told_to_start_what_this_program_serves() -> None:
    told = re.search(
        r"^ExecStart=\S+ /srv/kartra-admin/run\.py (.+)$", (BASE_DIR / "docs/operations.md").read_text(), re.M
    )
    assert told
    command = [sys.executable, "run.py", *told[1].split(), "--help"]
    asked = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert asked.stdout.startswith("usage: run.py serve")


# The audit of packages. The advisory service is beyond this machine, so a program stands in for the one that asks it.

_FLAWS = "Name  Version ID\\nflask 0.5 PYSEC-2018-66\\n"


def audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *, old: str, locked: str
) -> tuple[int, str, str]:
    """What it prints of a release with flaws and of the locked packages, in shell."""
    program = tmp_path / "bin" / "pip-audit"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncase $* in *--no-deps*) {old} ;; *) {locked} ;; esac\n")
    program.chmod(0o755)
    monkeypatch.setattr(run, "VENV", tmp_path)
    code = run.audit()
    return code, *capfd.readouterr()


def test_packages_without_known_flaws_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = f"printf '{_FLAWS}'; exit 1"
    code, out, _ = audited(tmp_path, monkeypatch, capfd, old=found, locked="exit 0")
    assert (code, out) == (0, "No flaw is known in any package of requirements-dev.txt.\n")


@pytest.mark.parametrize(
    ("old", "locked", "said"),
    [
        ("echo Traceback >&2; echo 'ProxyError: no route' >&2; exit 1", "exit 0", "nothing is known.*ProxyError"),
        ("echo 'No known vulnerabilities found' >&2; exit 0", "exit 0", "nothing is known of any package"),
        (f"printf '{_FLAWS}'; exit 1", f"printf '{_FLAWS}'; exit 1", "flaws are known in the packages above"),
        (f"printf '{_FLAWS}'; exit 1", "echo 'x was not found' >&2; exit 1", "not every package.*x was not found"),
    ],
)
def test_what_is_not_known_of_packages_is_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], old: str, locked: str, said: str
) -> None:
    code, out, errors = audited(tmp_path, monkeypatch, capfd, old=old, locked=locked)
    assert code == 1
    assert re.search(f"FAILED: .*{said}", errors)
    assert "Traceback" not in out + errors
    assert ("PYSEC" in out) == ("above" in said)


def test_an_advisory_service_that_cannot_be_reached_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the real program, which is sent to a port where nobody is."""
    monkeypatch.setattr(run, "VENV", Path(sys.prefix))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")
    for name in ("https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))
    assert run.audit() == 1
    out, errors = capfd.readouterr()
    assert errors.startswith("FAILED: no advisories were to be had, so nothing is known of any package.")
    assert (errors.count("\n"), out) == (1, "")
