"""What a reading does not prove stays unknown: a person decides."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from leads.access import Desk
from leads.models import Operation, Outcome
from leads.providers.base import FieldDefinition, Lead, ListSubscription, SequenceSubscription
from leads.providers.changes import (
    AssignTag,
    Change,
    CreateLead,
    EditLead,
    EditSubscription,
    GivePoints,
    PauseSubscription,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
    UnsubscribeFromList,
    UnsubscribeFromSequence,
)
from leads.providers.errors import AlreadyDone, Refused
from leads.providers.kartra import parse
from leads.providers.kartra.provider import KartraProvider
from leads.services import catalogues, leads, money, settling
from leads.services.money import Terms, Whose
from leads.services.undo import undo_operation
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import do, grow_old, read, send

pytestmark = pytest.mark.django_db
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
SUBSCRIPTION = "14833"
COMMANDS = {
    "lead.edit": "edit_lead",
    "tag.assign": "assign_tag",
    "tag.unassign": "unassign_tag",
    "list.subscribe": "subscribe_lead_to_list",
    "list.unsubscribe": "unsubscribe_lead_from_list",
    "sequence.subscribe": "subscribe_lead_to_sequence_at_step",
    "sequence.unsubscribe": "unsubscribe_lead_from_sequence",
    "points.give": "give_points_to_lead",
}


@pytest.fixture
def desk(desk_of: Callable[..., Desk], settings: object) -> Desk:
    settings.MONEY_HOLD = 0  # type: ignore[attr-defined]
    return desk_of("admin")


@pytest.fixture
def reads_as(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let Kartra tell a lead otherwise."""
    whole = KartraProvider.get_lead

    def change(**told: Any) -> None:
        monkeypatch.setattr(KartraProvider, "get_lead", lambda self, ref: replace(whole(self, ref), **told))

    return change


def in_doubt(desk: Desk, sandbox: Sandbox, change: Change, mode: str = "500") -> Operation:
    """An operation without a clear answer, an hour old: ``lost`` was done, ``500`` was not."""
    sandbox.arm(COMMANDS[change.kind], mode)
    operation = do(desk, change)
    assert operation.outcome == Outcome.UNKNOWN
    grow_old(operation)
    return operation


def settled(desk: Desk, operation: Operation) -> str:
    return settling.settle(operation, connection=desk.connection).outcome


PARTS: list[tuple[Change, dict[str, Any]]] = [
    (EditLead({"city": "Dallas"}), {"profile": {}, "untold": frozenset({"city"})}),
    (EditLead({"city": ""}), {"profile": {}, "untold": frozenset({"city"})}),
    (EditLead({}, {"shoe_size": ""}), {"custom_fields": (), "untold": frozenset({"custom_fields"})}),
    (AssignTag("advanced"), {"tags": (), "untold": frozenset({"tags"})}),
    (UnassignTag("vip"), {"tags": (), "untold": frozenset({"tags"})}),
    (SubscribeToList("Podcast listeners"), {"lists": (), "untold": frozenset({"lists"})}),
    (UnsubscribeFromList("Newsletter"), {"lists": (), "untold": frozenset({"lists"})}),
    (UnsubscribeFromSequence("Welcome series"), {"sequences": (), "untold": frozenset({"sequences"})}),
    (GivePoints(5), {"score": None}),
]


@pytest.mark.parametrize("mode", ["lost", "500"])
@pytest.mark.parametrize(("change", "told"), PARTS, ids=[repr(change) for change, _ in PARTS])
def test_what_a_reading_leaves_out_is_neither_done_nor_not_done(
    desk: Desk, sandbox: Sandbox, reads_as: Any, change: Change, told: dict[str, Any], mode: str
) -> None:
    operation = in_doubt(desk, sandbox, change, mode)
    reads_as(**told)
    assert settled(desk, operation) == Outcome.UNKNOWN


def test_nor_what_was_left_out_before_the_change(desk: Desk, sandbox: Sandbox, reads_as: Any) -> None:
    reads_as(score=None)
    operation = in_doubt(desk, sandbox, GivePoints(5))
    assert settled(desk, operation) == Outcome.UNKNOWN
    reads_as()
    assert settled(desk, operation) == Outcome.UNKNOWN


def test_a_deleted_lead_proves_nothing(desk: Desk, sandbox: Sandbox, reads_as: Any) -> None:
    operation = in_doubt(desk, sandbox, AssignTag("advanced"))
    reads_as(deleted=True)
    assert settled(desk, operation) == Outcome.UNKNOWN


