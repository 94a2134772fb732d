"""Jobs of many leads: somebody else lets them start, within a day, or they do not start."""

from django.db import transaction
from django.utils import timezone

from accounts import permissions
from accounts.models import Account, User
from accounts.services import access
from kartra_admin.lib.errors import AppError
from leads.models import Job
from leads.providers.errors import NotFound
from leads.services.bulk import slots, steering
from leads.services.bulk.steering import State, log, move

LATE = "Nobody approved it within 24 hours."


def approve(*, actor: User, account: Account, job: Job, note: str = "") -> Job:
    """Let it start, at once. Raises `Denied` for one's own, `Moved`, AppError where its actor may no longer."""
    _require_may_decide(actor, account, job)
    if job.is_late:
        _back(job, "expired", None, LATE)
        raise AppError(f"{LATE} Nothing was started; it has to be asked for anew.")
    with transaction.atomic():
        people = User.objects.select_for_update(no_key=True).filter(pk__in={actor.pk, job.actor_id}).order_by("pk")
        permissions.require(next(person for person in people if person.pk == actor.pk), "bulk.approve")
        steering.connection_for(job)
        move(job, [State.ASKED], State.RUNNING, approved_by=actor, started_at=timezone.now(), sentence="")
        log(job, "decide.approved", actor, note=note, requester=str(job.actor))
    slots.call_workers(job)
    return job


def decline(*, actor: User, account: Account, job: Job, note: str) -> Job:
    """Say no, with a reason. The job stays as it was checked, and may be asked for again."""
    _require_may_decide(actor, account, job)
    if not note.strip():
        raise AppError("Say why, so that the person who asked knows.")
    _back(job, "declined", actor, f"Declined by {actor}.", note=note)
    return job


def withdraw(*, actor: User, job: Job) -> Job:
    """Take one's own request back."""
    if job.actor_id != actor.pk:
        access.deny(actor, "take back somebody else's request", "Only who asked can take the request back.")
    _back(job, "withdrawn", actor, "")
    return job


def expire_old() -> int:
    """Close what nobody decided in time. Returns how many. Many may call it at once."""
    expired = 0
    for job in Job.objects.filter(state=State.ASKED, asked_at__lt=timezone.now() - Job.OPEN_FOR):
        try:
            _back(job, "expired", None, LATE)
        except steering.Moved:
            continue
        expired += 1
    return expired


def _back(job: Job, outcome: str, actor: User | None, sentence: str, note: str = "") -> None:
    """To where it was before it was asked for."""
    with transaction.atomic():
        move(job, [State.ASKED], State.CHECKED, asked_at=None, sentence=sentence[:500])
        job.decision_note = note
        job.save(update_fields=["decision_note"])  # type: ignore[misc]
        log(job, f"decide.{outcome}", actor, note=note, requester=str(job.actor))


def _require_may_decide(actor: User, account: Account, job: Job) -> None:
    access.require(actor, "bulk.approve")
    if job.account_id != account.pk:
        raise NotFound("There is no such job in this account.")
    if job.actor_id == actor.pk:
        sentence = "You cannot approve your own bulk job. Somebody else has to."
        access.deny(actor, "decide on one's own bulk job", sentence)
