"""Told to fail: what is done, and what the caller sees, in one process."""

import json
from urllib.parse import urlencode

import pytest

from leads.providers.kartra.sandbox import faults
from leads.providers.kartra.sandbox.notable import NOTABLE, TRANSACTIONS
from leads.providers.kartra.sandbox.traffic import calls
from tests.leads.providers.kartra.sandbox.box import Box, action, credentials

TAG = urlencode({**credentials(), "lead[id]": NOTABLE["ada"].id, **action("assign_tag", tag_name="beginner")}).encode()
REFUND = action("refund_transaction", transaction_id=TRANSACTIONS["jon_sale"], refund_amount="10.00")


@pytest.mark.parametrize(
    ("mode", "raised", "done"),
    [("lost", ConnectionResetError, True), ("late", TimeoutError, True), ("refused", ConnectionRefusedError, False)],
)
def test_a_broken_connection_is_raised(box: Box, mode: str, raised: type[Exception], done: bool) -> None:
    faults.arm(box.path, "assign_tag", mode)
    with pytest.raises(raised):
        box.raw(TAG)
    assert ("beginner" in box.tags("ada")) is done


def test_a_late_reply_says_what_comes_and_when(box: Box) -> None:
    faults.arm(box.path, "*", "late", seconds=0.5)
    with pytest.raises(faults.LateReply) as late:
        box.raw(TAG)
    assert late.value.seconds == 0.5
    assert json.loads(late.value.body)["status"] == "Success"


@pytest.mark.parametrize(
    ("mode", "status", "starts", "done"),
    [
        ("429", "429 Too Many Requests", b"Too many requests", False),
        ("500", "500 Internal Server Error", b"<!DOCTYPE html>", False),
        ("junk", "200 OK", b"<!DOCTYPE html>", False),
        ("half", "200 OK", b'{"status"', True),
    ],
)
def test_an_answer_that_is_no_answer(box: Box, mode: str, status: str, starts: bytes, done: bool) -> None:
    faults.arm(box.path, "assign_tag", mode)
    line, headers, page = box.raw(TAG)
    assert line == status
    assert page.startswith(starts)
    assert headers["Content-Length"] == str(len(page))
    with pytest.raises(ValueError, match=r"(?i)expecting|unterminated|extra"):
        json.loads(page)
    assert ("beginner" in box.tags("ada")) is done


@pytest.mark.parametrize(("mode", "rows"), [("266", 0), ("266-done", 1)])
def test_266_may_have_moved_the_money(box: Box, mode: str, rows: int) -> None:
    before = len(box.transactions("jon"))
    faults.arm(box.path, "refund_transaction", mode)
    assert box.post(REFUND) == {"status": "Error", "message": "Refund has failed", "type": "266"}
    assert len(box.transactions("jon")) == before + rows
    assert box.post(REFUND)["status"] == "Success"


def test_a_fault_is_for_its_command_and_so_many_times(box: Box) -> None:
    faults.arm(box.path, "get_lead", "500", times=2)
    assert box.did("search_lead", "ada")["status"] == "Success"
    read = urlencode({**credentials(), "get_lead[id]": NOTABLE["ada"].id}).encode()
    assert [box.raw(read)[0][:3] for _ in range(3)] == ["500", "500", "200"]


def test_a_fault_of_any_command_within_a_chain(box: Box) -> None:
    faults.arm(box.path, "subscribe_lead_to_list", "429")
    chain = {**action("edit_lead", 0), **action("subscribe_lead_to_list", 1, list_name="Customers")}
    body = urlencode({**credentials(), "lead[id]": NOTABLE["ada"].id, **chain}).encode()
    assert box.raw(body)[0].startswith("429")
    assert box.raw(body)[0].startswith("200")


def test_a_short_answer_lacks_one_element_of_a_chain_and_all_is_done(box: Box) -> None:
    faults.arm(box.path, "assign_tag", "short")
    assert box.did("assign_tag", "ada", tag_name="advanced")["status"] == "Success"  # one action is no chain
    names = ("beginner", "vip")
    chain = {**action("edit_lead", 0)}
    for place, name in enumerate(names, start=1):
        chain |= action("assign_tag", place, tag_name=name)
    call = {"lead[id]": NOTABLE["ada"].id, **chain}
    assert [list(element) for element in box.post(call)["actions"]] == [["edit_lead"], ["assign_tag"]]
    assert set(names) <= set(box.tags("ada"))
    assert len(box.post(call)["actions"]) == 3


def test_faults_are_used_up_in_order(box: Box) -> None:
    faults.arm(box.path, "*", "429")
    faults.arm(box.path, "assign_tag", "500")
    assert [box.raw(TAG)[0][:3] for _ in range(3)] == ["429", "500", "200"]


@pytest.mark.parametrize(
    ("command", "mode", "times"),
    [("*", "explode", 1), ("assign_tag", "266", 1), ("*", "lost", 0), ("*", "short", 1), ("get_lead", "short", 1)],
)
def test_what_cannot_be_armed_is_refused(box: Box, command: str, mode: str, times: int) -> None:
    with pytest.raises(ValueError, match=r"\."):
        faults.arm(box.path, command, mode, times)


def test_a_failing_call_is_recorded_like_any_other(box: Box) -> None:
    faults.arm(box.path, "*", "refused")
    with pytest.raises(ConnectionRefusedError):
        box.raw(TAG)
    assert [call.commands for call in calls(box.path)] == [("assign_tag",)]
