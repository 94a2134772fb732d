"""CSV as spreadsheets open it, safe to open: no cell is taken for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that gives back each line instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def safe(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would run."""
    return f"'{cell}" if cell.startswith(_STARTS_FORMULA) else cell


def lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The rows as CSV, line by line. A mark at the beginning tells spreadsheets that it is UTF-8."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])
