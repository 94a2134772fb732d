"""What people paste: every lead once, in order, and nothing guessed."""

from collections.abc import Iterator

import pytest

from kartra_admin.lib.errors import AppError
from leads.pasting import Line, as_paste, numbers_of, read_lines, read_pasted
from leads.providers.base import LeadRef


def refs(text: str) -> list[str]:
    return [named.ref.email or named.ref.id for named in read_pasted(text).leads]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada@example.com\n4174086", ["ada@example.com", "4174086"]),
        ("  MAILTO:Ada@Example.com?subject=Hi ", ["ada@example.com"]),
        ('Ada Moreno <ada@example.com>; "Moreno, Ben" <ben@example.com>', ["ada@example.com", "ben@example.com"]),
        ('"ada@example.com","Ada"', ["ada@example.com"]),
        ("1 2\t3|4", ["1", "2", "3", "4"]),
        ("#007", ["7"]),
        ("\ufeffada@example.com\r\n\r\n\u200bben@example.com", ["ada@example.com", "ben@example.com"]),
        ("12 Main street ada@example.com", ["ada@example.com"]),
        ("", []),
        (" \n\t\n", []),
    ],
    ids=repr,
)
def test_who_is_named(text: str, found: list[str]) -> None:
    assert refs(text) == found
    assert read_pasted(text).bad == []


@pytest.mark.parametrize(
    "line",
    ["email", "Ada Moreno", "ada@example.com, Ada", "1; two", "@", "9" * 21, "x" * 330 + "@example.com", "=1+1"],
    ids=lambda line: line[:20],
)
def test_a_line_that_is_not_clear_is_bad_as_a_whole_and_told_with_its_number(line: str) -> None:
    found = read_pasted(f"ben@example.com\n{line}\n")
    assert [named.ref.email for named in found.leads] == ["ben@example.com"]
    assert [(bad.number, line.startswith(bad.text)) for bad in found.bad] == [(2, True)]


def test_doubles_are_taken_once_and_told() -> None:
    found = read_pasted("a@b.c\n1\nA@B.C\n01, 2")
    assert [(named.line, named.ref) for named in found.leads] == [
        (1, LeadRef(email="a@b.c")), (2, LeadRef(id="1")), (4, LeadRef(id="2")),
    ]  # fmt: skip
    assert found.doubles == [Line(3, "A@B.C"), Line(4, "01, 2")]


def test_very_long_lines_and_many_of_them_are_read_quickly() -> None:
    found = read_pasted("x" * 2_000_000 + "\n" + "\n".join(f"lead{number}@example.com" for number in range(50_000)))
    assert (len(found.leads), len(found.bad)) == (50_000, 1)


@pytest.mark.parametrize("line", ["a@b.c", "junk"])
def test_lines_that_give_nothing_new_are_not_read_without_end(line: str) -> None:
    def lines() -> Iterator[tuple[int, str]]:
        for number in range(1, 2_000_000):
            read[0] = number
            yield number, line

    read = [0]
    with pytest.raises(AppError, match="50,000"):
        read_lines(lines())
    assert 50_000 <= read[0] <= 50_002
    assert read_pasted(f"{line}\n" * 40_000)


def test_numbered_lines_as_a_paste_keep_their_numbers() -> None:
    lines = [(2, "ada@example.com"), (5, "junk"), (6, "ben@example.com")]
    found = read_pasted(as_paste(lines))
    assert [(named.line, named.ref.email) for named in found.leads] == [(2, "ada@example.com"), (6, "ben@example.com")]
    assert [line.number for line in found.bad] == [5]
    assert read_pasted(found.text) == found


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([], ""), ([7], "7"), ([1, 2], "1–2"), ([3, 5, 6, 7, 9], "3, 5–7, 9")],
)
def test_numbers_of_lines_are_said_in_runs(numbers: list[int], words: str) -> None:
    assert numbers_of(Line(number, "x") for number in numbers) == words
