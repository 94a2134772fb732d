"""A desk from before some words were told apart, or made one: what stands in it after its next `migrate`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR


@pytest.mark.django_db
def test_what_was_kept_is_told_in_the_words_of_today(empty_database: str, tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.leads.upgrade_script"],
        cwd=BASE_DIR,
        env={**given, "DEMO": "true", "DATA_DIR": str(tmp_path), "DATABASE_URL": empty_database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("upgraded\n", 0), done.stderr[-2000:]
