"""The rows from 31 on of what Kartra's pages leave open, or say two ways; see `test_rows`."""

from typing import Any

import pytest

from leads.providers.base import LeadRef, Option
from leads.providers.changes import (
    AssignTag,
    CreateField,
    CreateLead,
    EditLead,
    RefundTransaction,
)
from leads.providers.errors import Misconfigured, NotFound, Refused
from tests.leads.providers.kartra.script import OK, answering, enveloped, flat

REF = LeadRef(id="7")


def lead_with(**details: Any) -> Any:
    provider, _ = answering({"status": "Success", "lead_details": {"id": "7", **details}})
    return provider.get_lead(REF)


def test_row_31_times_are_labelled_est_and_read_on_the_clock_of_new_york() -> None:
    summer, winter = (
        lead_with(date_joined="2026-07-01 12:00:00").joined,
        lead_with(date_joined="2026-01-01 12:00").joined,
    )
    assert (summer.zone, summer.text, summer.at.isoformat()) == (
        "EST",
        "2026-07-01 12:00:00",
        "2026-07-01T12:00:00-04:00",
    )
    assert winter.at.isoformat() == "2026-01-01T12:00:00-05:00"


def test_row_32_agreement_to_contact_has_the_majoritys_meaning() -> None:
    assert lead_with(gdpr_lead_status="2", gdpr_lead_communications="1").consent.agreed_to_contact is True
    assert lead_with(gdpr_lead_status="2", gdpr_lead_communications=0).consent.agreed_to_contact is False
    assert lead_with(gdpr_lead_status="2", gdpr_lead_communications="2").consent.agreed_to_contact is None


@pytest.mark.parametrize("written", ["2023-03-14 09:26:53", "14 Mar 2023 09:26:53"])
def test_row_33_a_consent_is_dated_two_ways(written: str) -> None:
    at = lead_with(gdpr_lead_status="2", gdpr_lead_status_date=written).consent.at
    assert at.text == written
    assert at.at.isoformat() == "2023-03-14T09:26:53-04:00"


def test_row_33_a_date_in_neither_form_is_kept_as_it_came() -> None:
    at = lead_with(gdpr_lead_status="2", gdpr_lead_status_date="last Tuesday").consent.at
    assert (at.text, at.at) == ("last Tuesday", None)


def test_row_36_the_body_of_a_429_is_not_looked_at() -> None:
    provider, script = answering((429, b'{"status":"Error","type":"203"}'), {"status": "Success", "account_tags": []})
    assert provider.list_tags() == ()
    assert script.limiter.pauses == [("APP", 1.0)]


def test_row_37_the_content_type_is_ignored() -> None:
    """The scripted Kartra labels all its answers text/html."""
    provider, _ = answering({"status": "Success", "account_tags": ["a"]})
    assert provider.list_tags() == ("a",)


def test_rows_38_and_39_a_call_is_a_form_with_one_flat_lead() -> None:
    provider, script = answering(enveloped(("create_lead", OK)))
    provider.send(LeadRef(), [CreateLead("a@b.example", profile={"city": "Rome"})])
    assert script.calls[0]["lead"] == {"email": "a@b.example", "city": "Rome"}
    assert b"actions%5B0%5D%5Bcmd%5D=create_lead" in script.bodies[0]


def test_row_40_payments_are_named_without_a_lead() -> None:
    provider, script = answering(enveloped(("refund_transaction", OK)))
    provider.send(REF, [RefundTransaction("5", everything=True)])
    assert script.calls == [{"actions": {"0": {"cmd": "refund_transaction", "transaction_id": "5"}}}]


def test_row_41_a_set_up_that_kartra_refuses_names_who_can_mend_it() -> None:
    for number in ("203", "204", "262"):
        provider, _ = answering(flat(number))
        with pytest.raises(Misconfigured, match=r"My API|owner|administrator"):
            provider.check_credentials()


def test_row_42_all_five_types_of_field_can_be_made() -> None:
    kinds = {
        "text": "input_field",
        "long_text": "text_area",
        "choice": "drop_down",
        "radio": "radio_button",
        "choices": "checkbox",
    }
    for kind, name in kinds.items():
        provider, script = answering(enveloped(("create_custom_field", OK)))
        provider.send(LeadRef(), [CreateField("f", kind, options=["a", "b"])])
        assert script.calls[0]["actions"]["0"]["custom_field_type"] == name


