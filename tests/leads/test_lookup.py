"""Whatever is pasted into the search box, it is one email, one id, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.lookup import read_query
from leads.providers.base import LeadRef

ADA = LeadRef(email="ada.moreno@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "ada.moreno@example.com",
        "  ada.moreno@example.com\t\n",
        "ADA.Moreno@Example.COM",
        "mailto:ada.moreno@example.com",
        "MAILTO:ada.moreno@example.com?subject=Kiln%20Club&cc=",
        "mailto:ada.moreno%40example.com",
        "<ada.moreno@example.com>",
        "Ada Moreno <ada.moreno@example.com>",
        '"Moreno, Ada" <ada.moreno@example.com>,',
        "Ada Moreno (ada.moreno@example.com)",
        "'ada.moreno@example.com'",
        "Write to ada.moreno@example.com.",
        "ada.moreno@example.com; ADA.MORENO@example.com",
        "\u200bada.moreno@example.com\ufeff",
        "ada.mo\u00adreno@example.com",
        "\u202aada.moreno@example.com\u202c",
    ],
)
def test_an_email_is_read_however_it_was_pasted(text: str) -> None:
    assert read_query(text) == ADA


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("siobhan.o'malley@example.com", "siobhan.o'malley@example.com"),
        ("ada+kiln@example.com", "ada+kiln@example.com"),
        ("jörg@töpferei.example", "jörg@töpferei.example"),
    ],
)
def test_an_unusual_address_is_kept_whole(text: str, expected: str) -> None:
    assert read_query(text) == LeadRef(email=expected)


@pytest.mark.parametrize("text", ["4174086", " 4174086 ", "#4174086", "# 4174086", "0004174086", "\u200e4174086\u200e"])
def test_an_id_is_read_however_it_was_pasted(text: str) -> None:
    assert read_query(text) == LeadRef(id="4174086")


def test_nothing_but_noughts_is_the_id_nought() -> None:
    assert read_query("000") == LeadRef(id="0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Ada Moreno",
        "ada.moreno@",
        "@example.com",
        "ada@example.com, ben@example.com",
        "4174086 4174090",
        "41 74 086",
        "-5",
        "4.5",
        "1" * 21,
        "٤١٧٤٠٨٦",
        "<script>alert(1)</script>",
        "'; DROP TABLE leads; --",
    ],
)
def test_what_is_neither_one_email_nor_one_id_is_nothing(text: str) -> None:
    assert read_query(text) is None


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    ref = read_query(text)
    assert ref is None or bool(ref.id) != bool(ref.email)


@given(st.integers(min_value=1, max_value=10**20 - 1))
def test_every_id_is_found(number: int) -> None:
    assert read_query(f" #{number}") == LeadRef(id=str(number))


@given(st.emails())
def test_every_plain_address_is_found(email: str) -> None:
    if set(email) & set("'{}|`^~!#$%&*/=?"):  # what people type, not what RFC 5322 allows
        return
    assert read_query(f"Somebody <{email}>") == LeadRef(email=email.lower())
