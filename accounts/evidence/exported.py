"""What is exported from the log, line by line, and how anybody verifies it without us.

A file is JSON lines of ASCII. First ``{"header": ..}``, then ``{"checkpoint": ..}`` before the first of the entries it
covers, ``{"entry": ..}`` by number, and ``{"end": ..}``, which is signed. An entry stands as it is stored, the hash of
the one before it first, then the fields that the header names: exactly the text its ``hash`` was made of. ``proof``,
where there is one, leads from it to the root of the checkpoint above it. ``opened`` is for reading: ``told`` is the
body itself, or what a sealed one held.

Each line carries the ``sum`` of its own text, so that an edited one is named; the end signs all sums. So the chain
and the checkpoints prove the stored form of an entry, and the desk's signature proves what it opened for this file.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from accounts.evidence import chain, checkpoints, merkle

USAGE = "Usage: python3 -I verify.py EXPORT.ndjson PUBLIC-KEYS.txt"
_KIND = "audit export"  # so that no checkpoint can be taken for the end of a file
FIELDS = ("previous", *chain.FIELDS)
_PREVIOUS, _ID, _SUBJECT, _BODY = (FIELDS.index(name) for name in ("previous", "id", "subject_id", "body"))
_ENTRY = '{"entry":'
_LONGEST = 64 * 1024 * 1024
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


class Reader:
    """Verifies one file line by line, in constant memory. Raises `Bad` at the first that is wrong."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = frozenset(keys)
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
                raise Bad(f"line {place}: cannot be read as {self._awaited()}") from None
        if not self.is_over:
            raise Bad(f"line {place + 1}: the file ends here, where {self._awaited()} should stand")
        return self.found

    def _awaited(self) -> str:
        if not self.found.header:
            return "the header"
        if self.found.entries == self.found.header["count"]:
            return "the end of the file"
        if self._is_whole():
            return f"entry {self._number + 1 if self._number else self.found.header['first']}"
        return f"what follows entry {self._number}" if self._number else "the first entry"

    def _is_whole(self) -> bool:
        """Whether the file promises every entry from its first to its last."""
        header = self.found.header
        return bool(header["count"]) and header["count"] == header["last"] - header["first"] + 1

    def _read(self, line: bytes) -> None:
        text = line.decode("ascii")
        if self.is_over:
            raise Bad("there is more after the end of the file")
        if text.startswith(_ENTRY):
            self._read_entry(text)
            self._check_sum(line, f"entry {self._number}: what stands beside it was changed")
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
        if kind not in ("header", "checkpoint", "end") or (kind == "header") != (not self.found.header):
            raise Bad(f"{self._awaited()} should stand here")
        return kind, parsed[kind]

    def _read_header(self, header: dict[str, Any]) -> None:
        count, first, last = header["count"], header["first"], header["last"]
        if tuple(header["fields"]) != FIELDS:
            raise Bad("the header names other fields than those of an entry")
        if not (count == 0 or (count > 0 and 0 < first <= last and count <= last - first + 1)):
            raise Bad("the header does not add up")
        self.found.header = header

    def _read_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        name = f"checkpoint {checkpoint['id']}"
        if checkpoint["key"] not in self.keys:
            raise Bad(f"{name}: signed with another key than those given")
        if not checkpoints.is_signed(checkpoint):
            raise Bad(f"{name}: its signature is false")
        before = self._checkpoint
        if before and (checkpoint["id"] <= before["id"] or checkpoint["number"] < before["number"]):
            raise Bad(f"{name}: stands after checkpoint {before['id']}")
        if before and checkpoint["id"] == before["id"] + 1 and checkpoint["previous"] != checkpoints.hash_of(before):
            raise Bad(f"{name}: does not follow checkpoint {before['id']}")
        if checkpoint["number"] == self._number and checkpoint["hash"] != self._hash:
            raise Bad(f"entry {self._number}: is not the entry that {name} signed")
        self._checkpoint = checkpoint
        self.found.checkpoints += 1

    def _read_entry(self, text: str) -> None:
        if not self.found.header:
            raise Bad("the header should stand here")
        entry, end = _decode(text, len(_ENTRY))
        number, before = entry[_ID], entry[_PREVIOUS]
        if type(number) is not int or number < 1 or len(entry) != len(FIELDS):
            raise Bad(f"{self._awaited()}: lacks a field, or has one too many")
        self._check_place(number)
        own = hashlib.sha256(text[len(_ENTRY) : end].encode()).hexdigest()
        if not text.startswith(f',"hash":"{own}","proof":', end):
            raise Bad(f"entry {number}: is not what its hash was made of")
        follows = number == self._number + 1
        if follows and before != (self._hash or chain.START):
            raise Bad(f"entry {number}: does not follow the entry before it")
        if entry[_SUBJECT] is None and not text.endswith(f'"told":{entry[_BODY]}}}', 0, -_SUM):
            raise Bad(f"entry {number}: what is told of it is not what it says")
        if not follows:
            self._linked = 0
        self._number, self._hash = number, own
        self.found.entries += 1
        self._linked += 1
        self._prove(text, end + len(',"hash":"","proof":') + 64)

    def _check_place(self, number: int) -> None:
        """That it is the next by number, and none before it is missing that was promised."""
        header, awaited = self.found.header, self._number + 1 if self._number else self.found.header["first"]
        if self.found.entries == header["count"]:
            raise Bad(f"entry {number}: is one more than the header says")
        if number < awaited:
            raise Bad(f"entry {number}: stands after entry {self._number}")
        if number > awaited and (self._is_whole() or not self._number):
            raise Bad(f"entry {awaited}: is missing")
        self.found.missing += number - awaited

    def _prove(self, text: str, at: int) -> None:
        """By the checkpoint above: it signed this entry, or a root that the proof leads to."""
        checkpoint, number = self._checkpoint, self._number
        if checkpoint is None or not checkpoint["number"] - checkpoint["count"] < number <= checkpoint["number"]:
            raise Bad(f"entry {number}: the checkpoint that covers it is missing")
        is_signed = number == checkpoint["number"]
        if is_signed and checkpoint["hash"] != self._hash:
            raise Bad(f"entry {number}: is not the entry that checkpoint {checkpoint['id']} signed")
        if not text.startswith("null,", at):
            if not merkle.is_proved(self._hash, _decode(text, at)[0], checkpoint["root"]):
                raise Bad(f"entry {number}: its proof does not lead to checkpoint {checkpoint['id']}")
            is_signed = True
        if is_signed:
            self.found.proved += self._linked
            self._linked = 0

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
    """0 where the file verifies, 1 where it does not, 2 where it cannot be tried."""
    if len(arguments) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    path, key_path = arguments
    try:
        reader = Reader(read_keys(key_path))
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
    return 0


def _plain(text: str) -> str:
    """Without what would steer the terminal: the file may come from anybody."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def summary(found: Found) -> Iterator[str]:
    header = found.header
    yield f"GOOD  {found.entries} entries of {header['desk']}, {header['about']}, exported {header['at']}"
    if not found.entries:
        return
    yield f"      numbers {header['first']} to {header['last']}, " + (
        f"without {found.missing} that do not meet the filter" if found.missing else "none is missing"
    )
    yield f"      {found.proved} proved by {found.checkpoints} signed checkpoints, all by the signature of the file"
