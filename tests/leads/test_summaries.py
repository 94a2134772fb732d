"""What became of an operation, in one sentence that says what was and was not done."""

from collections.abc import Callable

import pytest

from leads.access import Desk
from leads.models import Operation
from leads.providers.changes import AssignTag, EditLead, GivePoints, SubscribeToList
from leads.services import settling
from leads.summaries import summarise
from tests.leads.conftest import Sandbox
from tests.leads.helpers import do

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("agent")


def test_what_was_done_is_one_sentence(desk: Desk) -> None:
    operation = do(desk, EditLead({"city": "Dallas"}), AssignTag("advanced"), SubscribeToList("Old promo"))
    told = summarise(operation)
    assert told.text == "Edited fields, added tag advanced, subscribed to Old promo."
    assert told.kind == "succeeded"


def test_why_it_was_done_comes_first(desk: Desk) -> None:
    assert summarise(do(desk, AssignTag("advanced"), label="Grant Gold")).text == "Grant Gold: added tag advanced."


def test_a_failure_says_that_nothing_was_changed_and_why(desk: Desk) -> None:
    told = summarise(do(desk, AssignTag("no such tag")))
    assert told.text.startswith("Nothing was changed. Add tag no such tag: ")
    assert told.kind == "failed"


def test_a_part_says_how_much_was_done(desk: Desk) -> None:
    told = summarise(do(desk, AssignTag("advanced"), AssignTag("no such tag")))
    assert told.text.startswith("1 of 2 changes done. ")
    assert "added tag advanced" not in told.text


def test_doubt_says_that_nothing_is_sent_again(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.arm("give_points_to_lead", "500")
    operation = do(desk, GivePoints(5))
    assert "nothing is sent again" in summarise(operation).text
    assert summarise(operation).kind == "unknown"
    decided = settling.decide(
        operation=operation, actor=desk.user, connection=desk.connection, happened=True, reason="Score in Kartra is 40"
    )
    assert summarise(decided).text == "Gave points."


def test_what_is_on_its_way_says_so(desk: Desk) -> None:
    operation = do(desk, AssignTag("advanced"))
    operation.outcome = Operation._meta.get_field("outcome").default
    assert summarise(operation).kind == "waiting"
