"""The directory as a list: filtered, in order, page by page, counted as far as that is quick."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from accounts.models import Account, User
from kartra_admin.lib.pagination import Page, page_by_field
from leads.models import Entry, Mark, MarkKind, SavedView
from leads.selectors import search
from leads.selectors.search import TookTooLong, at_most

SIZE = 50
BEST = 100
COUNTED = 10_000  # exactly; beyond it is said that there are more
_SECONDS = 1.5  # for a count
_MOST_NAMES = 2_000
_FEW = 5_000

# order -> the field it goes by, and whether the greatest comes first; each with the id has an index
ORDERS = {
    "seen": ("seen_at", True),
    "name": ("name_key", False),
    "email": ("email", False),
    "changed": ("changed_at", True),
}
DAYS = (1, 7, 30, 90, 365)


@dataclass(frozen=True)
class Filters:
    """What a view of the directory is narrowed to; "" narrows nothing.

    ``seen`` and ``changed`` are days: "7" is in the last seven, "-30" not for thirty. ``standing``: usable,
    blacklisted, deleted, gone or unread. ``order`` as in `ORDERS`, or "best" for the order of a search.
    """

    q: str = ""
    tag: str = ""
    list: str = ""
    sequence: str = ""
    membership: str = ""
    product: str = ""
    standing: str = ""
    seen: str = ""
    changed: str = ""
    order: str = ""

    @property
    def is_by_best(self) -> bool:
        return bool(self.q) and self.order not in ORDERS


@dataclass(frozen=True)
class Listing:
    """One page. ``count`` is None where counting took too long. ``is_near``: nobody matches what was typed, and these
    are who may have been meant; they belong to no bulk change and to no export."""

    page: Page[Entry]
    count: int | None
    is_near: bool = False


def listing(account: Account, filters: Filters, *, cursor: str = "", marks: bool = True) -> Listing:
    """Raises `BadRequest` for a cursor that is none of ours."""
    entries = of_view(account, filters)
    count = count_quickly(entries)
    wanted = _with_marks(_without_text(account, filters)) if marks else _without_text(account, filters)
    if filters.is_by_best:
        hits = search.find(account, filters.q, wanted=BEST, entries=wanted, with_mistakes=count == 0).hits
        rows = [hit.entry for hit in hits]
        return Listing(Page(rows, "", ""), count, is_near=count == 0 and bool(rows))
    field, descending = ORDERS.get(filters.order, ORDERS["seen"])
    rows_in_order = _with_marks(entries) if marks else entries
    page = page_by_field(rows_in_order, field, descending=descending, cursor=cursor, size=SIZE)
    return Listing(page, count)


def of_view(account: Account, filters: Filters) -> QuerySet[Entry]:
    """Everybody whom the filters let through, in no order: what a bulk change or an export of the view is about.

    What was typed may be part of a name, or name somebody by a number: an id, a payment, a card with an amount.
    """
    entries = _without_text(account, filters)
    if not filters.q:
        return entries
    found = search.narrow_by(account, entries, filters.q)
    few = _few(found.values_list("pk", flat=True))
    if few is None:
        return found
    return entries.filter(pk__in={*few, *search.find_exactly(account, filters.q, entries=entries)})


def count_quickly(entries: QuerySet[Entry]) -> int | None:
    """Exactly up to `COUNTED`, one more for more than that; None where even that takes too long."""
    try:
        with at_most(_SECONDS):
            return entries[: COUNTED + 1].count()
    except TookTooLong:
        return None


def rows_of(entries: QuerySet[Entry]) -> Iterator[Entry]:
    """Each entry with its marks, a thousand at a time, by id: no long transaction, and none twice."""
    last = 0
    while rows := list(_with_marks(entries.filter(pk__gt=last)).order_by("pk")[:1000]):
        yield from rows
        last = rows[-1].pk


def mark_names(account: Account) -> dict[str, list[str]]:
    """The names of each kind of mark in the directory, in order; found by jumping from one to the next."""
    return {kind.value: _names(account, kind) for kind in MarkKind}


def list_views(account: Account, user: User) -> QuerySet[SavedView]:
    """One's own, and those that others share."""
    views = SavedView.objects.filter(account=account).select_related("owner")
    return views.filter(Q(owner=user) | Q(is_shared=True))


def _without_text(account: Account, filters: Filters) -> QuerySet[Entry]:
    """What lets few through is asked for first, and its ids are named; what lets many through is asked of each entry on
    the way. The databases guess wrong which of the two it is, and walk through everybody for a tag that nobody has."""
    everybody = entries = Entry.objects.filter(account=account)
    for kind in MarkKind:
        if name := getattr(filters, kind.value):
            having = Mark.objects.filter(account=account, kind=kind, name=name)
            few = _few(having.values_list("entry_id", flat=True))
            is_marked = Exists(having.filter(entry=OuterRef("pk")))
            entries = entries.filter(is_marked) if few is None else entries.filter(pk__in=few)
    if standing := _STANDINGS.get(filters.standing):
        few = _few(everybody.filter(standing).values_list("pk", flat=True))
        entries = entries.filter(standing) if few is None else entries.filter(pk__in=few)
    for field, days in (("seen_at", filters.seen), ("changed_at", filters.changed)):
        if days:
            limit = timezone.now() - timedelta(days=abs(int(days)))
            entries = entries.filter(**{f"{field}__lt" if days.startswith("-") else f"{field}__gte": limit})
    return entries


def _few(ids: QuerySet[Any, int]) -> list[int] | None:
    """The ids, or None where there are many, or too many to look through."""
    try:
        with at_most(_SECONDS):
            found = list(ids.order_by()[: _FEW + 1])
    except TookTooLong:
        return None
    return found if len(found) <= _FEW else None


_STANDINGS: Mapping[str, Q] = {
    "usable": Q(gone_at=None, deleted=False, blacklisted=False),
    "blacklisted": Q(blacklisted=True),
    "deleted": Q(deleted=True),
    "gone": Q(gone_at__isnull=False),
    "unread": Q(lead_read_at=None),
}


def _with_marks(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    return entries.prefetch_related(Prefetch("marks", Mark.objects.order_by("name")))


_JUMPING = """
    WITH RECURSIVE names(name) AS (
      SELECT min(name) FROM leads_mark WHERE account_id = %s AND kind = %s
      UNION ALL
      SELECT (SELECT min(name) FROM leads_mark WHERE account_id = %s AND kind = %s AND name > names.name)
      FROM names WHERE names.name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL LIMIT %s
"""


def _names(account: Account, kind: MarkKind) -> list[str]:
    parameters: list[Any] = [account.pk, kind.value, account.pk, kind.value, _MOST_NAMES]
    with connection.cursor() as cursor:
        cursor.execute(_JUMPING, parameters)
        return sorted((row[0] for row in cursor.fetchall()), key=str.casefold)
