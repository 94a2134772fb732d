"""Forgeries of a log, by the thousand: each is found, and the first bad entry is named. So are those of a file that
was exported, which are read by other means."""

import random
import re
from collections.abc import Callable, Set
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from accounts.evidence import checkpoints as signing
from accounts.evidence import merkle
from accounts.evidence.chain import FIELDS, START, hash_of
from accounts.evidence.exported import FIELDS as FIELDS_OF_FILE
from accounts.evidence.exported import Bad, Reader, Writer
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


Line = tuple[str, dict[str, Any]]


def exported(log: Log, header: dict[str, Any], chosen: Set[int]) -> list[Line]:
    """What the desk writes of the chosen entries from what is stored: which line, and what it is made from."""
    lines: list[Line] = [("header", {"header": header})]
    above = None
    for place, (fields, said) in enumerate(log.rows):
        if fields["id"] not in chosen:
            continue
        covering = next((one for one in log.checkpoints if one["number"] >= fields["id"]), None)
        if covering and covering != above:
            lines.append(("checkpoint", {"checkpoint": covering}))
            above = covering
        proof = None
        if covering and (header["count"] < len(log.rows) or fields["id"] == header["last"]):
            first = covering["number"] - covering["count"]
            leaves = [hashed for _, hashed in log.rows[max(first, 0) : covering["number"]]]
            proof = merkle.proof(leaves, place - first) if 0 <= place - first < len(leaves) else None
        before = log.rows[place - 1][1] if place else START
        told = {"sentence": "", "told": fields["body"]}
        lines.append(("entry", {"entry": fields, "before": before, "own_hash": said, "proof": proof, **told}))
    return lines


def written(lines: list[Line]) -> list[bytes]:
    """The file, each line with its sum, signed by the desk, which does not look at what it signs."""
    writer = Writer()
    texts = [getattr(writer, kind)(**given) for kind, given in lines]
    return [text.encode() for text in (*texts, writer.end(KEY))]


def bad_line(lines: list[Line]) -> str:
    """What is said of the first line that is wrong; "" where none is."""
    try:
        Reader([signing.public_key(KEY)]).read(written(lines))
    except Bad as bad:
        return str(bad)
    return ""


def scope_of(log: Log, is_whole: bool) -> tuple[dict[str, Any], Set[int]]:
    """The header of a file, and the numbers in it: all, or some half of them."""
    chosen = {number for number in range(1, len(log.rows) + 1) if is_whole or log.chance.random() < 0.5}
    return {"first": min(chosen), "last": max(chosen), "count": len(chosen), "fields": FIELDS_OF_FILE}, chosen


# What these do shows at the very entry; of what was hashed anew, only somewhere among what was signed together.
SHOWN_AT_ONCE = {edited, edited_by_one_character, deleted, swapped_under_their_numbers, cut}


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "filtered"])
@pytest.mark.parametrize("forge", FORGERIES)
def test_every_forgery_of_what_is_exported_is_found(forge: Callable[[Log], int], is_whole: bool) -> None:
    """By the chain, the checkpoints and the proofs alone: the header is the true one, and all sums are right."""
    chance = random.Random(f"{forge.__name__} {is_whole}")
    found = 0
    for _ in range(EACH // 20):
        log = Log(chance)
        header, chosen = scope_of(log, is_whole)
        rows, checkpoints, true = list(log.rows), list(log.checkpoints), exported(log, header, chosen)
        assert bad_line(true) == ""
        for _ in range(10):
            expected = forge(log)
            forged = exported(log, header, chosen)
            log.rows, log.checkpoints = list(rows), list(checkpoints)
            if forged == true:
                continue  # it is about what was left out
            found += 1
            said = bad_line(forged)
            assert said
            if is_whole and forge in SHOWN_AT_ONCE:
                assert re.search(rf"\bentry {expected}\b", said)
    assert found > EACH // 5


def entry_written_anew(lines: list[Line], place: int, chance: random.Random) -> int:
    """With a hash that is right; whatever stands around it is true. It shows there, or where the next one follows."""
    given = lines[place][1]
    fields = {**given["entry"], "actor_name": "Somebody Else"}
    lines[place] = ("entry", {**given, "entry": fields, "own_hash": hash_of(fields, given["before"])})
    return int(fields["id"])


def entry_told_otherwise(lines: list[Line], place: int, chance: random.Random) -> int:
    given = lines[place][1]
    lines[place] = ("entry", {**given, "told": f"{chance.random()}"})
    return int(given["entry"]["id"])


def line_left_out(lines: list[Line], place: int, chance: random.Random) -> int:
    return int(lines.pop(place)[1]["entry"]["id"])


def line_repeated(lines: list[Line], place: int, chance: random.Random) -> int:
    lines.insert(place, lines[place])
    return int(lines[place][1]["entry"]["id"])


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "filtered"])
@pytest.mark.parametrize("forge", [entry_written_anew, entry_told_otherwise, line_left_out, line_repeated])
def test_every_forgery_of_a_file_is_found(forge: Callable[..., int], is_whole: bool) -> None:
    """Also where all sums are right, and the end is. What was within a seal the signature of the end alone proves."""
    chance = random.Random(f"{forge.__name__} {is_whole}")
    for _ in range(EACH // 20):
        log = Log(chance)
        true = exported(log, *scope_of(log, is_whole))
        entries = [(place, given["entry"]) for place, (kind, given) in enumerate(true) if kind == "entry"]
        places = [place for place, entry in entries if entry["subject_id"] is None]
        for place in chance.sample(places, min(5, len(places))):
            lines = list(true)
            number = forge(lines, place, chance)
            said = bad_line(lines)
            assert said
            if is_whole:
                assert re.search(rf"\bentry ({number}|{number + (forge is entry_written_anew)})\b", said)


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
