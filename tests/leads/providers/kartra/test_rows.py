"""What Kartra's pages leave open, or say two ways: a test for each row of that list, up to row 30 here.

The numbers are the rows of 'Contradictions and unknowns' in our reference of the API. Rows from 31 on are tested in the
file beside this one; of the rows with no test under their number, `ELSEWHERE` and `NO_TEST` say why.
"""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kartra_admin.settings import BASE_DIR
from leads.providers.base import LeadRef, Membership
from leads.providers.changes import (
    AssignTag,
    CancelSubscriptionOfTransaction,
    EditLead,
    EditSubscription,
    RefundTransaction,
    UnsubscribeFromList,
)
from leads.providers.errors import AlreadyDone, Misconfigured, NotFound, ProviderError, Unavailable
from tests.leads.providers.kartra.script import OK, answering, enveloped, flat

ROWS = range(1, 59)

# Rows that are settled above the provider, or are no matter of one answer: the test that stands for them.
ELSEWHERE = {
    24: "leads/test_rules.py::test_at_most_what_is_left",
    35: "kartra_admin/lib/test_pacing.py::test_no_second_holds_more_calls_than_the_rate_over_processes_and_threads",
    43: "leads/providers/kartra/test_commands.py::test_the_thirty_documented_commands_are_those_spoken",
    47: "leads/services/test_operations.py::test_what_is_so_already_is_not_sent",
    52: "leads/views/test_catalogues.py::test_what_is_wrong_is_422_and_nothing_sent",
    56: "leads/services/test_catalogues.py::test_one_that_fails_leaves_the_others_fresh_and_its_old_names",
}
NO_TEST = {
    34: "Payment notifications, which may hold a secret, are not received.",
    44: "Events, of which there may be one more, are not received.",
    57: "Nothing here knows whether the App is in test mode: money is real everywhere.",
}

REF = LeadRef(id="7")


def lead_with(**details: Any) -> Any:
    provider, _ = answering({"status": "Success", "lead_details": {"id": "7", **details}})
    return provider.get_lead(REF)


def transaction_with(**details: Any) -> Any:
    provider, _ = answering(enveloped(("get_transaction_details", {"transaction_details": details})))
    return provider.get_transaction("5")


def test_every_row_has_its_test_or_a_reason_why_not() -> None:
    text = "".join((Path(__file__).parent / name).read_text() for name in ("test_rows.py", "test_rows_from_31.py"))
    names = re.findall(r"^def test_rows?_(\d+)(?:_and_(\d+))?_", text, flags=re.MULTILINE)
    named = {int(row) for pair in names for row in pair if row}
    assert sorted([*named, *ELSEWHERE, *NO_TEST]) == [*ROWS]
    for test in ELSEWHERE.values():
        path, _, name = test.partition("::")
        assert f"def {name}(" in (BASE_DIR / "tests" / path).read_text()


@pytest.mark.parametrize(
    "body", [OK, {"assign_tag": OK}, enveloped(("assign_tag", OK)), {"status": "Success", "assign_tag": json.dumps(OK)}]
)
def test_row_1_flat_bare_and_enveloped_answers_mean_the_same(body: dict[str, Any]) -> None:
    provider, _ = answering(body)
    assert provider.send(REF, [AssignTag("vip")])[0].state == "succeeded"


def test_row_2_success_at_the_top_is_not_success_of_each_action() -> None:
    changes = [AssignTag("a"), AssignTag("b"), AssignTag("c")]
    elements = [("assign_tag", OK), ("assign_tag", flat("212")), ("assign_tag", {})]
    provider, _ = answering(enveloped(*elements), enveloped(*elements[:2]))
    assert [outcome.state for outcome in provider.send(REF, changes)] == ["succeeded", "failed", "unknown"]
    assert [outcome.state for outcome in provider.send(REF, changes)] == ["unknown"] * 3


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


@pytest.mark.parametrize("number", ["206", "234", "243"])
def test_row_9_where_kartra_takes_no_id_the_email_is_tried_once(number: str) -> None:
    provider, script = answering(flat(number), {"status": "Success", "lead_details": {"id": "7"}})
    assert provider.get_lead(LeadRef(id="7", email="a@b.example")).id == "7"
    assert script.calls == [{"get_lead": {"id": "7"}}, {"get_lead": {"email": "a@b.example"}}]


def test_row_9_an_email_that_is_somebody_elses_by_now_brings_nobody() -> None:
    provider, script = answering(flat("234"), {"status": "Success", "lead_details": {"id": "8"}})
    with pytest.raises(NotFound):
        provider.get_lead(LeadRef(id="7", email="a@b.example"))
    assert not script.answers


@pytest.mark.parametrize(
    ("number", "ref"),
    [("206", REF), ("234", REF), ("245", LeadRef("7", "a@b.example")), ("203", LeadRef("7", "a@b.c"))],
)
def test_row_9_no_second_call_goes_where_it_cannot_help(number: str, ref: LeadRef) -> None:
    provider, script = answering(flat(number))
    with pytest.raises(ProviderError) as caught:
        provider.get_lead(ref)
    assert caught.value.code == number
    assert len(script.calls) == 1


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


def test_row_23_a_refund_window_that_is_over_is_said_and_nothing_is_in_doubt() -> None:
    provider, _ = answering(enveloped(("refund_transaction", flat("250", "Transaction outside refund period"))))
    (outcome,) = provider.send(LeadRef(), [RefundTransaction("5", everything=True)])
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert "The time in which Kartra refunds this payment is over" in outcome.error.sentence


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


def test_row_30_what_may_have_been_done_is_not_sent_again() -> None:
    """One refusal for two edits does not tell which of them it is of."""
    edits = [EditSubscription(number, next_payment="2026-03-07 11:14") for number in ("3", "4")]
    provider, script = answering(flat("260"))
    assert [outcome.state for outcome in provider.send(LeadRef(), edits)] == ["unknown", "unknown"]
    assert len(script.calls) == 1


def test_row_30_in_a_chained_call_only_the_refused_edit_goes_again() -> None:
    edit = EditSubscription("3", next_payment="2026-03-07 11:14")
    provider, script = answering(enveloped(("assign_tag", OK), ("edit_subscription", flat("260"))), flat("260"))
    assert [outcome.state for outcome in provider.send(REF, [AssignTag("a"), edit])] == ["succeeded", "failed"]
    assert len(script.calls[1]["actions"]) == 1
    assert "lead" not in script.calls[1]
