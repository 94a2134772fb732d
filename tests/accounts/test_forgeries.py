"""Forgeries of a log, by the thousand: each is found, and the first bad entry is named."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from accounts.evidence import checkpoints as signing
from accounts.evidence import merkle
from accounts.evidence.chain import FIELDS, START, hash_of
from accounts.evidence.verify import Broken, Row, verify

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
EACH = 1000

Checkpoints = list[dict[str, Any]]


class Log:
    """Thirty-odd entries and the checkpoints that signed them, the last entry among them; some sign nothing new."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.rows: list[Row] = []
        self.checkpoints: Checkpoints = []
        size = chance.randrange(24, 36)
        while len(self.rows) < size:
            for _ in range(min(chance.choice((0, 1, 3, 8, 11)), size - len(self.rows))):
                self.write()
            self.sign()

    def write(self) -> None:
        before = self.rows[-1][1] if self.rows else START
        fields: dict[str, Any] = {name: self.chance.choice((None, 7, "text", "ä", "")) for name in FIELDS}
        fields |= {"id": len(self.rows) + 1, "body": f"{self.chance.random()}"}
        self.rows.append((fields, hash_of(fields, before)))

    def sign(self, key: Ed25519PrivateKey = KEY) -> None:
        last = self.checkpoints[-1] if self.checkpoints else None
        since = last["number"] if last else 0
        fields = {
            "id": len(self.checkpoints) + 1,
            "number": len(self.rows),
            "hash": self.rows[-1][1] if self.rows else START,
            "at": f"2026-01-01T00:00:{len(self.checkpoints):02}.000000Z",
            "count": len(self.rows) - since,
            "root": merkle.root(said for _, said in self.rows[since:]),
            "previous": signing.hash_of(last) if last else START,
        }
        self.checkpoints.append(signing.signed_by(key, fields))

    def rehash(self, first: int) -> None:
        """As somebody does who can write the whole table but not sign: every hash from this entry on is made anew."""
        for place in range(first - 1, len(self.rows)):
            fields, _ = self.rows[place]
            self.rows[place] = (fields, hash_of(fields, self.rows[place - 1][1] if place else START))

    def signed_from(self, number: int) -> int:
        """The first entry that the checkpoint signed which first signed this one."""
        return next(
            one["number"] - one["count"] + 1 for one in self.checkpoints if one["count"] and one["number"] >= number
        )

    def any_entry(self) -> int:
        return self.chance.randint(1, len(self.rows))

    def any_checkpoint(self) -> tuple[int, int]:
        """Its place, and the first entry that is not signed before it."""
        place = self.chance.randrange(len(self.checkpoints))
        return place, self.checkpoints[place - 1]["number"] + 1 if place else 1

    def edit(self, number: int, **changes: Any) -> None:
        fields, said = self.rows[number - 1]
        self.rows[number - 1] = ({**fields, **changes}, said)

    def edit_any_field(self) -> int:
        number = self.any_entry()
        name = self.chance.choice([name for name in FIELDS if name != "id"])
        self.edit(number, **{name: f"forged {self.rows[number - 1][0][name]}"})
        return number


def edited(log: Log) -> int:
    return log.edit_any_field()


def edited_by_one_character(log: Log) -> int:
    number = log.any_entry()
    body = log.rows[number - 1][0]["body"]
    at = log.chance.randrange(len(body))
    log.edit(number, body=f"{body[:at]}{chr(ord(body[at]) ^ 1)}{body[at + 1 :]}")
    return number


def edited_and_all_hashed_anew(log: Log) -> int:
    """What the entry was is lost; what is known is the stretch that was signed together."""
    number = log.edit_any_field()
    log.rehash(number)
    return log.signed_from(number)


def deleted(log: Log) -> int:
    number = log.any_entry()
    del log.rows[number - 1]
    return number


def swapped(log: Log) -> int:
    one, two = sorted(log.chance.sample(range(len(log.rows)), 2))
    log.rows[one], log.rows[two] = log.rows[two], log.rows[one]
    return one + 1


def swapped_under_their_numbers(log: Log) -> int:
    one, two = sorted(log.chance.sample(range(1, len(log.rows) + 1), 2))
    first, second = dict(log.rows[one - 1][0]), dict(log.rows[two - 1][0])
    log.edit(one, **{**second, "id": one})
    log.edit(two, **{**first, "id": two})
    return one


