"""Laying a job down: who, what, and then the dry run."""

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import Account, User
from accounts.services import access
from kartra_admin.lib.errors import AppError, FormReused
from leads.bulk_actions import Action
from leads.models import Job, JobLead, Operation
from leads.pasting import Line, Named, Pasted, numbers_of
from leads.selectors import jobs as selectors
from leads.services import _operations
from leads.services.bulk import ending, slots, steering
from leads.services.bulk.undoing import undoable

MOST_LEADS = 50_000
# So many of the lines that were left out are kept, for the page; of the others their numbers.
_KEPT = 200


def create_job(
    *,
    actor: User,
    account: Account,
    job_id: UUID,
    name: str,
    who: Pasted,
    actions: Sequence[Action],
    creates_missing: bool,
    pace: int,
) -> Job:
    """Lay a job down and begin its dry run. The same ``job_id`` again returns the first.

    Raises `Denied`, AppError for more leads or actions than a job takes, `FormReused`.
    """
    job = Job(  # type: ignore[misc]
        id=job_id,
        account=account,
        actor=actor,
        name=name[:120],
        actions=[action.as_json() for action in actions],
        creates_missing=creates_missing,
        pace=pace,
        left_out=[*_kept(who.bad, "cannot be read"), *_kept(who.doubles, "duplicate")],
    )
    steering.require_may(actor, job)
    job.whose = job.new_whose()
    if not actions or len(actions) > _operations.MOST_CHANGES:
        raise AppError(f"A job does at least one thing to each lead, and at most {_operations.MOST_CHANGES}.")
    rows = [_row(job, position, named) for position, named in enumerate(who.leads)]
    return _lay_down(job, rows, actions="; ".join(action.words for action in actions)[:500])


def undo_job(*, actor: User, job: Job, job_id: UUID) -> Job:
    """A job that takes back all that another one did, where it is still so. It begins with a dry run, too.

    Raises AppError where there is nothing to take back, or it is not known yet what there is.
    """
    access.require(actor, "bulk.run")
    if job.undoes_id:
        raise AppError("This job undid another one, and cannot be undone itself. Create a new job instead.")
    if not job.is_over:
        raise AppError("This job is not finished yet. Cancel it first, or wait until it is done.")
    _require_settled(job)
    undoing = Job(id=job_id, account=job.account, actor=actor, name=f"Undo {job.name}"[:120], undoes=job, pace=job.pace)
    done = job.leads.exclude(operation=None).order_by("position").select_related("operation")
    done = done.prefetch_related("operation__steps__undone_by", "operation__undone_by")
    rows = []
    for lead in done.iterator(chunk_size=1000):
        if operations := undoable(lead):
            rows.append(_row_to_undo(undoing, lead, operations[0]))
    if not rows:
        raise AppError("Nothing in this job can be undone any more.")
    return _lay_down(undoing, rows, actions=f"undo what {job.name} did")


def _require_settled(job: Job) -> None:
    """A lead that is left out now, for nobody knows what was done to it, would never be undone."""
    ending.follow_unknown(job)
    ending.follow_cut_off(job)
    if number := selectors.unsettled(job).count():
        which = "1 lead of this job is" if number == 1 else f"{number:,} leads of this job are"
        raise AppError(
            f"{which} still being finished or checked. Nothing was undone: undo the job once that is over. "
            "What waits for a person is on the home page."
        )


def _kept(lines: Sequence[Line], why: str) -> list[dict[str, object]]:
    kept: list[dict[str, object]] = [{"line": line.number, "text": line.text, "why": why} for line in lines[:_KEPT]]
    if others := lines[_KEPT:]:
        kept.append({"line": others[0].number, "text": "", "why": why, "numbers": numbers_of(others)})
    return kept


def _row(job: Job, position: int, named: Named) -> JobLead:
    email, whose = ("", None) if named.ref.id else (named.ref.email, job.whose)
    return JobLead(job=job, position=position, line=named.line, lead_id=named.ref.id, email=email, whose=whose)  # type: ignore[misc]


def _row_to_undo(job: Job, lead: JobLead, operation: Operation) -> JobLead:
    row = JobLead(job=job, position=lead.position, line=lead.line, undoes=operation, lead_id=operation.lead_id)
    row.email, row.name, row.whose = lead.email, lead.name, lead.whose
    return row


def _lay_down(job: Job, rows: Sequence[JobLead], *, actions: str) -> Job:
    if len(rows) > MOST_LEADS:
        raise AppError(
            f"A job takes at most {MOST_LEADS:,} leads, and these are {len(rows):,}. Split them into several jobs."
        )
    if not rows:
        raise AppError("No lead was named, so there is nothing to do.")
    who = [[row.lead_id, row.email] for row in rows]
    asked = [job.name, job.actions, job.creates_missing, job.pace, str(job.undoes_id or "")]
    job.request_digest = _operations.digest("job", asked, who)
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            JobLead.objects.bulk_create(rows, batch_size=1000)
            steering.log(job, "create.succeeded", job.actor, leads=len(rows), actions=actions)
    except IntegrityError:
        first = Job.objects.filter(pk=job.pk).first()
        if first is None:
            raise
        if _identity(first) != _identity(job):
            raise FormReused from None
        return first
    slots.call_workers(job)
    return job


def _identity(job: Job) -> tuple[object, ...]:
    return job.actor_id, job.account_id, job.request_digest
