"""Who may move a job, from where to where, and what the log says of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.services import connections, packs, users
from kartra_admin.lib.errors import AppError, Conflict, Denied
from leads.access import Desk
from leads.bulk_actions import Action
from leads.models import Job, Operation, Outcome
from leads.providers.changes import AssignTag, GivePoints, RefundTransaction, SubscribeToSequence
from leads.services.bulk import approving, making, steering
from tests.entries import entries_with
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import read, together, writes
from tests.leads.services.bulk.conftest import lay_down, run, states, work

pytestmark = pytest.mark.django_db
TWO = f"{ADA.email}\n{NOTABLE['ben'].email}"


@pytest.fixture
def asked(manager: Desk, settings: Any) -> Job:
    settings.BULK_APPROVAL_ABOVE = 1
    return steering.start(actor=manager.user, job=work(lay_down(manager, TWO)))


@pytest.fixture
def admin(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("admin")


# Who may


@pytest.mark.parametrize("role", ["viewer", "agent", "support", "auditor"])
def test_bulk_is_for_managers_and_admins(desk_of: Callable[..., Desk], role: str) -> None:
    with pytest.raises(Denied):
        lay_down(desk_of(role), TWO)
    assert not Job.objects.exists()


def test_what_one_may_not_do_to_one_lead_one_may_not_do_to_many(manager: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import permissions

    lacking = permissions.BY_ROLE["manager"] - {"lead.tag"}
    monkeypatch.setitem(permissions.BY_ROLE, "manager", lacking)
    with pytest.raises(Denied, match="change the tags"):
        lay_down(manager, TWO, AssignTag("vip"))
    lay_down(manager, TWO, Action(AssignTag("vip"), "Grant Gold"))
    monkeypatch.setitem(permissions.BY_ROLE, "manager", lacking - {"lead.create"})
    with pytest.raises(Denied, match="create leads"):
        lay_down(manager, TWO, Action(AssignTag("vip"), "Grant Gold"), creates_missing=True)


def test_money_is_no_bulk_action(manager: Desk) -> None:
    with pytest.raises(ValueError, match="not done in bulk"):
        lay_down(manager, TWO, RefundTransaction("1", everything=True))
    assert not Job.objects.exists()


def test_only_who_laid_it_down_starts_and_retries(manager: Desk, admin: Desk) -> None:
    job = work(lay_down(manager, TWO))
    for act in (steering.start, steering.retry):
        with pytest.raises(Denied, match="Only Manager Person"):
            act(actor=admin.user, job=job)
    steering.start(actor=manager.user, job=job)
    assert steering.pause(actor=admin.user, job=job).state == "paused", "but anybody who may stops it"


# Moves


def test_a_move_from_elsewhere_is_refused(manager: Desk) -> None:
    job = lay_down(manager, TWO)
    with pytest.raises(AppError, match="now reading the leads"):
        steering.start(actor=manager.user, job=job)
    work(job)
    steering.start(actor=manager.user, job=job)
    for _ in range(1):
        with pytest.raises(steering.Moved, match="now running"):
            steering.start(actor=manager.user, job=job)
    steering.cancel(actor=manager.user, job=job)
    for act in (steering.pause, steering.resume, steering.cancel):
        with pytest.raises(steering.Moved, match="now cancelled"):
            act(actor=manager.user, job=job)


@pytest.mark.django_db(transaction=True)
def test_two_starts_at_once_are_one(manager: Desk) -> None:
    job = work(lay_down(manager, TWO))
    together(*[lambda: steering.start(actor=manager.user, job=Job.objects.get(pk=job.pk))] * 3)
    assert AuditEntry.objects.filter(action="job.start.requested").count() == 1


def test_a_cancelled_job_does_nothing_more(manager: Desk, sandbox: Sandbox) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    steering.cancel(actor=manager.user, job=job)
    sandbox.calls()
    work(job)
    assert sandbox.calls() == []
    assert states(job) == ["waiting", "waiting"]


def test_a_dry_run_that_was_paused_goes_on_as_a_dry_run(manager: Desk) -> None:
    job = lay_down(manager, TWO)
    steering.pause(actor=manager.user, job=job)
    assert steering.resume(actor=manager.user, job=job).state == "checking"
    assert work(job).state == "checked"


def test_credentials_that_are_gone_stop_it_until_they_are_back(manager: Desk, desk_of: Callable[..., Desk]) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    connections.remove(actor=manager.user, owner=manager.user)
    job = work(job)
    assert job.state == "paused"
    assert "no longer has credentials for this Kartra account" in job.sentence
    assert AuditEntry.objects.get(action="job.pause.failed").actor_name == "worker"


def test_a_job_of_who_left_the_team_stops_until_he_is_back_and_anybody_may_cancel_it(
    manager: Desk, admin: Desk, sandbox: Sandbox
) -> None:
    job, other = (work(lay_down(manager, TWO)) for _ in range(2))
    for each in (job, other):
        steering.start(actor=manager.user, job=each)
    users.deactivate_staff(actor=admin.user, user=manager.user)
    writes(sandbox)
    for each in (job, other):
        assert work(each).state == "paused"
        assert each.sentence == "Manager Person is no longer on the team, and the job runs in their name."
    with pytest.raises(AppError, match="no longer on the team"):
        steering.resume(actor=admin.user, job=job)
    assert writes(sandbox) == []
    assert steering.cancel(actor=admin.user, job=other).state == "cancelled"
    users.reactivate_staff(actor=admin.user, user=manager.user)
    steering.resume(actor=admin.user, job=job)
    assert states(work(job)) == ["succeeded"] * 2


@pytest.mark.django_db(transaction=True)
def test_of_two_who_steer_at_once_one_does_it(manager: Desk, admin: Desk) -> None:
    job = lay_down(manager, TWO, pace=10)
    work(job)
    steering.start(actor=manager.user, job=job)
    acts: list[tuple[str, Callable[..., Job]]] = [
        ("pause", steering.pause), ("resume", steering.resume), ("cancel", steering.cancel),
    ]  # fmt: skip
    both = [manager.user, admin.user]

    def at_once(act: Callable[..., Job]) -> list[Any]:
        return together(*[lambda who=who: act(actor=who, job=Job.objects.get(pk=job.pk)) for who in both])

    paced = at_once(lambda **given: steering.set_pace(pace=5, **given))
    assert [result.pace for result in paced] == [5, 5]
    for what, act in acts:
        results = at_once(act)
        assert sorted(type(result) for result in results if isinstance(result, Exception)) == [steering.Moved], what
        assert AuditEntry.objects.filter(action=f"job.{what}.succeeded").count() == 1
    assert AuditEntry.objects.filter(action="job.pace.succeeded").count() == 1


def test_a_job_that_was_resumed_meanwhile_goes_on_as_what_it_was_paused_as(manager: Desk) -> None:
    job = lay_down(manager, TWO)
    steering.pause(actor=manager.user, job=job)
    seen = Job.objects.get(pk=job.pk)
    work(steering.resume(actor=manager.user, job=job))
    steering.start(actor=manager.user, job=job)
    steering.pause(actor=manager.user, job=job)
    assert steering.resume(actor=manager.user, job=seen).state == "running"


def test_a_job_that_is_over_has_no_pace(manager: Desk) -> None:
    job = run(manager, TWO)
    with pytest.raises(steering.Moved, match="now done"):
        steering.set_pace(actor=manager.user, job=job, pace=1)
    assert not AuditEntry.objects.filter(action="job.pace.succeeded").exists()


def test_a_form_that_was_sent_twice_makes_one_job_and_another_one_under_its_id_none(manager: Desk) -> None:
    own_id = uuid4()
    first, second = (lay_down(manager, TWO, job_id=own_id) for _ in range(2))
    assert first.pk == second.pk
    with pytest.raises(Conflict):
        lay_down(manager, ADA.email, job_id=own_id)
    assert Job.objects.count() == 1


def test_more_than_a_job_takes_is_refused_with_the_number(manager: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST_LEADS", 1)
    with pytest.raises(AppError, match="at most 1 leads, and these are 2"):
        lay_down(manager, TWO)


def test_a_retry_leaves_alone_what_may_have_been_done(manager: Desk, sandbox: Sandbox) -> None:
    job = work(lay_down(manager, TWO, GivePoints(5), SubscribeToSequence("No such sequence")))
    score = {lead.id: read(manager, lead.id).score or 0 for lead in (ADA, NOTABLE["ben"])}
    steering.start(actor=manager.user, job=job)
    sandbox.arm("give_points_to_lead", "lost")  # of the lead that is done first
    work(job)
    Operation.objects.filter(outcome=Outcome.UNKNOWN).update(readings=3)
    assert work(job).state == "done"
    assert sorted(states(job)) == ["failed", "unknown"]
    unknown = job.leads.get(state="unknown")
    writes(sandbox)
    steering.retry(actor=manager.user, job=job)
    assert sorted(states(job)) == ["unknown", "waiting"]
    assert work(job).state == "done"
    assert writes(sandbox) == [("subscribe_lead_to_sequence_at_step",)], "what is left of the one that failed"
    assert all(read(manager, lead_id).score == before + 5 for lead_id, before in score.items())
    after = job.leads.get(state="unknown")
    assert (after, after.attempt, after.operation) == (unknown, unknown.attempt, unknown.operation)


# Approval


def test_above_the_limit_nothing_runs_before_somebody_else_approved(
    manager: Desk, admin: Desk, asked: Job, sandbox: Sandbox
) -> None:
    assert asked.state == "asked"
    work(asked)
    assert writes(sandbox) == []
    with pytest.raises(Denied, match="your own"):
        approving.approve(actor=manager.user, account=manager.account, job=asked)
    approving.approve(actor=admin.user, account=admin.account, job=asked, note="fine")
    assert work(asked).state == "done"
    assert {row.approved_by for row in Operation.objects.all()} == {admin.user}
    assert len(entries_with("tag.assign.succeeded", approved_by=str(admin.user))) == 2


def test_at_the_limit_no_approval_is_asked_for(manager: Desk, settings: Any) -> None:
    settings.BULK_APPROVAL_ABOVE = 2
    job = work(lay_down(manager, TWO))
    assert steering.start(actor=manager.user, job=job).state == "running"


def test_what_was_declined_may_be_asked_for_again(manager: Desk, admin: Desk, asked: Job) -> None:
    with pytest.raises(AppError, match="Say why"):
        approving.decline(actor=admin.user, account=admin.account, job=asked, note=" ")
    approving.decline(actor=admin.user, account=admin.account, job=asked, note="Not this week")
    assert (asked.state, asked.sentence, asked.decision_note) == (
        "checked", f"Declined by {admin.user}.", "Not this week",
    )  # fmt: skip
    told = AuditEntry.objects.get(action="job.decide.declined")
    assert told.sentence.endswith("Not this week")
    assert "Not this week" not in told.body, "it may name a person, so it is sealed"
    assert packs.about_same_lead(told.pk).title == f"Entry {told.pk}", "it is about no lead, though it is sealed"
    assert "Not this week" not in str(Job.objects.filter(pk=asked.pk).values())
    assert steering.start(actor=manager.user, job=asked).state == "asked"


def test_only_who_asked_takes_the_request_back(manager: Desk, admin: Desk, asked: Job) -> None:
    with pytest.raises(Denied):
        approving.withdraw(actor=admin.user, job=asked)
    refused = AuditEntry.objects.readable().get(action="permission.denied")
    assert (refused.actor_id, refused.detail["permission"]) == (admin.user.pk, "take back somebody else's request")
    assert approving.withdraw(actor=manager.user, job=asked).state == "checked"
    with pytest.raises(steering.Moved):
        approving.approve(actor=admin.user, account=admin.account, job=asked)


def test_a_request_lapses_after_a_day(admin: Desk, asked: Job) -> None:
    assert approving.expire_old() == 0
    Job.objects.update(asked_at=timezone.now() - timedelta(hours=25))
    asked.refresh_from_db()
    with pytest.raises(AppError, match="within 24 hours"):
        approving.approve(actor=admin.user, account=admin.account, job=asked)
    asked.refresh_from_db()
    assert asked.state == "checked"
    Job.objects.update(state="asked", asked_at=timezone.now() - timedelta(hours=25))
    assert approving.expire_old() == 1
    assert approving.expire_old() == 0


def test_who_may_less_by_now_gets_no_approval(manager: Desk, admin: Desk, asked: Job) -> None:
    manager.user.role = "agent"
    manager.user.save()
    with pytest.raises(AppError, match="may no longer"):
        approving.approve(actor=admin.user, account=admin.account, job=asked)
    asked.refresh_from_db()
    assert asked.state == "asked"


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_start_it_once(admin: Desk, asked: Job) -> None:
    decide = lambda: approving.approve(actor=admin.user, account=admin.account, job=Job.objects.get(pk=asked.pk))  # noqa: E731
    results = together(decide, decide, decide)
    assert sum(isinstance(result, Job) for result in results) == 1
    assert AuditEntry.objects.filter(action="job.decide.approved").count() == 1


# Undo


def test_a_job_that_is_under_way_cannot_be_undone(manager: Desk) -> None:
    job = work(lay_down(manager, TWO))
    with pytest.raises(AppError, match="not finished yet"):
        making.undo_job(actor=manager.user, job=job, job_id=uuid4())


def test_an_undo_is_not_undone_as_a_whole(manager: Desk) -> None:
    job = run(manager, TWO)
    undoing = work(making.undo_job(actor=manager.user, job=job, job_id=uuid4()))
    with pytest.raises(AppError, match="undid another one"):
        making.undo_job(actor=manager.user, job=undoing, job_id=uuid4())
    steering.start(actor=manager.user, job=undoing)
    assert work(undoing).state == "done"
    assert len(entries_with("tag.unassign.succeeded", label="Undo Spring sale")) == 2