def inserted(log: Log) -> int:
    number = log.any_entry()
    fields = {**log.rows[number - 1][0], "body": "forged"}
    log.rows.insert(number - 1, (fields, log.chance.choice(log.rows)[1]))
    return number


def inserted_and_all_numbered_and_hashed_anew(log: Log) -> int:
    number = log.any_entry()
    log.rows.insert(number - 1, ({**log.rows[number - 1][0], "body": "forged"}, ""))
    for place in range(number - 1, len(log.rows)):
        log.edit(place + 1, id=place + 1)
    log.rehash(number)
    return log.signed_from(number)


def cut(log: Log) -> int:
    left = log.chance.randrange(len(log.rows))
    del log.rows[left:]
    return left + 1


def checkpoint_edited(log: Log) -> int:
    place, first = log.any_checkpoint()
    checkpoint = log.checkpoints[place]
    name = log.chance.choice(("id", "number", "hash", "at", "count", "root", "previous", "signature"))
    was = checkpoint[name]
    digits = "0123456789abcdef"
    forged = was + log.chance.choice((-1, 1, 5)) if isinstance(was, int) else f"{was[:-1]}{digits[was[-1] == '0']}"
    log.checkpoints[place] = {**checkpoint, name: forged}
    return first


def checkpoint_signed_by_somebody_else(log: Log) -> int:
    place, first = log.any_checkpoint()
    fields = {name: value for name, value in log.checkpoints[place].items() if name not in ("key", "signature")}
    log.checkpoints[place] = signing.signed_by(OTHER, fields)
    return first


FORGERIES: list[Callable[[Log], int]] = [
    edited, edited_by_one_character, edited_and_all_hashed_anew, deleted, swapped, swapped_under_their_numbers,
    inserted, inserted_and_all_numbered_and_hashed_anew, cut, checkpoint_edited, checkpoint_signed_by_somebody_else,
]  # fmt: skip


def first_bad(log: Log, anchors: dict[int, dict[str, Any]] | None = None) -> int | None:
    try:
        verify(log.rows, log.checkpoints, keys={signing.public_key(KEY)}, anchors=anchors)
    except Broken as broken:
        return broken.number
    return None


@pytest.mark.parametrize("forge", FORGERIES)
def test_every_forgery_is_found_at_its_first_bad_entry(forge: Callable[[Log], int]) -> None:
    chance = random.Random(forge.__name__)
    for _ in range(EACH // 10):
        log = Log(chance)
        rows, checkpoints = list(log.rows), list(log.checkpoints)
        assert first_bad(log) is None
        for _ in range(10):
            expected = forge(log)
            assert first_bad(log) == expected
            log.rows, log.checkpoints = list(rows), list(checkpoints)


def test_an_old_database_beside_newer_checkpoints_kept_outside_is_found() -> None:
    """Restored, cut short with its checkpoints, or written anew by somebody who has the key."""
    chance = random.Random(5)
    for _ in range(EACH // 3):
        log = Log(chance)
        anchors = {one["id"]: one for one in log.checkpoints}
        assert first_bad(log, anchors) is None
        left = chance.randrange(len(log.checkpoints))
        del log.checkpoints[left:]
        kept = log.checkpoints[-1]["number"] if log.checkpoints else 0
        way = chance.choice(("cut", "goes on", "without its checkpoints"))
        if way != "without its checkpoints":
            del log.rows[kept:]
        if way == "goes on":
            for _ in range(3):
                log.write()
            log.sign()
        has_more = any(one["number"] > len(log.rows) for one in anchors.values()) and way == "cut"
        assert first_bad(log, anchors) == (len(log.rows) + 1 if has_more else kept + 1), way


def test_a_proof_shows_each_entry_in_its_checkpoint_and_no_other() -> None:
    chance = random.Random(6)
    for size in range(1, 40):
        leaves = [chance.randbytes(32).hex() for _ in range(size)]
        root = merkle.root(leaves)
        for place, leaf in enumerate(leaves):
            way = merkle.proof(leaves, place)
            assert merkle.is_proved(leaf, way, root)
            assert not merkle.is_proved(chance.randbytes(32).hex(), way, root)
            assert not merkle.is_proved(leaf, way, merkle.root([*leaves[::-1], "00" * 32]))
    with pytest.raises(IndexError):
        merkle.proof(["00" * 32], 1)
    assert merkle.root([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
