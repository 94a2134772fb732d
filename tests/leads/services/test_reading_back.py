"""What was saved and not read back, for whoever saved it was killed, says so, and somebody else reads it back."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts import subjects
from accounts.models import AuditEntry, Connection
from accounts.services import connections
from leads import tasks
from leads.access import Desk
from leads.models import Operation, OperationStep
from leads.providers.changes import EditLead
from leads.providers.errors import Misconfigured
from leads.services import reading_back
from leads.services.leads import create_lead
from leads.services.reading_back import read_back_due
from leads.services.undo import undo_operation
from leads.summaries import summarise
from tests.leads.conftest import Sandbox
from tests.leads.helpers import do, together, words

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
IGNORED = EditLead({}, {"no_such_field": "x"})


class Killed(BaseException):
    pass


def kill(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("agent")


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], Operation]:
    """Begins to read back what the act has saved, and is killed."""

    def cut_off(act: Callable[[], object]) -> Operation:
        with monkeypatch.context() as patched:
            patched.setattr(reading_back, "provider_for", kill)
            with pytest.raises(Killed):
                act()
        return Operation.objects.order_by("-created_at")[0]

    return cut_off


@pytest.fixture
def saved(desk: Desk, sandbox: Sandbox, cut_off: Callable[..., Operation]) -> Operation:
    """An edit that Kartra has said yes to, and ignored."""
    operation = cut_off(lambda: do(desk, IGNORED))
    assert operation.outcome == "succeeded"
    sandbox.calls()
    return operation


def wait() -> None:
    """Until whoever saved it should long have read it back."""
    OperationStep.objects.exclude(read_back_at=None).update(read_back_at=timezone.now())


def remarks() -> list[str]:
    return [step.remark for step in OperationStep.objects.order_by("pk")]


def test_what_is_not_read_back_yet_says_so(saved: Operation, client_of: Callable[[str], Client]) -> None:
    assert remarks() == ["Saved, not read back yet."]
    assert (summarise(saved).kind, "not read back yet" in summarise(saved).text) == ("waiting", True)
    assert "Saved, not read back yet." in words(client_of("agent").get(f"/operations/{saved.pk}/"))
    assert "not read back" not in AuditEntry.objects.readable().get(action="lead.edit.succeeded").sentence


def test_the_worker_reads_back_once_it_is_due_and_sends_nothing(saved: Operation, sandbox: Sandbox) -> None:
    read_back_due()
    assert sandbox.calls() == [], "whoever saved it may be about to"
    wait()
    tasks.settle_due.call_local()
    read_back_due()
    assert sandbox.calls() == [("get_lead",)]
    saved.refresh_from_db()
    assert (saved.outcome, summarise(saved).kind) == ("failed", "failed")
    assert AuditEntry.objects.filter(action="lead.read_back.failed").count() == 1


def test_the_same_form_again_reads_back_what_it_saved(
    desk: Desk, sandbox: Sandbox, cut_off: Callable[..., Operation]
) -> None:
    own = uuid4()
    cut_off(lambda: do(desk, IGNORED, operation_id=own))
    sandbox.calls()
    assert do(desk, IGNORED, operation_id=own).outcome == "failed"
    assert sandbox.calls() == [("get_lead",)]


def test_the_same_form_of_a_new_lead_reads_him_back(
    desk: Desk, sandbox: Sandbox, cut_off: Callable[..., Operation]
) -> None:
    own = uuid4()

    def create() -> Operation:
        return create_lead(
            actor=desk.user,
            connection=desk.connection,
            email="new@example.com",
            profile={"city": "Austin"},
            custom_fields={},
            also=[],
            operation_id=own,
        )

    cut_off(create)
    sandbox.calls()
    assert remarks() == ["Saved, not read back yet."]
    assert create().outcome == "succeeded"
    assert sandbox.calls() == [("get_lead",)]
    assert remarks() == [""]


def test_the_same_undo_again_reads_back_what_it_saved(
    desk: Desk, sandbox: Sandbox, cut_off: Callable[..., Operation]
) -> None:
    own, first = uuid4(), do(desk, EditLead({"city": "Dallas"}))

    def undo() -> Operation:
        return undo_operation(actor=desk.user, connection=desk.connection, operation=first, operation_id=own)

    cut_off(undo)
    sandbox.calls()
    assert remarks() == ["", "Saved, not read back yet."]
    undo()
    assert sandbox.calls() == [("get_lead",)]
    assert remarks() == ["", ""]


def test_without_credentials_it_goes_on_saying_so(saved: Operation, desk: Desk) -> None:
    connections.remove(actor=desk.user, owner=desk.user)
    wait()
    read_back_due()
    assert remarks() == ["Saved, not read back yet."]


def test_a_colleagues_credentials_serve_where_the_actors_are_refused(
    saved: Operation, desk: Desk, desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk_of("manager")
    honest = reading_back.provider_for

    def refusing(connection: Connection, **also: Any) -> Any:
        if connection == desk.connection:
            raise Misconfigured("Kartra does not know the API key.")
        return honest(connection, **also)

    monkeypatch.setattr(reading_back, "provider_for", refusing)
    wait()
    read_back_due()
    saved.refresh_from_db()
    assert saved.outcome == "failed"
    assert "stored another value" in remarks()[0]


def test_of_a_forgotten_person_nothing_is_read_back(saved: Operation, sandbox: Sandbox) -> None:
    subjects.destroy([saved.whose_id])
    wait()
    read_back_due()
    assert sandbox.calls() == []
    assert not OperationStep.objects.exclude(read_back_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_read_back_at_once_tell_it_once(saved: Operation, desk: Desk) -> None:
    again = [lambda: reading_back.read_back(Operation.objects.get(), desk.connection).outcome] * 2
    together(*again)
    assert AuditEntry.objects.filter(action="lead.read_back.failed").count() == 1
    saved.refresh_from_db()
    assert saved.outcome == "failed"
