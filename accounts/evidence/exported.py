"""What is exported from the log, line by line, and how anybody verifies it without us.

A file is JSON lines of ASCII. First ``{"header": ..}``, then ``{"checkpoint": ..}`` before the first of the entries it
covers, ``{"entry": ..}`` by number, and ``{"end": ..}``, which is signed. An entry stands as it is stored, the hash of
the one before it first, then the fields that the header names: exactly the text its ``hash`` was made of. ``proof``,
where there is one, leads from it to the root of the checkpoint above it. ``opened`` is for reading: ``told`` is the
body itself, or what a sealed one held.

The ``newest`` checkpoint of the header says how far the log was signed when the file was made. Its ``vouchers`` lead
from the present key of the desk to older ones that signed checkpoints; the end is signed with the present one. Each
line carries the ``sum`` of its own text, so that an edited one is named; the end signs all sums. So the chain and the
checkpoints prove the stored form of an entry, and the desk's signature proves what it opened for this file.
"""

import hashlib
import json
import operator
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from accounts.evidence import chain, checkpoints, kept, merkle

USAGE = "Usage: python3 -I verify.py EXPORT.ndjson PUBLIC-KEYS.txt [KEPT-CHECKPOINTS]"
_KIND = "audit export"  # so that no checkpoint can be taken for the end of a file
FIELDS = ("previous", *chain.FIELDS)
_PREVIOUS, _ID, _SUBJECT, _BODY = (FIELDS.index(name) for name in ("previous", "id", "subject_id", "body"))
_ENTRY = '{"entry":'
_OPENINGS = {_ENTRY + "[": "", '{"checkpoint":{': "a checkpoint", '{"end":{': "the end of the file"}
_NUMBER_AT = len(_ENTRY + '["",') + 64  # after the hash of the entry before
_NUMBER = re.compile(rf".{{{_NUMBER_AT}}}([0-9]{{1,18}})[^0-9\n]")
_LONGEST = 64 * 1024 * 1024
_LONGEST_MENDED = 1024 * 1024
_SUM = len(',"sum":""}\n') + 64
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


class Writer:
    """Makes the lines of one file, in order."""

    def __init__(self) -> None:
        self._sums = hashlib.sha256()
        self._count = 0

    def header(self, header: Mapping[str, Any]) -> str:
        return self._line(f'{{"header":{_encode({**header, "fields": FIELDS})}')

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> str:
        return self._line(f'{{"checkpoint":{_encode(checkpoint)}')

    def entry(
        self,
        entry: Mapping[str, Any],
        before: str,
        own_hash: str,
        *,
        proof: merkle.Proof | None,
        sentence: str,
        told: str,
    ) -> str:
        """``told`` is JSON: the body itself, word for word, or what was opened of a sealed one."""
        self._count += 1
        return self._line(
            f'{_ENTRY}{chain.text_of(entry, before)},"hash":{_encode(own_hash)},"proof":{_encode(proof)},'
            f'"opened":{{"sentence":{_encode(sentence)},"told":{told}}}'
        )

    def end(self, key: Ed25519PrivateKey) -> str:
        fields = {"of": _KIND, "count": self._count, "sums": self._sums.hexdigest(), "key": checkpoints.public_key(key)}
        return self._line(f'{{"end":{_encode({**fields, "signature": key.sign(_signed(fields)).hex()})}')

    def _line(self, text: str) -> str:
        own = hashlib.sha256(text.encode("ascii")).hexdigest()
        self._sums.update(own.encode())
        return f'{text},"sum":"{own}"}}\n'


class Bad(Exception):
    """What is wrong, and where."""


@dataclass
class Found:
    """What a file that verifies holds. ``proved`` of its entries are in the log that the checkpoints signed."""

    header: dict[str, Any] = field(default_factory=dict)
    entries: int = 0
    proved: int = 0
    missing: int = 0  # numbers between the first and the last that are not in the file
    checkpoints: int = 0

    @property
    def is_proved(self) -> bool:
        return self.proved == self.entries


