"""The command line where the environment is not set up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR


@pytest.mark.parametrize("command", [["kartrasandbox", "--help"], ["kartrasandbox"], ["migrate"], ["check"]])
@pytest.mark.parametrize("lacking", ["SECRET_KEY", "CREDENTIAL_KEYS", "AUDIT_SIGNING_KEY"])
def test_what_is_not_set_is_one_sentence_and_no_traceback(tmp_path: Path, command: list[str], lacking: str) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    values = {
        "SECRET_KEY": "x" * 60,
        "CREDENTIAL_KEYS": "x",
        "AUDIT_SIGNING_KEY": "x",
        "DEMO": "false",
        "DATA_DIR": str(tmp_path),
        lacking: "",
    }
    ran = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=BASE_DIR, capture_output=True, text=True, env={**kept, **values}
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"{lacking} is not set. See .env.example for what it is and how to make one.\n"
