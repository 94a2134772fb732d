"""Leads as people paste them: emails and ids, one or many a line, from mails, spreadsheets and address books."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kartra_admin.lib.errors import AppError
from leads.lookup import read_query
from leads.providers.base import LeadRef

_SEPARATORS = re.compile(r"[,;\t|]")
_QUOTED = re.compile(r'"([^"]*)"')
_LONGEST_LINE, _LONGEST_EMAIL, _SHOWN = 100_000, 320, 120
_MOST_UNUSED = 50_000  # duplicates, and bad lines


@dataclass(frozen=True)
class Line:
    """``number`` counts from 1. ``text`` is what stood there, cut to what fits a page."""

    number: int
    text: str


@dataclass(frozen=True)
class Named:
    """One lead that was named, by id or by email."""

    line: int
    ref: LeadRef


@dataclass
class Pasted:
    """``doubles`` named a lead that an earlier line had named; ``bad`` names nobody, or not clearly. ``text`` is all of
    it as a paste, each line where its number says: read as a paste it gives the same."""

    leads: list[Named] = field(default_factory=list)
    doubles: list[Line] = field(default_factory=list)
    bad: list[Line] = field(default_factory=list)
    text: str = ""


def read_pasted(text: str) -> Pasted:
    """What the text names, in its order. A line of which one part cannot be read is bad as a whole. Raises as
    `read_lines`."""
    found = read_lines(enumerate(text.splitlines(), 1))
    found.text = text
    return found


def as_paste(lines: Iterable[tuple[int, str]]) -> str:
    """Numbered lines, in order, as a text in which each stands where its number says."""
    text: list[str] = []
    for number, line in lines:
        text += [""] * (number - 1 - len(text))
        text.append(line)
    return "\n".join(text)


def numbers_of(lines: Iterable[Line]) -> str:
    """Their numbers, those in a row as from and to."""
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in _runs(lines))


def _runs(lines: Iterable[Line]) -> Iterator[tuple[int, int]]:
    first = last = 0
    for line in lines:
        if line.number == last + 1 and last:
            last = line.number
            continue
        if last:
            yield first, last
        first = last = line.number
    if last:
        yield first, last


def read_lines(lines: Iterable[tuple[int, str]], *, most: int | None = None) -> Pasted:
    """The same for numbered lines, such as the cells of a column; no further than one lead more than ``most``.

    Raises AppError, and reads no further, where so many name nobody or somebody named before that this is no list.
    """
    found = Pasted()
    known: set[LeadRef] = set()
    named_before = 0
    for number, text in lines:
        if not text.strip():
            continue
        line = Line(number, text.strip()[:_SHOWN])
        refs = _refs(text) if len(text) <= _LONGEST_LINE else None
        if not refs:
            if len(found.bad) == _MOST_UNUSED:
                raise AppError(f"More than {_MOST_UNUSED:,} lines name no lead. Check that this is the right list.")
            found.bad.append(line)
            continue
        new = [ref for ref in dict.fromkeys(refs) if ref not in known]
        named_before += len(refs) - len(new)
        if named_before > _MOST_UNUSED:
            raise AppError(f"There are more than {_MOST_UNUSED:,} duplicates. Remove them and try again.")
        if len(new) < len(refs):
            found.doubles.append(line)
        known.update(new)
        found.leads += [Named(number, ref) for ref in new]
        if most is not None and len(found.leads) > most:
            break
    return found


def _refs(text: str) -> list[LeadRef] | None:
    """Everybody the line names; None where a part of it names nobody for sure.

    A quoted name may hold commas, so what is quoted counts only where it holds an address or a number.
    """
    text = _QUOTED.sub(lambda match: match[1] if read_query(match[1]) else " ", text)
    refs: list[LeadRef] = []
    for part in _SEPARATORS.split(text):
        if not part.strip():
            continue
        ref = read_query(part)
        several = [ref] if ref else [read_query(word) for word in part.split()]
        if any(each is None or len(each.email) > _LONGEST_EMAIL for each in several):
            return None
        refs += [each for each in several if each]
    return refs