@pytest.mark.parametrize(("mode", "outcome"), [("lost", Outcome.SUCCEEDED), ("500", Outcome.FAILED)])
def test_what_differs_in_case_alone_is_compared_as_it_stands(
    desk: Desk, sandbox: Sandbox, mode: str, outcome: str
) -> None:
    assert settled(desk, in_doubt(desk, sandbox, EditLead({"city": "BOSTON"}), mode)) == outcome


def test_who_was_in_the_sequence_before_may_not_have_been_put_at_the_step(desk: Desk, sandbox: Sandbox) -> None:
    operation = in_doubt(desk, sandbox, SubscribeToSequence("Welcome series", "5"))
    assert settled(desk, operation) == Outcome.UNKNOWN


def test_who_was_not_in_it_before_was_put_there(desk: Desk, sandbox: Sandbox) -> None:
    operation = in_doubt(desk, sandbox, SubscribeToSequence("Win back", "2"), "lost")
    assert settled(desk, operation) == Outcome.SUCCEEDED


@pytest.mark.parametrize(("change", "later", "mode"), [
    (GivePoints(20), GivePoints(20), "500"),
    (AssignTag("advanced"), AssignTag("advanced"), "500"),
    (AssignTag("advanced"), UnassignTag("advanced"), "lost"),
], ids=repr)  # fmt: skip
def test_what_somebody_did_to_the_same_meanwhile_proves_nothing_of_the_first(
    desk: Desk, sandbox: Sandbox, change: Change, later: Change, mode: str
) -> None:
    operation = in_doubt(desk, sandbox, change, mode)
    assert do(desk, later).outcome == Outcome.SUCCEEDED
    assert settled(desk, operation) == Outcome.UNKNOWN


def test_what_somebody_did_to_another_part_does_not_matter(desk: Desk, sandbox: Sandbox) -> None:
    operation = in_doubt(desk, sandbox, AssignTag("advanced"), "lost")
    assert do(desk, UnassignTag("vip")).outcome == Outcome.SUCCEEDED
    assert settled(desk, operation) == Outcome.SUCCEEDED


