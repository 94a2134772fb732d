"""CSV as spreadsheets open it, safe to open: no cell is taken for a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

# Where a spreadsheet may see the beginning of a formula (the last four signs are full-width): where the cell begins,
# and behind whatever it splits at in some country. Our own quotes do not stop that, for there they stand amid a cell.
_BEGINS, _SIGN = r'(?:\A|[,;\t\r\n])[ "]*+', r"(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"
_BEFORE_FORMULA = re.compile(_BEGINS + _SIGN)
_MADE_SAFE = re.compile(f"({_BEGINS})'{_SIGN}")


class _Echo:
    """A file that gives back each line instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def safe(cell: str) -> str:
    """The cell, with an apostrophe before whatever a spreadsheet would run."""
    return _BEFORE_FORMULA.sub(r"\g<0>'", cell)


def original(cell: str) -> str:
    """What was in a cell before `safe`, so that what we wrote is read again as it was."""
    return _MADE_SAFE.sub(r"\1", cell)


def lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The rows as CSV, line by line. A mark at the beginning tells spreadsheets that it is UTF-8."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])
