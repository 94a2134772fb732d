"""CSV as people have it, and what is said of what is none."""

import contextlib
import csv
import io
import random
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from kartra_admin.lib import tables
from kartra_admin.lib.tables import BadTable, Table

pytestmark = pytest.mark.once

TEXT = "Email,First Name,City\r\nada@example.com,Ädà,São Paulo\r\nbo@example.com,Bo,\r\n"


def table(content: bytes) -> Table:
    return Table(io.BytesIO(content))


def rows(content: bytes) -> list[tuple[int, list[str]]]:
    return [(row.line, row.cells) for row in table(content).rows()]


def refusal(content: bytes) -> BadTable:
    with pytest.raises(BadTable) as caught:
        list(table(content).rows())
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("latin-1", "Windows-1252"),
        ("cp1252", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_usual_encodings_delimiters_and_line_ends_read_alike(
    encoding: str, name: str, delimiter: str, end: str
) -> None:
    found = table(TEXT.replace(",", delimiter).replace("\r\n", end).encode(encoding))
    assert found.encoding == name
    assert found.header == ["Email", "First Name", "City"]
    assert [(row.line, row.cells) for row in found.rows()] == [
        (2, ["ada@example.com", "Ädà", "São Paulo"]),
        (3, ["bo@example.com", "Bo", ""]),
    ]


def test_utf_16_with_its_big_end_first_and_a_mark() -> None:
    assert rows(b"\xfe\xff" + TEXT.encode("utf-16-be"))[0][1][1] == "Ädà"


def test_windows_quotes_and_the_euro_are_read() -> None:
    assert rows("Email,Note\na@b.c,“5 €”".encode("cp1252")) == [(2, ["a@b.c", "“5 €”"])]


def test_excels_own_word_on_the_delimiter_is_taken() -> None:
    assert rows(b"sep=;\r\nEmail;Name, with comma, and another\r\na@b.c;x\r\n") == [(3, ["a@b.c", "x"])]


def test_a_delimiter_inside_quotes_does_not_count() -> None:
    assert table(b'"a,b,c,d";Email\nx;y').header == ["a,b,c,d", "Email"]


def test_cells_may_hold_line_ends_quotes_and_formulas_and_keep_them() -> None:
    content = b'Email,Note\na@b.c,"two\nlines ""quoted"""\nb@b.c,=1+1\nc@b.c,5" pipe\n'
    assert rows(content) == [
        (2, ["a@b.c", 'two\nlines "quoted"']),
        (4, ["b@b.c", "=1+1"]),
        (5, ["c@b.c", '5" pipe']),
    ]


def test_empty_lines_are_passed_over_and_numbers_stay_those_of_the_file() -> None:
    assert [line for line, _ in rows(b"\n\nEmail,Name\n\n , \na@b.c,x\n\n\nb@b.c,y\n\n")] == [6, 9]


def test_short_lines_are_filled_and_trailing_empty_columns_dropped() -> None:
    assert rows(b"Email,Name,City,,\na@b.c\nb@b.c,x,y,,\n") == [(2, ["a@b.c", "", ""]), (3, ["b@b.c", "x", "y"])]


def test_a_line_with_too_many_cells_is_told_and_the_others_are_read() -> None:
    found = list(table(b"Email,Name\na@b.c,x,y\nb@b.c,z\n").rows())
    assert [(row.line, row.problem) for row in found] == [(2, "has 3 cells where the first line has 2."), (3, "")]


def test_a_file_without_a_header_gets_one() -> None:
    found = table(b"a@b.c,Ada\nb@b.c,Bo\n")
    assert found.header == ["Column 1", "Column 2"]
    assert [row.line for row in found.rows()] == [1, 2]


@pytest.mark.parametrize("first", ["4174086", "#4174086", "4174086.0", " 004174086 "])
def test_a_first_line_with_an_id_is_no_header(first: str) -> None:
    found = table(f"{first},Ada\n4174090,Bo\n".encode())
    assert found.header == ["Column 1", "Column 2"]
    assert [row.line for row in found.rows()] == [1, 2]


@pytest.mark.parametrize("first", ["Lead 1", "2nd email", "1.5", "+1 555", "x#4174086"])
def test_a_column_may_have_a_number_in_its_name(first: str) -> None:
    assert table(f"{first},Name\nx,y\n".encode()).header == [first, "Name"]


def test_a_nameless_column_is_numbered() -> None:
    assert table(b"Email,,City\na@b.c,x,y").header == ["Email", "Column 2", "City"]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ('"Ada "the" Great",x@example.com', "The quotes in line 7,312 are broken: text follows a closing quote."),
        ('"Ada,x@example.com', "The quotes that open in line 7,312 are never closed."),
    ],
)
def test_quotes_broken_in_line_7312_are_told_with_that_line(broken: str, sentence: str) -> None:
    lines = ["Name,Email", *(f"n{number},n{number}@example.com" for number in range(2, 20_000))]
    lines[7311] = broken
    error = refusal("\n".join(lines).encode())
    assert (error.sentence, error.line) == (sentence, 7312)


