"""Undoing a run: all that it did to a lead, in however many attempts, by one undo; or nothing of it."""

from contextlib import closing
from copy import copy
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from kartra_admin.lib.errors import AppError
from leads.access import Desk
from leads.models import Job, JobLead, Operation, OperationStep
from leads.providers.changes import AssignTag, GivePoints, SubscribeToList, UnassignTag, UnsubscribeFromList
from leads.providers.kartra.sandbox.state import connect, writing
from leads.services import _operations, outcomes
from leads.services.bulk import making, results, slices, steering
from leads.services.reconcile import reconcile
from leads.services.undo import undo_operation
from tests.entries import entries_with
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import read, send, writes
from tests.leads.services.bulk.conftest import TAG, lay_down, leads_of, run, states, work, woulds

pytestmark = pytest.mark.django_db
LATER = "Made later"
TWO = f"{ADA.email}\n{NOTABLE['ben'].email}"


@pytest.fixture
def retried(manager: Desk, sandbox: Sandbox) -> Job:
    """A run of which a part failed for both leads, and was done by a retry."""
    job = run(manager, TWO, AssignTag(TAG), GivePoints(5), SubscribeToList(LATER))
    assert states(job) == ["failed", "failed"]
    with closing(connect(sandbox.path)) as db, writing(db):
        db.execute("INSERT INTO lists (id, account_id, name) VALUES (9901, 1, ?)", (LATER,))
    job = work(steering.retry(actor=manager.user, job=job))
    assert states(job) == ["succeeded", "succeeded"]
    return job


def undo(desk: Desk, job: Job) -> Job:
    """Laid down and checked."""
    return work(making.undo_job(actor=desk.user, job=job, job_id=uuid4()))


def lists_of(desk: Desk, lead_id: str = ADA.id) -> set[str]:
    return {row.name for row in read(desk, lead_id).lists if row.active}


def test_one_undo_takes_back_what_all_attempts_did(manager: Desk, retried: Job, sandbox: Sandbox) -> None:
    before = read(manager)
    assert TAG in before.tags
    assert LATER in lists_of(manager)
    undoing = undo(manager, retried)
    assert woulds(undoing) == ["change", "change"]
    said = leads_of(undoing)[0].sentence
    assert said == f"Unsubscribe from {LATER}; Remove 5 points; Remove tag {TAG}"
    writes(sandbox)
    undoing = work(steering.start(actor=manager.user, job=undoing))
    assert (undoing.state, states(undoing)) == ("done", ["succeeded", "succeeded"])
    after = read(manager)
    assert TAG not in after.tags
    assert LATER not in lists_of(manager)
    assert after.score == (before.score or 0) - 5
    assert len(writes(sandbox)) == 4
    assert Operation.objects.filter(undoes__isnull=False, outcome="succeeded").count() == 4
    with pytest.raises(AppError, match="Nothing in this job can be undone"):
        undo(manager, retried)


def test_a_part_that_changed_since_keeps_the_whole_lead_as_it_is(manager: Desk, retried: Job, sandbox: Sandbox) -> None:
    send(manager, UnassignTag(TAG))
    send(manager, GivePoints(1))
    undoing = undo(manager, retried)
    assert woulds(undoing) == ["failed", "change"]
    writes(sandbox)
    undoing = work(steering.start(actor=manager.user, job=undoing))
    assert states(undoing) == ["failed", "succeeded"]
    assert "changed since" in leads_of(undoing)[0].sentence
    assert "changed since" in entries_with("job.lead.failed", label=undoing.name)[0].sentence
    assert LATER in lists_of(manager)
    assert len(writes(sandbox)) == 2


def test_what_is_as_before_in_one_attempt_does_not_end_the_undo(manager: Desk, retried: Job, sandbox: Sandbox) -> None:
    send(manager, UnsubscribeFromList(LATER))
    undoing = undo(manager, retried)
    undoing = work(steering.start(actor=manager.user, job=undoing))
    assert states(undoing) == ["succeeded", "succeeded"]
    assert TAG not in read(manager).tags


def test_what_was_undone_by_hand_does_not_end_the_undo(manager: Desk, retried: Job, sandbox: Sandbox) -> None:
    score = read(manager).score or 0
    first = leads_of(retried)[0].id_of_attempt(0)
    undo_operation(
        actor=manager.user,
        connection=manager.connection,
        operation=Operation.objects.get(pk=first),
        operation_id=uuid4(),
        position=0,
    )
    assert TAG not in read(manager).tags
    undoing = undo(manager, retried)
    assert leads_of(undoing)[0].sentence == f"Unsubscribe from {LATER}; Remove 5 points"
    undoing = work(steering.start(actor=manager.user, job=undoing))
    assert states(undoing) == ["succeeded", "succeeded"]
    assert read(manager).score == score - 5


