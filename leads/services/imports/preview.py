"""The first lines of a file as they would go in, before anything does."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from leads.models import Entry, Import, ImportRow
from leads.services.directory import Met
from leads.services.imports.columns import BadLine, read_line

SHOWN = 10


@dataclass(frozen=True)
class Preview:
    """One line: what it tells, or why it cannot be used. ``is_known``: the directory has this lead already."""

    line: int
    met: Met | None = None
    problem: str = ""
    is_known: bool = False

    @property
    def place(self) -> str:
        return ", ".join(filter(None, (self.met.city, self.met.state, self.met.country))) if self.met else ""

    @property
    def marks(self) -> list[str]:
        """Kind by kind."""
        met = self.met
        told = (met.tags, met.lists, met.sequences, met.memberships, met.products) if met else ()
        return [name for names in told for name in names or ()]


def first_rows(source: Import) -> list[ImportRow]:
    return list(source.rows.order_by("line")[:SHOWN])


def preview(source: Import, rows: list[ImportRow], matched: Mapping[str, int]) -> list[Preview]:
    """One query, however many lines."""
    read = [_read(row, matched) for row in rows]
    ids = {line.met.lead_id for line in read if line.met and line.met.lead_id}
    emails = {line.met.email for line in read if line.met and line.met.email}
    entries = Entry.objects.filter(Q(lead_id__in=ids) | Q(email__in=emails), account=source.account)
    known = {name for pair in entries.values_list("lead_id", "email") for name in pair if name}
    return [
        Preview(
            line.line,
            line.met,
            line.problem,
            is_known=bool(line.met and ({line.met.lead_id, line.met.email} & known)),
        )
        for line in read
    ]


def _read(row: ImportRow, matched: Mapping[str, int]) -> Preview:
    if row.sentence:
        return Preview(row.line, problem=row.sentence)
    try:
        return Preview(row.line, read_line(row.cells, matched))
    except BadLine as error:
        return Preview(row.line, problem=f"This line {error}")
