"""Database triggers that refuse to change or remove audit entries, on SQLite and PostgreSQL.

``install`` may be run again at any time: a migration runs it first, and it follows every later ``migrate``, because
SQLite rebuilds a table when a column changes and the triggers go with the old one. ``lift`` is for tests, which empty
their tables between cases.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "accounts_auditentry"
_SENTENCE = "audit entries are written once, never changed and never removed"

_SQLITE = {
    # INSERT OR REPLACE removes a row without firing its delete trigger, so an id that exists is refused beforehand.
    f"{TABLE}_no_replace": (
        f"BEFORE INSERT ON {TABLE} WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)"  # noqa: S608 (constants)
        f" BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END"
    ),
    f"{TABLE}_no_update": f"BEFORE UPDATE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END",
    f"{TABLE}_no_delete": f"BEFORE DELETE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END",
}

_POSTGRES_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{_SENTENCE}'; END $$
"""
_POSTGRES = {
    f"{TABLE}_no_change": f"BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()",
    f"{TABLE}_no_truncate": f"BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()",
}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers where they are missing. Raises for a database that has none of ours."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, body in _SQLITE.items():
                cursor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {body}")
        elif connection.vendor == "postgresql":
            cursor.execute(_POSTGRES_FUNCTION)
            for name, body in _POSTGRES.items():
                cursor.execute(f"CREATE OR REPLACE TRIGGER {name} {body}")
        else:
            raise NotImplementedError(f"no append-only triggers are written for {connection.vendor}")


def lift(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away."""
    on_table = "" if connection.vendor == "sqlite" else f" ON {TABLE}"
    with connection.cursor() as cursor:
        for name in _SQLITE if connection.vendor == "sqlite" else _POSTGRES:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")


def reinstall_after_migrate(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``. A database that was migrated only part of the way may lack the table."""
    from django.db import connections

    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        install(connection)
