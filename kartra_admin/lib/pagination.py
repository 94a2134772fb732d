"""Pages by key, newest first: equally quick on the first page and on the ten thousandth."""

import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

from kartra_admin.lib.errors import BadRequest

T = TypeVar("T", bound=Model)

# "b" before or "a" after, then the id of the row at the edge of the page.
_CURSOR = re.compile(r"([ab])([0-9]{1,18})")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Rows by id, descending. ``newer`` and ``older`` are the cursors of the pages beside it, "" at the ends."""

    rows: list[T]
    newer: str
    older: str


def page_by_id(rows: QuerySet[T, Any], *, cursor: str, size: int) -> Page[T]:
    """The page at ``cursor``, "" being the newest. One query. Raises `BadRequest` for a cursor that is none of ours."""
    match = _CURSOR.fullmatch(cursor) if cursor else None
    if cursor and not match:
        raise BadRequest("This page of the list does not exist. Start again from the newest.")
    way, edge = (match[1], int(match[2])) if match else ("", 0)
    if way == "a":
        found = list(rows.filter(pk__gt=edge).order_by("pk")[: size + 1])
    else:
        found = list((rows.filter(pk__lt=edge) if way else rows).order_by("-pk")[: size + 1])
    more, shown = len(found) > size, found[:size]
    if way == "a":
        shown.reverse()
    has_newer, has_older = (more, True) if way == "a" else (bool(way), more)
    return Page(
        rows=shown,
        newer=f"a{shown[0].pk}" if shown and has_newer else "",
        older=f"b{shown[-1].pk}" if shown and has_older else "",
    )
