"""The reader of envelopes: shapes, flat errors, chained calls, junk."""

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.providers.base import LeadRef, Outcome
from leads.providers.changes import AssignTag, CreateLead, EditLead, RefundTransaction, SubscribeToList
from leads.providers.errors import Misconfigured, NotFound, OutcomeUnknown, ProviderError, Refused
from leads.providers.kartra import answers, commands
from leads.providers.kartra.provider import KartraProvider
from tests.leads.providers.kartra.script import OK, PAYLOADS, answering, enveloped, flat, payload

NO_TAG = {"status": "Error", "message": "Tag does not exist", "type": "212"}


def states(body: dict[str, Any], *asked: str) -> list[str]:
    return [outcome.state for outcome in answers.outcomes(body, asked)]


@pytest.mark.parametrize(
    "body",
    [
        OK,
        enveloped(("assign_tag", OK)),
        {"assign_tag": OK},
        {"status": "Success", "assign_tag": OK},
        {"status": "success", "actions": {"0": {"assign_tag": {"status": "SUCCESS "}}}},
        {"status": "Success", "actions": {"assign_tag": OK}},
        {"actions": [{"assign_tag": json.dumps(OK)}]},
        {"actions": json.dumps([{"assign_tag": OK}])},
    ],
)
def test_one_write_succeeds_in_every_shape(body: dict[str, Any]) -> None:
    assert states(body, "assign_tag") == ["succeeded"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "Success", "actions": []},
        {"status": "Success", "actions": None},
        {"status": "Success", "actions": [{}]},
        {"status": "Success", "actions": [None]},
        {"status": "Success", "actions": [OK]},
        {"status": "Success", "actions": "oops"},
        {"status": "Success", "unassign_tag": OK},
        {"status": "Success", "actions": [{"unassign_tag": OK}]},
        {"status": "Success", "actions": [{"assign_tag": {}}]},
        {"status": "Success", "actions": [{"assign_tag": "Success"}]},
        {"status": "Success", "actions": [{"assign_tag": {"message": "Tag added to lead", "type": "103"}}]},
        {"status": "Success", "actions": [{"assign_tag": {"status": ["Success"]}}]},
        {"status": "Success", "actions": [{"assign_tag": {"status": True}}]},
        {"status": "Successful"},
        {"message": "Tag added to lead", "type": "103"},
    ],
)
def test_a_write_without_a_clear_status_of_its_own_is_unknown(body: dict[str, Any]) -> None:
    (outcome,) = answers.outcomes(body, ("assign_tag",))
    assert outcome.state == "unknown"
    assert isinstance(outcome.error, OutcomeUnknown)


@pytest.mark.parametrize("body", [NO_TAG, enveloped(("assign_tag", NO_TAG)), {"assign_tag": NO_TAG}])
def test_one_write_is_refused_in_every_shape(body: dict[str, Any]) -> None:
    (outcome,) = answers.outcomes(body, ("assign_tag",))
    assert (outcome.state, outcome.code, outcome.words) == ("failed", "212", "Tag does not exist")
    assert isinstance(outcome.error, Refused)


def test_repeated_commands_are_told_apart_by_position() -> None:
    body = enveloped(("assign_tag", OK), ("assign_tag", NO_TAG), ("assign_tag", OK))
    assert states(body, "assign_tag", "assign_tag", "assign_tag") == ["succeeded", "failed", "succeeded"]


def test_an_element_that_is_lacking_is_unknown() -> None:
    body = enveloped(("assign_tag", OK), ("assign_tag", OK))
    assert states(body, "assign_tag", "assign_tag", "subscribe_lead_to_list") == ["succeeded", "succeeded", "unknown"]


def test_a_php_map_keeps_the_positions_of_its_keys() -> None:
    body = {"status": "Success", "actions": {"1": {"assign_tag": OK}}}
    assert states(body, "assign_tag", "assign_tag") == ["unknown", "succeeded"]


def test_a_null_keeps_its_place() -> None:
    body = {"status": "Success", "actions": [None, {"assign_tag": OK}]}
    assert states(body, "assign_tag", "assign_tag") == ["unknown", "succeeded"]


def test_elements_out_of_order_are_found_by_name_where_it_is_unambiguous() -> None:
    body = enveloped(("subscribe_lead_to_list", OK), ("assign_tag", NO_TAG))
    assert states(body, "assign_tag", "subscribe_lead_to_list") == ["failed", "succeeded"]


def test_positions_prove_nothing_once_one_of_them_is_wrong() -> None:
    body = enveloped(("assign_tag", OK), ("subscribe_lead_to_list", OK))
    assert states(body, "assign_tag", "assign_tag", "subscribe_lead_to_list") == ["unknown", "unknown", "succeeded"]


def test_more_elements_than_asked_prove_nothing_for_a_repeated_command() -> None:
    body = enveloped(("assign_tag", OK), ("assign_tag", OK), ("assign_tag", OK))
    assert states(body, "assign_tag", "assign_tag") == ["unknown", "unknown"]


