"""What a bench stands on: a fresh database of either kind, a desk on it, and the sandbox as a server of its own."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

Measure = Callable[[str, Path], None]

_SPAWN = multiprocessing.get_context("spawn")


def on_each_database(measure: Measure) -> int:
    """Run ``measure`` with the database's name and an empty folder, in a process of its own for each database, where
    DATABASE_URL names it: SQLite, and PostgreSQL where TEST_POSTGRES_URL says so. 1 where it failed on one."""
    url = os.environ.get("TEST_POSTGRES_URL", "")
    return max(on_sqlite(measure), _apart(measure, "PostgreSQL", url) if url else 0)


def on_sqlite(measure: Measure) -> int:
    """The same where the database makes no difference."""
    return _apart(measure, "SQLite", "")


def _apart(measure: Measure, lane: str, url: str) -> int:
    process = _SPAWN.Process(target=_measure, args=(measure, lane, url))
    process.start()
    process.join()
    return int(bool(process.exitcode))


def _measure(measure: Measure, lane: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as folder, _database(Path(folder), url) as address:
        os.environ["DATABASE_URL"] = address
        measure(lane, Path(folder))


@contextmanager
def _database(folder: Path, url: str) -> Iterator[str]:
    if not url:
        yield f"sqlite:///{folder / 'db.sqlite3'}"
        return
    import psycopg

    name = f"bench_{os.getpid()}"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield url.rpartition("/")[0] + f"/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def open_desk(folder: Path, sandbox_url: str = "", **settings: str) -> None:
    """Set the desk up in this process, and in those it starts: on the database of DATABASE_URL, with all tables."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "kartra_admin.settings", "DEMO": "true", "DATA_DIR": str(folder),
        "KARTRA_API_URL": f"{sandbox_url}/api" if sandbox_url else "sandbox:", "KARTRA_APP_ID": "SANDBOXAPP",
        "LOG_LEVEL": "ERROR", **settings,
    }  # fmt: skip
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
    import django

    django.setup()


def seat(role: str, number: int = 1) -> Any:
    """A person of this role with credentials of the sandbox's first account."""
    from accounts.models import User
    from accounts.services import connections
    from leads.providers.kartra.sandbox.credentials import ACCOUNTS

    keys = ACCOUNTS[0]
    person = User.objects.create_user(email=f"{role}-{number}@example.com", name=f"{role} {number}", role=role)
    connections.place(actor=person, owner=person, api_key=keys.api_key, api_password=keys.api_password)
    return person


@contextmanager
def sandbox(folder: Path, *, leads: int, answers_after: float = 0.0, calls_per_second: int = 0) -> Iterator[str]:
    """The address of a Kartra that answers so many seconds after a call arrived. Its state: `sandbox_file`.

    ``calls_per_second`` above which it answers 429; 0 for no limit.
    """
    told = _SPAWN.Queue()
    work = (sandbox_file(folder), leads, answers_after, calls_per_second, told)
    process = _SPAWN.Process(target=_serve, args=work, daemon=True)
    process.start()
    try:
        yield told.get(timeout=120)
    finally:
        process.kill()
        process.join()


def sandbox_file(folder: Path) -> Path:
    return folder / "sandbox.sqlite3"


def _serve(path: Path, leads: int, answers_after: float, calls_per_second: int, told: Any) -> None:
    from leads.providers.kartra.sandbox.seed import seed
    from leads.providers.kartra.sandbox.server import SandboxServer
    from leads.providers.kartra.sandbox.state import configure

    seed(path, leads=leads)
    configure(path, calls_per_second=calls_per_second)
    with SandboxServer(path) as server:
        app = server.app

        def slowly(environ: Any, start_response: Any) -> Any:
            answered = app(environ, start_response)
            time.sleep(max(0.0, environ["sandbox.arrived"] + answers_after - time.time()))
            return answered

        server.app = slowly
        told.put(server.url)
        server.serve_forever()
