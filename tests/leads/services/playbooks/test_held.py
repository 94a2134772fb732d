"""What is held back as a whole before it begins: begun by one worker, or taken back by one person."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from django_tasks import default_task_backend

from accounts.models import AuditEntry, User
from accounts.services import connections
from kartra_admin.lib.errors import AppError, Conflict, Denied
from leads import tasks
from leads.access import Desk
from leads.models import Approval, Operation, PlaybookRun
from leads.playbook_steps import CANCEL, REFUND
from leads.providers.changes import RefundTransaction
from leads.providers.errors import Refused
from leads.selectors import forgetting
from leads.selectors.playbooks import list_unfinished, list_waiting, progress_of
from leads.services import runs
from leads.services.money import Changed
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import send, together, writes
from tests.leads.services.playbooks.conftest import (
    ACTIVE,
    BEN,
    MIXED,
    TAGS,
    DeskOf,
    Killed,
    counts,
    killed,
    make,
    preview,
    resume,
    start,
    states,
    step,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def _hold(settings: Any) -> None:
    settings.MONEY_HOLD = 10


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    default_task_backend.clear()  # type: ignore[attr-defined]


def due(run: PlaybookRun) -> PlaybookRun:
    """As it stands once the time to take it back is over."""
    PlaybookRun.objects.filter(pk=run.pk).update(begin_at=timezone.now() - timedelta(seconds=1))
    run.refresh_from_db()
    return run


def be_killed_in(function: str, run: PlaybookRun) -> None:
    """A worker comes to the run, and is gone in this function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, function, killed)
        with pytest.raises(Killed):
            tasks.begin_run.call(str(run.pk))


def withdraw(desk: Desk, run: PlaybookRun) -> PlaybookRun:
    return runs.withdraw_run(actor=desk.user, run=PlaybookRun.objects.get(pk=run.pk))


def log(run: PlaybookRun) -> list[str]:
    return list(AuditEntry.objects.filter(operation_id=run.pk).order_by("pk").values_list("action", flat=True))


@pytest.mark.usefixtures("_hold")
def test_a_run_is_held_back_as_a_whole_and_begun_by_the_worker(desk: Desk, sandbox: Sandbox, names: None) -> None:
    run = start(desk, make(desk, MIXED))
    assert run.begin_at is not None
    assert timedelta(seconds=9) < run.begin_at - timezone.now() <= timedelta(seconds=10)
    [queued] = default_task_backend.results  # type: ignore[attr-defined]
    assert (queued.task.name, list(queued.args), queued.task.run_after) == ("begin_run", [str(run.pk)], run.begin_at)
    tasks.begin_run.call(str(run.pk))
    runs.attend_all()
    assert writes(sandbox) == []
    assert states(run) == ["open"] * 5
    assert not Operation.objects.exists(), "nothing of it is recorded before it began"
    due(run)
    tasks.begin_run.call(str(run.pk))
    tasks.begin_run.call(str(run.pk))
    assert len(writes(sandbox)) == 4
    assert states(run) == ["done"] * 5
    assert not any(operation.send_at for operation in Operation.objects.all()), "and not held back once more"
    run.refresh_from_db()
    assert (run.is_held, run.is_closed, run.leased_until) == (False, False, None)
    assert run.ended_at is not None


@pytest.mark.usefixtures("_hold")
def test_the_sweep_begins_what_a_lost_queue_or_a_killed_worker_left(desk: Desk, sandbox: Sandbox) -> None:
    run = due(start(desk, make(desk, TAGS)))
    be_killed_in("_begin_due", run)
    assert writes(sandbox) == []
    runs.attend_all()
    assert states(run) == ["done", "done"]
    assert len(writes(sandbox)) == 1


@pytest.mark.usefixtures("_hold")
def test_killed_once_it_has_begun_it_is_left_to_a_person(desk: Desk, sandbox: Sandbox) -> None:
    run = due(start(desk, make(desk, TAGS)))
    be_killed_in("_attempt", run)
    assert progress_of(run).badge[0] == "Being done", "for all that is known"
    runs.attend_all()
    assert writes(sandbox) == []
    PlaybookRun.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert progress_of(run).badge[0] == "Can go on"
    with pytest.raises(AppError, match="Too late"):
        withdraw(desk, run)
    resume(desk, run)
    assert states(run) == ["done", "done"]


