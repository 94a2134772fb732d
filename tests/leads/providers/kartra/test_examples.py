"""Every example answer, read as the call that it answers."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from leads.providers.base import (
    Consent,
    FieldValue,
    LeadRef,
    ListSubscription,
    Membership,
    Option,
    SequenceSubscription,
)
from leads.providers.changes import AssignTag
from leads.providers.errors import (
    AlreadyDone,
    Deleted,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unavailable,
)
from leads.providers.kartra import answers, commands, parse
from tests.leads.providers.kartra.script import PAYLOADS, answering, payload

NAMES = sorted(path.stem for path in PAYLOADS.glob("*.*.json"))
REF = LeadRef(id="4174086")


def of(kind: str) -> list[str]:
    return [name for name in NAMES if kind in name.split(".")]


def test_each_example_is_read_by_a_test_below() -> None:
    assert len(NAMES) == 70
    writes = {f"{command}.success" for command in commands.ALL - commands.READS}
    reads = {f"{command}.success" for command in commands.READS}
    here = {name for name in NAMES if ".success" in name and name.split(".variant")[0] in writes | reads}
    chained = {name for name in NAMES if name.startswith("chained.")}
    assert here | chained | set(of("error")) | {
        name for name in NAMES if name.startswith(("ipn.", "outbound."))
    } == set(NAMES)
    assert {name.split(".variant")[0] for name in here} == writes | reads
    assert {name for name in here if name.split(".")[0] in commands.READS} == set(READ)


# Writes


@pytest.mark.parametrize("name", [n for n in NAMES if n.split(".")[0] in commands.ALL - commands.READS])
def test_a_success_of_a_write_is_a_success(name: str) -> None:
    (outcome,) = answers.outcomes(payload(name), (name.split(".")[0],))
    assert outcome.state == "succeeded"
    data = {
        "create_lead": {"lead_id": "4174091"},
        "edit_lead": {"lead_id": "4174086"},
        "refund_transaction": {"refunded_transaction_id": "99517"},
        "cancel_transaction": {
            "subscription_id": "14901" if "paypal" in name else "14833",
            "gateway_subscription_id": "I-EXAMPLE00001" if "paypal" in name else "sub_example_0001",
        },
    }
    assert outcome.data == data.get(name.split(".")[0], {})


@pytest.mark.parametrize(
    ("name", "asked", "states"),
    [
        (
            "chained.success",
            "create_lead assign_tag assign_tag subscribe_lead_to_list",
            "succeeded succeeded succeeded succeeded",
        ),
        ("chained.partial-failure", "edit_lead assign_tag subscribe_lead_to_list", "succeeded failed succeeded"),
        ("chained.partial-failure.variant-top-level-error", "assign_tag assign_tag", "succeeded failed"),
    ],
)
def test_a_chained_call_is_read_element_by_element(name: str, asked: str, states: str) -> None:
    outcomes = answers.outcomes(payload(name), asked.split())
    assert [outcome.state for outcome in outcomes] == states.split()
    assert [outcome.code for outcome in outcomes if outcome.state == "failed"] in ([], ["212"])


# Errors

ERRORS: dict[str, type[ProviderError]] = {
    "error.assign_tag.212": Refused,
    "error.cancel_transaction.252-already": AlreadyDone,
    "error.create_lead.244-exists": AlreadyDone,
    "error.create_lead.244-exists.variant-nested": AlreadyDone,
    "error.edit_lead.271-custom-field": Refused,
    "error.edit_subscription.277-price": Refused,
    "error.get_lead.234-not-found": NotFound,
    "error.get_lead.245-deleted": Deleted,
    "error.global.203-api-key": Misconfigured,
    "error.global.242-ip": Misconfigured,
    "error.global.262-permission": Misconfigured,
    "error.modify_subscription_status.248-type-as-number": NotFound,
    "error.modify_subscription_status.284-paypal": Refused,
    "error.refund_transaction.250-window": Refused,
    "error.refund_transaction.251-already": AlreadyDone,
    "error.refund_transaction.266-failed": OutcomeUnknown,
    "error.search_lead.243-not-found": NotFound,
    "error.search_lead.243-not-found.variant-nested": NotFound,
    "error.subscribe_lead_to_list.231": Refused,
}


def test_every_error_example_is_listed() -> None:
    assert set(ERRORS) == set(of("error"))


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_the_error_of_its_number(name: str) -> None:
    _, command, number, *_ = name.split(".")
    number = number[:3]
    body = answers.decode(json.dumps(payload(name)).encode())
    if command in commands.READS:
        with pytest.raises(ERRORS[name]) as caught:
            answers.result(body, (command,), 0, "lead_details")
        error: ProviderError | None = caught.value
    else:
        (outcome,) = answers.outcomes(body, ("assign_tag" if command == "global" else command,))
        assert outcome.state == ("unknown" if number == "266" else "failed")
        error = outcome.error
    assert type(error) is ERRORS[name]
    assert error is not None
    assert error.code == number
    assert error.words


@pytest.mark.parametrize("name", [name for name in ERRORS if "global" in name])
def test_a_set_up_error_stops_reads_and_is_reported(name: str) -> None:
    provider, script = answering(payload(name))
    with pytest.raises(Misconfigured):
        provider.check_credentials()
    (report,) = script.reports
    assert isinstance(report, Misconfigured)


# Reads


def lead_whole(provider: Any) -> None:
    lead = provider.get_lead(REF)
    assert (lead.id, lead.email, lead.name) == ("4174086", "ada.moreno@example.com", "Ada Moreno")
    assert lead.profile["city"] == "Boston"
    assert lead.profile["company"] == "Moreno Pottery"
    assert (lead.profile["time_zone"], lead.profile["picture_url"]) == ("", "")
    assert lead.joined.text == "2023-03-14 09:26:53"
    assert lead.joined.zone == "EST"
    assert lead.joined.at.isoformat() == "2023-03-14T09:26:53-04:00"
    assert (lead.score, lead.source, lead.blacklisted, lead.deleted, lead.deleted_at) == (
        35,
        "checkout",
        False,
        False,
        None,
    )
    assert (lead.ip, lead.ip_country, lead.notes) == ("192.0.2.10", "United States", "")
    assert lead.consent == Consent("Not subject to GDPR", lead.joined, "192.0.2.10", agreed_to_contact=True)
    assert lead.tags == ("customer", "vip")
    assert lead.lists == (ListSubscription("Newsletter", True), ListSubscription("Old promo", False))
    assert lead.sequences == (SequenceSubscription("Welcome series", "3", True),)
    assert lead.memberships == (Membership("Kiln Club", "Gold", True),)
    assert lead.surveys == ()
    assert lead.custom_fields == (
        FieldValue("shoe_size", "text", text="38", id="11"),
        FieldValue("about_me", "long_text", id="12"),
        FieldValue("plan", "choice", chosen=(Option("2", "studio"),), id="13"),
        FieldValue("glazes", "choices", chosen=(Option("1", "celadon"), Option("3", "tenmoku")), id="14"),
        FieldValue("newsletter_day", "radio", id="15"),
    )
    assert lead.extra == {}
    assert lead.read_at.tzinfo is not None


def lead_empty(provider: Any) -> None:
    lead = provider.get_lead(LeadRef(email="ben.osei@example.com"))
    assert (lead.id, lead.name, lead.score) == ("4174090", "Ben Osei", 0)
    assert (lead.custom_fields, lead.tags, lead.lists, lead.sequences, lead.memberships) == ((),) * 5


def sale(provider: Any) -> None:
    row = provider.get_transaction("99432")
    assert (row.id, row.kind, row.lead_id, row.product) == ("99432", "sale", "4174086", "Kiln Club monthly")
    assert (row.amount, row.tax) == (Decimal("19.95"), Decimal("0.00"))
    assert row.at.at.isoformat() == "2026-02-07T11:14:02-05:00"
    assert (row.parent_id, row.original_id, row.subscription_id) == ("", "99432", "14833")
    assert (row.gateway_subscription_id, row.pay_number, row.last_four) == ("sub_example_0001", "1", "4242")
    assert (row.affiliate, row.has_details) == ("", True)
    assert row.extra["lead_city"] == "Boston"
    assert "transaction_jv" not in row.extra


def partial_refund(provider: Any) -> None:
    row = provider.get_transaction("99517")
    assert (row.kind, row.amount, row.parent_id) == ("partial_refund", Decimal("9.95"), "99432")


def subscription(provider: Any) -> None:
    row = provider.get_subscription("14833")
    assert (row.id, row.status, row.lead_id, row.product_id, row.price_point) == (
        "14833",
        "active",
        "4174086",
        "223",
        "2",
    )
    assert (row.ended, row.next_amount, row.installments_left) == (None, Decimal("19.95"), "Until cancelled")
    assert row.started.text == "2026-01-07 11:14:00"
    assert row.next_payment.at.isoformat() == "2026-03-07T11:14:00-05:00"
    assert (row.period, row.current_installment, row.affiliate, row.extra) == ("monthly", "2", "", {})


def subscription_cancelled(provider: Any) -> None:
    row = provider.get_subscription("14700")
    assert (row.status, row.next_payment, row.next_amount, row.installments_left) == ("cancelled", None, None, "3")
    assert row.ended.text == "2026-02-01 08:00:00"
    assert row.extra == {}


def transactions(provider: Any) -> None:
    rows = provider.list_transactions(REF)
    assert [(row.id, row.kind) for row in rows] == [("99517", "partial_refund"), ("99488", "rebill"), ("99432", "sale")]
    assert rows[1].lead_email == "ada.old@example.com"
    assert not rows[0].has_details


def subscriptions(provider: Any) -> None:
    rows = provider.list_subscriptions(REF)
    assert [(row.id, row.status) for row in rows] == [("14833", "active"), ("14700", "cancelled")]


def fields(provider: Any) -> None:
    text, _, plan, glazes, day = provider.list_fields()
    assert (text.identifier, text.kind, text.id, text.options) == ("shoe_size", "text", "11", ())
    assert (plan.kind, plan.options) == ("choice", (Option("1", "hobby"), Option("2", "studio")))
    assert (glazes.kind, len(glazes.options), day.kind) == ("choices", 3, "radio")


def gives(method: str, *expected: str) -> Callable[[Any], None]:
    def check(provider: Any) -> None:
        assert getattr(provider, method)() == expected

    return check


def is_there(method: str) -> Callable[[Any], None]:
    def check(provider: Any) -> None:
        assert getattr(provider, method)("99432") is True

    return check


def empty(method: str) -> Callable[[Any], None]:
    def check(provider: Any) -> None:
        assert getattr(provider, method)(REF) == ()

    return check


def found(provider: Any) -> None:
    assert provider.find_lead_id(REF) == "4174086"


READ: dict[str, Callable[[Any], None]] = {
    "get_lead.success": lead_whole,
    "get_lead.success.variant-empty": lead_empty,
    "get_lead.success.variant-observed-by-clients": lead_whole,
    "get_subscription_details.success": subscription,
    "get_subscription_details.success.variant-cancelled": subscription_cancelled,
    "get_transaction_details.success": sale,
    "get_transaction_details.success.variant-partial-refund": partial_refund,
    "retrieve_account_lists.success": gives("list_lists", "Newsletter", "Old promo", "Workshop waiting list"),
    "retrieve_account_pages.success": gives("list_pages", "Home", "Kiln Club sales page"),
    "retrieve_account_sequences.success": gives("list_sequences", "Welcome series", "Win back"),
    "retrieve_account_tags.success": gives("list_tags", "customer", "vip", "refunded"),
    "retrieve_account_tags.success.variant-empty": gives("list_tags"),
    "retrieve_custom_fields.success": fields,
    "retrieve_subscriptions_from_lead.success": subscriptions,
    "retrieve_subscriptions_from_lead.success.variant-empty": empty("list_subscriptions"),
    "retrieve_transactions_from_lead.success": transactions,
    "retrieve_transactions_from_lead.success.variant-bare-as-printed": transactions,
    "retrieve_transactions_from_lead.success.variant-empty": empty("list_transactions"),
    "search_lead.success": found,
    "search_subscription.success": is_there("has_subscription"),
    "search_transaction.success": is_there("has_transaction"),
    "search_transaction.success.variant-flat": is_there("has_transaction"),
}


@pytest.mark.parametrize("name", READ)
def test_a_success_of_a_read_gives_what_it_holds(name: str) -> None:
    provider, script = answering(payload(name))
    READ[name](provider)
    assert script.reports == [None]
    assert not script.answers


# What Kartra sends by itself is no answer to a call


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("ipn.", "outbound."))])
def test_an_event_is_no_answer(name: str) -> None:
    provider, _ = answering(payload(name), payload(name))
    (outcome,) = provider.send(REF, [AssignTag("vip")])
    assert outcome.state == "unknown"
    with pytest.raises(Unavailable):
        provider.list_tags()


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        ("ipn.rebill.form-fields-as-json", Decimal("19.95")),
        ("outbound.partial_refund_product", Decimal("9.95")),
        ("outbound.cancel_subscription", None),
    ],
)
def test_the_payment_in_an_event_has_the_fields_of_a_transaction(name: str, amount: Decimal | None) -> None:
    body = answers.decode(json.dumps(payload(name)).encode())
    details = body if name.startswith("ipn") else body["action_details"]["transaction_details"]
    row = parse.transaction(details["transaction_id"], {}, details)
    assert row.amount == amount
    assert (row.lead_id, row.product_id) == ("4174086", "223")
    assert row.kind in ("rebill", "cancellation", "")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("outbound.")])
def test_the_lead_in_an_event_has_the_fields_of_a_lead(name: str) -> None:
    from datetime import UTC, datetime

    lead = parse.lead(payload(name)["lead"], read_at=datetime.now(UTC))
    assert lead is not None
    assert lead.name == "Ada Moreno"
    assert lead.tags == ()
