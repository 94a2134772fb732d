"""Creating a lead: one call for all of it, never twice, never over somebody who is there already."""

from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from kartra_admin.lib.errors import Denied
from leads.access import Desk
from leads.models import Operation
from leads.providers.changes import AssignTag, SubscribeToList, SubscribeToSequence
from leads.providers.kartra.sandbox.state import connect, writing
from leads.services import leads as service
from leads.services import settling
from leads.services.leads import LeadExists
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import grow_old, read, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]

NEW = "new.person@example.com"
FIRST_STEPS = [
    AssignTag("customer"),
    AssignTag("🏺 collector"),
    SubscribeToList("Newsletter"),
    SubscribeToSequence("Win back", "2"),
]


def create(desk: Desk, email: str = NEW, **changed: Any) -> Operation:
    wanted: dict[str, Any] = {"profile": {}, "custom_fields": {}, "also": (), "operation_id": uuid4(), **changed}
    return service.create_lead(actor=desk.user, connection=desk.connection, email=email, **wanted)


def test_lead_tags_lists_and_sequence_are_one_call(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    operation = create(
        desk,
        profile={"first_name": "Nell", "last_name": "Weaver"},
        custom_fields={"shoe_size": "40", "glazes": ["1"], "plan": ""},
        also=FIRST_STEPS,
    )
    assert writes(sandbox) == [
        ("create_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list", "subscribe_lead_to_sequence_at_step")
    ]
    assert operation.outcome == "succeeded"
    lead = read(desk, operation.lead_id)
    assert (lead.email, lead.name, set(lead.tags)) == (NEW, "Nell Weaver", {"customer", "🏺 collector"})
    assert [(row.name, row.active) for row in lead.lists] == [("Newsletter", True)]
    assert ("Win back", "2") in [(row.name, row.step) for row in lead.sequences]
    glazes = lead.custom_field("glazes")
    assert glazes is not None
    assert glazes.display == "celadon"


def test_the_log_tells_what_was_made_and_for_whom(desk_of: DeskOf) -> None:
    operation = create(desk_of("agent"), profile={"first_name": "Nell"}, also=[AssignTag("customer")])
    made = AuditEntry.objects.get(action="lead.create.succeeded")
    assert (made.about_id, made.target_name) == (operation.lead_id, "Nell <new.person@example.com>")
    assert made.after == {"First name": "Nell", "Email": NEW}
    tagged = AuditEntry.objects.get(action="tag.assign.succeeded")
    assert (tagged.about_id, tagged.before, tagged.after) == (
        operation.lead_id,
        {"Tag customer": "no"},
        {"Tag customer": "yes"},
    )


@pytest.mark.parametrize("email", [ADA.email, ADA.email.upper()])
def test_an_address_that_is_taken_is_told_and_nothing_is_sent(desk_of: DeskOf, sandbox: Sandbox, email: str) -> None:
    desk = desk_of("agent")
    with pytest.raises(LeadExists) as caught:
        create(desk, email, also=FIRST_STEPS)
    assert caught.value.lead.id == ADA.id
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


def test_the_address_of_a_deleted_lead_fails_with_a_sentence(desk_of: DeskOf) -> None:
    operation = create(desk_of("agent"), NOTABLE["deleted"].email)
    step = operation.steps.get()
    assert (operation.outcome, step.code, bool(step.sentence)) == ("failed", "245", True)


def test_the_same_form_twice_makes_one_lead(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk, operation_id = desk_of("agent"), uuid4()
    first = create(desk, operation_id=operation_id)
    again = create(desk, operation_id=operation_id)
    assert again == first
    assert writes(sandbox) == [("create_lead",)]


def test_a_rewritten_address_does_not_lose_the_id(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.configure(test_mode=True)
    operation = create(desk, also=[AssignTag("customer")])
    assert operation.outcome == "succeeded"
    assert read(desk, operation.lead_id).email == "new.person@kartra.com"


@pytest.mark.parametrize("mode", ["lost", "late", "half"])
def test_a_lost_reply_is_unknown_and_settled_by_reading(desk_of: DeskOf, sandbox: Sandbox, mode: str) -> None:
    desk = desk_of("agent")
    sandbox.arm("create_lead", mode)
    operation = create(desk, also=FIRST_STEPS)
    assert (operation.outcome, operation.lead_id) == ("unknown", "")
    assert len(writes(sandbox)) == 1
    settled = settling.settle(operation, connection=desk.connection, actor=desk.user)
    assert settled.outcome == "succeeded"
    assert read(desk, settled.lead_id).email == NEW
    assert writes(sandbox) == []


def test_a_lead_that_was_created_under_another_address_is_left_to_a_person(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.configure(test_mode=True)
    sandbox.arm("create_lead", "lost")
    operation = create(desk, also=FIRST_STEPS)
    grow_old(operation)
    settled = settling.settle(operation, connection=desk.connection)
    assert {step.outcome for step in settled.steps.all()} == {"unknown"}, "the lead is there, at kartra.com"
    assert settled.lead_id == "", "whoever is there may be somebody else"
    decided = settling.decide(
        operation=operation, actor=desk.user, connection=desk.connection, happened=True, reason="Seen in Kartra"
    )
    assert decided.outcome == "succeeded"


def test_where_nobody_is_nothing_was_created(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("create_lead", "500")
    operation = create(desk, also=FIRST_STEPS)
    assert settling.settle(operation, connection=desk.connection).outcome == "unknown", "it may still arrive"
    grow_old(operation)
    settled = settling.settle(operation, connection=desk.connection)
    assert {(step.outcome, step.settled_by) for step in settled.steps.all()} == {("failed", "reading")}
    assert create(desk, also=FIRST_STEPS).outcome == "succeeded"


@pytest.mark.parametrize("address", [NEW, "new.person@kartra.com"])
def test_where_a_lead_was_deleted_nobody_knows_whether_it_was_the_new_one(
    desk_of: DeskOf, sandbox: Sandbox, address: str
) -> None:
    desk = desk_of("agent")
    sandbox.arm("create_lead", "500")
    operation = create(desk, also=FIRST_STEPS)
    grow_old(operation)
    with closing(connect(sandbox.path)) as db, writing(db):
        db.execute("UPDATE leads SET email_key = ? WHERE id = ?", (address, NOTABLE["deleted"].id))
    assert settling.settle(operation, connection=desk.connection).outcome == "unknown"


def test_a_lead_that_was_there_once_is_not_taken_for_one_that_never_was(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("create_lead", "500")
    operation = create(desk)
    grow_old(operation)
    Operation.objects.update(lead_id="999999")
    assert settling.settle(operation, connection=desk.connection).outcome == "unknown"


def test_a_lead_that_was_made_without_its_tag_is_settled_step_by_step(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("create_lead", "lost")
    operation = create(desk, also=[AssignTag("customer"), AssignTag("no such tag")])
    grow_old(operation)
    settled = settling.settle(operation, connection=desk.connection)
    assert [step.outcome for step in settled.steps.all()] == ["succeeded", "succeeded", "failed"]


def test_a_tag_that_fails_does_not_hide_that_the_lead_is_there(desk_of: DeskOf) -> None:
    operation = create(desk_of("agent"), also=[AssignTag("no such tag")])
    assert operation.outcome == "failed"
    assert operation.lead_id
    assert [step.outcome for step in operation.steps.all()] == ["succeeded", "failed"]


def test_a_created_lead_cannot_be_undone(desk_of: DeskOf) -> None:
    assert not create(desk_of("agent"), also=FIRST_STEPS).can_undo


def test_a_viewer_creates_nothing(desk_of: DeskOf, sandbox: Sandbox) -> None:
    with pytest.raises(Denied):
        create(desk_of("viewer"))
    assert sandbox.calls() == []
    assert AuditEntry.objects.filter(action="permission.denied").exists()