def test_two_elements_for_one_command_prove_nothing() -> None:
    body = {"actions": [{"x": 1}, {"assign_tag": OK}, {"assign_tag": NO_TAG}]}
    assert states(body, "assign_tag") == ["unknown"]


def test_a_chained_write_with_a_flat_success_is_unknown_for_each() -> None:
    assert states(OK, "edit_lead", "assign_tag") == ["unknown", "unknown"]


def test_bare_fragments_of_a_chained_write_count_where_the_command_was_asked_once() -> None:
    body = {"edit_lead": OK, "assign_tag": OK}
    assert states(body, "edit_lead", "assign_tag", "assign_tag") == ["succeeded", "unknown", "unknown"]


@pytest.mark.parametrize("number", ["201", "203", "206", "223", "224", "233", "239", "242"])
def test_a_call_refused_as_a_whole_did_nothing(number: str) -> None:
    for body in (flat(number), {**flat(number), "actions": []}):
        assert states(body, "edit_lead", "assign_tag", "refund_transaction") == ["failed", "failed", "failed"]


@pytest.mark.parametrize("number", ["254", "262"])
def test_a_refusal_that_may_come_halfway_says_nothing_of_a_chained_write(number: str) -> None:
    assert states(flat(number), "edit_lead", "assign_tag") == ["unknown", "unknown"]
    assert states(flat(number), "assign_tag") == ["failed"]


def test_a_number_of_the_first_action_alone_refused_that_one_and_leaves_the_rest_open() -> None:
    first, second, third = answers.outcomes(flat("244"), ("create_lead", "assign_tag", "subscribe_lead_to_list"))
    assert (first.state, second.state, third.state) == ("failed", "unknown", "unknown")
    assert isinstance(second.error, OutcomeUnknown)
    assert second.code == "244"
    assert states(flat("245"), "create_lead", "assign_tag") == ["failed", "unknown"]


def test_a_number_that_several_actions_may_give_says_nothing_of_any() -> None:
    assert states(flat("212"), "assign_tag", "assign_tag") == ["unknown", "unknown"]
    assert states(flat("212"), "edit_lead", "assign_tag") == ["unknown", "unknown"]
    assert states(flat("999"), "edit_lead", "assign_tag") == ["unknown", "unknown"]


@pytest.mark.parametrize("number", ["234", "243", "245"])
def test_without_the_lead_no_action_on_it_was_done(number: str) -> None:
    body = flat(number, "No lead found")
    assert states(body, "edit_lead", "assign_tag") == ["failed", "failed"]
    assert states(body, "assign_tag", "refund_transaction") == ["failed", "unknown"]


@pytest.mark.parametrize("number", ["266", "267"])
@pytest.mark.parametrize("command", ["refund_transaction", "cancel_transaction"])
def test_a_failure_that_may_have_moved_money_is_unknown(number: str, command: str) -> None:
    for body in (flat(number), enveloped((command, flat(number)))):
        (outcome,) = answers.outcomes(body, (command,))
        assert (outcome.state, outcome.code) == ("unknown", number)
        assert isinstance(outcome.error, OutcomeUnknown)


def test_reads_raise_what_kartra_answered_in_every_shape() -> None:
    for body in (flat("234"), {**flat("234"), "actions": []}, enveloped(("search_lead", flat("234")))):
        with pytest.raises(NotFound):
            answers.result(body, ("search_lead",), 0, "lead_details")
    with pytest.raises(Misconfigured):
        answers.says_success(flat("203"), "search_transaction")


def test_a_chained_read_takes_no_result_of_another_row_at_the_top_level() -> None:
    body = {"status": "Success", "transaction_details": {"transaction_id": "1"}}
    asked = ("get_transaction_details", "get_transaction_details")
    assert answers.result(body, asked, 0, "transaction_details") is None
    assert answers.result(body, asked[:1], 0, "transaction_details") == {"transaction_id": "1"}


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b'"x"', b"1", b"true", b"<html>", b'{"a":1', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000],
)
def test_what_is_no_map_is_unreadable(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        answers.decode(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"status":"Success","type":103}',
        b'\xef\xbb\xbf  {"status":"Success","type":"103"}\r\n',
        b'"{\\"status\\":\\"Success\\",\\"type\\":\\"103\\"}"',
    ],
)
def test_a_byte_order_mark_blanks_and_a_second_encoding_do_no_harm(content: bytes) -> None:
    assert answers.decode(content) == {"status": "Success", "type": "103"}


def test_numbers_keep_their_digits() -> None:
    body = answers.decode(b'{"id": 12345678901234567890123, "amount": 19.90, "x": NaN, "y": 1e999999999}')
    assert body == {"id": "12345678901234567890123", "amount": "19.90", "x": "NaN", "y": "1e999999999"}


# Whatever comes

