"""How a job's dry run and its run end, and what becomes of leads whose outcome was unknown."""

from collections import Counter

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from leads.models import Job, JobLead, Operation, Outcome
from leads.selectors import job_progress
from leads.selectors import jobs as selectors
from leads.services.bulk import one, steering

_AT_A_TIME = 200


def is_unfinished(job: Job) -> bool:
    """Whether workers have to come again: others hold what is left, or it waits, or it is being settled.

    Where nothing is left, the dry run or the run ends here.
    """
    if job.state == Job.State.CHECKING:
        if _waiting(job).filter(would="").exists():
            return True
        _end_check(job)
        return False
    follow_unknown(job)
    return _is_left(job) or not _end_run(job)


def follow_unknown(job: Job) -> None:
    """Take over what readings, or people, have found out about operations in doubt. Many may call it at once."""
    rows = JobLead.objects.filter(job=job, state=JobLead.State.UNKNOWN).exclude(operation__outcome=Outcome.UNKNOWN)
    for row in rows.select_related("operation")[:_AT_A_TIME]:
        if row.operation:
            one.follow(job, row, row.operation)


def follow_cut_off(job: Job) -> None:
    """Take over what became of a cancelled job's leads whose worker was killed over them. Many may call it at once."""
    for row in selectors.cut_off(job)[:_AT_A_TIME]:
        operation = Operation.objects.filter(pk=row.id_of_attempt(row.attempt)).first()
        if operation:
            one.follow(job, row, operation)
        else:
            one.put_back(row, until=None)


def _waiting(job: Job) -> QuerySet[JobLead]:
    return JobLead.objects.filter(job=job, state=JobLead.State.WAITING)


def _is_left(job: Job) -> bool:
    return _waiting(job).exists() or _being_settled(job)


def _being_settled(job: Job) -> bool:
    """Whether a reading may still tell. What waits for a person does not keep the job from ending."""
    return Operation.objects.filter(
        pk__in=JobLead.objects.filter(job=job, state=JobLead.State.UNKNOWN).values("operation"),
        readings__lt=settings.SETTLE_READINGS,
    ).exists()


def _end_check(job: Job) -> None:
    """Add up what the dry run found for each action."""
    found: Counter[int] = Counter()
    for places in JobLead.objects.filter(job=job).values_list("would_do", flat=True).iterator():
        found.update(places)
    findings = [found[place] for place in range(len(job.actions))]
    checking = Job.objects.filter(pk=job.pk, state=Job.State.CHECKING)
    checking.update(state=Job.State.CHECKED, findings=findings, sentence="")


def _end_run(job: Job) -> bool:
    """False where a lead is left after all: whoever begins one anew holds the job meanwhile, too."""
    with transaction.atomic():
        running = Job.objects.select_for_update(no_key=True).filter(pk=job.pk, state=Job.State.RUNNING)
        if not running.exists():
            return True
        if _is_left(job):
            return False
        running.update(state=Job.State.DONE, finished_at=timezone.now(), sentence="")
        steering.log(job, "finish.succeeded", None, sentence=job_progress.counts_of(job).words)
    return True