def test_quotes_that_a_later_line_happens_to_close_are_told_where_they_open() -> None:
    assert refusal(b'Name,Email\n"Ada,a@b.c\n"Bo",b@b.c\n').line == 2


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("leads.csv", TEXT)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b" \r\n\r\n  ", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"Email,Name\r\n", "no lines below them"),
        (b"Email,Name\r\n\r\n,\r\n", "no lines below them"),
        (_zip(), "This is a zip file or an Excel workbook (.xlsx), not a CSV."),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old Excel workbook"),
        (b"\x1f\x8b\x08junk", "gzip"),
        (b"%PDF-1.4", "a PDF"),
        ("Email\na@b.c".encode("utf-32"), "UTF-32"),
        (b"Email,Name\na@b.c,x\0y\n", "Line 2 contains a character that is not text (NUL)"),
        (b"Email,Name\n" + b"a@b.c," + b"x" * 200_000, "A cell in line 2 is longer than 131,072 characters."),
        (b"Email,Name\n" + b"x" * 3_000_000, "Line 2 is longer than 1,000,000 characters."),
        (b",".join(b"c%d" % number for number in range(201)) + b"\n", "Line 1 has more than 200 columns."),
        (b"a," * 1_000_000 + b"\n1,2\n", "Line 1 has more than 200 columns."),
        (b"a," * 200_000 + b"\n1,2\n", "Line 1 has more than 200 columns."),
        (b"a;" * 70_000 + b"\n1;2\n", "Line 1 has more than 200 columns."),
        (b"x" * 200_000 + b"\n1,2\n", "A cell in line 1 is longer than 131,072 characters."),
        ("Email,Name\na@b.c,Ädà\n".encode() + b"b@b.c,\xe9\n", "Line 3 contains bytes that are not UTF-8"),
        ("Email,Name\na@b.c,Ädà\nb@b.c,é".encode()[:-1], "Line 3 contains bytes that are not UTF-8"),
        ("Email,Name\na@b.c,x".encode("utf-16") + b"\x00", "Line 2 contains bytes that are not text."),
    ],
    ids=range(21),
)
def test_what_is_no_csv_is_refused_with_a_clear_sentence(content: bytes, words: str) -> None:
    assert words in refusal(content).sentence


def test_a_row_of_a_million_cells_costs_no_more_than_its_line() -> None:
    found = list(table(b"Email,Name\n" + b"a," * 400_000 + b"\n").rows())
    assert len(found[0].cells) == 2
    assert found[0].problem.startswith("has 400,001 cells")


def test_a_header_of_empty_cells_costs_no_more_than_its_line() -> None:
    started = time.process_time()
    assert table(b"Email,Name" + b"," * 400_000 + b"\na@b.c,x\n").header == ["Email", "Name"]
    assert time.process_time() - started < 5


class Endless(io.RawIOBase):
    """A file of so many bytes that is made while it is read."""

    def __init__(self, head: bytes, line: bytes, size: int) -> None:
        self._head, self._line, self._size, self._at = head, line * (1 + 2**16 // len(line)), size, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else self._size, self._size - self._at, 2**16)
        if self._at == 0:
            self._at = len(self._head)
            return self._head
        self._at += size
        return self._line[:size]


@pytest.mark.parametrize("line", [b"somebody@example.com,Some Body\n", b"x", b'"', b"a,", b"\n", b"\xe9,\xe9\n"])
def test_memory_is_bounded_however_large_the_file(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 MB of good lines, and of none at all."""
    monkeypatch.setattr(tables, "_LINES_AT_MOST", 200_000)
    tracemalloc.start()
    started = time.process_time()
    try:
        for row in Table(Endless(b"Email,Name\n", line, 50_000_000)).rows():  # type: ignore[arg-type]
            if row.line > 100_000:
                break
    except BadTable:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 30_000_000
    assert time.process_time() - started < 30


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_are_read_or_refused_and_nothing_else(seed: int) -> None:
    rng = random.Random(seed)
    pieces: list[Callable[[], bytes]] = [
        lambda: rng.randbytes(rng.randint(0, 60)),
        lambda: rng.choice([b",", b";", b"\t", b"\n", b"\r", b'"', b'""', b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"@"]),
        lambda: "Ädà, „Bo“ 日本 🏺\n".encode(rng.choice(["utf-8", "utf-16", "utf-16-be"])),
    ]
    for _ in range(60):
        content = b"".join(rng.choice(pieces)() for _ in range(rng.randint(0, 30)))
        with contextlib.suppress(BadTable):
            for row in table(content).rows():
                assert all("\0" not in cell for cell in row.cells)


@pytest.mark.parametrize("seed", range(20))
def test_what_a_spreadsheet_writes_is_read_back(seed: int) -> None:
    rng = random.Random(seed)
    signs = "ab \"',;\t\n\r=@äßé日🏺"
    wanted = [["x", *("".join(rng.choices(signs, k=rng.randint(0, 9))) for _ in range(3))] for _ in range(50)]
    held = io.StringIO()
    delimiter = rng.choice(",;\t")
    csv.writer(held, delimiter=delimiter, lineterminator="\r\n").writerows([["A", "B", "C", "D"], *wanted])
    content = held.getvalue().encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))
    assert [cells for _, cells in rows(content)] == wanted


def test_more_lines_than_anybody_has_leads_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_LINES_AT_MOST", 20)
    assert refusal(b"Email\n" + b"a@b.c\n" * 20).sentence == "The file has more than 20 lines. Split it."