def test_a_reading_that_began_before_it_was_sent_proves_nothing(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up, read for, and sent after all while that reading was on its way, which took long to come back."""
    operation = in_doubt(desk, sandbox, AssignTag("advanced"))
    whole = KartraProvider.get_lead

    def slow(self: KartraProvider, ref: Any) -> Lead:
        lead = whole(self, ref)
        Operation.objects.filter(pk=operation.pk).update(sent_at=timezone.now())
        later = timezone.now() + timedelta(minutes=3)
        monkeypatch.setattr(timezone, "now", lambda: later)
        return lead

    monkeypatch.setattr(KartraProvider, "get_lead", slow)
    assert settled(desk, operation) == Outcome.UNKNOWN


def create(desk: Desk, sandbox: Sandbox, mode: str = "500") -> Operation:
    sandbox.arm("create_lead", mode)
    operation = leads.create_lead(
        actor=desk.user,
        connection=desk.connection,
        email="new@example.com",
        profile={"first_name": "Nell", "city": "Cork"},
        custom_fields={},
        also=[],
        operation_id=uuid4(),
    )
    assert operation.outcome == Outcome.UNKNOWN
    grow_old(operation)
    return operation


def test_a_lead_of_the_same_address_with_other_fields_is_not_ours(desk: Desk, sandbox: Sandbox) -> None:
    operation = create(desk, sandbox)
    send(desk, CreateLead("new@example.com", {"first_name": "Somebody"}), lead_id="")
    assert settled(desk, operation) == Outcome.UNKNOWN


def test_a_lead_that_reads_as_it_was_asked_for_was_created(desk: Desk, sandbox: Sandbox) -> None:
    assert settled(desk, create(desk, sandbox, "lost")) == Outcome.SUCCEEDED


def field(desk: Desk, identifier: str = "thread") -> Operation:
    return catalogues.create_field(
        actor=desk.user,
        connection=desk.connection,
        operation_id=uuid4(),
        identifier=identifier,
        kind="text",
        options=[],
    )


def test_a_field_of_another_kind_is_not_ours(desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.arm("create_custom_field", "500")
    operation = field(desk)
    grow_old(operation)
    monkeypatch.setattr(KartraProvider, "list_fields", lambda self: (FieldDefinition("thread", "choices"),))
    assert settled(desk, operation) == Outcome.UNKNOWN
    monkeypatch.setattr(KartraProvider, "list_fields", lambda self: (FieldDefinition("thread", "text"),))
    assert settled(desk, operation) == Outcome.SUCCEEDED


def test_a_field_that_is_there_already_is_not_made_again(desk: Desk, sandbox: Sandbox) -> None:
    sandbox.calls()
    with pytest.raises(AlreadyDone, match="already a field named shoe_size"):
        field(desk, "shoe_size")
    assert sandbox.calls() == [("retrieve_custom_fields",)]


@pytest.mark.parametrize(("change", "blank"), [
    (PauseSubscription(SUBSCRIPTION), {"status": ""}),
    (EditSubscription(SUBSCRIPTION, amount="12.00", installments_left="7"), {"installments_left": ""}),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("mode", ["lost", "500"])
def test_a_subscription_that_is_told_in_part_proves_nothing(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, change: Any, blank: dict[str, str], mode: str
) -> None:
    sandbox.arm("edit_subscription" if isinstance(change, EditSubscription) else "modify_subscription_status", mode)
    operation = money.change_subscription(
        actor=desk.user,
        connection=desk.connection,
        whose=WHOSE,
        change=change,
        terms=Terms(
            "Goodwill", "", money.read_plan(provider_for(desk.connection), desk.account, WHOSE, SUBSCRIPTION).digest
        ),
        operation_id=uuid4(),
    )
    grow_old(operation)
    whole = KartraProvider.get_subscription
    monkeypatch.setattr(KartraProvider, "get_subscription", lambda self, pk: replace(whole(self, pk), **blank))
    assert settled(desk, operation) == Outcome.UNKNOWN


@pytest.mark.parametrize("mode", ["lost", "500"])
def test_a_price_that_reads_as_before_proves_nothing_where_the_quantity_changes_too(
    desk: Desk, sandbox: Sandbox, mode: str
) -> None:
    """Kartra tells the price times the quantity, and no quantity."""
    provider = provider_for(desk.connection)
    price = provider.get_subscription(SUBSCRIPTION).next_amount
    assert price
    sandbox.arm("edit_subscription", mode)
    operation = money.change_subscription(
        actor=desk.user,
        connection=desk.connection,
        whose=WHOSE,
        change=EditSubscription(SUBSCRIPTION, amount=f"{price / 3:.2f}", quantity="3"),
        terms=Terms("Goodwill", "", money.read_plan(provider, desk.account, WHOSE, SUBSCRIPTION).digest),
        operation_id=uuid4(),
    )
    grow_old(operation)
    assert provider.get_subscription(SUBSCRIPTION).next_amount == price
    assert settled(desk, operation) == Outcome.UNKNOWN


def test_fields_that_kartra_does_not_tell_are_not_called_failed(desk: Desk, reads_as: Any) -> None:
    reads_as(untold=frozenset({"sales_tax_id"}))
    operation = do(desk, EditLead({"sales_tax_id": "DE 123"}))
    assert operation.outcome == Outcome.SUCCEEDED
    step = operation.steps.get()
    assert "does not return Sales tax id" in step.sentence
    assert not step.inverse, "what stood there before is not known"


def test_what_kartra_does_not_tell_is_not_undone(desk: Desk, reads_as: Any) -> None:
    operation = do(desk, AssignTag("advanced"))
    reads_as(tags=(), untold=frozenset({"tags"}))
    with pytest.raises(Refused, match="does not return how it is now"):
        undo_operation(actor=desk.user, connection=desk.connection, operation=operation, operation_id=uuid4())
    assert do(desk, UnassignTag("vip")).outcome == Outcome.SUCCEEDED, "it may carry it"


def test_what_the_answer_lacks_is_untold(desk: Desk) -> None:
    at = timezone.now()
    blank = parse.lead({"id": "7"}, read_at=at)
    assert blank is not None
    assert {"city", "picture_url", "email", "custom_fields", "tags", "lists", "sequences"} <= blank.untold
    rows = {"lists": [{"list_name": "News"}], "sequences": [{"sequence_name": "Hello", "step": "1"}], "tags": ["vip"]}
    vague = parse.lead({"id": "7", **rows}, read_at=at)
    assert vague is not None
    assert vague.lists == (ListSubscription("News", True),)
    assert vague.sequences == (SequenceSubscription("Hello", "1", True),)
    assert {"lists", "sequences"} <= vague.untold
    assert "tags" not in vague.untold
    assert not read(desk).untold
