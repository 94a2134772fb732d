"""CSV that no spreadsheet runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kartra_admin.lib import spreadsheet


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=cmd|"/c calc"!A1', "-2+3+cmd|' /C calc'!A0"], ids=repr
)
def test_what_looks_like_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert spreadsheet.safe(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("x;=1+1", "x;'=1+1"), ("x; =1", "x; '=1"), ('x;"=1', "x;\"'=1"), ("x\t=1", "x\t'=1"), ("x\n@A1", "x\n'@A1"),
        ("a,-1;+2", "a,'-1;'+2"), ("\t=1", "'\t'=1"), (" =1", " '=1"), ("\uff1d1", "'\uff1d1"),
    ],
)  # fmt: skip
def test_nor_does_one_begin_where_some_spreadsheets_split_the_cell(cell: str, safe: str) -> None:
    assert spreadsheet.safe(cell) == safe


@pytest.mark.parametrize("cell", ["", "Ada", "1.00", "a=b", "'=1", "a; b, c", "a;'=1", "ليلى", "2026-11-01"], ids=repr)
def test_the_rest_stays_as_it_is(cell: str) -> None:
    assert spreadsheet.safe(cell) == cell


@given(st.lists(st.lists(st.text(alphabet="ab=+-@,;\t\r\n\"' "), min_size=1, max_size=4), max_size=4))
def test_no_cell_begins_a_formula_whatever_the_lines_are_split_at(rows: list[list[str]]) -> None:
    text = "".join(spreadsheet.lines(rows)).removeprefix("\ufeff")
    for delimiter in ",;\t":
        for drops_spaces in (False, True):
            lines = io.StringIO(text, newline="")
            for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=drops_spaces):
                assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


@given(st.text(alphabet='ab=+-@,;\t\r\n" '))
def test_what_was_made_safe_is_read_again_as_it_was(cell: str) -> None:
    assert spreadsheet.original(spreadsheet.safe(cell)) == cell


def test_an_apostrophe_of_somebody_else_stays() -> None:
    assert [spreadsheet.original(cell) for cell in ("'ot Water", "rock 'n' roll", "x;'y")] == [
        "'ot Water", "rock 'n' roll", "x;'y",
    ]  # fmt: skip


def test_a_long_cell_is_made_safe_in_one_pass() -> None:
    """A search that goes back for each sign would take minutes."""
    for piece in (";", ' "', '; "', "\t"):
        assert spreadsheet.safe("x" + piece * 100_000).replace("'", "") == "x" + piece * 100_000


def test_lines_read_back_as_they_were() -> None:
    rows = [["Lead", "Note"], ['Ada "the potter"', "one\ntwo, three"], ["=HYPERLINK(1)", "🔥"]]
    text = "".join(spreadsheet.lines(rows))
    assert text.startswith("\ufeff")
    read = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert read == [*rows[:2], ["'=HYPERLINK(1)", "🔥"]]


def test_lines_are_made_one_by_one() -> None:
    def rows() -> object:
        yield ["first"]
        raise AssertionError("the second was not asked for yet")

    lines = spreadsheet.lines(rows())  # type: ignore[arg-type]
    assert [next(lines), next(lines)] == ["\ufeff", "first\r\n"]
