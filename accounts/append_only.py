"""Database triggers that refuse to change or remove audit entries, on SQLite and PostgreSQL.

``install`` may be run again at any time: a migration runs it first, and it follows every later ``migrate``, because
SQLite rebuilds a table when a column changes and the triggers go with the old one. ``lift`` is for tests, which empty
their tables between cases.
"""

from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("accounts_auditentry", "accounts_checkpoint", "accounts_keyvoucher")
_SENTENCE = "audit entries are written once, never changed and never removed"
_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION accounts_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{_SENTENCE}'; END $$
"""


def _on_sqlite(table: str) -> dict[str, str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END"
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608 (constants)
    return {
        # INSERT OR REPLACE removes a row without firing its delete trigger, so an id that exists is refused beforehand.
        f"{table}_no_replace": f"BEFORE INSERT ON {table} WHEN {taken} {refuse}",
        f"{table}_no_update": f"BEFORE UPDATE ON {table} {refuse}",
        f"{table}_no_delete": f"BEFORE DELETE ON {table} {refuse}",
    }


def _on_postgres(table: str) -> dict[str, str]:
    return {
        f"{table}_no_change": f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION accounts_refuse()",
        f"{table}_no_truncate": f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse()",
    }


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers where they are missing. Raises for a database that has none of ours."""
    if connection.vendor not in ("sqlite", "postgresql"):
        raise NotImplementedError(f"no append-only triggers are written for {connection.vendor}")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_FUNCTION)
        for table in _tables(connection):
            if connection.vendor == "sqlite":
                for name, body in _on_sqlite(table).items():
                    cursor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {body}")
            else:
                for name, body in _on_postgres(table).items():
                    cursor.execute(f"CREATE OR REPLACE TRIGGER {name} {body}")


def lift(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away."""
    with connection.cursor() as cursor:
        for table in _tables(connection):
            if connection.vendor == "sqlite":
                for name in _on_sqlite(table):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            else:
                for name in _on_postgres(table):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def _tables(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Those that are there: a database may have been migrated only part of the way."""
    there = set(connection.introspection.table_names())
    return (table for table in TABLES if table in there)


def reinstall_after_migrate(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``."""
    from django.db import connections

    install(connections[using])
