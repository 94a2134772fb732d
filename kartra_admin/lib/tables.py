"""Reading CSV as people have it: any usual encoding and delimiter, and one clear sentence where it is none.

Nothing is believed of the file but what its bytes say, and no more of it is in memory than one line.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from kartra_admin.lib.errors import AppError

ID = re.compile(r"#?([0-9]{1,20})(?:\.0+)?", re.ASCII)  # spreadsheets turn ids into numbers
COLUMNS_AT_MOST = 200
_LINES_AT_MOST = 2_000_000
_LINE_AT_MOST = 1_000_000
_CELL_AT_MOST = f"{csv.field_size_limit():,}"
_DELIMITERS = (",", ";", "\t")
_CHUNK = 1024 * 1024
_SNIFFED = 4096

_OTHERS = (
    (b"PK\x03\x04", "a zip file or an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_MARKS = (  # byte order marks, the longer first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {
    "utf-8-sig": "UTF-8", "utf-8": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
}  # fmt: skip


class BadTable(AppError):
    """The file cannot be read as CSV. ``line`` is where that shows, 0 where it concerns the whole."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Row:
    """A line with as many cells as the header. ``problem`` says what is wrong with it alone, after 'This line '."""

    line: int
    cells: list[str]
    problem: str = ""


class Table:
    """A CSV file that was opened. ``header`` names the columns; made up where the first line is data already, as one
    is that holds an email or an id."""

    def __init__(self, file: BinaryIO) -> None:
        """Look at the beginning. Raises `BadTable`. The file must be able to seek, and stays open."""
        self._file = file
        self._codec = _codec_of(file)
        self.encoding = _NAMES[self._codec]
        self._skipped, self._delimiter = self._look()
        first = next(self._records(), None)
        if first is None:
            raise BadTable("The file is empty.")
        line, cells = first
        cells = cells[: max((number for number, cell in enumerate(cells, 1) if cell.strip()), default=1)]
        if len(cells) > COLUMNS_AT_MOST:
            raise _too_many_columns(line)
        self._has_header = not any("@" in cell or ID.fullmatch(cell.strip()) for cell in cells)
        self.header = [
            cell.strip() if self._has_header and cell.strip() else f"Column {number}"
            for number, cell in enumerate(cells, 1)
        ]

    def rows(self) -> Iterator[Row]:
        """The lines in order, without empty ones. Raises `BadTable` at the first that cannot be told from the next,
        and at the end where there was none."""
        records = self._records()
        if self._has_header:
            next(records)
        is_empty = True
        for line, cells in records:
            is_empty = False
            yield self._row(line, cells)
        if is_empty:
            raise BadTable("The file has column names but no lines below them.")

    def _row(self, line: int, cells: list[str]) -> Row:
        wanted = len(self.header)
        if any(cell.strip() for cell in cells[wanted:]):
            return Row(line, cells[:wanted], f"has {len(cells):,} cells where the first line has {wanted}.")
        return Row(line, (cells + [""] * (wanted - len(cells)))[:wanted])

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Each record with the line on which it begins."""
        lines = _Lines(self._file, self._codec, self._skipped)
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            start = lines.number + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise _broken(str(error), start, lines.number) from None
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield start, cells

    def _look(self) -> tuple[int, str]:
        """How many lines say only how to read the rest, and the delimiter that gives the first line most cells."""
        lines = _Lines(self._file, self._codec)
        first = next((line for line in lines if line.strip()), "")
        if first.strip().casefold().startswith("sep=") and len(first.strip()) == 5:  # as Excel writes it
            return lines.number, first.strip()[4]
        return 0, max(_DELIMITERS, key=lambda mark: _cells_in(first, mark))


class _Lines:
    """The lines of the file as text. ``number`` is that of the last one. Raises `BadTable`."""

    def __init__(self, file: BinaryIO, codec: str, skipped: int = 0) -> None:
        file.seek(0)
        # Not closed with the wrapper, so that the file can be read again.
        self._text = io.TextIOWrapper(
            cast(Any, _Kept(file)), codec, newline="", errors="strict" if codec != "cp1252" else "replace"
        )
        self.number = 0
        for _ in range(skipped):
            next(self)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(_LINE_AT_MOST)
        except UnicodeError:
            raise BadTable(
                f"Line {self.number + 1:,} contains bytes that are not text. Save the file as UTF-8."
            ) from None
        if not line:
            raise StopIteration
        self.number += 1
        if self.number > _LINES_AT_MOST:
            raise BadTable(f"The file has more than {_LINES_AT_MOST:,} lines. Split it.", self.number)
        if "\0" in line:
            raise BadTable(
                f"Line {self.number:,} contains a character that is not text (NUL): this is not a CSV.", self.number
            )
        if len(line) == _LINE_AT_MOST:
            if max(line.count(mark) for mark in _DELIMITERS) > COLUMNS_AT_MOST:
                raise _too_many_columns(self.number)
            raise BadTable(f"Line {self.number:,} is longer than {_LINE_AT_MOST:,} characters.", self.number)
        return line


class _Kept(io.BufferedIOBase):
    """Reads from a file without taking it over."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        return self._file.read(_CHUNK if size < 0 else size)


def _cells_in(line: str, delimiter: str) -> int:
    """0 where a cell is too long, as the whole line may be where nothing parts it."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _broken(error: str, start: int, end: int) -> BadTable:
    if "limit" in error and end == start:
        return BadTable(f"A cell in line {start:,} is longer than {_CELL_AT_MOST} characters.", start)
    if "limit" in error or "end of data" in error:
        return BadTable(f"The quotes that open in line {start:,} are never closed.", start)
    return BadTable(f"The quotes in line {start:,} are broken: text follows a closing quote.", start)


def _too_many_columns(line: int) -> BadTable:
    return BadTable(f"Line {line:,} has more than {COLUMNS_AT_MOST} columns. This is not a list of leads.", line)


# Encodings


def _codec_of(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(_SNIFFED)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise BadTable(f"This is {name}, not a CSV. In your spreadsheet choose Save as, CSV UTF-8.")
    for mark, codec in _MARKS:
        if head.startswith(mark):
            if not codec:
                raise BadTable("This file is UTF-32, which is not supported. Save it as UTF-8.")
            return codec
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) > 3 and max(even, odd) > len(head) / 5:  # every other byte of Latin text in UTF-16 is 0
        return "utf-16-le" if odd > even else "utf-16-be"
    return _utf8_or_not(file)


def _utf8_or_not(file: BinaryIO) -> str:
    """UTF-8 where all of it is; Windows-1252, a superset of printable Latin-1, where the first letter beyond ASCII is
    not UTF-8 already. Raises `BadTable` where UTF-8 breaks off further down."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, is_ascii = 0, True
    while True:
        chunk = file.read(_CHUNK)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            good = error.object[: error.start]
            if is_ascii and good.isascii():
                return "cp1252"
            line = lines + good.count(b"\n") + 1
            raise BadTable(
                f"Line {line:,} contains bytes that are not UTF-8, unlike the lines above it.", line
            ) from None
        if not chunk:
            return "utf-8"
        is_ascii = is_ascii and text.isascii()
        lines += text.count("\n")
