"""``manage.py loadsqlite db.sqlite3``: everything of a desk that outgrew SQLite, copied into the new database."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Field, Model

from accounts.models import AuditEntry, User

_OLD, _ROWS = "old", 1000


class Command(BaseCommand):
    help = (
        "Copy everything from a desk's SQLite database into that of DATABASE_URL, which must be migrated by the same "
        "version and otherwise new. The file is only read; nothing may be writing to it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options: Any) -> None:
        old = _open(file)
        of_old, of_new = (MigrationRecorder(each).applied_migrations().keys() for each in (old, connection))
        if of_old != of_new:
            raise CommandError("The two are of different versions of the desk: run migrate with this version on both.")
        if User.objects.exists() or AuditEntry.objects.exists():
            raise CommandError("The new database is in use already. Nothing was copied.")
        models = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
        with transaction.atomic():
            for model in models:
                model._base_manager.all().delete()  # what migrate laid down
            for model in models:
                self.stdout.write(f"{_copy(model, old):>12,}  {model._meta.verbose_name_plural}")
            with connection.cursor() as cursor:
                for sql in connection.ops.sequence_reset_sql(no_style(), models):
                    cursor.execute(sql)
        self.stdout.write(self.style.SUCCESS("Everything is copied. Now run auditverify."))


def _open(file: Path) -> BaseDatabaseWrapper:
    """Read only. Raises CommandError where this is no desk's database."""
    connections.databases[_OLD] = connections.configure_settings(
        {
            "default": {},
            _OLD: {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"file:{quote(str(file.resolve()))}?mode=ro",
                "OPTIONS": {"uri": True},
            },
        }
    )[_OLD]
    old = connections[_OLD]
    try:
        if AuditEntry._meta.db_table in old.introspection.table_names():
            return old
    except DatabaseError:
        pass
    raise CommandError(f"{file} is not the database of a desk.")


def _copy(model: type[Model], old: BaseDatabaseWrapper) -> int:
    """Row by row as they stand, without what Django would fill in anew; returns how many."""
    fields = model._meta.local_concrete_fields
    quoted = connection.ops.quote_name
    sql = (
        f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(quoted(str(field.column)) for field in fields)})"  # noqa: S608
        f" VALUES ({', '.join(['%s'] * len(fields))})"
    )
    left, count = _rows(model, fields), 0
    with connection.cursor() as cursor:
        while rows := list(islice(left, _ROWS)):
            cursor.executemany(sql, rows)
            count += len(rows)
    return count


def _rows(model: type[Model], fields: Sequence[Field[Any, Any]]) -> Iterator[list[Any]]:
    for row in model._base_manager.using(_OLD).order_by("pk").iterator(_ROWS):
        yield [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
