"""All 30 commands, with the parameters that Kartra documents, and what must never reach the wire."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from leads.providers import changes
from leads.providers.base import PROFILE_FIELDS, LeadRef
from leads.providers.changes import (
    AssignTag,
    CancelCalendar,
    CancelSubscription,
    CancelSubscriptionOfTransaction,
    Change,
    CreateField,
    CreateLead,
    EditLead,
    EditSubscription,
    GivePoints,
    PauseSubscription,
    RefundTransaction,
    RemovePoints,
    ResumeSubscription,
    SubscribeToCalendar,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
    UnsubscribeFromList,
    UnsubscribeFromSequence,
)
from leads.providers.errors import ProviderError
from leads.providers.kartra import commands
from leads.providers.kartra.provider import KartraProvider
from tests.leads.providers.kartra.script import Script, payload

DOCUMENTED = {row["command"]: row for row in payload("commands")}
BY_ID, BY_EMAIL = LeadRef(id="7"), LeadRef(email="a@b.example")
PROFILE = {name: f"a {name}" for name in PROFILE_FIELDS}
FIELDS: dict[str, str | list[str]] = {"size": "38", "glazes": ["1", "3"]}

Speak = Callable[[KartraProvider, LeadRef], Any]


def sending(*changes: Change) -> Speak:
    return lambda provider, ref: [provider.send(ref, [change]) for change in changes]


SPOKEN: dict[str, Speak] = {
    "get_lead": lambda provider, ref: provider.get_lead(ref),
    "search_lead": lambda provider, ref: provider.find_lead_id(ref),
    "retrieve_account_lists": lambda provider, ref: provider.list_lists(),
    "retrieve_account_tags": lambda provider, ref: provider.list_tags(),
    "retrieve_account_sequences": lambda provider, ref: provider.list_sequences(),
    "retrieve_account_pages": lambda provider, ref: provider.list_pages(),
    "retrieve_custom_fields": lambda provider, ref: provider.list_fields(),
    "search_transaction": lambda provider, ref: provider.has_transaction("5"),
    "get_transaction_details": lambda provider, ref: provider.get_transaction("5"),
    "retrieve_transactions_from_lead": lambda provider, ref: provider.list_transactions(ref),
    "search_subscription": lambda provider, ref: provider.has_subscription("6"),
    "get_subscription_details": lambda provider, ref: provider.get_subscription("6"),
    "retrieve_subscriptions_from_lead": lambda provider, ref: provider.list_subscriptions(ref),
    "create_lead": sending(CreateLead("a@b.example", PROFILE, FIELDS)),
    "edit_lead": lambda provider, ref: [
        provider.send(ref, [EditLead(PROFILE, FIELDS)]),
        provider.send(BY_ID, [EditLead(new_email="new@b.example")]),
    ],
    "subscribe_lead_to_list": sending(SubscribeToList("News")),
    "unsubscribe_lead_from_list": sending(UnsubscribeFromList("News")),
    "assign_tag": sending(AssignTag("vip")),
    "unassign_tag": sending(UnassignTag("vip")),
    "give_points_to_lead": sending(GivePoints(5, expires_in_days=30), GivePoints(5)),
    "remove_points_from_lead": sending(RemovePoints(5)),
    "subscribe_lead_to_sequence_at_step": sending(SubscribeToSequence("Welcome", "2")),
    "unsubscribe_lead_from_sequence": sending(UnsubscribeFromSequence("Welcome")),
    "calendar_subscribe": sending(SubscribeToCalendar("Kiln", "Monday", "2027-01-16 15:00")),
    "calendar_cancel": sending(CancelCalendar("Kiln", "Monday")),
    "create_custom_field": sending(CreateField("plan", "choice", ["a", "b"])),
    "refund_transaction": sending(RefundTransaction("5", "19.95"), RefundTransaction("5", everything=True)),
    "edit_subscription": sending(
        EditSubscription(
            "6", "223", "2", "2027-01-16 15:00", "9.95", "monthly", "yearly", "2", "until cancelled", "7.5"
        )
    ),
    "modify_subscription_status": sending(CancelSubscription("6"), PauseSubscription("6"), ResumeSubscription("6")),
    "cancel_transaction": sending(
        CancelSubscriptionOfTransaction(transaction_id="5"), CancelSubscriptionOfTransaction(subscription_id="6")
    ),
}


def leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}[{key}]" if path else key)]
    return [path]


def spoken(command: str) -> list[dict[str, Any]]:
    """The calls that speaking the command made, the lead named by id and then by email."""
    script = Script(*[{"status": "Success", "lead_details": {"id": "7"}}] * 20)
    provider = script.provider()
    for ref in (BY_ID, BY_EMAIL):
        try:
            SPOKEN[command](provider, ref)
        except ProviderError:
            assert command in commands.READS  # the answer above suits no read but those of a lead
    return script.calls


def test_the_thirty_documented_commands_are_those_spoken() -> None:
    assert len(DOCUMENTED) == 30
    assert set(SPOKEN) == set(DOCUMENTED) == commands.ALL
    assert {name for name, row in DOCUMENTED.items() if not row["writes"]} == commands.READS
    writes_on_a_lead = {name for name, row in DOCUMENTED.items() if row["writes"] and row["on_a_lead"]}
    assert writes_on_a_lead == commands.WRITES_ON_A_LEAD


@pytest.mark.parametrize("command", SPOKEN)
def test_each_command_is_sent_with_its_documented_parameters(command: str) -> None:
    calls = spoken(command)
    # Where the page shows the first of several fields, options or choices, any number will do.
    names = {
        re.sub(r"(custom_fields|_options)\]\[\d+\]", r"\1][0]", re.sub(r"(field_value\])\[\d+\]", r"\1", path))
        for call in calls
        for path in leaves(call)
    }
    # Staff write neither the address a lead came from nor a number whose meanings are on no page.
    assert names == set(DOCUMENTED[command]["params"]) - {"lead[ip]", "lead[business_type]"}
    named = {action["cmd"] for call in calls for action in call.get("actions", {}).values()}
    assert named == (set() if command == "get_lead" else {command})


@pytest.mark.parametrize("command", [name for name, row in DOCUMENTED.items() if not row["on_a_lead"]])
def test_commands_that_need_no_lead_name_none(command: str) -> None:
    assert all("lead" not in call for call in spoken(command))


def test_every_change_there_is_can_be_sent() -> None:
    def kinds(change: type[Change]) -> set[type[Change]]:
        return {change, *(kind for child in change.__subclasses__() for kind in kinds(child))}

    assert set(commands._ACTIONS) == {kind for kind in kinds(Change) if kind.__module__ == changes.__name__} - {Change}


def test_values_are_written_as_kartra_wants_them() -> None:
    def action(change: Change) -> dict[str, Any]:
        script = Script({"status": "Success"})
        script.provider().send(BY_ID, [change])
        return dict(script.calls[0]["actions"]["0"])

    assert action(SubscribeToCalendar("Kiln", "Monday", "2019-01-06 09:05")) == {
        "cmd": "calendar_subscribe",
        "calendar_name": "Kiln",
        "class_name": "Monday",
        "starting_date": "06 Jan 2019",
        "starting_hour": "09:05",
    }
    assert "starting_date" not in action(SubscribeToCalendar("Kiln", "Monday"))
    assert action(GivePoints(5)) == {"cmd": "give_points_to_lead", "points": "5"}
    assert action(PauseSubscription("6"))["subscription_status_modification"] == "pause"
    assert action(ResumeSubscription("6"))["subscription_status_modification"] == "unpause"
    assert action(CancelSubscription("6"))["subscription_status_modification"] == "cancel"
    assert action(EditSubscription("6", period="monthly")) == {
        "cmd": "edit_subscription",
        "subscription_id": "6",
        "subscription_recurrence": {"recurring_period_1": "monthly"},
    }
    assert action(CreateField("plan", "text")) == {
        "cmd": "create_custom_field",
        "custom_field_identifier": "plan",
        "custom_field_type": "input_field",
    }


def test_profile_fields_travel_under_kartras_names() -> None:
    script = Script({"status": "Success"})
    script.provider().send(BY_ID, [EditLead({"time_zone": "America/Detroit", "picture_url": "", "zip": "02134"})])
    assert script.calls[0]["lead"] == {
        "id": "7",
        "lead_preferred_time_zone": "America/Detroit",
        "lead_picture": "",
        "zip": "02134",
    }


# Refunds: Kartra refunds everything where the amount is blank, and PHP holds "0" for blank


def test_only_everything_leaves_the_amount_out() -> None:
    script = Script({"status": "Success"}, {"status": "Success"})
    provider = script.provider()
    provider.send(BY_ID, [RefundTransaction("5", everything=True)])
    provider.send(BY_ID, [RefundTransaction("5", "0.50")])
    assert [call["actions"]["0"] for call in script.calls] == [
        {"cmd": "refund_transaction", "transaction_id": "5"},
        {"cmd": "refund_transaction", "transaction_id": "5", "refund_amount": "0.50"},
    ]


@pytest.mark.parametrize(
    "amount", ["0", "0.00", "00", " ", "-5", "+5", "1,5", "1.234", "1e3", ".5", "5.", "٣", "5\n", "all"]
)
def test_an_amount_that_could_be_misread_is_not_sent(amount: str) -> None:
    script = Script()
    with pytest.raises(ValueError, match="amount above zero"):
        script.provider().send(BY_ID, [RefundTransaction("5", amount)])
    assert script.calls == []


@pytest.mark.parametrize(
    ("ref", "sent", "why"),
    [
        (BY_ID, [EditSubscription("6")], "at least one"),
        (BY_ID, [EditSubscription("6", product_id="223")], "go together"),
        (BY_ID, [EditSubscription("6", next_payment="soon")], "isoformat"),
        (BY_ID, [EditSubscription("6", next_payment="2027-01-16T15:00+01:00")], "no zone"),
        (BY_ID, [SubscribeToCalendar("Kiln", "Monday", "16 Jan")], "isoformat"),
        (BY_ID, [CreateField("f", "colour")], "no kind"),
        (LeadRef(), [AssignTag("vip")], "by id or email"),
        (BY_EMAIL, [EditLead(new_email="x@b.example")], "named by id"),
        (BY_ID, [EditLead({"city": "a"}), EditLead({"city": "b"})], "one lead, once"),
        (BY_ID, [CreateLead("a@b.example"), EditLead({"city": "b"})], "one lead, once"),
        (BY_ID, [AssignTag(str(number)) for number in range(450)], "too much"),
        (BY_ID, [AssignTag("\ud800")], "surrogates"),
    ],
)
def test_what_must_not_be_sent_is_not_sent(ref: LeadRef, sent: list[Change], why: str) -> None:
    script = Script()
    with pytest.raises(ValueError, match=why):
        script.provider().send(ref, sent)
    assert script.calls == []


def test_a_change_that_kartra_does_not_know_is_not_sent() -> None:
    class MergeLeads(Change):
        pass

    with pytest.raises(TypeError, match="MergeLeads"):
        Script().provider().send(BY_ID, [MergeLeads()])