@pytest.mark.usefixtures("_hold")
def test_pages_know_from_the_claim_on_that_somebody_is_at_it(desk: Desk) -> None:
    run = due(start(desk, make(desk, TAGS)))
    be_killed_in("_go_on_for_actor", run)
    assert progress_of(run).badge[0] == "Being done"


@pytest.mark.usefixtures("_hold")
@pytest.mark.parametrize(("change", "why"), [({"role": "agent"}, "agent"), ({"is_active": False}, "credentials")])
def test_who_may_not_any_more_when_it_begins_does_nothing(
    desk: Desk, sandbox: Sandbox, change: dict[str, object], why: str
) -> None:
    """An agent may tag, and run no playbook."""
    run = due(start(desk, make(desk, TAGS)))
    User.objects.filter(pk=desk.user.pk).update(**change)
    runs.attend_all()
    assert writes(sandbox) == []
    stopped = progress_of(run)
    assert why in stopped.stopped.lower(), stopped.stopped
    assert (stopped.badge[0], log(run)[-1]) == ("Stopped", "playbook.stop.failed")


@pytest.mark.usefixtures("_hold")
def test_a_run_that_is_withdrawn_never_begins(desk: Desk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    run, manager = start(desk, make(desk, [step(CANCEL), step(REFUND)])), desk_of("manager")
    with pytest.raises(Denied):
        withdraw(desk_of("agent"), run)
    for _ in range(2):  # a second click
        assert withdraw(manager, run).is_withdrawn
    due(run)
    tasks.begin_run.call(str(run.pk))
    runs.attend_all()
    assert writes(sandbox) == []
    assert not Operation.objects.exists()
    assert log(run) == ["playbook.start.requested", "playbook.start.withdrawn"]
    assert AuditEntry.objects.get(action="playbook.start.withdrawn").actor_name == "Manager Person"
    assert progress_of(run).badge[0] == "Taken back"
    assert progress_of(run).is_over
    assert list_unfinished(desk.account) == []
    next_id = progress_of(run).next_id
    with pytest.raises(Refused, match="taken back by Manager Person before it began"):
        resume(desk, run, next_id)
    run = start(desk, make(desk, [step(CANCEL), step(REFUND)], "Again"))
    assert run.is_held, "and the lead is free for the next"


@pytest.mark.usefixtures("_hold")
def test_who_may_not_do_a_step_does_not_take_it_back(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(desk, make(desk, [step(CANCEL)]))
    monkeypatch.setattr(User, "permissions", desk.user.permissions - {"subscription.cancel"})
    with pytest.raises(Denied):
        withdraw(desk, run)
    assert progress_of(run).run.is_held


@pytest.mark.usefixtures("_hold")
def test_what_has_begun_is_not_taken_back(desk: Desk, sandbox: Sandbox) -> None:
    run = due(start(desk, make(desk, TAGS)))
    runs.attend_all()
    with pytest.raises(AppError, match="Too late to take it back: it has begun already"):
        withdraw(desk, run)
    assert states(run) == ["done", "done"]
    assert "playbook.start.withdrawn" not in log(run)


@pytest.mark.usefixtures("_hold")
def test_without_the_time_to_take_it_back_a_run_begins_at_once(desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    run = start(desk, make(desk, TAGS))
    assert run.begin_at is None
    assert states(run) == ["done", "done"]
    assert not default_task_backend.results  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_hold")
def test_a_held_run_is_open_to_all_who_ask(desk: Desk, sandbox: Sandbox) -> None:
    run = start(desk, make(desk, [step(CANCEL), step(REFUND)]))
    sandbox.calls()
    for found in (list_unfinished(desk.account, ADA.id), list_waiting(desk.account)):
        assert [(item.run, item.badge[0]) for item in found] == [(run, "Held back")]
    with pytest.raises(Refused, match="held back, and nothing of it was sent yet"):
        resume(desk, run)
    with pytest.raises(Refused, match="take it back instead"):
        runs.close_run(actor=desk.user, run=run, note="Not any more")
    person = forgetting.person_of(desk.account, ADA.id)
    assert "A playbook on this lead is not over" in forgetting.why_not_yet(person)
    shown = preview(desk, make(desk, [step(CANCEL), step(REFUND)], "Another"))
    assert [line.state for line in shown.lines] == ["cannot", "cannot"]
    assert all("is held back, and nothing was sent yet" in line.note for line in shown.lines)
    assert writes(sandbox) == []


@pytest.mark.usefixtures("_hold")
def test_one_run_at_a_time_is_held_back_at_a_lead(desk: Desk, sandbox: Sandbox) -> None:
    playbook, run_id = make(desk, TAGS), uuid4()
    shown = preview(desk, playbook).digest
    run = start(desk, playbook, seen=shown, run_id=run_id)
    assert start(desk, playbook, seen=shown, run_id=run_id) == run, "the same form finds the first"
    with pytest.raises(Conflict, match="Another playbook is about to begin at this lead"):
        start(desk, playbook, seen=shown)
    start(desk, make(desk, [step("give-tag", "vip")], "Ben"), lead_id=BEN)
    due(run)
    runs.attend_all()
    assert len(writes(sandbox)) == 1
    with pytest.raises(Changed):
        start(desk, playbook, seen=shown)


@pytest.mark.usefixtures("_hold")
def test_a_run_begins_with_the_credentials_of_who_started_it_or_not_at_all(desk: Desk, sandbox: Sandbox) -> None:
    run = due(start(desk, make(desk, TAGS)))
    connections.remove(actor=desk.user, owner=desk.user)
    runs.attend_all()
    assert writes(sandbox) == []
    progress = progress_of(run)
    assert progress.badge[0] == "Stopped"
    assert "holds no credentials for the account any more" in progress.stopped
    assert log(run) == ["playbook.start.requested", "playbook.stop.failed"]


@pytest.mark.usefixtures("_hold")
def test_what_changed_while_it_was_held_is_not_refunded(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, [step(REFUND)])
    run = start(desk, playbook, chosen=ACTIVE)
    payment = PlaybookRun.objects.get().transaction_id
    send(desk, RefundTransaction(payment, amount="1.00"))  # in Kartra's own screens
    sandbox.calls()
    due(run)
    runs.attend_all()
    assert counts(writes(sandbox)) == (0, 0)
    assert "has changed in Kartra" in progress_of(run).stopped


@pytest.mark.usefixtures("_hold")
def test_approval_is_asked_for_once_it_has_begun(desk: Desk, sandbox: Sandbox, limited: None) -> None:
    run = start(desk, make(desk, [step(CANCEL), step(REFUND)]))
    assert not Approval.objects.exists()
    due(run)
    runs.attend_all()
    assert states(run) == ["done", "approval"]
    assert counts(writes(sandbox)) == (1, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_hold")
def test_many_workers_and_one_who_takes_it_back(desk: Desk, sandbox: Sandbox) -> None:
    run = due(start(desk, make(desk, TAGS)))
    together(*[runs.attend_all] * 3, lambda: withdraw(desk, run))
    run.refresh_from_db()
    assert len(writes(sandbox)) == (0 if run.is_withdrawn else 1)
    assert log(run).count("playbook.start.withdrawn") == run.is_withdrawn
    assert states(run) == (["open"] * 2 if run.is_withdrawn else ["done"] * 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_hold")
def test_many_workers_begin_it_once(desk: Desk, sandbox: Sandbox) -> None:
    run = due(start(desk, make(desk, MIXED)))
    together(*[runs.attend_all] * 4)
    assert len(writes(sandbox)) == 4
    assert states(run) == ["done"] * 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_hold")
def test_two_starts_at_once_hold_one(desk: Desk, sandbox: Sandbox) -> None:
    playbook = make(desk, TAGS)
    shown = preview(desk, playbook).digest
    results = together(*[lambda: start(desk, playbook, seen=shown)] * 3)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "PlaybookRun"]
    assert PlaybookRun.objects.count() == 1
