"""An edit sends only what differs, never overwrites what somebody else did, and is believed only when read back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from kartra_admin.lib.errors import Denied
from leads import effects
from leads.access import Desk
from leads.models import Operation
from leads.providers.base import Lead
from leads.providers.changes import AssignTag, EditLead, SubscribeToList, SubscribeToSequence
from leads.providers.errors import AlreadyDone, NotFound
from leads.services import leads as service
from leads.services import settling
from leads.services.leads import EditConflict, Snapshot, changes_between
from leads.summaries import summarise
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import read, send, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]


def wish(seen: Snapshot, **changed: Any) -> Snapshot:
    """The snapshot with profile fields (by name), ``custom`` fields, tags, lists or the email changed."""
    own = {key: changed.pop(key) for key in ("email", "tags", "lists") if key in changed}
    custom = {**seen.custom_fields, **changed.pop("custom", {})}
    return replace(seen, profile={**seen.profile, **changed}, custom_fields=custom, **own)


def edit(desk: Desk, seen: Lead, now: Lead | None = None, *, also: Any = (), **changed: Any) -> Operation:
    """Edit a lead that was ``seen`` so when the form was opened and reads ``now`` when it is sent."""
    snapshot = Snapshot.of(seen)
    return service.edit_lead(
        actor=desk.user,
        connection=desk.connection,
        lead=now or seen,
        seen=snapshot,
        wanted=wish(snapshot, **changed),
        also=also,
        operation_id=uuid4(),
    )


def asked(operation: Operation) -> EditLead:
    change = operation.steps.get(kind="lead.edit").change
    assert isinstance(change, EditLead)
    return change


def test_only_what_changed_is_asked_for(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    operation = edit(desk, read(desk), city="Dallas", custom={"shoe_size": "39"})
    assert operation.outcome == "succeeded"
    assert asked(operation) == EditLead({"city": "Dallas"}, {"shoe_size": "39"})
    step = operation.steps.get()
    assert (step.before, step.after) == (
        {"City": "Boston", "shoe_size": "38"},
        {"City": "Dallas", "shoe_size": "39"},
    )


def test_what_somebody_else_changed_meanwhile_stays_as_he_left_it(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    seen = read(desk)
    send(desk, EditLead({"phone": "999", "company": ""}, {"plan": "1"}))
    edit(desk, seen, read(desk), city="Dallas")
    now = read(desk)
    assert (now.profile["city"], now.profile["phone"], now.profile["company"]) == ("Dallas", "999", "")
    plan = now.custom_field("plan")
    assert plan is not None
    assert plan.writable == "1"


def test_everything_at_once_is_one_call(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    lead = read(desk)
    operation = edit(
        desk,
        lead,
        city="Dallas",
        tags=["customer", "advanced", "🏺 collector"],
        lists=["Newsletter", "Podcast listeners"],
        also=[SubscribeToSequence("Win back", "2")],
    )
    assert writes(sandbox) == [
        (
            "edit_lead",
            "assign_tag",
            "assign_tag",
            "unassign_tag",
            "subscribe_lead_to_list",
            "subscribe_lead_to_sequence_at_step",
        )
    ]
    assert operation.outcome == "succeeded"
    now = read(desk)
    assert set(now.tags) == {"customer", "advanced", "🏺 collector"}
    assert AuditEntry.objects.filter(operation_id=operation.pk, outcome="succeeded").count() == 6


def test_a_stale_edit_names_the_field_and_sends_nothing(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    seen = read(desk)
    send(desk, EditLead({"city": "Austin"}, {"glazes": ["2"]}))
    now = read(desk)
    sandbox.calls()
    with pytest.raises(EditConflict) as caught:
        edit(desk, seen, now, city="Dallas", custom={"glazes": ["1"]}, company="New Company")
    assert [(clash.label, clash.now) for clash in caught.value.clashes] == [("City", "Austin"), ("glazes", "shino")]
    assert "City, glazes" in caught.value.sentence
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


def test_somebody_else_who_made_the_same_change_is_no_conflict(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    seen = read(desk)
    send(desk, EditLead({"city": "Dallas"}))
    assert edit(desk, seen, read(desk), city="Dallas", company="Other").outcome == "succeeded"


@pytest.mark.parametrize(
    "changed",
    [
        {"city": "  Boston "},
        {"email": "ADA.Moreno@example.com"},
        {"custom": {"glazes": ["3", "1"]}},
        {"tags": ["vip", "customer"]},
    ],
    ids=repr,
)
def test_spaces_case_and_order_are_no_changes(desk_of: DeskOf, sandbox: Sandbox, changed: dict[str, Any]) -> None:
    desk = desk_of("agent")
    with pytest.raises(AlreadyDone):
        edit(desk, read(desk), **changed)
    assert writes(sandbox) == []


def test_line_ends_of_a_browser_are_no_change() -> None:
    seen = Snapshot("ada@example.com", {}, {"about_me": "one\ntwo"}, [], [])
    wanted = replace(seen, custom_fields={"about_me": "one\r\ntwo"})
    assert changes_between(seen, wanted) == []


def test_a_tag_that_somebody_else_gave_is_not_taken_away(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    seen = read(desk)
    send(desk, AssignTag("advanced"), SubscribeToList("Podcast listeners"))
    edit(desk, seen, read(desk), tags=["customer"])
    now = read(desk)
    assert set(now.tags) == {"customer", "advanced"}
    assert "Podcast listeners" in [row.name for row in now.lists if row.active]


def test_an_email_is_changed_and_read_back(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    lead = read(desk)
    sandbox.calls()
    operation = edit(desk, lead, email="ada.new@example.com")
    assert sandbox.calls() == [("edit_lead",), ("get_lead",)]
    step = operation.steps.get()
    assert (step.before, step.after) == ({"Email": ADA.email}, {"Email": "ada.new@example.com"})
    assert read(desk).email == "ada.new@example.com"


def test_an_email_that_is_taken_fails_with_a_sentence(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    operation = edit(desk, read(desk), email=NOTABLE["ben"].email)
    assert operation.outcome == "failed"
    step = operation.steps.get()
    assert (step.code, bool(step.sentence)) == ("244", True)
    assert read(desk).email == ADA.email


def test_a_success_that_kept_another_value_is_said_and_logged(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.configure(test_mode=True)
    operation = edit(desk, read(desk), email="ada.new@example.com", city="Dallas")
    step = operation.steps.get()
    assert operation.outcome == "succeeded"
    assert step.after == {"City": "Dallas", "Email": "ada.new@kartra.com"}
    assert "stored another value for Email" in step.sentence
    assert summarise(operation).kind == "waiting"
    assert "stored another value" in summarise(operation).text
    entry = AuditEntry.objects.get(action="lead.read_back.failed")
    assert entry.before == {"City": "Dallas", "Email": "ada.new@example.com"}
    assert entry.after == {"City": "Dallas", "Email": "ada.new@kartra.com"}


def test_a_success_that_changed_nothing_counts_as_failed(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    operation = edit(desk, read(desk), custom={"no_such_field": "x"})
    operation.refresh_from_db()
    assert operation.outcome == "failed"
    assert summarise(operation).kind == "failed"
    assert not operation.can_undo


def test_a_read_back_that_fails_is_said(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    lead = read(desk)
    sandbox.arm("get_lead", "junk", times=3)
    operation = edit(desk, lead, city="Dallas")
    assert operation.outcome == "succeeded"
    assert "could not be read back" in summarise(operation).text


@pytest.mark.parametrize(
    ("custom", "before"),
    [
        ({"shoe_size": ""}, "38"),
        ({"plan": ""}, "studio"),
        ({"glazes": []}, "celadon, tenmoku"),
        ({"kiln_type": ""}, "electric"),
        ({"workshop_interests": []}, "glazing, wood firing"),
    ],
    ids=repr,
)
def test_every_kind_of_custom_field_is_cleared_by_empty(desk_of: DeskOf, custom: dict[str, Any], before: str) -> None:
    desk = desk_of("agent")
    (identifier,) = custom
    operation = edit(desk, read(desk), custom=custom)
    assert operation.outcome == "succeeded"
    step = operation.steps.get()
    assert (step.before, step.after) == ({identifier: before}, {identifier: ""})
    value = read(desk).custom_field(identifier)
    assert value is not None
    assert value.display == ""


@pytest.mark.parametrize(
    ("lead_id", "custom", "after"),
    [
        (ADA.id, {"plan": "1"}, "hobby"),
        (ADA.id, {"glazes": ["3", "2"]}, "shino, tenmoku"),
        (ADA.id, {"preferred_contact": "4"}, "not at all"),
        (NOTABLE["jon"].id, {"newsletter_day": "1"}, "monday"),
        (NOTABLE["jon"].id, {"about_me": "A\nB 🏺"}, "A\nB 🏺"),
    ],
    ids=repr,
)
def test_a_choice_is_made_by_its_option(desk_of: DeskOf, lead_id: str, custom: dict[str, Any], after: str) -> None:
    desk = desk_of("agent")
    (identifier,) = custom
    operation = edit(desk, read(desk, lead_id), custom=custom)
    assert operation.steps.get().after == {identifier: after}
    assert operation.steps.get().sentence == ""
    value = read(desk, lead_id).custom_field(identifier)
    assert value is not None
    assert value.display == after


def test_choices_are_understood_while_the_catalogue_of_fields_is_missing(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    desk.account.catalogues.filter(kind="fields").delete()
    operation = edit(desk, read(desk), custom={"glazes": ["3"]})
    step = operation.steps.get()
    assert (step.after, step.sentence) == ({"glazes": "tenmoku"}, "")


def test_an_edit_whose_answer_is_lost_is_unknown_and_settled_by_reading(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    lead = read(desk)
    sandbox.calls()
    sandbox.arm("edit_lead", "lost")
    operation = edit(desk, lead, city="Dallas")
    assert operation.outcome == "unknown"
    assert writes(sandbox) == [("edit_lead",)]
    settled = settling.settle(operation, connection=desk.connection, actor=desk.user)
    assert settled.outcome == "succeeded"
    assert writes(sandbox) == []


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_not_edit_is_refused_and_nothing_is_sent(desk_of: DeskOf, sandbox: Sandbox, role: str) -> None:
    desk = desk_of(role)
    with pytest.raises(Denied):
        edit(desk, read(desk), city="Dallas")
    assert writes(sandbox) == []
    entry = AuditEntry.objects.get(action="permission.denied")
    assert entry.actor_id == desk.user.pk


def test_a_deleted_lead_cannot_be_read_for_editing(desk_of: DeskOf) -> None:
    with pytest.raises(NotFound):
        read(desk_of("agent"), NOTABLE["deleted"].id)


def test_what_is_shown_as_before_is_what_undo_would_bring_back(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    operation = edit(desk, read(desk), city="", custom={"glazes": [], "plan": "1"})
    step = operation.steps.get()
    send(desk, step.undoing)
    assert effects.state_of(step.change, read(desk)) == step.before
