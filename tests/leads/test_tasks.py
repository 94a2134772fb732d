"""Background work: queued for the right second, found by the sweep all the same, done by one worker alone."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tasks import default_task_backend

from accounts.models import AuditEntry, User
from accounts.services import connections
from leads import tasks
from leads.access import Desk
from leads.models import Operation, Outcome
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.services import held, refreshing
from leads.services.money import Whose
from leads.services.reconcile import reconcile
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import refund_part, together, writes

pytestmark = pytest.mark.django_db
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
PAYMENT = "99488"
ONE_REFUND = [("refund_transaction",)]


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("manager")


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    default_task_backend.clear()  # type: ignore[attr-defined]


def queued() -> list[tuple[str, list[Any], Any]]:
    results = default_task_backend.results  # type: ignore[attr-defined]
    return [(result.task.name, result.args, result.task.run_after) for result in results]


def let_hold_pass() -> None:
    Operation.objects.update(send_at=timezone.now() - timedelta(seconds=1))


def test_what_is_held_is_queued_for_when_it_leaves(desk: Desk, sandbox: Sandbox) -> None:
    operation = refund_part(desk)
    assert operation.outcome == Outcome.HELD
    assert [(name, list(args), at) for name, args, at in queued()] == [
        ("send_operation", [str(operation.pk)], operation.send_at)
    ]
    assert writes(sandbox) == []


def test_the_task_sends_it_once_its_time_has_come_and_not_before(desk: Desk, sandbox: Sandbox) -> None:
    operation = refund_part(desk)
    tasks.send_operation.call(str(operation.pk))
    assert writes(sandbox) == []
    let_hold_pass()
    tasks.send_operation.call(str(operation.pk))
    tasks.send_operation.call(str(operation.pk))
    assert writes(sandbox) == ONE_REFUND
    assert Operation.objects.get().outcome == Outcome.SUCCEEDED


def test_the_sweep_sends_what_a_lost_queue_left(desk: Desk, sandbox: Sandbox) -> None:
    refund_part(desk)
    default_task_backend.clear()  # type: ignore[attr-defined]
    let_hold_pass()
    assert held.send_due_operations() == 1
    assert writes(sandbox) == ONE_REFUND
    assert held.send_due_operations() == 0


@pytest.mark.django_db(transaction=True)
def test_many_workers_send_it_once(desk: Desk, sandbox: Sandbox) -> None:
    refund_part(desk)
    let_hold_pass()
    together(*[held.send_due_operations] * 4)
    assert writes(sandbox) == ONE_REFUND
    assert Operation.objects.get().outcome == Outcome.SUCCEEDED


@pytest.mark.parametrize("how", ["his credentials are removed", "he is deactivated", "they are another account's"])
def test_nothing_is_sent_with_a_colleague_s_credentials(
    desk: Desk, desk_of: Callable[..., Desk], sandbox: Sandbox, how: str
) -> None:
    """To take somebody's away stops what he confirmed, as a colleague may hold the same key."""
    operation = refund_part(desk)
    desk_of("admin")
    if how == "he is deactivated":
        User.objects.filter(pk=desk.user.pk).update(is_active=False)
    elif how == "they are another account's":
        keys = ACCOUNTS[1]
        connections.place(actor=desk.user, owner=desk.user, api_key=keys.api_key, api_password=keys.api_password)
    else:
        connections.remove(actor=desk.user, owner=desk.user)
    let_hold_pass()
    held.send_due_operations()
    operation.refresh_from_db()
    assert operation.outcome == Outcome.FAILED
    assert operation.steps.get().sentence == (
        f"{desk.user} was deactivated, or no longer has credentials for the account. Nothing was sent."
    )
    assert not AuditEntry.objects.filter(operation_id=operation.pk, outcome="sent").exists()
    assert writes(sandbox) == []


def test_without_any_credentials_it_is_closed_and_nothing_is_sent(desk: Desk, sandbox: Sandbox) -> None:
    operation = refund_part(desk)
    connections.remove(actor=desk.user, owner=desk.user)
    let_hold_pass()
    held.send_due_operations()
    operation.refresh_from_db()
    assert operation.outcome == Outcome.FAILED
    assert "credentials" in operation.steps.get().sentence
    assert writes(sandbox) == []


def test_a_lost_reply_is_read_for_a_few_seconds_later(desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "lost")
    operation = refund_part(desk)
    assert operation.outcome == Outcome.UNKNOWN
    [(name, args, at)] = queued()
    assert (name, list(args)) == ("settle_operation", [str(operation.pk)])
    assert timedelta(0) < at - timezone.now() < timedelta(seconds=5)
    tasks.settle_operation.call(str(operation.pk))
    operation.refresh_from_db()
    assert operation.outcome == Outcome.SUCCEEDED
    assert writes(sandbox) == ONE_REFUND


@pytest.mark.django_db(transaction=True)
def test_what_is_due_is_read_for_by_one_worker_alone(desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "500")
    refund_part(desk)
    together(*[lambda: reconcile(only_due=True)] * 4)
    assert Operation.objects.get().readings == 1


def test_readings_go_on_in_slices_until_the_minute_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "work", lambda: True)
    now = time.time()
    tasks.refresh_directory.func(now + 55)
    tasks.refresh_directory.func(now + 2)
    assert queued() == [("refresh_directory", [now + 55], None)]
    monkeypatch.setattr(refreshing, "work", lambda: False)
    tasks.refresh_directory.func(now + 55)
    assert len(queued()) == 1


def test_readings_leave_the_last_thread_to_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "work", lambda: pytest.fail("there is no room"))
    monkeypatch.setattr(tasks, "_ROOM", threading.BoundedSemaphore(1))
    with tasks.room():
        tasks.refresh_directory.func(time.time() + 55)
    assert queued()[0][2] is not None