class Reader:
    """Verifies one file line by line, in constant memory. Raises `Bad` at the first that is wrong."""

    def __init__(self, keys: Iterable[str], outside: Mapping[int, Mapping[str, Any]] | None = None) -> None:
        """``outside``: checkpoints that were kept elsewhere, by id, each signed by the key that it names."""
        self.keys = frozenset(keys)
        self._outside = dict(outside or {})
        self._signed_hashes = {one["number"]: (one["id"], one["hash"]) for one in self._outside.values()}
        self._with_older = self.keys
        self.found = Found()
        self.is_over = False
        self._sums = hashlib.sha256()
        self._number, self._hash = 0, ""  # of the entry before
        self._linked = 0  # entries before that nothing but their links proves yet
        self._checkpoint: dict[str, Any] | None = None

    def read(self, lines: Iterable[bytes]) -> Found:
        place = 0
        for line in lines:
            place += 1
            try:
                self._read(line)
            except Bad as bad:
                raise Bad(f"line {place}: {bad}") from None
            except _UNREADABLE:
                raise Bad(f"line {place}: {self._unreadable(line)}") from None
        if not self.is_over:
            raise Bad(f"line {place + 1}: the file ends here, where {self._awaited()} should stand")
        return self.found

    def _awaited(self) -> str:
        if not self.found.header:
            return "the header"
        if self.found.entries == self.found.header["count"]:
            return "the end of the file"
        return self._named(self._due())

    def _named(self, number: int) -> str:
        return f"entry {number}" if number else f"the entry after {self._number}"

    def _due(self) -> int:
        """The number that the next entry must have, or 0 where the header leaves it open: some are left out."""
        header = self.found.header
        left = header["count"] - self.found.entries
        if not left or not self._number:
            return header["first"] if left else 0
        if left == header["last"] - self._number:
            return self._number + 1
        return header["last"] if left == 1 else 0

    def _unreadable(self, line: bytes) -> str:
        """What the line was: it may be its beginning that was edited."""
        text = line.decode("latin-1")
        for start, name in _OPENINGS.items():
            if self.found.header and sum(map(operator.eq, text, start)) >= len(start) - 1:
                return f"cannot be read as {name}" if name else f"{self._edited(text)}: cannot be read"
        return f"cannot be read as {self._awaited()}"

    def _edited(self, text: str) -> str:
        """The entry of a line of which anything may have been edited."""
        return self._named(self._due() or self._mended(text) or self._said(text))

    def _mended(self, text: str) -> int:
        """The number with which the sum of the line is right again, of those that the checkpoint covers, or 0."""
        checkpoint = self._checkpoint
        if checkpoint is None or len(text) > _LONGEST_MENDED:
            return 0
        first = max(self._number, checkpoint["number"] - checkpoint["count"]) + 1
        for number in range(first, min(checkpoint["number"], self.found.header["last"]) + 1):
            for end in (_NUMBER_AT + len(str(number)), text.find(',"', _NUMBER_AT)):
                mended = f"{text[:_NUMBER_AT]}{number},{text[end + 1 : -_SUM]}"
                if hashlib.sha256(mended.encode("latin-1")).hexdigest() in text[-_SUM:]:
                    return number
        return 0

    def _said(self, text: str) -> int:
        """The number in the line, or 0 where none is that could stand here."""
        said = _NUMBER.match(text)
        number = int(said[1]) if said else 0
        return number if self._number < number <= self.found.header["last"] else 0

    def _read(self, line: bytes) -> None:
        text = line.decode("ascii")
        if self.is_over:
            raise Bad("there is more after the end of the file")
        if text.startswith(_ENTRY):
            self._read_entry(text, line)
            return
        kind, value = self._parse(text)
        if kind == "end":
            self._read_end(value)
        self._check_sum(line, f"the {kind} was changed")
        if kind == "header":
            self._read_header(value)
        elif kind == "checkpoint":
            self._read_checkpoint(value)

    def _check_sum(self, line: bytes, complaint: str) -> None:
        own = hashlib.sha256(line[:-_SUM]).hexdigest().encode()
        if line[-_SUM:] != b',"sum":"%b"}\n' % own:
            raise Bad(complaint)
        self._sums.update(own)

    def _parse(self, text: str) -> tuple[str, dict[str, Any]]:
        parsed = json.loads(text)
        kind = next(iter(parsed))
        if kind not in ("header", "checkpoint", "end"):
            raise ValueError("no such kind of line")
        if (kind == "header") != (not self.found.header):
            raise Bad(f"{self._awaited()} should stand here")
        return kind, parsed[kind]

    def _read_header(self, header: dict[str, Any]) -> None:
        count, first, last = header["count"], header["first"], header["last"]
        if tuple(header["fields"]) != FIELDS:
            raise Bad("the header names other fields than those of an entry")
        if not (count == 0 or (count > 0 and 0 < first <= last and count <= last - first + 1)):
            raise Bad("the header does not add up")
        self.found.header = header
        self._with_older = checkpoints.with_older(self.keys, header.get("vouchers", []))
        self._compare_newest(header)

    def _compare_newest(self, header: dict[str, Any]) -> None:
        """That the desk had, when it made the file, all checkpoints that were kept outside until then."""
        for number, one in self._outside.items():
            if one["key"] not in self._with_older:
                raise Bad(f"checkpoint {number} that was kept outside: signed with another key than those given")
        if not self._outside:
            return
        newest = header.get("newest")
        if newest is None:
            raise Bad("the header does not say how far the log was signed, so nothing can be laid beside it")
        self._check_signed(newest)
        later = [one for one in self._outside.values() if one["id"] > newest["id"] and one["at"] <= header["at"]]
        if later:
            first = min(later, key=lambda one: one["id"])
            raise Bad(
                f"checkpoint {first['id']}, of {first['number']} entries, was kept outside, and the log of this file "
                f"ends with checkpoint {newest['id']}, of {newest['number']}"
            )

    def _check_signed(self, checkpoint: dict[str, Any]) -> None:
        name = f"checkpoint {checkpoint['id']}"
        if checkpoint["key"] not in self._with_older:
            raise Bad(f"{name}: signed with another key than those given")
        if not checkpoints.is_signed(checkpoint):
            raise Bad(f"{name}: its signature is false")
        if self._outside.get(checkpoint["id"], checkpoint) != checkpoint:
            raise Bad(f"{name}: is not the one that was kept outside")

    def _read_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        name = f"checkpoint {checkpoint['id']}"
        self._check_signed(checkpoint)
        before = self._checkpoint
        if before and (checkpoint["id"] <= before["id"] or checkpoint["number"] < before["number"]):
            raise Bad(f"{name}: stands after checkpoint {before['id']}")
        if before and checkpoint["id"] == before["id"] + 1 and checkpoint["previous"] != checkpoints.hash_of(before):
            raise Bad(f"{name}: does not follow checkpoint {before['id']}")
        if checkpoint["number"] == self._number and checkpoint["hash"] != self._hash:
            raise Bad(f"entry {self._number}: is not the entry that {name} signed")
        self._checkpoint = checkpoint
        self.found.checkpoints += 1

    def _read_entry(self, text: str, line: bytes) -> None:
        if not self.found.header:
            raise Bad("the header should stand here")
        entry, end = _decode(text, len(_ENTRY))
        number, before = entry[_ID], entry[_PREVIOUS]
        if type(number) is not int or number < 1 or len(entry) != len(FIELDS):
            raise Bad(f"{self._edited(text)}: lacks a field, or has one too many")
        own = hashlib.sha256(text[len(_ENTRY) : end].encode()).hexdigest()
        if not text.startswith(f',"hash":"{own}","proof":', end):
            raise Bad(f"{self._edited(text)}: is not what its hash was made of")
        self._check_place(number)
        follows = number == self._number + 1
        if follows and before != (self._hash or chain.START):
            raise Bad(f"entry {number}: does not follow the entry before it")
        if entry[_SUBJECT] is None and not text.endswith(f'"told":{entry[_BODY]}}}', 0, -_SUM):
            raise Bad(f"entry {number}: what is told of it is not what it says")
        by, signed = self._signed_hashes.get(number, (0, own))
        if signed != own:
            raise Bad(f"entry {number}: is not the entry that checkpoint {by} signed, which was kept outside")
        is_signed = self._is_signed(number, own, text, end + len(',"hash":"","proof":') + 64)
        self._check_sum(line, f"entry {number}: what stands beside it was changed")
        self._number, self._hash = number, own
        self.found.entries += 1
        self._linked = self._linked + 1 if follows else 1
        if is_signed:
            self.found.proved += self._linked
            self._linked = 0

    def _check_place(self, number: int) -> None:
        """That it is the next by number, and none before it is missing that was promised."""
        header, awaited = self.found.header, self._number + 1 if self._number else self.found.header["first"]
        if self.found.entries == header["count"]:
            raise Bad(f"entry {number}: is one more than the header says")
        if number < awaited:
            raise Bad(f"entry {number}: stands after entry {self._number}")
        if number > awaited and 0 < self._due() < number:
            raise Bad(f"entry {self._due()}: is missing")
        self.found.missing += number - awaited

    def _is_signed(self, number: int, own: str, text: str, at: int) -> bool:
        """Whether the checkpoint above signed this entry, or a root that the proof leads to. Raises `Bad`."""
        checkpoint = self._checkpoint
        if checkpoint is None or not checkpoint["number"] - checkpoint["count"] < number <= checkpoint["number"]:
            raise Bad(f"entry {number}: the checkpoint that covers it is missing")
        is_signed: bool = number == checkpoint["number"]
        if is_signed and checkpoint["hash"] != own:
            raise Bad(f"entry {number}: is not the entry that checkpoint {checkpoint['id']} signed")
        if text.startswith("null,", at):
            return is_signed
        if not merkle.is_proved(own, _decode(text, at)[0], checkpoint["root"]):
            raise Bad(f"entry {number}: its proof does not lead to checkpoint {checkpoint['id']}")
        return True

    def _read_end(self, end: dict[str, Any]) -> None:
        header = self.found.header
        if self.found.entries != header["count"] or (header["count"] and self._number != header["last"]):
            raise Bad(f"the file ends here, where {self._awaited()} should stand")
        if end["key"] not in self.keys:
            raise Bad("the end: signed with another key than those given")
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(end["key"])).verify(
                bytes.fromhex(end["signature"]), _signed({name: end[name] for name in ("of", "count", "sums", "key")})
            )
        except InvalidSignature:
            raise Bad("the end: its signature is false") from None
        if end["of"] != _KIND or end["count"] != self.found.entries or end["sums"] != self._sums.hexdigest():
            raise Bad("the end: this is not the file that was signed; a line was changed together with its sum")
        self.is_over = True


