"""Files of leads, as their pages show them. One account at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.models import Account
from kartra_admin.lib.errors import BadRequest
from leads.models import Import, ImportRow

SHOWN = 30
PAGE = 100


@dataclass(frozen=True)
class FailedLines:
    """Some lines that failed. ``after`` is the line at which the next page begins, 0 where there is none."""

    rows: list[ImportRow]
    after: int


def list_imports(account: Account) -> QuerySet[Import]:
    return Import.objects.filter(account=account).select_related("actor").order_by("-pk")[:SHOWN]


def failed_lines(source: Import, *, after: str) -> FailedLines:
    """Raises `BadRequest` for what is no line."""
    if after and not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise BadRequest("There is no such line. Start again from the first.")
    rows = list(_failed(source).filter(line__gt=int(after or 0))[: PAGE + 1])
    return FailedLines(rows[:PAGE], rows[PAGE - 1].line if len(rows) > PAGE else 0)


def failed_as_rows(source: Import) -> Iterator[list[str]]:
    """With a head, the line number and the reason before the cells as they stood in the file."""
    yield ["Line", "Reason", *source.columns]
    for row in _failed(source).iterator(500):
        yield [str(row.line), row.sentence, *row.cells]


def _failed(source: Import) -> QuerySet[ImportRow]:
    return source.rows.filter(outcome="failed").order_by("line")
