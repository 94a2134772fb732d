"""What Kartra's pages leave open, or say two ways: one test for each row of that list that concerns a reader.

The numbers are the rows of 'Contradictions and unknowns' in our reference of the API.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from leads.providers.base import LeadRef, Membership, Option
from leads.providers.changes import (
    AssignTag,
    CancelSubscriptionOfTransaction,
    CreateField,
    CreateLead,
    EditLead,
    EditSubscription,
    RefundTransaction,
    UnsubscribeFromList,
)
from leads.providers.errors import AlreadyDone, Misconfigured, NotFound, Refused, Unavailable
from tests.leads.providers.kartra.script import OK, answering, enveloped, flat

REF = LeadRef(id="7")


def lead_with(**details: Any) -> Any:
    provider, _ = answering({"status": "Success", "lead_details": {"id": "7", **details}})
    return provider.get_lead(REF)


def transaction_with(**details: Any) -> Any:
    provider, _ = answering(enveloped(("get_transaction_details", {"transaction_details": details})))
    return provider.get_transaction("5")


@pytest.mark.parametrize(
    "body", [OK, {"assign_tag": OK}, enveloped(("assign_tag", OK)), {"status": "Success", "assign_tag": json.dumps(OK)}]
)
def test_row_1_flat_bare_and_enveloped_answers_mean_the_same(body: dict[str, Any]) -> None:
    provider, _ = answering(body)
    assert provider.send(REF, [AssignTag("vip")])[0].state == "succeeded"


def test_row_2_success_at_the_top_is_not_success_of_each_action() -> None:
    changes = [AssignTag("a"), AssignTag("b"), AssignTag("c")]
    provider, _ = answering(enveloped(("assign_tag", OK), ("assign_tag", flat("212"))))
    assert [outcome.state for outcome in provider.send(REF, changes)] == ["succeeded", "failed", "unknown"]


@pytest.mark.parametrize("body", [flat("234"), flat("243"), {"status": "Error", "message": "Lead Not Found"}])
def test_row_3_a_missing_lead_is_known_by_either_number_and_by_its_text(body: dict[str, Any]) -> None:
    provider, _ = answering(body, body)
    with pytest.raises(NotFound):
        provider.get_lead(REF)
    (outcome,) = provider.send(REF, [AssignTag("vip")])
    assert outcome.state == "failed"
    assert isinstance(outcome.error, NotFound)


def test_row_4_a_number_may_come_as_text_or_as_a_number() -> None:
    for number in ("248", 248):
        provider, _ = answering(flat(number))
        with pytest.raises(NotFound) as caught:
            provider.get_subscription("1")
        assert caught.value.code == "248"


def test_row_5_the_case_of_the_status_does_not_matter() -> None:
    provider, _ = answering({"status": "success"}, {**flat("212"), "status": "error"})
    assert provider.send(REF, [AssignTag("vip")])[0].state == "succeeded"
    assert provider.send(REF, [AssignTag("vip")])[0].state == "failed"


@pytest.mark.parametrize("number", ["101", "102", "999", None])
def test_row_6_the_number_of_a_success_decides_nothing(number: str | None) -> None:
    element = {"status": "Success", "message": "Lead unsubscribed from list", "type": number}
    provider, _ = answering(enveloped(("unsubscribe_lead_from_list", element)))
    assert provider.send(REF, [UnsubscribeFromList("News")])[0].state == "succeeded"


def test_row_7_the_number_decides_and_not_the_words() -> None:
    provider, _ = answering(flat("207", "list does not exist. Nothing done"))
    (outcome,) = provider.send(REF, [AssignTag("x")])
    assert outcome.error is not None
    assert "No list was named" in outcome.error.sentence
    assert outcome.words == "list does not exist. Nothing done"


def test_row_8_text_in_place_of_an_object_is_decoded_once() -> None:
    provider, _ = answering(
        {"status": "Success", "lead_details": json.dumps({"id": "7", "tags": json.dumps([{"tag_name": "vip"}])})},
        {"status": "Success", "account_tags": json.dumps(["a", "b"])},
        enveloped(("retrieve_transactions_from_lead", {"transaction_list": json.dumps([{"transaction_id": 5}])})),
        {"status": "Success", "lead_details": json.dumps(json.dumps({"id": "7"}))},
    )
    assert provider.get_lead(REF).tags == ("vip",)
    assert provider.list_tags() == ("a", "b")
    assert [row.id for row in provider.list_transactions(REF)] == ["5"]
    with pytest.raises(Unavailable):
        provider.get_lead(REF)


def test_row_9_a_lead_is_asked_for_by_id_or_by_email() -> None:
    details = {"status": "Success", "lead_details": {"id": "7", "email": "a@b.example"}}
    provider, script = answering(details, details)
    provider.get_lead(LeadRef(id="7", email="a@b.example"))
    provider.get_lead(LeadRef(email="a@b.example"))
    assert script.calls == [{"get_lead": {"id": "7"}}, {"get_lead": {"email": "a@b.example"}}]


def test_row_10_a_lead_is_found_under_lead_details_only() -> None:
    provider, _ = answering({"status": "Success", "lead": {"id": "7"}})
    with pytest.raises(Unavailable):
        provider.get_lead(REF)


def test_row_11_memberships_are_named_two_ways() -> None:
    lead = lead_with(
        memberships=[
            {"membership_id": "9", "membership_name": "Kiln Club", "level_name": "Gold", "active": "1"},
            {"name": "Kiln Club", "level_name": "Silver", "active": 0},
            {"id": "12", "active": True},
        ]
    )
    assert lead.memberships == (
        Membership("Kiln Club", "Gold", True),
        Membership("Kiln Club", "Silver", False),
        Membership("12", "", True),
    )


def test_row_12_tags_need_no_id() -> None:
    assert lead_with(tags=[{"tag_id": "1", "tag_name": "a"}, {"tag_name": "b"}, "c", {"name": "d"}]).tags == tuple(
        "abcd"
    )


def test_row_13_an_email_is_changed_by_new_email_beside_the_id() -> None:
    provider, script = answering(enveloped(("edit_lead", OK)))
    provider.send(LeadRef(id="7", email="old@b.example"), [EditLead(new_email="new@b.example")])
    assert script.calls == [{"lead": {"id": "7", "new_email": "new@b.example"}, "actions": {"0": {"cmd": "edit_lead"}}}]


def test_row_14_the_number_of_the_business_type_is_shown_raw() -> None:
    assert lead_with(business_type="3").extra == {"business_type": "3"}


def test_row_15_a_time_zone_is_free_text() -> None:
    assert lead_with(lead_preferred_time_zone="America/Detroit").profile["time_zone"] == "America/Detroit"


def test_row_16_any_success_of_search_and_edit_is_one() -> None:
    provider, script = answering(
        OK, {"status": "Success", "lead_details": {"id": "7"}}, enveloped(("edit_lead", {"status": "Success"}))
    )
    assert provider.find_lead_id(LeadRef(email="a@b.example")) == "7"
    assert script.calls[1] == {"get_lead": {"email": "a@b.example"}}
    assert provider.send(REF, [EditLead(profile={"city": "Rome"})])[0].state == "succeeded"


def test_row_17_any_success_of_search_subscription_is_one() -> None:
    provider, script = answering(
        enveloped(("search_subscription", {"status": "Success"})), {"status": "success"}, flat("248"), {"x": "y"}
    )
    assert provider.has_subscription("3") is True
    assert provider.has_subscription("3") is True
    assert provider.has_subscription("3") is False
    with pytest.raises(Unavailable):
        provider.has_subscription("3")
    assert script.calls[0] == {"actions": {"0": {"cmd": "search_subscription", "subscription_id": "3"}}}


def test_row_18_account_pages_are_the_first_list_of_the_answer() -> None:
    provider, _ = answering(
        {"status": "Success", "account_pages": ["Home"]},
        {"status": "Success", "pages": [{"page_id": "1", "page_name": "Home"}]},
        enveloped(("retrieve_account_pages", {"status": "Success", "list": ["Home"]})),
        {"status": "Success"},
        flat("262"),
    )
    for _ in range(3):
        assert provider.list_pages() == ("Home",)
    with pytest.raises(Unavailable):
        provider.list_pages()
    with pytest.raises(Misconfigured):
        provider.list_pages()


def test_row_19_a_subscription_is_cancelled_by_payment_or_by_its_own_number() -> None:
    provider, script = answering(*(enveloped(("cancel_transaction", OK)),) * 2)
    provider.send(LeadRef(), [CancelSubscriptionOfTransaction(transaction_id="5")])
    provider.send(LeadRef(), [CancelSubscriptionOfTransaction(subscription_id="6")])
    assert [call["actions"]["0"] for call in script.calls] == [
        {"cmd": "cancel_transaction", "transaction_id": "5"},
        {"cmd": "cancel_transaction", "transaction_internal_subscription_id": "6"},
    ]


def test_row_20_the_two_numbers_of_a_subscription_are_kept_apart() -> None:
    row = transaction_with(transaction_subscription_id="I-99", transaction_internal_subscription_id=14833)
    assert (row.subscription_id, row.gateway_subscription_id) == ("14833", "I-99")


def test_row_21_the_refunded_id_may_be_another_than_was_sent() -> None:
    provider, _ = answering(enveloped(("refund_transaction", {"status": "Success", "transaction_refunded": 792354})))
    (outcome,) = provider.send(LeadRef(), [RefundTransaction("738474", amount="1.00")])
    assert outcome.state == "succeeded"
    assert outcome.data == {"refunded_transaction_id": "792354"}


def test_row_22_whether_a_part_may_follow_a_part_is_left_to_kartra() -> None:
    provider, _ = answering(flat("251", "Transaction already refunded"))
    (outcome,) = provider.send(LeadRef(), [RefundTransaction("5", amount="1.00")])
    assert outcome.state == "failed"
    assert isinstance(outcome.error, AlreadyDone)


def test_row_25_amounts_are_read_with_and_without_a_thousands_mark() -> None:
    for written in ("1,234.50", "1234.50", 1234.5):
        assert transaction_with(transaction_full_amount=written).amount == Decimal("1234.50")


@pytest.mark.parametrize("key", ["subscriptions_list", "subscription_list"])
def test_rows_26_and_27_subscriptions_come_under_two_keys(key: str) -> None:
    rows = [{"subscription_id": "3", "subscription_status": "Terminated"}]
    provider, _ = answering(enveloped(("retrieve_subscriptions_from_lead", {key: rows})))
    assert [(row.id, row.status) for row in provider.list_subscriptions(REF)] == [("3", "terminated")]


def test_row_27_the_older_names_of_a_subscription_are_understood() -> None:
    row = {
        "transaction_subscription_id": "I-9",
        "transaction_internal_subscription_id": "3",
        "transaction_subscription_status": "Paused",
        "buyer_id": "7",
        "buyer_email": "a@b.example",
    }
    provider, _ = answering(enveloped(("retrieve_subscriptions_from_lead", {"subscription_list": [row]})))
    (found,) = provider.list_subscriptions(REF)
    assert (found.id, found.status, found.lead_id, found.lead_email) == ("3", "paused", "7", "a@b.example")
    assert found.extra == {"transaction_subscription_id": "I-9"}


def test_row_28_richer_rows_are_used_as_they_come() -> None:
    row = {
        "transaction_id": "5",
        "product_name": "Mug",
        "transaction_full_amount": 12,
        "transaction_date": "2026-02-07 11:14:02",
        "transaction_type": "sale",
    }
    provider, _ = answering(enveloped(("retrieve_transactions_from_lead", {"transaction_list": [row]})))
    (found,) = provider.list_transactions(REF)
    assert (found.product, found.amount, found.has_details) == ("Mug", Decimal(12), False)
    assert found.at is not None


def test_row_29_paypal_refuses_all_but_cancelling() -> None:
    provider, _ = answering(flat("284"))
    (outcome,) = provider.send(LeadRef(), [EditSubscription("3", amount="2.00")])
    assert outcome.error is not None
    assert "PayPal" in outcome.error.sentence


def test_row_30_a_payment_date_refused_for_its_form_goes_again_with_seconds() -> None:
    edit = EditSubscription("3", next_payment="2026-03-07 11:14", amount="2.00")
    provider, script = answering(enveloped(("edit_subscription", flat("260"))), enveloped(("edit_subscription", OK)))
    assert [outcome.state for outcome in provider.send(LeadRef(), [edit])] == ["succeeded"]
    first, second = (call["actions"]["0"] for call in script.calls)
    assert first["subscription_next_payment_date"] == "2026-03-07 11:14"
    assert second == {**first, "subscription_next_payment_date": "2026-03-07 11:14:00"}


def test_row_30_no_other_refusal_is_sent_again() -> None:
    for body in (flat("261"), flat("266"), {}, b"junk"):
        provider, script = answering(body)
        provider.send(LeadRef(), [EditSubscription("3", next_payment="2026-03-07 11:14")])
        assert len(script.calls) == 1


def test_row_30_in_a_chained_call_only_the_refused_edit_goes_again() -> None:
    edit = EditSubscription("3", next_payment="2026-03-07 11:14")
    provider, script = answering(enveloped(("assign_tag", OK), ("edit_subscription", flat("260"))), flat("260"))
    assert [outcome.state for outcome in provider.send(REF, [AssignTag("a"), edit])] == ["succeeded", "failed"]
    assert len(script.calls[1]["actions"]) == 1
    assert "lead" not in script.calls[1]


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
