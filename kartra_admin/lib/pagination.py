"""Pages by key, newest first: equally quick on the first page and on the ten thousandth."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from kartra_admin.lib.errors import BadRequest

T = TypeVar("T", bound=Model)

# "b" before or "a" after, then the id of the row at the edge of the page.
_CURSOR = re.compile(r"([ab])([0-9]{1,18})")
# The same for rows with random ids: microseconds since 1970, and the id.
_MOMENT = re.compile(r"([ab])([0-9]{1,16})-([0-9a-f]{32})")
_PK = re.compile(r"[0-9]{1,18}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Rows by id, descending. ``newer`` and ``older`` are the cursors of the pages beside it, "" at the ends."""

    rows: list[T]
    newer: str
    older: str


def urls_beside(page: Page[Any], url: str, query: str = "") -> dict[str, str]:
    """``newer_url`` and ``older_url``, as ``components/_pagination.html`` takes them; "" at the ends."""
    beside = {"newer_url": page.newer, "older_url": page.older}
    start = f"{url}?{query}&" if query else f"{url}?"
    return {name: f"{start}cursor={cursor}" if cursor else "" for name, cursor in beside.items()}


def page_by_id(*rows: QuerySet[T, Any], cursor: str, size: int) -> Page[T]:
    """The page at ``cursor``, "" being the newest. Raises `BadRequest` for a cursor that is none of ours.

    One query for each of ``rows``, which share no row: several, for what no single walk along an index finds.
    """
    match = _CURSOR.fullmatch(cursor) if cursor else None
    if cursor and not match:
        raise BadRequest("This page of the list does not exist. Start again from the newest.")
    way, edge = (match[1], int(match[2])) if match else ("", 0)
    found: list[T] = []
    for part in rows:
        if way == "a":
            found += part.filter(pk__gt=edge).order_by("pk")[: size + 1]
        else:
            found += (part.filter(pk__lt=edge) if way else part).order_by("-pk")[: size + 1]
    found.sort(key=lambda row: row.pk, reverse=way != "a")
    return _page(found[: size + 1], way, size, lambda row: str(row.pk))


def _page(found: list[T], way: str, size: int, edge: Callable[[T], str]) -> Page[T]:
    """``found`` holds one row more than fits where there are more in that direction."""
    more, shown = len(found) > size, found[:size]
    if way == "a":
        shown.reverse()
    has_newer, has_older = (more, True) if way == "a" else (bool(way), more)
    return Page(
        rows=shown,
        newer=f"a{edge(shown[0])}" if shown and has_newer else "",
        older=f"b{edge(shown[-1])}" if shown and has_older else "",
    )


def page_by_time(rows: QuerySet[T, Any], *, cursor: str, size: int) -> Page[T]:
    """The same for rows with a ``created_at`` and a random id. One query. Raises `BadRequest`."""
    match = _MOMENT.fullmatch(cursor) if cursor else None
    if cursor and not match:
        raise BadRequest("This page of the list does not exist. Start again from the newest.")
    way = match[1] if match else ""
    if match:
        at, pk = _EPOCH + timedelta(microseconds=int(match[2])), UUID(match[3])
        if way == "a":  # the bound on the time alone is what lets an index serve it
            rows = rows.filter(Q(created_at__gt=at) | Q(pk__gt=pk), created_at__gte=at)
        else:
            rows = rows.filter(Q(created_at__lt=at) | Q(pk__lt=pk), created_at__lte=at)
    order = ("created_at", "pk") if way == "a" else ("-created_at", "-pk")
    return _page(list(rows.order_by(*order)[: size + 1]), way, size, _moment)


def page_by_field(rows: QuerySet[T, Any], field: str, *, descending: bool, cursor: str, size: int) -> Page[T]:
    """The same in the order of a field, then of the id (both descending or neither), for an index over the two.

    ``newer`` and ``older`` are the pages before and after. One query. Raises `BadRequest`.
    """
    way, value, pk = _read_edge(rows.model, field, cursor)
    forward = (way != "a") != descending  # whether values grow in the direction of reading
    if way:
        more = "gt" if forward else "lt"
        beyond = Q(**{f"{field}__{more}": value}) | Q(**{f"pk__{more}": pk})
        rows = rows.filter(beyond, **{f"{field}__{more}e": value})  # the bound alone is what lets an index serve it
    order = (field, "pk") if forward else (f"-{field}", "-pk")
    found = list(rows.order_by(*order)[: size + 1])
    return _page(found, way, size, lambda row: _edge(row, field))


def _edge(row: Any, field: str) -> str:
    value = row._meta.get_field(field).value_to_string(row)
    return urlsafe_b64encode(f"{row.pk} {value}".encode()).decode().rstrip("=")


def _read_edge(model: type[Model], field: str, cursor: str) -> tuple[str, Any, int]:
    if not cursor:
        return "", None, 0
    try:
        way, text = cursor[0], cursor[1:]
        pk, _, value = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        if way not in ("a", "b") or not _PK.fullmatch(pk) or "\0" in value:
            raise ValueError
        return way, model._meta.get_field(field).to_python(value), int(pk)  # type: ignore[union-attr]
    except (ValueError, ValidationError):
        raise BadRequest("This page of the list does not exist. Start again from the first.") from None


def _moment(row: Any) -> str:
    return f"{(row.created_at - _EPOCH) // timedelta(microseconds=1)}-{row.pk.hex}"
