"""A file on its way in: read once to see that all of it can be, then laid down line by line for a person to look at."""

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from django.db import transaction
from django.db.models import QuerySet

from accounts import subjects
from accounts.models import Account, User
from accounts.services import access, audit
from kartra_admin.lib.errors import Conflict
from kartra_admin.lib.tables import Row, Table
from leads.models import Import, ImportRow
from leads.services.imports.columns import guess

_AT_ONCE = 1000


def stage(*, actor: User, account: Account, file: BinaryIO, file_name: str) -> Import:
    """Lay down the lines of a file. Raises `BadTable`; then nothing of it is kept."""
    access.require(actor, "directory.import")
    table = Table(file)
    total = sum(1 for _ in table.rows())  # all of it, before the first line is kept
    source = Import.objects.create(  # type: ignore[misc]
        account=account,
        actor=actor,
        file_name=file_name[-200:],
        encoding=table.encoding,
        columns=[name[:200] for name in table.header],
        matched=guess(table.header),
        total=total,
    )
    try:
        for rows in _batches(table.rows()):
            ImportRow.objects.bulk_create([_row_of(source, row) for row in rows])
        _open(source, total)
    except BaseException:
        remove(source)
        raise
    return source


def discard(*, actor: User, source: Import) -> None:
    """Drop a file that was not started. Raises `Conflict` where it was."""
    access.require(actor, "directory.import")
    with transaction.atomic():
        waiting = Import.objects.filter(pk=source.pk, state=Import.State.MATCHING)
        if not waiting.update(state=Import.State.READING):  # nobody can start it any more
            raise Conflict("This import has already been started.")
        _log("import.discard.succeeded", actor, source, {})
    remove(source)


def record_export(*, actor: User, source: Import) -> None:
    """Note that somebody took the failed lines as a file. Raises `Denied`."""
    access.require(actor, "directory.import")
    _log("import.export.succeeded", actor, source, {"rows": source.failed})


def remove(source: Import) -> None:
    """The lines a few at a time, so that nobody waits long for the table; then the import, and the key of both."""
    delete_rows(source.rows.all())
    source.delete()
    subjects.destroy([source.whose_id] if source.whose_id else [])


def delete_rows(rows: QuerySet[ImportRow]) -> None:
    while pks := list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        ImportRow.objects.filter(pk__in=pks).delete()


def _open(source: Import, total: int) -> None:
    with transaction.atomic():
        source.state = Import.State.MATCHING
        source.save(update_fields=["state"])
        _log("import.upload.succeeded", source.actor, source, {"rows": total})


def _row_of(source: Import, row: Row) -> ImportRow:
    made = ImportRow(source=source, line=row.line, cells=[_storable(cell) for cell in row.cells], whose=source.whose)  # type: ignore[misc]
    if row.problem:
        made.outcome, made.sentence = "failed", f"This line {row.problem}"
    return made


def _storable(cell: str) -> str:
    """Whole, but for halves of surrogate pairs, which no database keeps."""
    return cell.encode("utf-8", "replace").decode()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _AT_ONCE)):
        yield batch


def _log(action: str, actor: User, source: Import, detail: dict[str, object]) -> None:
    audit.record(
        action=action,
        outcome="succeeded",
        actor=actor,
        account=source.account,
        target_kind="import",
        target_id=str(source.pk),
        target_name=source.called,
        detail=detail,
    )
