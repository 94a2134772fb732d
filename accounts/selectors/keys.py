"""Which key seals how much, and since when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from accounts import seals
from accounts.models import Account, Connection


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

    def add(self, label: str, at: int) -> None:
        """One more seal of a kind, made at a second."""
        moment = datetime.fromtimestamp(at, UTC)
        self.counts[label] = self.counts.get(label, 0) + 1
        self.since = min(self.since or moment, moment)
        self.latest = max(self.latest or moment, moment)


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
    """Every seal is looked at, one after the other: some ten thousand a second."""
    keyring = seals.keyring()
    keys = [KeyUse(mark, is_newest=not index) for index, mark in enumerate(keyring.marks)]
    broken: dict[str, int] = {}
    for label, token in _tokens():
        if made := keyring.made_by(token):
            keys[made.key].add(label, made.at)
        else:
            broken[label] = broken.get(label, 0) + 1
    return Uses(keys, broken)


def _tokens() -> Iterator[tuple[str, str]]:
    for row in Connection.objects.values_list("sealed_key", "sealed_password").iterator():
        yield from (("Kartra credentials", token) for token in row)
    for digest in Account.objects.values_list("sealed_digest", flat=True).iterator():
        yield "accounts", digest
    for kind in seals.kinds():
        yield from ((kind.label, token) for row in kind.rows() for token in kind.tokens(row).values())
