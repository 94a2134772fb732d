"""Every success answer has the shape of the collected example, key by key."""

import json
from pathlib import Path
from typing import Any

import pytest

from kartra_admin.settings import BASE_DIR
from leads.providers.kartra.sandbox.commands import COMMANDS
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.providers.kartra.sandbox.state import configure
from tests.leads.providers.kartra.sandbox.box import Box, action

EXAMPLES = BASE_DIR / "tests" / "payloads" / "kartra"

FIELDS = {"custom_field_identifier": "wheel", "custom_field_type": "input_field"}
SEQUENCE = {"sequence_name": "Welcome series", "step": "1"}
CLASS = {"calendar_name": "Studio visits", "class_name": "Tour of the kiln shed"}

# cmd: the lead it is about, and its parameters.
ORDINARY: dict[str, tuple[str, dict[str, str]]] = {
    "search_lead": ("ada", {}),
    "edit_lead": ("ada", {}),
    "subscribe_lead_to_list": ("ada", {"list_name": "Customers"}),
    "unsubscribe_lead_from_list": ("ada", {"list_name": "Newsletter"}),
    "retrieve_account_lists": ("", {}),
    "assign_tag": ("ada", {"tag_name": "beginner"}),
    "unassign_tag": ("ada", {"tag_name": "vip"}),
    "retrieve_account_tags": ("", {}),
    "give_points_to_lead": ("ada", {"points": "5"}),
    "remove_points_from_lead": ("ada", {"points": "5"}),
    "subscribe_lead_to_sequence_at_step": ("ada", SEQUENCE),
    "unsubscribe_lead_from_sequence": ("ada", {"sequence_name": "Welcome series"}),
    "retrieve_account_sequences": ("", {}),
    "retrieve_account_pages": ("", {}),
    "calendar_subscribe": ("ada", CLASS),
    "calendar_cancel": ("jon", CLASS),
    "create_custom_field": ("", FIELDS),
    "retrieve_custom_fields": ("", {}),
    "search_transaction": ("", {"transaction_id": "99432"}),
    "get_transaction_details": ("", {"transaction_id": "99432"}),
    "retrieve_transactions_from_lead": ("ada", {}),
    "refund_transaction": ("", {"transaction_id": "99601"}),
    "search_subscription": ("", {"subscription_id": "14833"}),
    "get_subscription_details": ("", {"subscription_id": "14833"}),
    "retrieve_subscriptions_from_lead": ("ada", {}),
    "edit_subscription": ("", {"subscription_id": "14833", "subscription_amount": "20.00"}),
    "modify_subscription_status": ("", {"subscription_id": "14833", "subscription_status_modification": "pause"}),
    "cancel_transaction": ("", {"transaction_id": "99432"}),
}


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def shape(value: Any) -> Any:
    """Keys in order, and for a list the different shapes of its items; scalars by type."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return sorted({repr(shape(item)) for item in value})
    return type(value).__name__


def fits(ours: Any, printed: Any) -> bool:
    """Whether ours has the printed keys, and no others, at every depth; an empty list fits any list."""
    if isinstance(ours, dict) and isinstance(printed, dict):
        return list(ours) == list(printed) and all(fits(ours[key], printed[key]) for key in ours)
    if isinstance(ours, list) and isinstance(printed, list):
        return not printed or all(any(fits(item, model) for model in printed) for item in ours)
    return type(ours) is type(printed)


def test_every_command_is_called_here() -> None:
    assert ORDINARY.keys() | {"create_lead"} == COMMANDS.keys()
    assert len(COMMANDS) == 29


@pytest.mark.parametrize("cmd", ORDINARY)
def test_success_has_the_shape_of_the_example(box: Box, cmd: str) -> None:
    who, params = ORDINARY[cmd]
    answer, printed = box.act(cmd, who, **params), example(f"{cmd}.success")
    assert fits(answer, printed), answer
    if cmd not in ("retrieve_custom_fields",):
        assert shape(answer) == shape(printed)


def test_creating_a_lead_has_the_shape_of_the_example(box: Box) -> None:
    answer = box.post({"lead[email]": "new.person@example.com", **action("create_lead")})
    assert shape(answer) == shape(example("create_lead.success"))


def test_reading_a_lead_has_the_shape_of_the_example(box: Box) -> None:
    answer, printed = box.post({"get_lead[id]": NOTABLE["jon"].id}), example("get_lead.success")
    assert fits(answer, printed)
    assert list(answer["lead_details"]) == list(printed["lead_details"])


def test_a_lead_with_nothing_has_every_key_and_every_field(box: Box) -> None:
    details = box.lead("empty")
    printed = example("get_lead.success.variant-empty")["lead_details"]
    assert list(details) == list(printed)
    assert [details[key] for key in ("tags", "lists", "sequences", "memberships", "surveys")] == [[]] * 5
    assert len(details["custom_fields"]) == 12
    assert {field["field_type"]: field["field_value"] for field in details["custom_fields"]} == {
        "input_field": "", "text_area": "", "drop_down": [], "radio_button": [], "checkbox": [],
    }  # fmt: skip


def test_messages_are_those_of_the_examples(box: Box) -> None:
    for cmd, (who, params) in ORDINARY.items():
        printed = example(f"{cmd}.success")
        result = printed.get("actions", [{}])[0].get(cmd, {})
        if "message" in result:
            assert box.did(cmd, who, **params) == result


def test_a_chain_has_the_shape_of_the_example(box: Box) -> None:
    answer = box.post(
        {
            "lead[email]": "chain@example.com",
            **action("create_lead", 0),
            **action("assign_tag", 1, tag_name="vip"),
            **action("assign_tag", 2, tag_name="customer"),
            **action("subscribe_lead_to_list", 3, list_name="Newsletter"),
        }
    )
    printed = example("chained.success")
    printed["actions"][0]["create_lead"]["lead_details"]["id"] = answer["actions"][0]["create_lead"]["lead_details"][
        "id"
    ]
    assert answer == printed


BARE = {
    "refund_transaction": "refund_transaction.success.variant-bare-as-printed",
    "retrieve_transactions_from_lead": "retrieve_transactions_from_lead.success.variant-bare-as-printed",
    "assign_tag": "assign_tag.success.variant-flat",
    "search_transaction": "search_transaction.success.variant-flat",
    "modify_subscription_status": "modify_subscription_status.success",
    "retrieve_account_tags": "retrieve_account_tags.success",
}


@pytest.mark.parametrize("cmd", BARE)
def test_the_bare_envelope_answers_as_printed(box: Box, cmd: str) -> None:
    configure(box.path, envelope="bare")
    who, params = ORDINARY[cmd]
    assert shape(box.act(cmd, who, **params)) == shape(example(BARE[cmd]))


def test_the_bare_envelope_leaves_chains_as_they_are(box: Box) -> None:
    configure(box.path, envelope="bare")
    chain = {**action("assign_tag", 0, tag_name="vip"), **action("assign_tag", 1, tag_name="beginner")}
    answer = box.post({"lead[id]": NOTABLE["ada"].id, **chain})
    assert [list(entry) for entry in answer["actions"]] == [["assign_tag"], ["assign_tag"]]


def test_payloads_are_there() -> None:
    assert len(list(Path(EXAMPLES).glob("*.json"))) > 60
