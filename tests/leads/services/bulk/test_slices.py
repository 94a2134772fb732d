"""What workers do of a job: in slots, at a pace, each lead by one of them alone."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError
from django.db import connections as databases
from django.utils import timezone
from django_tasks import default_task_backend

from leads import tasks
from leads.access import Desk
from leads.models import Job, JobLead, JobSlot, Operation
from leads.providers.changes import AssignTag, GivePoints
from leads.providers.kartra.sandbox.state import connect
from leads.selectors import job_progress
from leads.services import _operations
from leads.services.bulk import ending, one, slices, slots, steering
from leads.services.reconcile import reconcile
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import read, together, writes
from tests.leads.services.bulk.conftest import free_all, lay_down, states, work

pytestmark = pytest.mark.django_db
BEN = NOTABLE["ben"]
TWO = f"{ADA.email}\n{BEN.email}"
_TAKE_TURN = slices._take_turn


@pytest.fixture
def running(manager: Desk) -> Job:
    job = work(lay_down(manager, TWO, AssignTag("advanced"), GivePoints(5)))
    return steering.start(actor=manager.user, job=job)


@pytest.fixture
def queued() -> Callable[[], list[tuple[str, list[object]]]]:
    default_task_backend.clear()  # type: ignore[attr-defined]
    results = default_task_backend.results  # type: ignore[attr-defined]
    return lambda: [(result.task.name, list(result.args)) for result in results]


# Slots


@pytest.mark.parametrize(("pace", "number"), [(1, 2), (2, 3), (5, 6), (10, 11), (20, 12)])
def test_a_job_has_the_slots_that_its_pace_needs(
    manager: Desk,
    running: Job,
    pace: int,
    number: int,
    queued: Callable,  # type: ignore[type-arg]
) -> None:
    steering.set_pace(actor=manager.user, job=running, pace=pace)
    default_task_backend.clear()  # type: ignore[attr-defined]
    slots.call_workers(running)
    assert queued() == [("work_on_job", [str(running.pk), slot]) for slot in range(number)]


def test_a_dry_run_goes_as_fast_as_it_may_whatever_the_pace(manager: Desk, queued: Callable) -> None:  # type: ignore[type-arg]
    lay_down(manager, TWO, pace=1)
    assert len(queued()) == slots.MOST


def test_a_slot_is_held_by_one_worker_until_its_lease_is_over(running: Job) -> None:
    assert slots.take(running, 0)
    assert not slots.take(running, 0)
    assert slots.take(running, 1)
    assert slices.work(running, 0) is None
    JobSlot.objects.update(leased_until=timezone.now())
    assert slots.take(running, 0)
    slots.leave(running, 0)
    assert slots.take(running, 0)


def test_a_slot_that_the_pace_no_longer_needs_is_given_up(running: Job) -> None:
    running.pace = 1
    assert slices.work(running, 2) is None
    assert states(running) == ["waiting", "waiting"]


def test_a_slot_is_left_whatever_happens(running: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(one, "do", away)
    with pytest.raises(OperationalError):
        slices.work(running, 0)
    assert slots.take(running, 0)
    running.refresh_from_db()
    assert running.state == "running", "it goes on once the database is back"


# Leads


def test_a_lead_that_somebody_holds_is_left_to_him_until_his_lease_is_over(running: Job, sandbox: Sandbox) -> None:
    running.leads.update(leased_until=timezone.now() + timedelta(seconds=60))
    assert slices.work(running, 0) == slices.NOTHING_TO_TAKE
    free_all(running)
    assert work(running).state == "done"
    assert states(running) == ["succeeded"] * 2


@pytest.mark.django_db(transaction=True)
def test_many_workers_do_each_lead_once(manager: Desk, sandbox: Sandbox) -> None:
    with closing(connect(sandbox.path)) as db:
        found = db.execute("SELECT id FROM leads WHERE account_id = 1 AND NOT deleted LIMIT 20").fetchall()
    who = "\n".join([ADA.id, *(str(row["id"]) for row in found)])
    job = work(lay_down(manager, who, GivePoints(5)))
    steering.start(actor=manager.user, job=job)
    score = read(manager).score or 0
    together(*[lambda slot=slot: work_slot(job, slot) for slot in range(4)])
    job.refresh_from_db()
    assert job.state == "done"
    assert read(manager).score == score + 5
    done = job.leads.filter(state="succeeded").count()
    assert Operation.objects.count() == done > 10


def work_slot(job: Job, slot: int) -> None:
    while slices.work(Job.objects.get(pk=job.pk), slot) is not None:
        pass


@pytest.mark.django_db(transaction=True)
def test_a_lead_that_two_workers_hold_at_once_is_done_once(
    manager: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the first of them was thought to be dead, and was only slow."""
    job = work(lay_down(manager, ADA.email, GivePoints(5)))
    steering.start(actor=manager.user, job=job)
    score = read(manager).score or 0
    job = Job.objects.select_related("account", "actor").get(pk=job.pk)
    barrier = threading.Barrier(2)
    original = one.read_for_change

    def read_together(*args: object, **options: object) -> object:
        lead = original(*args, **options)  # type: ignore[arg-type]
        barrier.wait(20)
        return lead

    monkeypatch.setattr(one, "read_for_change", read_together)
    row = job.leads.get()
    doing = one.work_for(job, manager.connection)
    together(*[lambda: one.do(doing, JobLead.objects.get(pk=row.pk))] * 2)
    assert read(manager).score == score + 5
    assert Operation.objects.count() == 1
    job.leads.update(leased_until=None)
    work(job)
    assert states(job) == ["succeeded"]


