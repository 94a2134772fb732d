"""Several changes in one call of which Kartra's answer lacks one: what cannot be told apart is unknown, then read."""

from collections.abc import Callable

import pytest

from leads.access import Desk
from leads.providers.changes import AssignTag, EditLead
from leads.services import settling
from tests.leads.conftest import Sandbox
from tests.leads.helpers import do

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]


def test_like_changes_are_in_doubt_together_until_they_are_read(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "short")
    operation = do(desk, EditLead({"city": "Dallas"}), AssignTag("advanced"), AssignTag("beginner"))
    assert [step.outcome for step in operation.steps.order_by("pk")] == ["succeeded", "unknown", "unknown"]
    sandbox.calls()
    settled = settling.settle(operation, connection=desk.connection)
    assert [step.outcome for step in settled.steps.all()] == ["succeeded"] * 3
    assert sandbox.calls() == [("get_lead",)]
