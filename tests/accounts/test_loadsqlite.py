"""A desk that outgrew SQLite goes on in a new database with all it had."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kartra_admin.settings import BASE_DIR

pytestmark = pytest.mark.django_db


def manage(database: str, *command: str, typed: str = "") -> str:
    """A command of the desk, on this database; what it printed, or the end of what it complained of."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "PYTEST_", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=BASE_DIR,
        env={**given, "DEMO": "true", "DATABASE_URL": database},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr[-500:]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the demo: people, credentials, a directory, a log."""
    file = tmp_path_factory.mktemp("old") / "old.sqlite3"
    manage(f"sqlite:///{file}", "migrate", "--verbosity", "0")
    assert "Sign in as" in manage(f"sqlite:///{file}", "demo")
    return file


def rows(database: str) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in json.loads(manage(database, "dumpdata")))


def test_everything_is_copied_and_the_log_goes_on(old: Path, empty_database: str) -> None:
    before = rows(f"sqlite:///{old}")
    manage(empty_database, "migrate", "--verbosity", "0")
    assert "Everything is copied." in manage(empty_database, "loadsqlite", str(old))
    assert rows(empty_database) == before
    assert any('"accounts.auditentry"' in row for row in before)
    made = manage(empty_database, "createadmin", "new@example.com", "--name", "New", typed="a wholly new sentence\n")
    assert "can sign in" in made
    entries = sum('"accounts.auditentry"' in row for row in before)
    assert re.search(rf"\b{entries + 1}\b", manage(empty_database, "auditverify"))


def test_a_database_in_use_is_left_alone(old: Path) -> None:
    before = rows(f"sqlite:///{old}")
    assert "in use already. Nothing was copied." in manage(f"sqlite:///{old}", "loadsqlite", str(old))
    assert rows(f"sqlite:///{old}") == before


def test_what_is_no_desk_is_refused(tmp_path: Path, empty_database: str) -> None:
    manage(empty_database, "migrate", "--verbosity", "0")
    photo, nothing = tmp_path / "photo.sqlite3", tmp_path / "nothing.sqlite3"
    photo.write_bytes(b"not a database")
    for file in (photo, nothing):
        assert "is not the database of a desk." in manage(empty_database, "loadsqlite", str(file))
    assert not nothing.exists()


def test_another_version_is_refused(old: Path, empty_database: str) -> None:
    manage(empty_database, "migrate", "accounts", "--verbosity", "0")
    assert "of different versions" in manage(empty_database, "loadsqlite", str(old))
