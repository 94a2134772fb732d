"""Home: the box, what waits for somebody, what I opened, what I did."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from leads.access import Desk
from leads.models import Approval, Operation, PlaybookRun
from leads.providers.changes import AssignTag, GivePoints
from leads.selectors.operations import FAILED_WAIT_FOR
from leads.services import held
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import do, refund_part, see, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]


def test_a_first_day_says_what_to_do(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = at_desk("agent").get("/")
    assert answer.status_code == 200
    text = words(answer)
    for piece in ("Nothing needs attention", "No leads opened yet", "No changes yet"):
        assert piece in text
    assert 'action="/leads/" method="get"' in answer.content.decode()
    assert sandbox.calls() == []


def test_it_shows_mine_and_what_is_in_doubt_by_anybody(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    do(desk_of("agent"), AssignTag("advanced"))
    sandbox.arm("give_points_to_lead", "500")
    do(desk_of("support"), GivePoints(20), lead_id=NOTABLE["ben"].id)
    agent = words(at_desk("agent").get("/"))
    assert "Agent Person for Ada Moreno : added tag advanced" in agent
    assert "Support Person for Ben Osei :" in agent
    manager = words(at_desk("manager").get("/"))
    assert "added tag advanced" not in manager
    assert "Ben Osei" in manager


def test_each_person_has_his_own_recents(at_desk: AtDesk) -> None:
    see(at_desk("agent"))
    assert f"/leads/{ADA.id}/" in at_desk("agent").get("/").content.decode()
    assert f"/leads/{ADA.id}/" not in at_desk("manager").get("/").content.decode()


def test_what_has_waited_for_more_than_an_hour_is_red(at_desk: AtDesk, desk_of: DeskOf) -> None:
    desk, client = desk_of("support"), at_desk("manager")
    owner = {"account": desk.account, "lead_id": ADA.id}
    run = PlaybookRun.objects.create(
        actor=desk.user, name="Leave", steps=[{"act": "take-tag", "name": "vip"}], figures_digest="x", **owner
    )
    asked = Approval.objects.create(
        requester=desk.user, kind="transaction.refund", asked={"transaction_id": "99488"}, amount=5, **owner
    )
    assert "more than an hour" not in words(client.get("/"))
    for row in (run, asked):
        type(row).objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=61))
    text = words(client.get("/"))
    assert "Waiting for more than an hour" in text
    assert "For more than an hour Can continue" in text


@pytest.fixture
def refused(desk_of: DeskOf, sandbox: Sandbox) -> Operation:
    """A refund that was held back and could not be checked again in its second."""
    operation = refund_part(desk_of("support"))
    Operation.objects.update(send_at=timezone.now() - timedelta(seconds=1))
    operation.refresh_from_db()
    sandbox.arm("*", "junk", times=9)
    assert held.send_held(operation).outcome == "failed"
    sandbox.disarm()
    return operation


NOT_SENT = "Support Person for Ada Moreno : asked to refund 5.00 of payment #99488"


def test_what_was_confirmed_and_then_not_sent_is_told_to_whoever_confirmed_it(
    at_desk: AtDesk, refused: Operation
) -> None:
    shown = words(at_desk("support").get("/")).partition("Your latest changes")[0]
    for piece in ("Needs attention 1", NOT_SENT, refused.steps.get().sentence, "Failed"):
        assert piece in shown
    assert "Nothing needs attention" in words(at_desk("manager").get("/"))


def test_for_a_week_at_most(at_desk: AtDesk, refused: Operation) -> None:
    client = at_desk("support")
    Operation.objects.update(finished_at=timezone.now() - FAILED_WAIT_FOR + timedelta(minutes=1))
    assert "Needs attention 1" in words(client.get("/"))
    Operation.objects.update(finished_at=timezone.now() - FAILED_WAIT_FOR)
    assert "Nothing needs attention" in words(client.get("/"))


def test_until_it_is_done_again(at_desk: AtDesk, desk_of: DeskOf, refused: Operation) -> None:
    refund_part(desk_of("manager"))
    assert "Nothing needs attention" in words(at_desk("support").get("/"))


def test_what_failed_in_the_answer_to_the_click_was_told_there(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "429", times=30)
    assert refund_part(desk_of("support")).outcome == "failed"
    assert "Nothing needs attention" in words(at_desk("support").get("/"))
