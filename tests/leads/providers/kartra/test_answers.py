"""The reader of envelopes: shapes, flat errors, chained calls, junk."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from leads.providers.base import LeadRef
from leads.providers.changes import AssignTag
from leads.providers.errors import Misconfigured, NotFound, OutcomeUnknown, Refused
from leads.providers.kartra import answers
from tests.leads.providers.kartra.script import OK, answering, enveloped, flat, payload

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


@pytest.mark.parametrize("form", [list, lambda rows: {str(at): row for at, row in enumerate(rows)}])
@pytest.mark.parametrize("elements", [[OK], [OK, OK], [OK, NO_TAG], [NO_TAG]])
def test_fewer_elements_than_like_commands_tell_of_none_of_them(form: Callable[..., Any], elements: list[Any]) -> None:
    body = {"status": "Success", "actions": form([{"assign_tag": element} for element in elements])}
    assert states(body, "assign_tag", "assign_tag", "assign_tag") == ["unknown"] * 3


def test_what_is_told_of_the_other_commands_stays_told() -> None:
    body = enveloped(("edit_lead", OK), ("assign_tag", OK), ("subscribe_lead_to_list", NO_TAG))
    asked = ("edit_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list")
    assert states(body, *asked) == ["succeeded", "unknown", "unknown", "failed"]


def test_a_php_map_keeps_the_positions_of_its_keys() -> None:
    body = {"status": "Success", "actions": {"0": {"assign_tag": OK}, "2": {"assign_tag": OK}}}
    assert states(body, "assign_tag", "assign_tag", "assign_tag") == ["succeeded", "unknown", "succeeded"]


def test_a_php_map_that_may_count_from_one_tells_of_no_position() -> None:
    body = {"status": "Success", "actions": {"1": {"assign_tag": OK}}}
    assert states(body, "assign_tag", "assign_tag") == ["unknown", "unknown"]


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


@pytest.mark.parametrize("content", [b"", b"<html>busy</html>", b"[]", b'{"status":"Succ'])
def test_an_answer_that_cannot_be_read_makes_a_write_unknown_and_is_not_asked_again(content: bytes) -> None:
    provider, script = answering(content)
    (outcome,) = provider.send(LeadRef(id="7"), [AssignTag("vip")])
    assert outcome.state == "unknown"
    assert len(script.calls) == 1


def test_the_example_of_a_chained_success_gives_the_new_id() -> None:
    outcomes = answers.outcomes(
        payload("chained.success"), ("create_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list")
    )
    assert [outcome.state for outcome in outcomes] == ["succeeded"] * 4
    assert outcomes[0].data == {"lead_id": "4174092"}
    assert (outcomes[1].code, outcomes[1].words) == ("103", "Tag added to lead")


MONEY = ("refund_transaction", "cancel_transaction", "modify_subscription_status", "edit_subscription")


@pytest.mark.parametrize("command", MONEY)
@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Error"},
        {"status": "Error", "message": "Refund has failed"},
        {"status": "Error", "message": "Unexpected error", "type": "286"},
        {"status": "Error", "message": "Internal server error", "type": "500"},
        {"status": "Error", "message": "No lead found", "type": ""},
        {"status": "Error", "message": "Tag does not exist", "type": "212"},
    ],
)
def test_where_money_moves_an_error_that_is_not_documented_is_unknown(command: str, answer: dict[str, Any]) -> None:
    assert states(answer, command) == ["unknown"]
    assert states({"actions": [{command: answer}]}, command) == ["unknown"]


@pytest.mark.parametrize("command", MONEY)
@pytest.mark.parametrize("number", ["203", "224", "233", "242", "262"])
def test_what_is_answered_before_any_action_refuses_money_too(command: str, number: str) -> None:
    assert states(flat(number), command) == ["failed"]


@pytest.mark.parametrize(
    ("command", "numbers"),
    [
        ("refund_transaction", "247 250 251 253 268"),
        ("cancel_transaction", "248 249 252 253"),
        ("modify_subscription_status", "248 252 274 275 284"),
        ("edit_subscription", "248 260 261 275 276 277 278 280 281 282 283 284 285 290"),
    ],
)
def test_a_documented_number_refuses_money(command: str, numbers: str) -> None:
    assert {*(state for number in numbers.split() for state in states(flat(number), command))} == {"failed"}


@pytest.mark.parametrize("command", ["assign_tag", "give_points_to_lead", "create_lead", "edit_lead"])
@pytest.mark.parametrize("answer", [{"status": "Error"}, {"status": "Error", "message": "Something went wrong"}])
def test_an_error_that_says_nothing_refuses_no_change(command: str, answer: dict[str, Any]) -> None:
    for body in (answer, enveloped((command, answer))):
        (outcome,) = answers.outcomes(body, (command,))
        assert outcome.state == "unknown"
        assert outcome.words == answer.get("message", "")


@pytest.mark.parametrize("answer", [{"message": "No lead found"}, {"message": "Something new", "type": "999"}])
def test_a_text_that_is_known_or_any_number_refuses_what_moves_no_money(answer: dict[str, Any]) -> None:
    assert states({"status": "Error", **answer}, "assign_tag") == ["failed"]
