"""Money in two calls, several changes in one, and what is told of each."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from leads.providers.base import LeadRef, Money, Provider
from leads.providers.changes import AssignTag, CreateLead, EditLead, RefundTransaction, SubscribeToList
from leads.providers.errors import Misconfigured, NotFound, RateLimited, Refused, Unavailable
from leads.providers.kartra import wire
from leads.providers.kartra.provider import MOST_DETAILS, MOST_READ_ALONE, KartraProvider
from tests.leads.providers.kartra.script import OK, Script, answering, enveloped, flat

REF = LeadRef(id="7")
TRANSACTIONS = "retrieve_transactions_from_lead"
SUBSCRIPTIONS = "retrieve_subscriptions_from_lead"


def lists(transactions: list[int], subscriptions: list[int]) -> dict[str, Any]:
    return enveloped(
        (TRANSACTIONS, {"transaction_list": [{"transaction_id": number} for number in transactions]}),
        (SUBSCRIPTIONS, {"subscriptions_list": [{"subscription_id": number} for number in subscriptions]}),
    )


def sale(number: int) -> tuple[str, Any]:
    details = {"transaction_id": str(number), "transaction_full_amount": "1.00"}
    return ("get_transaction_details", {"transaction_details": details})


def plan(number: int) -> tuple[str, Any]:
    return (
        "get_subscription_details",
        {"subscription_details": {"subscription_id": number, "subscription_status": "Active"}},
    )


def test_it_is_a_provider() -> None:
    provider: Provider = answering()[0]
    assert isinstance(provider, KartraProvider)


# Money


def test_all_money_of_a_lead_comes_in_two_calls() -> None:
    provider, script = answering(lists([3, 20, 1], [5, 6]), enveloped(plan(6), plan(5), sale(20), sale(3), sale(1)))
    money = provider.get_money(REF)
    assert [(row.id, row.has_details) for row in money.transactions] == [("20", True), ("3", True), ("1", True)]
    assert [(row.id, row.status) for row in money.subscriptions] == [("6", "active"), ("5", "active")]
    assert money.unread == 0
    first, second = script.calls
    assert first == {"lead": {"id": "7"}, "actions": {"0": {"cmd": TRANSACTIONS}, "1": {"cmd": SUBSCRIPTIONS}}}
    assert "lead" not in second
    assert list(second["actions"].values()) == [
        {"cmd": "get_subscription_details", "subscription_id": "6"},
        {"cmd": "get_subscription_details", "subscription_id": "5"},
        {"cmd": "get_transaction_details", "transaction_id": "20"},
        {"cmd": "get_transaction_details", "transaction_id": "3"},
        {"cmd": "get_transaction_details", "transaction_id": "1"},
    ]


def test_a_lead_without_money_takes_one_call() -> None:
    provider, script = answering(lists([], []))
    assert provider.get_money(REF).transactions == ()
    assert len(script.calls) == 1


def test_a_long_history_takes_two_calls_and_leaves_the_oldest_without_details() -> None:
    numbers = range(1, 1201)
    newest = sorted(numbers, reverse=True)[: MOST_DETAILS - 1]
    provider, script = answering(lists([*numbers], [9]), enveloped(plan(9), *(sale(number) for number in newest)))
    money = provider.get_money(REF)
    assert len(money.transactions) == 1200
    assert (money.beyond, money.untold) == (1200 - len(newest), 0)
    assert [row.is_beyond for row in money.transactions] == [not row.has_details for row in money.transactions]
    assert all(row.has_details for row in money.transactions[: len(newest)])
    assert len(script.calls) == 2
    assert wire.count(script.bodies[1]) <= wire.MAX_VARIABLES


def test_a_list_that_the_chained_answer_lacks_is_read_alone() -> None:
    only = enveloped((TRANSACTIONS, {"transaction_list": []}))
    provider, script = answering(only, enveloped((SUBSCRIPTIONS, {"subscriptions_list": []})))
    assert provider.get_money(REF).subscriptions == ()
    assert script.calls[1] == {"lead": {"id": "7"}, "actions": {"0": {"cmd": SUBSCRIPTIONS}}}


def test_both_lists_are_read_alone_where_the_chained_call_is_refused() -> None:
    provider, script = answering(
        flat("999"),
        enveloped((TRANSACTIONS, {"transaction_list": []})),
        enveloped((SUBSCRIPTIONS, {"subscriptions_list": []})),
    )
    assert provider.get_money(REF).unread == 0
    assert len(script.calls) == 3


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (flat("243"), NotFound),
        ({"status": "Error", "message": "Lead not found"}, NotFound),
        (flat("203"), Misconfigured),
        (enveloped((TRANSACTIONS, flat("245")), (SUBSCRIPTIONS, flat("245"))), NotFound),
        (enveloped((TRANSACTIONS, flat("999")), (SUBSCRIPTIONS, {"subscriptions_list": []})), Refused),
    ],
)
def test_lists_that_kartra_refuses_are_an_error(body: dict[str, Any], error: type[Exception]) -> None:
    provider, script = answering(body)
    with pytest.raises(error):
        provider.get_money(REF)
    assert len(script.calls) == 1


def test_a_list_that_is_lacking_twice_is_an_error_and_not_an_empty_list() -> None:
    provider, _ = answering({"status": "Success"}, {"status": "Success"})
    with pytest.raises(Unavailable):
        provider.get_money(REF)


def test_details_that_the_chained_answer_lacks_are_read_alone() -> None:
    provider, script = answering(lists([1, 2, 3], []), enveloped(sale(3), sale(2)), enveloped(sale(1)))
    assert provider.get_money(REF).unread == 0
    assert script.calls[2] == {"actions": {"0": {"cmd": "get_transaction_details", "transaction_id": "1"}}}


def test_details_at_another_place_are_known_by_their_id() -> None:
    provider, script = answering(lists([1, 2], []), enveloped(sale(1), sale(2)))
    assert [row.has_details for row in provider.get_money(REF).transactions] == [True, True]
    assert len(script.calls) == 2


def test_only_the_details_that_are_lacking_are_read_alone_wherever_they_lack() -> None:
    numbers = [*range(1, 101)]
    chained = [sale(number) for number in reversed(numbers) if number not in (1, 50, 100)]
    provider, script = answering(lists(numbers, []), enveloped(*chained), *(enveloped(sale(n)) for n in (100, 50, 1)))
    assert provider.get_money(REF).unread == 0
    assert len(script.calls) == 5


def test_details_without_an_id_are_nobodys_where_one_is_lacking() -> None:
    nameless = ("get_transaction_details", {"transaction_details": {"transaction_full_amount": "9.00"}})
    answers = enveloped(nameless), *(enveloped(sale(number)) for number in (2, 1))
    provider, script = answering(lists([1, 2], []), *answers)
    assert {row.amount for row in provider.get_money(REF).transactions} == {Decimal("1.00")}
    assert len(script.calls) == 4


def test_no_more_than_some_details_are_read_alone() -> None:
    numbers = list(range(1, 101))
    newest = sorted(numbers, reverse=True)
    provider, script = answering(
        lists(numbers, []), {"status": "Success", "actions": []}, *(enveloped(sale(number)) for number in newest)
    )
    assert provider.get_money(REF).unread == 100 - MOST_READ_ALONE
    assert len(script.calls) == 2 + MOST_READ_ALONE


def test_a_payment_that_is_gone_stays_a_row_without_details() -> None:
    provider, script = answering(lists([1, 2], []), enveloped(("get_transaction_details", flat("247")), sale(1)))
    money = provider.get_money(REF)
    assert [(row.id, row.has_details) for row in money.transactions] == [("2", False), ("1", True)]
    assert [row.is_refused for row in money.transactions] == [True, False]
    assert (money.refused, money.untold) == (1, 0)
    assert len(script.calls) == 2


def test_one_payment_that_is_gone_is_not_asked_for_again() -> None:
    provider, script = answering(lists([1], []), flat("247"))
    money = provider.get_money(REF)
    assert (money.unread, money.refused, money.untold) == (1, 1, 0)
    assert len(script.calls) == 2


def test_a_flat_refusal_of_many_details_is_read_one_by_one() -> None:
    provider, script = answering(lists([1, 2], []), flat("247"), flat("247"), enveloped(sale(1)))
    money = provider.get_money(REF)
    assert [(row.id, row.has_details) for row in money.transactions] == [("2", False), ("1", True)]
    assert [row.is_refused for row in money.transactions] == [True, False]
    assert len(script.calls) == 4


def test_rows_are_shown_where_the_details_fail() -> None:
    provider, _ = answering(lists([1, 2], []), *[(500, b"")] * 3)
    money = provider.get_money(REF)
    assert (money.beyond, money.refused, money.untold) == (0, 0, 2)


def test_details_that_one_reading_did_not_bring_are_read_in_one_more_call() -> None:
    numbers = range(1, 501)
    newest = sorted(numbers, reverse=True)[: MOST_DETAILS - 1]
    later = enveloped(sale(3), ("get_transaction_details", flat("247")), plan(9))
    provider, script = answering(
        lists([*numbers], [9]), enveloped(plan(9), *(sale(number) for number in newest)), later
    )
    money = provider.get_money(REF)
    rows = {row.id: row for row in (*money.transactions, *money.subscriptions)}
    found = provider.add_details(money, [rows["3"], rows["2"], rows["9"]])
    filled = {row.id: row for row in (*found.transactions, *found.subscriptions)}
    assert len(script.calls) == 3
    assert (filled["3"].has_details, filled["3"].amount, filled["3"].is_beyond) == (True, Decimal("1.00"), False)
    assert (filled["2"].has_details, filled["2"].is_beyond) == (False, False)  # there is no such transaction
    assert filled["1"] is rows["1"]
    assert (found.beyond, found.refused, found.untold) == (money.beyond - 2, 1, 0)


def test_what_the_list_told_stays_where_the_details_do_not_tell_it() -> None:
    row = {"transaction_id": "1", "transaction_type": "partial_refund", "lead_email": "ada@example.com"}
    told = {"transaction_id": "1", "transaction_full_amount": "-4.00", "new": "x"}
    provider, _ = answering(
        enveloped((TRANSACTIONS, {"transaction_list": [row]}), (SUBSCRIPTIONS, {"subscriptions_list": []})),
        *[(500, b"")] * 3,
        enveloped(("get_transaction_details", {"transaction_details": told})),
    )
    money = provider.get_money(REF)
    found = provider.add_details(money, money.transactions).transactions[0]
    assert (found.kind, found.lead_email, found.amount) == ("partial_refund", "ada@example.com", Decimal("4.00"))
    assert found.extra == {"new": "x"}


@pytest.mark.parametrize("answers", [[(500, b"")] * 3, [{"status": "Success", "actions": []}]])
def test_no_answer_for_one_more_row_is_an_error(answers: list[Any]) -> None:
    provider, _ = answering(lists([1], []), *[(500, b"")] * 3, *answers)
    money = provider.get_money(REF)
    with pytest.raises(Unavailable):
        provider.add_details(money, money.transactions)


def test_a_row_that_kartra_refuses_to_tell_is_known_for_that() -> None:
    provider, _ = answering(lists([1], []), *[(500, b"")] * 3, flat("247"))
    money = provider.get_money(REF)
    (row,) = money.transactions
    assert not row.is_refused
    assert provider.add_details(money, [row]) == Money((replace(row, is_refused=True),), ())


def test_what_is_refused_and_what_may_come_are_told_apart() -> None:
    empty = ("get_transaction_details", {"transaction_details": {}})
    answer = enveloped(("get_transaction_details", flat("247")), sale(2), empty)
    provider, _ = answering(lists([1, 2, 3], []), answer, *[(500, b"")] * 3)
    money = provider.get_money(REF)
    assert [(row.id, row.is_refused) for row in money.transactions] == [("3", True), ("2", False), ("1", False)]
    assert (money.refused, money.untold) == (1, 1)


@pytest.mark.parametrize("passing", [flat("999", "Server busy"), flat("", "Try again later"), flat("224")])
def test_what_kartra_says_by_no_number_of_the_command_may_pass(passing: Any) -> None:
    one, _ = answering(lists([1], []), passing)
    money = one.get_money(REF)
    assert (money.refused, money.untold) == (0, 1)
    several, _ = answering(lists([1, 2], []), enveloped(("get_transaction_details", passing), sale(1)), passing)
    money = several.get_money(REF)
    assert [row.has_details for row in money.transactions] == [False, True]
    assert (money.refused, money.untold) == (0, 1)


def test_a_fault_that_may_pass_is_an_error_where_one_more_row_is_asked_for() -> None:
    provider, _ = answering(lists([1], []), flat("999", "Server busy"), flat("999", "Server busy"))
    money = provider.get_money(REF)
    with pytest.raises(Unavailable):
        provider.add_details(money, money.transactions)


def test_what_is_told_at_another_place_is_not_refused() -> None:
    provider, _ = answering(lists([1, 2], []), enveloped(("get_transaction_details", flat("247")), sale(2)))
    rows = {row.id: row for row in provider.get_money(REF).transactions}
    assert (rows["2"].has_details, rows["2"].is_refused) == (True, False)


def test_reading_alone_stops_when_kartra_stops_answering() -> None:
    provider, script = answering(lists([1, 2, 3], []), {"status": "Success", "actions": []}, *[(500, b"")] * 3)
    assert provider.get_money(REF).unread == 3
    assert len(script.calls) == 5


def test_refused_credentials_are_an_error_even_between_the_calls() -> None:
    provider, _ = answering(lists([1], []), flat("203"))
    with pytest.raises(Misconfigured):
        provider.get_money(REF)


def test_blank_and_repeated_rows_do_no_harm() -> None:
    rows = [{"transaction_id": "5"}, [], "", None, {"transaction_id": 5}]
    provider, script = answering(
        enveloped((TRANSACTIONS, {"transaction_list": rows}), (SUBSCRIPTIONS, {"subscriptions_list": ""})),
        enveloped(sale(5)),
    )
    assert [row.id for row in provider.get_money(REF).transactions] == ["5"]
    assert len(script.calls[1]["actions"]) == 1


# Several changes in one call


def test_the_change_of_the_lead_itself_goes_first_and_outcomes_keep_the_callers_order() -> None:
    answer = enveloped(
        ("edit_lead", {"status": "Success", "lead_details": {"id": "7"}}),
        ("assign_tag", flat("212")),
        ("subscribe_lead_to_list", OK),
    )
    provider, script = answering(answer)
    outcomes = provider.send(REF, [AssignTag("vip"), SubscribeToList("News"), EditLead({"city": "Rome"})])
    assert [action["cmd"] for action in script.calls[0]["actions"].values()] == [
        "edit_lead",
        "assign_tag",
        "subscribe_lead_to_list",
    ]
    assert [outcome.state for outcome in outcomes] == ["failed", "succeeded", "succeeded"]
    assert outcomes[2].data == {"lead_id": "7"}


def test_a_new_lead_is_named_by_its_email_beside_what_is_done_to_it() -> None:
    provider, script = answering(enveloped(("create_lead", OK), ("assign_tag", OK)))
    provider.send(LeadRef(id="99"), [AssignTag("vip"), CreateLead("a@b.example", {"city": "Rome", "zip": ""})])
    assert script.calls[0]["lead"] == {"email": "a@b.example", "city": "Rome"}


def test_a_lead_is_named_beside_a_payment_only_where_another_change_needs_it() -> None:
    provider, script = answering(enveloped(("refund_transaction", OK), ("assign_tag", OK)))
    provider.send(REF, [RefundTransaction("5", "1.00"), AssignTag("refunded")])
    assert script.calls[0]["lead"] == {"id": "7"}


def test_nothing_to_change_is_no_call() -> None:
    provider, script = answering()
    assert provider.send(REF, []) == ()
    assert script.calls == []


@pytest.mark.parametrize(
    ("answers", "state", "error"),
    [
        ([ConnectionRefusedError()] * 3, "failed", Unavailable),
        ([(429, b"Too many requests")] * 4, "failed", RateLimited),
        ([flat("203")], "failed", Misconfigured),
    ],
)
def test_a_call_that_changed_nothing_failed_for_all_of_its_changes(
    answers: list[Any], state: str, error: type[Exception]
) -> None:
    provider, script = answering(*answers)
    outcomes = provider.send(REF, [AssignTag("a"), SubscribeToList("b")])
    assert [outcome.state for outcome in outcomes] == [state, state]
    assert {type(outcome.error) for outcome in outcomes} == {error}
    assert not script.answers


@pytest.mark.parametrize(
    "answer",
    [
        ConnectionResetError(),
        TimeoutError(),
        (500, b"oops"),
        (302, b""),
        (404, b""),
        (200, b'{"status":"Succ'),
        (204, b""),
    ],
)
def test_a_write_that_was_sent_and_not_answered_is_unknown_and_sent_once(answer: Any) -> None:
    script = Script(answer)
    outcomes = script.provider().send(REF, [AssignTag("a"), SubscribeToList("b")])
    assert [outcome.state for outcome in outcomes] == ["unknown", "unknown"]
    assert len(script.calls) == 1
