"""What serves the demo: two programs that end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR

_PARTS = """
import sys
sys.path.insert(0, {root!r})
import run
run.ROOT = run.Path({folder!r})
child = "import signal, sys, time; leave = lambda name: open(name, 'w').close();" \\
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


def test_when_one_dies_the_other_is_ended_and_it_is_said(tmp_path: Path) -> None:
    running = start(tmp_path, web=60, worker=0.5)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 1
    assert errors == "The worker ended by itself, so the demo ends. The lines above say why.\n"
    assert (tmp_path / "web").exists()
