"""What settled a step used to be told by a word or a name: what its next `migrate` makes of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR


@pytest.mark.django_db
def test_what_was_settled_says_by_whom(empty_database: str, tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.leads.settled_script"],
        cwd=BASE_DIR,
        env={**given, "DEMO": "true", "DATA_DIR": str(tmp_path), "DATABASE_URL": empty_database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("told apart\n", 0), done.stderr[-2000:]