def _signed(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.readline(_LONGEST), b"")


def read_keys(path: str) -> list[str]:
    """The public keys in a file: 64 hex digits in a line each, behind ``#`` what is no key. Raises ValueError."""
    with open(path, encoding="ascii") as file:
        keys = [line.split("#")[0].strip().lower() for line in file]
    for key in filter(None, keys):
        if len(bytes.fromhex(key)) != 32:
            raise ValueError("a public key has 64 hex digits")
    return [key for key in keys if key]


def check_files(header: Mapping[str, Any], folder: str) -> None:
    """That the files which came with this one are those it was made with. Raises `Bad`."""
    for name, digest in header.get("files", {}).items():
        try:
            with open(os.path.join(folder, os.path.basename(name)), "rb") as file:
                is_own = hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError:
            raise Bad(f"{name}: is not beside this file") from None
        if not is_own:
            raise Bad(f"{name}: is not the file that came with this one")


def main(arguments: Sequence[str]) -> int:
    """0 where the file verifies, 1 where it does not, 2 where it cannot be tried, 3 where not all of it is proved."""
    if len(arguments) not in (2, 3):
        print(USAGE, file=sys.stderr)
        return 2
    path, key_path, *beside = arguments
    try:
        outside = _read_kept(beside[0]) if beside else {}
        reader = Reader(read_keys(key_path), outside)
        with open(path, "rb") as file:
            found = reader.read(lines_of(file))
        check_files(found.header, os.path.dirname(path))
    except Bad as bad:
        print(_plain(f"BAD  {bad}"))
        return 1
    except (OSError, ValueError) as error:
        print(f"{error.filename if isinstance(error, OSError) else key_path} cannot be read: {error}", file=sys.stderr)
        return 2
    for line in summary(found):
        print(_plain(line))
    if outside:
        print(f"      beside {len(outside)} checkpoints that were kept outside")
    return 0 if found.is_proved else 3


def _read_kept(path: str) -> dict[int, dict[str, Any]]:
    try:
        found = kept.read(path)
    except kept.UNREADABLE:
        raise Bad(f"{path}: holds something that is no checkpoint, or two of one number") from None
    if not found:
        raise Bad(f"{path}: holds no checkpoint")
    return found


def _plain(text: str) -> str:
    """Without what would steer the terminal: the file may come from anybody."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def summary(found: Found) -> Iterator[str]:
    header = found.header
    about = f"entries of {header['desk']}, {header['about']}, exported {header['at']}"
    if found.is_proved:
        yield f"GOOD  {found.entries} {about}"
    else:
        yield f"PART  {found.proved} of {found.entries} {about}, are proved by the log; the others nothing proves but"
        yield "      the signature of the desk under this file: export them again"
    if not found.entries:
        return
    yield f"      numbers {header['first']} to {header['last']}, " + (
        f"without {found.missing} that do not meet the filter" if found.missing else "none is missing"
    )
    yield f"      {found.proved} proved by {found.checkpoints} signed checkpoints"