def test_an_undo_that_a_person_settled_after_the_end_is_finished_by_a_retry(
    manager: Desk, retried: Job, sandbox: Sandbox
) -> None:
    undoing = undo(manager, retried)
    steering.start(actor=manager.user, job=undoing)
    sandbox.arm("unsubscribe_lead_from_list", "500", times=2)
    undoing = work(undoing)
    assert states(undoing) == ["unknown", "unknown"]
    Operation.objects.filter(outcome="unknown").update(readings=3)
    undoing = work(undoing)
    assert undoing.state == "done"
    for operation in Operation.objects.filter(outcome="unknown"):
        outcomes.decide(
            operation=operation, actor=manager.user, connection=manager.connection, happened=True, reason="seen"
        )
    slices.sweep()
    assert states(undoing) == ["failed", "failed"]
    assert "Retry" in leads_of(undoing)[0].sentence
    undoing = work(steering.retry(actor=manager.user, job=undoing))
    assert states(undoing) == ["succeeded", "succeeded"]
    assert TAG not in read(manager).tags


def test_the_dry_run_of_an_undo_says_who_may_get_automations(manager: Desk, sandbox: Sandbox) -> None:
    send(manager, AssignTag(TAG))
    undoing = undo(manager, run(manager, TWO, UnassignTag(TAG), GivePoints(1)))
    assert [row.starts for row in leads_of(undoing)] == [True, False]


def test_a_run_of_thousands_is_undone_and_exported(manager: Desk, sandbox: Sandbox) -> None:
    """As many as one query does not name one by one."""
    job = run(manager, ADA.email)
    step = OperationStep.objects.get()
    step.values_inside()  # opened, so that the copies have them and are sealed anew, each in its place
    operations: list[Operation] = []
    steps: list[OperationStep] = []
    rows: list[JobLead] = []
    for number in range(1, 2501):
        who = {"account": manager.account, "actor": manager.user, "lead_id": str(number), "outcome": "succeeded"}
        made = Operation(id=uuid4(), request_digest="x", **who)
        row = JobLead(job=job, position=number, lead_id=str(number), state="succeeded", operation=made)
        step.pk, step.operation = None, made
        operations.append(made)
        steps.append(copy(step))
        rows.append(row)
    Operation.objects.bulk_create(operations)
    OperationStep.objects.bulk_create(steps)
    JobLead.objects.bulk_create(rows)
    assert making.undo_job(actor=manager.user, job=job, job_id=uuid4()).leads.count() == 2501
    told = [row[6] for row in results.export(actor=manager.user, job=job)]
    assert told[1:] == [f"Added tag {TAG}."] * 2501


def test_an_undo_lays_down_only_whom_the_run_changed(manager: Desk, sandbox: Sandbox) -> None:
    send(manager, AssignTag(TAG))
    undoing = undo(manager, run(manager, f"{TWO}\nnobody@example.com"))
    assert [row.email for row in leads_of(undoing)] == [NOTABLE["ben"].email]


def test_a_cancelled_run_is_undone_once_no_lead_is_under_way(
    manager: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    record, done = _operations._record_outcome, []

    class Killed(BaseException):
        pass

    def kill_at_the_second(*given: object, **also: object) -> None:
        if done:
            raise Killed
        done.append(record(*given, **also))  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(_operations, "_record_outcome", kill_at_the_second)
        with pytest.raises(Killed):
            slices.work(Job.objects.get(), 0)
    job = steering.cancel(actor=manager.user, job=Job.objects.get())
    with pytest.raises(AppError, match=r"^1 lead of this job is still being finished"):
        undo(manager, job)
    long_ago = timezone.now() - timedelta(hours=1)
    job.leads.filter(state="waiting").update(leased_until=long_ago)
    with pytest.raises(AppError, match="still being finished"):
        undo(manager, job)
    Operation.objects.filter(outcome="pending").update(created_at=long_ago, sent_at=long_ago)
    reconcile()
    job.leads.filter(state="waiting").update(leased_until=long_ago)
    assert woulds(undo(manager, job)) == ["change", "change"]


def test_a_run_is_undone_once_nothing_of_it_is_in_doubt(manager: Desk, sandbox: Sandbox) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    sandbox.arm("assign_tag", "lost")
    slices.work(Job.objects.get(), 0)
    Operation.objects.filter(outcome="unknown").update(readings=settings.SETTLE_READINGS)
    job = work(job)
    assert (job.state, sorted(states(job))) == ("done", ["succeeded", "unknown"])
    with pytest.raises(AppError, match="still being finished or checked"):
        undo(manager, job)
    reconcile()
    assert woulds(undo(manager, job)) == ["change", "change"]