def test_what_is_cut_off_before_the_wire_is_done_by_another_attempt(
    manager: Desk, running: Job, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = read(manager).score or 0

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(_operations, "send", kill)
        with pytest.raises(Killed):
            slices.work(running, 0)
    operation = Operation.objects.get()
    assert operation.outcome == "pending"
    free_all(running)
    work(running)
    row = running.leads.get(lead_id=operation.lead_id)
    assert row.state == "waiting"
    assert row.leased_until is not None
    assert row.leased_until > timezone.now() + timedelta(minutes=4), "until it counts as stuck"
    long_ago = timezone.now() - timedelta(hours=1)
    Operation.objects.update(created_at=long_ago, sent_at=long_ago)
    reconcile()
    free_all(running)
    work(running)
    free_all(running)
    assert work(running).state == "done"
    assert read(manager).score == score + 5
    assert row.id_of_attempt(0) != row.id_of_attempt(1)


@pytest.mark.parametrize("mode", ["before the wire", "after it"])
def test_what_a_killed_worker_did_of_a_cancelled_job_is_told(
    manager: Desk, running: Job, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(_operations, "send" if mode == "before the wire" else "_record_outcome", kill)
        with pytest.raises(Killed):
            slices.work(running, 0)
    steering.cancel(actor=manager.user, job=running)
    long_ago = timezone.now() - timedelta(hours=1)
    Operation.objects.update(created_at=long_ago, sent_at=long_ago)
    running.leads.exclude(leased_until=None).update(leased_until=long_ago)
    reconcile()
    slices.sweep()
    told = "failed" if mode == "before the wire" else "succeeded"
    assert sorted(states(running)) == sorted([told, "waiting"])
    slices.sweep()
    assert running.leads.filter(state="waiting").count() == 1


# The pace


def test_leads_begin_no_faster_than_the_pace(running: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    Job.objects.update(pace=2)
    first = _TAKE_TURN(running)
    second = _TAKE_TURN(running)
    assert first == 0.0
    assert second is not None
    assert 0.2 < second <= 0.5
    Job.objects.update(next_at=timezone.now() - timedelta(hours=1))
    assert _TAKE_TURN(running) == 0.0
    assert (_TAKE_TURN(running) or 0) > 0.1, "an hour of waiting is not made up for"


def test_a_job_that_moved_on_gives_no_more_turns(running: Job, manager: Desk) -> None:
    steering.pause(actor=manager.user, job=Job.objects.get())
    assert _TAKE_TURN(running) is None
    assert work(running).state == "paused"
    assert states(running) == ["waiting", "waiting"]


# Tasks


def test_a_slice_that_is_not_the_last_queues_the_next(running: Job, queued: Callable) -> None:  # type: ignore[type-arg]
    running.leads.update(leased_until=timezone.now() + timedelta(seconds=60))
    tasks.work_on_job.call(str(running.pk), 0)
    assert queued() == [("work_on_job", [str(running.pk), 0])]


def test_a_job_that_is_over_queues_nothing(running: Job, manager: Desk, queued: Callable) -> None:  # type: ignore[type-arg]
    work(running)
    tasks.work_on_job.call(str(running.pk), 0)
    tasks.work_on_job.call("00000000-0000-0000-0000-000000000000", 0)
    assert queued() == []


def test_bulk_leaves_one_thread_of_a_worker_to_money(running: Job, sandbox: Sandbox, queued: Callable) -> None:  # type: ignore[type-arg]
    held = [tasks._ROOM.acquire(blocking=False) for _ in range(tasks._ROOM._initial_value)]  # type: ignore[attr-defined]
    try:
        assert all(held)
        tasks.work_on_job.call(str(running.pk), 0)
        assert writes(sandbox) == []
        assert queued() == [("work_on_job", [str(running.pk), 0])]
    finally:
        for _ in held:
            tasks._ROOM.release()


def test_money_goes_before_readings_and_readings_before_bulk() -> None:
    assert tasks.send_operation.priority > tasks.settle_operation.priority > tasks.work_on_job.priority


def test_the_sweep_leaves_those_alone_who_are_at_it(running: Job, queued: Callable) -> None:  # type: ignore[type-arg]
    for number in (0, 3):
        assert slots.take(running, number)
    assert slots.take(running, 4)
    JobSlot.objects.filter(number=4).update(leased_until=timezone.now())  # his worker was killed
    default_task_backend.clear()  # type: ignore[attr-defined]
    slices.sweep()
    called = [slot for name, (_, slot) in queued() if name == "work_on_job"]
    assert called == [number for number in range(slots.number_for(running)) if number not in (0, 3)]


def test_the_sweep_calls_workers_to_what_a_lost_queue_left(running: Job, queued: Callable) -> None:  # type: ignore[type-arg]
    tasks.look_for_work.call()
    assert len([name for name, _ in queued() if name == "work_on_job"]) == slots.MOST


def test_the_end_is_found_by_whoever_comes_last(running: Job) -> None:
    running.leads.update(state="succeeded")
    assert not ending.is_unfinished(running)
    assert not ending.is_unfinished(running)
    running.refresh_from_db()
    assert running.state == "done"


# A lead in doubt, at the end


@pytest.fixture
def in_doubt(manager: Desk, sandbox: Sandbox) -> Job:
    """A running job of one lead, whose call came to nothing: no reading has told so yet, and a person is waited for."""
    job = work(lay_down(manager, ADA.email, GivePoints(5)))
    steering.start(actor=manager.user, job=job)
    sandbox.arm("give_points_to_lead", "500")
    slices.work(Job.objects.get(), 0)
    assert states(job) == ["unknown"]
    long_ago = timezone.now() - timedelta(hours=1)
    Operation.objects.update(created_at=long_ago, sent_at=long_ago, readings=settings.SETTLE_READINGS)
    return Job.objects.get()


def test_a_lead_that_comes_back_while_the_end_is_looked_for_is_done(
    manager: Desk, sandbox: Sandbox, in_doubt: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker has seen that none waits, when another learns that this one was not done."""
    score = read(manager).score or 0
    original = ending._being_settled

    def told_just_now(job: Job) -> bool:
        monkeypatch.setattr(ending, "_being_settled", original)
        reconcile()
        ending.follow_unknown(Job.objects.get())
        return original(job)

    monkeypatch.setattr(ending, "_being_settled", told_just_now)
    assert ending.is_unfinished(in_doubt)
    assert states(in_doubt) == ["waiting"]
    free_all(in_doubt)
    assert work(in_doubt).state == "done"
    assert states(in_doubt) == ["succeeded"]
    assert read(manager).score == score + 5


def test_a_lead_that_comes_back_after_the_end_is_left_to_a_retry(
    manager: Desk, sandbox: Sandbox, in_doubt: Job
) -> None:
    seen = Job.objects.get()
    assert not ending.is_unfinished(in_doubt)
    reconcile()
    ending.follow_unknown(seen)
    assert states(in_doubt) == ["failed"]
    in_doubt.refresh_from_db()
    assert in_doubt.state == "done"
    assert states(work(steering.retry(actor=manager.user, job=in_doubt))) == ["succeeded"]


@pytest.mark.django_db(transaction=True)
def test_no_lead_comes_back_while_the_job_is_ended(
    sandbox: Sandbox, in_doubt: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile()
    seen = Job.objects.get()

    def follow() -> None:
        ending.follow_unknown(seen)
        databases.close_all()

    other = threading.Thread(target=follow)
    counts_of = job_progress.counts_of

    def meanwhile(job: Job) -> job_progress.Counts:
        other.start()
        other.join(0.5)
        return counts_of(job)

    monkeypatch.setattr(job_progress, "counts_of", meanwhile)
    ending._end_run(in_doubt)
    other.join()
    in_doubt.refresh_from_db()
    assert (in_doubt.state, states(in_doubt)) == ("done", ["failed"])
