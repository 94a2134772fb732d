"""Starting, pausing, resuming, cancelling, retrying. Every move is a conditional update, so one caller makes it."""

from collections.abc import Sequence
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import permissions, subjects
from accounts.models import Connection, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict
from leads.bulk_actions import actions_of
from leads.models import Job, JobLead
from leads.selectors import job_progress
from leads.services.bulk import slots

State = Job.State
PACES = (1, 2, 5, 10, Job.FASTEST)


class Moved(Conflict):
    """The job is no longer where the page showed it."""


def start(*, actor: User, job: Job) -> Job:
    """Start a job that was checked, or ask for approval where it is of more leads than one may change alone.

    Only who laid it down may. Raises `Denied`, `Moved`, AppError.
    """
    _require_own(actor, job)
    require_may(actor, job)
    counts = job_progress.counts_of(job)
    has_to_ask = counts.leads > settings.BULK_APPROVAL_ABOVE
    with transaction.atomic():
        if has_to_ask:
            move(job, [State.CHECKED], State.ASKED, asked_at=timezone.now(), sentence="")
            log(job, "ask.requested", actor, leads=counts.leads)
        else:
            move(job, [State.CHECKED], State.RUNNING, started_at=timezone.now(), sentence="")
            log(job, "start.requested", actor)
        if not counts.to_do:
            raise AppError("None of these leads would change, so there is nothing to start.")
    if not has_to_ask:
        slots.call_workers(job)
    return job


def pause(*, actor: User, job: Job) -> Job:
    access.require(actor, "bulk.run")
    with transaction.atomic():
        move(job, [State.CHECKING, State.RUNNING], State.PAUSED, resumes_as=F("state"), sentence="")
        log(job, "pause.succeeded", actor)
    return job


def stop(job: Job, sentence: str) -> None:
    """Pause the job because it cannot go on. Does nothing where somebody else did something with it first."""
    with transaction.atomic():
        working = Job.objects.filter(pk=job.pk, state__in=(State.CHECKING, State.RUNNING))
        if working.update(resumes_as=F("state"), state=State.PAUSED, sentence=sentence[:500]):
            log(job, "pause.failed", None, sentence=sentence)


def resume(*, actor: User, job: Job) -> Job:
    """Go on, in the name of who started it. Raises `Denied` or AppError where he may not any more."""
    access.require(actor, "bulk.run")
    connection_for(job)
    with transaction.atomic():
        move(job, [State.PAUSED], F("resumes_as"), sentence="", next_at=None)
        log(job, "resume.succeeded", actor)
    slots.call_workers(job)
    return job


def cancel(*, actor: User, job: Job) -> Job:
    """End it for good. What is done stays done; leads that are under way get to their end."""
    access.require(actor, "bulk.run")
    with transaction.atomic():
        open_states = [state for state in State if state not in (State.CANCELLED, State.DONE)]
        move(job, open_states, State.CANCELLED, finished_at=timezone.now(), sentence="")
        log(job, "cancel.succeeded", actor)
    return job


def set_pace(*, actor: User, job: Job, pace: int) -> Job:
    """At most so many leads a second, from now on. Raises `Moved`, AppError for a pace that is not among `PACES`."""
    access.require(actor, "bulk.run")
    if pace not in PACES:
        raise AppError(f"The pace is one of {', '.join(map(str, PACES))} leads a second.")
    with transaction.atomic():
        under_way = Job.objects.filter(pk=job.pk).exclude(state__in=(State.CANCELLED, State.DONE))
        if under_way.exclude(pace=pace).update(pace=pace):
            log(job, "pace.succeeded", actor, pace=pace)
    job.refresh_from_db()
    if job.is_over:
        raise _moved(job)
    if job.is_working:
        slots.call_workers(job)
    return job


def retry(*, actor: User, job: Job) -> Job:
    """Begin the leads anew that failed: surely nothing of what is left was done to them. Unknown ones stay alone."""
    _require_own(actor, job)
    require_may(actor, job)
    with transaction.atomic():
        again = {"attempt": F("attempt") + 1, "state": JobLead.State.WAITING}
        move(job, [State.DONE], State.RUNNING, finished_at=None, sentence="", next_at=None)
        failed = JobLead.objects.filter(job=job, state=JobLead.State.FAILED)
        count = failed.update(**again, leased_until=None, done_at=None)
        if not count:
            raise AppError("No lead of this job has failed, so there is nothing to retry.")
        log(job, "retry.requested", actor, leads=count)
    slots.call_workers(job)
    return job


def connection_for(job: Job) -> Connection:
    """The credentials of who laid the job down. Raises AppError where he may not do any more what it does."""
    person = User.objects.get(pk=job.actor_id)
    if not person.is_active:
        raise AppError(f"{person} is no longer on the team, and the job runs in their name.")
    lacking = [name for name in needed(job) if not person.has_permission(name)]
    if lacking:
        raise AppError(f"{person} may no longer {permissions.PERMISSIONS[lacking[0]][0]}.")
    found = Connection.objects.select_related("account", "user").filter(user=person, account=job.account_id).first()
    if found is None:
        raise AppError(f"{person} no longer has credentials for this Kartra account.")
    return found


def needed(job: Job) -> list[str]:
    """Every permission that the job takes: what a person may not do to one lead he may not do to many."""
    creating = ["lead.create"] if job.creates_missing else []
    return ["bulk.run", *creating, *sorted({action.permission for action in actions_of(job.actions)})]


def require_may(actor: User, job: Job) -> None:
    for permission in needed(job):
        access.require(actor, permission)


def move(job: Job, was: Sequence[State], state: State | F, **changes: object) -> None:
    """Bring the job from one state to another, inside a transaction. Raises `Moved`."""
    is_moved = Job.objects.filter(pk=job.pk, state__in=was).update(state=state, **changes)
    job.refresh_from_db()
    if not is_moved:
        raise _moved(job)


def _moved(job: Job) -> Moved:
    return Moved(f"This job is now {job.get_state_display().lower()}. Nothing was done.")


def log(job: Job, what: str, actor: User | None, **detail: object) -> None:
    """One entry about the job, in the transaction of its caller. A note of staff may name a person, so it is sealed
    under a key of its own, which goes with whoever it names."""
    audit.record(
        action=f"job.{what}",
        outcome=what.rpartition(".")[2],
        actor=actor,
        actor_name="" if actor else "worker",
        account=job.account,
        target_kind="job",
        target_id=str(job.pk),
        target_name=job.name,
        detail={key: value for key, value in detail.items() if value},
        subject=subjects.of_many(f"note:{uuid4()}") if detail.get("note") else None,
    )


def _require_own(actor: User, job: Job) -> None:
    if job.actor_id != actor.pk:
        sentence = f"Only {job.actor} can start this: it runs in their name."
        access.deny(actor, "start somebody else's bulk job", sentence)