KEYS = [
    *sorted(commands.ALL),
    *("status", "type", "message", "actions", "0", "1"),
    *("lead_details", "id", "tags", "custom_fields", "field_value", "account_tags"),
    *("transaction_list", "subscriptions_list", "transaction_details"),
]
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from(["Success", "Error", "success", "212", "203", "243", "[]", "{}", "null", "0", "N/A"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(KEYS),
                st.text(max_size=5),
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=25,
)
EXAMPLES = [json.loads(path.read_text()) for path in sorted(PAYLOADS.glob("*.*.json"))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An example in which some values were replaced, dropped, or turned into text."""
    body = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(0, 3))):
        place, key = body, None
        while isinstance(place, dict | list) and place:
            key = (
                draw(st.sampled_from(sorted(place)))
                if isinstance(place, dict)
                else draw(st.integers(0, len(place) - 1))
            )
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                break
            place = place[key]
        if key is None or not place:
            continue
        match draw(st.integers(0, 2)):
            case 0:
                place[key] = draw(JSON)
            case 1:
                place[key] = json.dumps(place[key])
            case 2:
                del place[key]
    return body


BODIES = st.one_of(JSON, mutated())
REF = LeadRef(id="4174086")
CHAIN = (EditLead(profile={"city": "Rome"}), AssignTag("a"), AssignTag("b"), SubscribeToList("c"))
READS: dict[str, Callable[[Any], Any]] = {
    "get_lead": lambda provider: provider.get_lead(REF),
    "find_lead_id": lambda provider: provider.find_lead_id(REF),
    "list_tags": lambda provider: provider.list_tags(),
    "list_lists": lambda provider: provider.list_lists(),
    "list_sequences": lambda provider: provider.list_sequences(),
    "list_pages": lambda provider: provider.list_pages(),
    "list_fields": lambda provider: provider.list_fields(),
    "has_transaction": lambda provider: provider.has_transaction("99432"),
    "get_transaction": lambda provider: provider.get_transaction("99432"),
    "list_transactions": lambda provider: provider.list_transactions(REF),
    "has_subscription": lambda provider: provider.has_subscription("14833"),
    "get_subscription": lambda provider: provider.get_subscription("14833"),
    "list_subscriptions": lambda provider: provider.list_subscriptions(REF),
    "get_money": lambda provider: provider.get_money(REF),
}


class Unvarying:
    """A client that gets the same answer each time."""

    def __init__(self, body: Any) -> None:
        self._body = answers.decode(json.dumps(body).encode())

    def call(self, params: Any, *, is_write: bool) -> Any:
        return self._body


def provider_given(body: Any) -> Any:
    return KartraProvider(Unvarying(body))  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(BODIES.filter(lambda body: isinstance(body, dict)))
def test_no_answer_makes_a_read_crash(body: Any) -> None:
    provider = provider_given(body)
    for read in READS.values():
        with contextlib.suppress(ProviderError):
            repr(read(provider))


def success_statuses(value: Any) -> int:
    """How many times an answer says success, in whatever depth, also inside texts."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return 0
    if isinstance(value, list):
        return sum(success_statuses(item) for item in value)
    if not isinstance(value, dict):
        return 0
    own = isinstance(value.get("status"), str) and value["status"].strip().casefold() == "success"
    return own + sum(success_statuses(item) for item in value.values())


@settings(max_examples=300, deadline=None)
@given(BODIES.filter(lambda body: isinstance(body, dict)))
def test_no_answer_makes_a_write_crash_or_succeed_without_saying_so(body: Any) -> None:
    for changes in (CHAIN, (AssignTag("a"),), (RefundTransaction("1", everything=True),), (CreateLead("a@b.c"),)):
        outcomes = provider_given(body).send(REF, changes)
        assert len(outcomes) == len(changes)
        assert all(isinstance(outcome, Outcome) for outcome in outcomes)
        assert sum(outcome.state == "succeeded" for outcome in outcomes) <= success_statuses(body)
        assert all(bool(outcome.error) == (outcome.state != "succeeded") for outcome in outcomes)
        assert all((outcome.state == "unknown") == isinstance(outcome.error, OutcomeUnknown) for outcome in outcomes)


@pytest.mark.parametrize("content", [b"", b"<html>busy</html>", b"[]", b'{"status":"Succ'])
def test_an_answer_that_cannot_be_read_makes_a_write_unknown_and_is_not_asked_again(content: bytes) -> None:
    provider, script = answering(content)
    (outcome,) = provider.send(REF, [AssignTag("vip")])
    assert outcome.state == "unknown"
    assert len(script.calls) == 1


def test_the_example_of_a_chained_success_gives_the_new_id() -> None:
    outcomes = answers.outcomes(
        payload("chained.success"), ("create_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list")
    )
    assert [outcome.state for outcome in outcomes] == ["succeeded"] * 4
    assert outcomes[0].data == {"lead_id": "4174092"}
    assert (outcomes[1].code, outcomes[1].words) == ("103", "Tag added to lead")
