"""One database for all of a run that every migration has made: workers and rigs start from copies of it.

Migrating takes seconds, and each worker, each lane and each rig needs a database of its own.
"""

import fcntl
import os
import shutil
from pathlib import Path

from django.db import connection

# Its name (on SQLite its path), for the rigs that a run starts.
VARIABLE = "TEST_TEMPLATE"


def make(folder: Path) -> None:
    """Migrate the template, unless another worker has: ``folder`` is one that all of them share, and nothing else."""
    is_sqlite = connection.vendor == "sqlite"
    name = str(folder / "template.sqlite3") if is_sqlite else f"{connection.settings_dict['NAME']}_template"
    made = folder / "template.made"
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _migrate(name)
            made.touch()
    os.environ[VARIABLE] = name


def _migrate(name: str) -> None:
    from accounts.models import IndexKey

    test = connection.settings_dict["TEST"]
    kept, before = test["NAME"], connection.settings_dict["NAME"]
    test["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    IndexKey.objects.all().delete()  # sealed with a key of this process; each copy gets one that it can open
    connection.close()
    test["NAME"], connection.settings_dict["NAME"] = kept, before


def start_from() -> bool:
    """Let the database of the tests be a copy of the template, if there is one. Whether it is there already."""
    name, test = os.environ.get(VARIABLE), connection.settings_dict["TEST"]
    if not name:
        return False
    if connection.vendor == "sqlite":
        for left in ("-wal", "-shm"):  # by a run that was killed
            Path(test["NAME"] + left).unlink(missing_ok=True)
        shutil.copy(name, test["NAME"])
        return True
    test["TEMPLATE"] = name
    return False


def drop() -> None:
    """On PostgreSQL it would stay; on SQLite it goes with its folder."""
    if connection.vendor == "postgresql":
        name = f"{connection.settings_dict['NAME']}_template"
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}")
