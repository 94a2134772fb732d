"""Text as it is searched, and where in a text a match stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kartra_admin.lib import folding


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Jürgen", "jurgen"),
        ("GROẞMANN", "grossmann"),
        ("Łukasz Żurawska", "lukasz zurawska"),
        ("Søren Ærø", "soren aero"),
        ("İbrahim IŞIL", "ibrahim isil"),
        ("Đặng Thảo", "dang thao"),
        ("ﬁﬀ", "fiff"),
        ("１２３ ٤٥٦", "123 456"),
        ("Ελένη", "ελενη"),
    ],
)
def test_letters_that_people_take_for_the_same_are_the_same(text: str, folded: str) -> None:
    assert folding.fold(text) == folded


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = folding.fold(text)
    assert folding.fold(once) == once


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("O'Brien-Smith", ["obrien", "smith"]),
        ("  Ada   Moreno, Jr. ", ["ada", "moreno", "jr"]),
        ("कविता शर्मा", None),
        ("高橋 健太", ["高橋", "健太"]),
        ("%_*", []),
        ("a\0b", ["a", "b"]),
    ],
)
def test_words_are_letters_and_digits(text: str, words: list[str] | None) -> None:
    found = folding.split(text)
    assert found == words if words is not None else len(found) == 2


@pytest.mark.parametrize(
    ("number", "digits"),
    [("+1 (555) 123-4567", "15551234567"), ("+44 (0)20 7946", "44207946"), ("٠١٢", "012"), ("", "")],
)
def test_a_number_is_its_digits(number: str, digits: str) -> None:
    assert folding.digits(number) == digits


def test_what_is_searched_holds_each_word_once_between_spaces() -> None:
    words = folding.searchable(
        account_id=7, name="Jon Smith", email="Jon.Smith@Example.com", phone="555 1", others=["Smith Ltd", ""]
    )
    assert words == " ~7 jon smith jon.smith@example.com ltd 5551 "
    assert folding.spelled(words) == {"jon", "smith", "ltd"}


@pytest.mark.parametrize(
    ("text", "parts", "marked"),
    [
        ("Jürgen Großmann", ["jur", "gross"], ["Jür", "Groß"]),
        ("Siobhán O'Malley", ["omal"], ["O'Mal"]),
        ("Blacksmith", ["smith"], ["smith"]),
        ("Smith Blacksmith", ["smith"], ["Smith"]),
        ("Ann Anna", ["ann"], ["Ann", "Ann"]),
        ("Nobody", ["x", ""], []),
        ("ﬁona", ["fi"], ["ﬁ"]),
    ],
)
def test_matches_are_found_in_the_text_as_it_is_written(text: str, parts: list[str], marked: list[str]) -> None:
    assert [text[start:stop] for start, stop in folding.find_in(text, parts)] == marked


@given(st.text(max_size=40), st.lists(st.text(max_size=5), max_size=3))
def test_ranges_are_in_order_and_apart(text: str, parts: list[str]) -> None:
    ranges = folding.find_in(text, [folding.fold(part) for part in parts])
    edges = [edge for pair in ranges for edge in pair]
    assert edges == sorted(edges)
    assert all(0 <= start < stop <= len(text) for start, stop in ranges)


def test_digits_are_found_through_what_is_written_between_them() -> None:
    text = "+1 (555) 123-4567"
    [(start, stop)] = folding.find_digits_in(text, "551234")
    assert text[start:stop] == "55) 123-4"
    assert folding.find_digits_in(text, "999") == folding.find_digits_in(text, "") == []
