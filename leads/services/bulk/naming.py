"""Where the leads of a job come from beside a paste: a file, a view of the directory."""

from collections.abc import Iterator
from typing import BinaryIO

from accounts.models import Account
from kartra_admin.lib.errors import AppError
from kartra_admin.lib.tables import BadTable, Table
from leads.pasting import Pasted, as_paste, read_lines
from leads.selectors import directory
from leads.selectors.directory import Filters
from leads.services.bulk.making import MOST_LEADS
from leads.services.imports import columns


def read_file(file: BinaryIO) -> Pasted:
    """The leads that a CSV names: by its column of ids and, where that is empty, of emails.

    Raises `BadTable`, and AppError as `read_lines`.
    """
    table = Table(file)
    matched = columns.guess(table.header)
    places = [matched[field] for field in ("lead_id", "email") if field in matched]
    if not places and len(table.header) == 1:
        places = [0]
    if not places:
        raise BadTable("The file has no column named Email or Id, so it is unclear which leads it names.")
    shown: list[tuple[int, str]] = []

    def lines() -> Iterator[tuple[int, str]]:
        for row in table.rows():
            named = next(filter(None, (_named_in(row.cells[place]) for place in places)), "")
            is_bad = row.problem or not named
            shown.append((row.line, f"This line {row.problem or 'names no lead.'}" if is_bad else named))
            yield shown[-1]

    found = read_lines(lines(), most=MOST_LEADS)
    found.text = as_paste(shown)
    return found


def _named_in(cell: str) -> str:
    """What stands in a cell, in one line: an id as imports read it, or whatever else; "" for nobody."""
    try:
        return columns.read_id(cell.strip())
    except columns.BadLine:
        return " ".join(cell.splitlines())


def of_view(account: Account, filters: Filters) -> str:
    """Everybody in a view of the directory, one a line, as if pasted. Raises AppError for more than a job takes."""
    entries = directory.of_view(account, filters)
    found = list(entries.order_by("pk").values_list("lead_id", "email")[: MOST_LEADS + 1])
    if len(found) > MOST_LEADS:
        raise AppError(f"This view holds more than {MOST_LEADS:,} leads, which is more than a job takes. Add a filter.")
    return "\n".join(lead_id or email for lead_id, email in found)