def test_row_45_a_number_nobody_knows_shows_kartras_number_and_words() -> None:
    provider, _ = answering(flat("286", "Something else"))
    (outcome,) = provider.send(REF, [AssignTag("a")])
    assert (outcome.state, outcome.code, outcome.words) == ("failed", "286", "Something else")
    assert isinstance(outcome.error, Refused)
    assert "Something else" in outcome.error.sentence


def test_row_46_names_travel_exactly_as_they_came() -> None:
    names = (" VIP ", "vip", "Größe & <b>", "x" * 300)
    provider, script = answering(
        {"status": "Success", "account_tags": list(names)}, enveloped(*(("assign_tag", OK) for _ in names))
    )
    assert provider.list_tags() == names
    provider.send(REF, [AssignTag(name) for name in names])
    assert [action["tag_name"] for action in script.calls[1]["actions"].values()] == list(names)


def test_row_48_only_what_changed_is_sent_and_empty_text_clears() -> None:
    provider, script = answering(enveloped(("edit_lead", OK)))
    provider.send(REF, [EditLead(profile={"city": ""}, custom_fields={"glazes": [], "plan": "2"})])
    assert script.calls[0]["lead"] == {
        "id": "7",
        "city": "",
        "custom_fields": {
            "0": {"field_identifier": "glazes", "field_value": ""},
            "1": {"field_identifier": "plan", "field_value": "2"},
        },
    }


def test_row_49_a_deleted_lead_is_told_as_deleted() -> None:
    provider, _ = answering(flat("245"), flat("245"))
    with pytest.raises(NotFound, match="deleted"):
        provider.get_lead(REF)
    (outcome,) = provider.send(LeadRef(), [CreateLead("a@b.example")])
    assert outcome.state == "failed"


def test_row_50_a_lead_of_another_account_is_not_found() -> None:
    provider, _ = answering(flat("234"), flat("243"))
    with pytest.raises(NotFound):
        provider.get_lead(REF)
    (outcome,) = provider.send(REF, [AssignTag("vip")])
    assert outcome.state == "failed"
    assert isinstance(outcome.error, NotFound)


def test_row_51_no_end_of_access_is_read_from_a_cancellation() -> None:
    provider, _ = answering(
        enveloped(("get_subscription_details", {"subscription_details": {"subscription_status": "Cancelled"}}))
    )
    row = provider.get_subscription("3")
    assert (row.status, row.ended) == ("cancelled", None)


def test_row_53_custom_fields_are_written_as_a_list() -> None:
    provider, script = answering(enveloped(("create_lead", OK)))
    provider.send(LeadRef(), [CreateLead("a@b.example", custom_fields={"glazes": ["1", "3"], "about_me": ""})])
    assert script.calls[0]["lead"]["custom_fields"] == {
        "0": {"field_identifier": "glazes", "field_value": {"0": "1", "1": "3"}}
    }


def test_row_54_option_ids_belong_to_their_field() -> None:
    provider, _ = answering(
        {
            "status": "Success",
            "custom_fields": [
                {
                    "field_identifier": "a",
                    "field_type": "drop_down",
                    "field_value": [{"option_id": 1, "option_value": "x"}],
                },
                {
                    "field_identifier": "b",
                    "field_type": "checkbox",
                    "field_value": [{"option_id": 1, "option_value": "y"}],
                },
                {
                    "field_identifier": "c",
                    "field_type": "checkbox",
                    "field_value": [{"option_id": 612, "option_value": "z"}],
                },
            ],
        }
    )
    assert [field.options for field in provider.list_fields()] == [
        (Option("1", "x"),),
        (Option("1", "y"),),
        (Option("612", "z"),),
    ]


def test_row_55_an_unknown_source_is_shown_raw() -> None:
    assert lead_with(source="0").source == "0"


def test_row_58_payments_come_newest_first_whatever_the_order() -> None:
    rows = [{"transaction_id": number} for number in ("9", "100", "20")]
    provider, _ = answering(enveloped(("retrieve_transactions_from_lead", {"transaction_list": rows})))
    assert [row.id for row in provider.list_transactions(REF)] == ["100", "20", "9"]
