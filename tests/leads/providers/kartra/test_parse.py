"""Objects and single values with everything that PHP and time have done to them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.providers.base import Consent, FieldValue, LeadRef, ListSubscription, Option, SequenceSubscription
from leads.providers.errors import Unavailable
from leads.providers.kartra import parse, values
from tests.leads.providers.kartra.script import answering, enveloped


def lead_with(**details: Any) -> Any:
    provider, _ = answering({"status": "Success", "lead_details": {"id": 7, **details}})
    return provider.get_lead(LeadRef(id="7"))


@pytest.mark.parametrize("nothing", [[], {}, None, "", " ", "null", "[]", False, [None, "", []]])
def test_empty_lists_maps_texts_and_null_mean_nothing(nothing: Any) -> None:
    keys = ("custom_fields", "tags", "lists", "sequences", "memberships", "surveys")
    lead = lead_with(**dict.fromkeys(keys, nothing))
    assert (lead.custom_fields, lead.tags, lead.lists, lead.sequences, lead.memberships, lead.surveys) == ((),) * 6


def test_a_lead_with_nothing_but_an_id_is_a_lead() -> None:
    lead = lead_with()
    assert (lead.id, lead.email, lead.name, lead.score, lead.joined, lead.consent) == ("7", "", "", None, None, None)
    assert (lead.blacklisted, lead.deleted, lead.deleted_at) == (None, False, None)
    assert set(lead.profile.values()) == {""}


@pytest.mark.parametrize(
    "details", [[], {}, "", None, {"id": ""}, {"id": "0"}, {"id": None}, {"email": "a@b.c"}, "x", 3]
)
def test_a_lead_without_an_id_is_unreadable(details: Any) -> None:
    provider, _ = answering({"status": "Success", "lead_details": details})
    with pytest.raises(Unavailable):
        provider.get_lead(LeadRef(email="a@b.c"))


def test_another_lead_than_was_asked_for_is_not_shown() -> None:
    provider, _ = answering({"status": "Success", "lead_details": {"id": "8"}})
    with pytest.raises(Unavailable):
        provider.get_lead(LeadRef(id="7"))


def test_a_php_map_in_place_of_a_list_gives_its_values_in_the_order_of_its_numbers() -> None:
    lead = lead_with(tags={"10": {"tag_name": "c"}, "2": {"tag_name": "b"}, "1": {"tag_name": "a"}})
    assert lead.tags == ("a", "b", "c")


def test_rows_may_be_bare_names_and_flags_anything() -> None:
    lead = lead_with(
        lists=[
            "News",
            {"list_name": "Old", "active": False},
            {"list_name": "Odd", "active": "?"},
            None,
        ],
        sequences=[
            {"sequence_name": "A", "step": 3, "status": "Active"},
            {"sequence_name": "B", "status": "unsubscribed"},
            {"sequence_name": "C"},
            {"sequence_name": "D", "active": "0"},
        ],
    )
    assert lead.lists == (ListSubscription("News", True), ListSubscription("Old", False), ListSubscription("Odd", True))
    assert lead.sequences == (
        SequenceSubscription("A", "3", True),
        SequenceSubscription("B", "", False),
        SequenceSubscription("C", "", True),
        SequenceSubscription("D", "", False),
    )


def test_fields_that_nobody_knows_are_kept_for_display() -> None:
    lead = lead_with(
        **{
            "Shoe Size": "38",
            "referring_id": "12",
            "source_id": "0",
            "google_plus": "",
            "x": None,
            "y": "N/A",
            "z": ["q"],
        }
    )
    assert lead.extra == {"Shoe Size": "38", "referring_id": "12", "z": '["q"]'}


def test_surveys_are_kept_as_they_come() -> None:
    assert lead_with(surveys=[{"survey_name": "Taste", "survey_score": 7, "x": ""}, "Smell", {"x": 1}]).surveys == (
        {"survey_name": "Taste", "survey_score": "7"},
        {"survey_name": "Smell"},
        {"x": "1"},
    )


def test_names_in_capitals_and_with_markup_are_left_alone() -> None:
    lead = lead_with(first_name="<b>N/A</b>", last_name="N/A", notes=" two\nlines ")
    assert (lead.profile["first_name"], lead.profile["last_name"], lead.notes) == ("<b>N/A</b>", "N/A", " two\nlines ")


def test_deleted_and_blacklisted_leads_say_so() -> None:
    lead = lead_with(lead_deleted=1, lead_deleted_date="2026-02-01 08:00:00", blacklisted="1")
    assert (lead.deleted, lead.blacklisted) == (True, True)
    assert lead.deleted_at.text == "2026-02-01 08:00:00"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("0", "GDPR is switched off for the account"),
        (1, "Not subject to GDPR"),
        ("2", "Accepted"),
        ("3", "Not accepted"),
        ("4", "Location unknown"),
        ("5", "Pending"),
        ("6", "Status 6"),
    ],
)
def test_consent_is_told_in_words(status: Any, words: str) -> None:
    assert lead_with(gdpr_lead_status=status).consent == Consent(words)


# Custom fields


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"field_type": "input_field", "field_value": 38}, FieldValue("f", "text", text="38")),
        ({"field_type": "input_field", "field_value": None}, FieldValue("f", "text")),
        ({"field_type": "input_field", "field_value": []}, FieldValue("f", "text")),
        ({"field_type": "mystery", "field_value": "x"}, FieldValue("f", "text", text="x")),
        ({"field_type": "mystery", "field_value": [{"option_value": "x"}]}, FieldValue("f", "text", text="x")),
        ({"field_type": "mystery", "field_value": {"x": 1}}, FieldValue("f", "text", text='{"x": "1"}')),
        ({"field_type": "text_area", "field_value": " a\nb "}, FieldValue("f", "long_text", text=" a\nb ")),
        ({"field_type": "drop_down", "field_value": ""}, FieldValue("f", "choice")),
        ({"field_type": "checkbox", "field_value": [{"option_id": ""}]}, FieldValue("f", "choices")),
        ({"field_type": "drop_down", "field_value": "2"}, FieldValue("f", "choice", chosen=(Option("2", "2"),))),
        (
            {"field_type": "drop_down", "field_value": {"option_id": 2, "option_value": "studio"}},
            FieldValue("f", "choice", chosen=(Option("2", "studio"),)),
        ),
        (
            {"field_type": "radio_button", "field_value": [{"option_id": 2, "option_value": "studio"}]},
            FieldValue("f", "radio", chosen=(Option("2", "studio"),)),
        ),
        (
            {"field_type": "checkbox", "field_value": {"1": {"option_id": 3, "option_value": "b"}, "0": "1"}},
            FieldValue("f", "choices", chosen=(Option("1", "1"), Option("3", "b"))),
        ),
        (
            {"field_type": "checkbox", "field_value": ["1", 3]},
            FieldValue("f", "choices", chosen=(Option("1", "1"), Option("3", "3"))),
        ),
    ],
)  # fmt: skip
def test_custom_field_values_of_all_kinds(row: dict[str, Any], expected: FieldValue) -> None:
    assert lead_with(custom_fields=[{"field_identifier": "f", **row}]).custom_fields == (expected,)


def test_custom_fields_keyed_by_name() -> None:
    lead = lead_with(custom_fields={"size": {"field_value": "38"}, "colour": "red", "weight": "", "": ""})
    assert lead.custom_fields == (
        FieldValue("size", "text", text="38"),
        FieldValue("colour", "text", text="red"),
        FieldValue("weight", "text"),
    )


# Money


def test_an_amount_that_is_no_number_is_kept_for_display() -> None:
    details = {
        "transaction_full_amount": "12 dollars",
        "transaction_tax": "NaN",
        "transaction_shipping": "N/A",
        "x": [],
    }
    provider, _ = answering(enveloped(("get_transaction_details", {"transaction_details": details})))
    row = provider.get_transaction("5")
    assert (row.amount, row.tax, row.shipping) == (None, None, None)
    assert row.extra == {"transaction_full_amount": "12 dollars", "transaction_tax": "NaN"}


def test_nothing_is_not_zero() -> None:
    details = {"transaction_full_amount": "0.00", "transaction_tax": "", "transaction_parent_id": "0"}
    provider, _ = answering(enveloped(("get_transaction_details", {"transaction_details": details})))
    row = provider.get_transaction("5")
    assert (row.amount, row.tax, row.parent_id) == (Decimal("0.00"), None, "")


@pytest.mark.parametrize(
    ("kind", "read"), [("refund", "9.95"), ("Partial_Refund", "9.95"), ("chargeback", "9.95"), ("sale", "-9.95")]
)
def test_what_went_back_has_no_minus(kind: str, read: str) -> None:
    row = parse.transaction("5", {"transaction_type": kind}, {"transaction_full_amount": "-9.95"})
    assert str(row.amount) == read


def test_details_of_another_transaction_are_not_shown() -> None:
    details = {"transaction_id": "6", "transaction_full_amount": "9.00"}
    provider, _ = answering(enveloped(("get_transaction_details", {"transaction_details": details})))
    with pytest.raises(Unavailable):
        provider.get_transaction("5")


# Single values


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("19.95", "19.95"), ("-5", "-5"), ("0", "0"), ("1,234.50", "1234.50"), ("12,345,678", "12345678"),
        (" 7.0 ", "7.0"),
        ("", None), ("N/A", None), ("NaN", None), ("Infinity", None), ("1e5", None), ("1,23", None), ("12,34.5", None),
        ("9" * 13, None), ("$5", None), ("5.", None), (".5", None), ("٣", None), (True, None), (None, None), ([], None),
        ({}, None),
    ],
)  # fmt: skip
def test_amounts(written: Any, amount: str | None) -> None:
    assert values.amount(written) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize("nothing", ["0000-00-00 00:00:00", "0000-00-00", "", " ", "N/A", "0", None, [], {}, False])
def test_no_time(nothing: Any) -> None:
    assert values.stamp(nothing) is None


@pytest.mark.parametrize("junk", ["soon", "2026-13-45 99:99:99", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "٢٠٢٦"])
def test_a_time_that_cannot_be_read_is_kept_as_text(junk: str) -> None:
    stamp = values.stamp(junk)
    assert stamp is not None
    assert (stamp.text, stamp.at) == (junk, None)


@given(st.one_of(st.none(), st.booleans(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_no_value_makes_a_reader_crash(value: Any) -> None:
    for read in (
        values.as_text, values.word, values.id_of, values.as_map, values.is_nothing, values.flag, values.whole,
        values.amount, values.stamp, values.shown,
    ):  # fmt: skip
        read(value)


@given(st.dictionaries(st.text(), st.integers()))
def test_items_of_a_map_lose_nothing(value: dict[str, int]) -> None:
    assert sorted(values.as_items(value)) == sorted(value.items())
