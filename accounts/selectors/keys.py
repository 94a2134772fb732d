"""Which key seals how much, and since when."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, Count, Max, Min, QuerySet, Value, When
from django.db.models.functions import Substr

from accounts import seals
from accounts.models import Account, Connection

_UNNAMED = ""


@dataclass
class KeyUse:
    """``mark`` names the key without showing it. ``since`` and ``latest``: its oldest and newest seal."""

    mark: str
    is_newest: bool
    counts: dict[str, int] = field(default_factory=dict)
    since: datetime | None = None
    latest: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, label: str, count: int, first: int, last: int) -> None:
        """So many more seals of a kind, made from one second to another."""
        self.counts[label] = self.counts.get(label, 0) + count
        self.since = min(filter(None, (self.since, datetime.fromtimestamp(first, UTC))))
        self.latest = max(filter(None, (self.latest, datetime.fromtimestamp(last, UTC))))


@dataclass(frozen=True)
class Uses:
    """All keys, newest first, and how many seals no key opens, by kind."""

    keys: list[KeyUse]
    broken: dict[str, int]

    @property
    def left(self) -> int:
        """How many seals rotation still has to move."""
        return sum(key.total for key in self.keys if not key.is_newest)


def uses() -> Uses:
    """The database counts by the name that a seal bears. Seals from before they had names are looked at one by one,
    which takes seconds where there are a hundred thousand, until rotation has named them. That a seal opens, rotation
    alone finds out."""
    keys = [KeyUse(mark, is_newest=not index) for index, mark in enumerate(seals.keyring().marks)]
    found = Uses(keys, {})
    for half in ("sealed_key", "sealed_password"):
        _count_column(found, "Kartra credentials", Connection.objects.all(), half)
    _count_column(found, "accounts", Account.objects.all(), "sealed_digest")
    for kind in seals.kinds():
        if kind.within:
            _look_at(found, kind.label, (token for row in kind.rows() for token in kind.tokens(row).values()))
        else:
            for column in kind.fields:
                _count_column(found, kind.label, kind.rows(), column)
    return found


def _count_column(found: Uses, label: str, rows: QuerySet[Any], column: str) -> None:
    """One query, unless there are seals without a name."""
    mark = Case(When(seal_dot=".", then=Substr(column, 1, 8)), default=Value(_UNNAMED))
    sealed = rows.order_by().exclude(**{column: ""}).annotate(seal_dot=Substr(column, 17, 1))
    keys = {key.mark: key for key in found.keys}
    counted = sealed.annotate(seal_mark=mark, seal_at=Substr(column, 9, 8)).values("seal_mark")
    for row in counted.annotate(count=Count("pk"), first=Min("seal_at"), last=Max("seal_at")):
        if row["seal_mark"] == _UNNAMED:
            _look_at(found, label, sealed.exclude(seal_dot=".").values_list(column, flat=True).iterator())
        elif key := keys.get(row["seal_mark"]):
            key.add(label, row["count"], _second(row["first"]), _second(row["last"]))
        else:
            found.broken[label] = found.broken.get(label, 0) + row["count"]


def _look_at(found: Uses, label: str, tokens: Iterable[str]) -> None:
    made_by = seals.keyring().made_by
    for token in tokens:
        if made := made_by(token):
            found.keys[made.key].add(label, 1, made.at, made.at)
        else:
            found.broken[label] = found.broken.get(label, 0) + 1


def _second(text: str) -> int:
    """Of the name of a seal; 0 where somebody spoilt it."""
    with suppress(ValueError):
        return int(text, 16)
    return 0
