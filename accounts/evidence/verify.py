"""Whether a log is whole: entries, their chain, and the checkpoints that signed it. Streams, in constant memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.evidence import checkpoints as signed
from accounts.evidence.chain import START, hash_of
from accounts.evidence.merkle import Root

Checkpoint = Mapping[str, Any]
# The fields of an entry, and the hash that stands beside them.
Row = tuple[Mapping[str, Any], str]


class Broken(Exception):
    """``number`` is that of the first bad entry: it, or what signs it, is not as it was written."""

    def __init__(self, number: int, says: str) -> None:
        super().__init__(f"Entry {number}: {says}")
        self.number = number


@dataclass(frozen=True)
class Whole:
    """What was found to be as it was written."""

    entries: int
    checkpoints: int
    hash: str


def verify(
    rows: Iterable[Row],
    checkpoints: Iterable[Checkpoint],
    *,
    keys: Collection[str],
    vouchers: Collection[Mapping[str, str]] = (),
    anchors: Mapping[int, Checkpoint] | None = None,
) -> Whole:
    """Check everything from the first entry on. Raises `Broken` for the first thing that is not as it was.

    ``keys`` are the public keys that are trusted: one of them signed the last checkpoint, and those before it too, or
    older ones that ``vouchers`` lead to. ``anchors`` are checkpoints that were kept outside, by their ``id``: each must
    be among the log's own, so that a log of another past, or one cut short, is found.
    """
    anchors = anchors or {}
    line = _Line(checkpoints, keys, signed.with_older(keys, vouchers), anchors)
    number, before, tree = 0, START, Root()
    line.meet(number, before, tree)
    for fields, claimed in rows:
        number += 1
        if fields["id"] != number:
            missing = fields["id"] > number
            raise Broken(number, "it is missing" if missing else f"another stands after it as entry {fields['id']}")
        try:
            before = hash_of(fields, before)
        except (TypeError, ValueError):
            raise Broken(number, "it holds what no entry can hold") from None
        if before != claimed:
            raise Broken(number, "its fields, or the entry before it, are not those that were hashed")
        tree.add(before)
        if line.due == number:
            line.meet(number, before, tree)
            tree = Root()
    line.end(number)
    return Whole(number, line.count, before)


class _Line:
    """The checkpoints in order, each compared with the log as soon as it has come that far."""

    def __init__(
        self,
        checkpoints: Iterable[Checkpoint],
        present: Collection[str],
        keys: Collection[str],
        anchors: Mapping[int, Checkpoint],
    ):
        self._rest: Iterator[Checkpoint] = iter(checkpoints)
        self._present, self._keys, self._anchors = present, keys, anchors
        self._previous, self._signed, self.count = START, 0, 0
        self._next: Checkpoint | None = None
        self._key, self._first = "", 1  # of the checkpoint before: who signed it, and its first entry
        self._step()

    def _step(self) -> None:
        """To the next, which may be anything: whoever can write to its table can put there what cannot be read."""
        try:
            self._next = next(self._rest, None)
            is_sound = self._next is None or type(self._next["id"]) is type(self._next["number"]) is int
        except Exception:  # noqa: BLE001  (each database fails in its own way)
            is_sound = False
        if not is_sound:
            raise Broken(self._signed + 1, f"checkpoint {self.count + 1}, the next to sign it, cannot be read")

    @property
    def due(self) -> int | None:
        """The entry that the next checkpoint signs."""
        return self._next["number"] if self._next else None

    def meet(self, number: int, head: str, tree: Root) -> None:
        """The log has come to this entry: check what signs it. The first of several signs all since the one before."""
        while self._next is not None and self._next["number"] == number:
            checkpoint, first = self._next, self._signed + 1
            self._check(checkpoint)
            is_same = (checkpoint["hash"], checkpoint["count"], checkpoint["root"]) == (
                head,
                number - self._signed,
                tree.value,
            )
            if not is_same:
                since = f"{first} to {number}" if first < number else str(number)
                raise Broken(min(first, number), f"checkpoint {checkpoint['id']} signed another past of {since}")
            self._previous, self._signed, tree = signed.hash_of(checkpoint), number, Root()
            self._key, self._first = checkpoint["key"], first
            self.count += 1
            self._step()

    def _check(self, checkpoint: Checkpoint) -> None:
        wanted, first = self.count + 1, self._signed + 1
        if checkpoint["id"] != wanted:
            raise Broken(first, f"checkpoint {wanted}, the next to sign it, is missing")
        _require_signed(checkpoint, self._keys, first)
        if checkpoint["previous"] != self._previous:
            raise Broken(first, f"checkpoint {wanted} does not follow the one before it")
        if wanted in self._anchors and dict(self._anchors[wanted]) != dict(checkpoint):
            raise Broken(first, f"checkpoint {wanted} is not the one that was kept outside")

    def end(self, number: int) -> None:
        """There are no more entries."""
        if self._next is not None:
            if self._next["number"] < number:
                raise Broken(self._signed + 1, f"checkpoint {self._next['id']} signs less than the one before it")
            self._check(self._next)
            signed_too = f"checkpoint {self._next['id']} signed {self._next['number']} entries"
            raise Broken(number + 1, f"it is missing: {signed_too}")
        if self.count and self._key not in self._present:
            raise Broken(self._first, f"checkpoint {self.count}, the last, is signed with an older key")
        for place in sorted(self._anchors):
            anchor = self._anchors[place]
            _require_signed(anchor, self._keys, min(anchor["number"], number + 1))
            if place > self.count:
                bad = number + 1 if anchor["number"] > number else self._signed + 1
                raise Broken(
                    bad, f"checkpoint {place} was kept outside, of {anchor['number']} entries, and is not here"
                )


def _require_signed(checkpoint: Checkpoint, keys: Collection[str], number: int) -> None:
    if checkpoint["key"] not in keys:
        raise Broken(number, f"checkpoint {checkpoint['id']} is signed with a key that is not known")
    if not signed.is_signed(checkpoint):
        raise Broken(number, f"the signature of checkpoint {checkpoint['id']} does not hold")
