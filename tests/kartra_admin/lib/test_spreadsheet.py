"""CSV that no spreadsheet runs."""

import csv
import io

import pytest

from kartra_admin.lib import spreadsheet


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=cmd|"/c calc"!A1', "-2+3+cmd|' /C calc'!A0"], ids=repr
)
def test_what_looks_like_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert spreadsheet.safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Ada", "1.00", "a=b", " =1", "'=1", "ليلى", "2026-11-01"], ids=repr)
def test_the_rest_stays_as_it_is(cell: str) -> None:
    assert spreadsheet.safe(cell) == cell


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
