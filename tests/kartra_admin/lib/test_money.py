"""Amounts as people type them: understood, or refused; never misread."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kartra_admin.lib.money import AmountUnclear, parse_amount, plain

CENTS = st.integers(min_value=1, max_value=99_999_999_999)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("20", "20.00"), ("19.95", "19.95"), ("19,95", "19.95"), ("0,5", "0.50"), (" 7 ", "7.00"), ("0.01", "0.01"),
        ("1,000.00", "1000.00"), ("1.000,00", "1000.00"), ("1,234,567.89", "1234567.89"), ("1.234.567", "1234567.00"),
        ("007", "7.00"), ("999999999", "999999999.00"),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, amount: str) -> None:
    assert plain(parse_amount(text)) == amount


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "0", "0.00", "-5", "+5", "5-", "1.000", "1,000", "19.955", "19,955", "1.000.00", "1,000,00", "1 000",
        "1e3", "NaN", "Infinity", "-inf", "10^30", "1" * 31, "0x10", "5.", ".5", "5..0", "1,00.00", "1,0000.00",
        "€5", "5 EUR", "<b>5</b>", "5;10", "٥", "５", "½", "5\n10", "5\u00a0000", "five", "1_000", "12,34.56",
        "1,000.0", "1E+30",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(AmountUnclear):
        parse_amount(text)


@pytest.mark.parametrize("text", ["1.000", "1,000", "19.955", "19,955"])
def test_what_may_mean_thousands_or_three_decimals_is_told_both(text: str) -> None:
    with pytest.raises(AmountUnclear, match=rf"{text} can be read in two ways.*such as 1000\.00.*at most two decimals"):
        parse_amount(text)


@pytest.mark.parametrize("text", ["0,001", "0.001", "019.955", "0,001,000", "00,123.45", "1234.567"])
def test_what_can_only_have_three_decimals_is_told_so(text: str) -> None:
    with pytest.raises(AmountUnclear, match="Use digits and at most two decimals, such as"):
        parse_amount(text)


@given(CENTS)
def test_every_amount_reads_back_as_itself(cents: int) -> None:
    amount = Decimal(cents) / 100
    assert parse_amount(plain(amount)) == amount
    assert parse_amount(plain(amount).replace(".", ",")) == amount


@given(CENTS)
def test_both_ways_of_grouping_mean_the_same(cents: int) -> None:
    amount = Decimal(cents) / 100
    english = f"{amount:,.2f}"
    assert parse_amount(english) == amount
    assert parse_amount(english.translate(str.maketrans(".,", ",."))) == amount


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        amount = parse_amount(text)
    except AmountUnclear:
        return
    assert amount > 0
    assert amount == amount.quantize(Decimal("0.01"))
    digits = "".join(char for char in text if char.isdigit())
    assert digits.lstrip("0").startswith(str(int(amount)) if amount >= 1 else "")


@given(st.text(alphabet="0123456789.,", min_size=1, max_size=14))
def test_nothing_that_can_be_read_two_ways_is_read(text: str) -> None:
    """Whoever meant the last mark as a thousands mark and whoever meant it as a decimal one must agree."""
    try:
        amount = parse_amount(text)
    except AmountUnclear:
        return
    marks = [char for char in text if char in ".,"]
    if len(marks) == 1:
        assert len(text) - text.index(marks[0]) - 1 in (1, 2)
        assert amount == Decimal(text.replace(",", "."))
