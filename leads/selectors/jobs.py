"""Bulk jobs: lists of them for people and for workers, and their leads page by page."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import Account, User
from kartra_admin.lib.errors import BadRequest
from kartra_admin.lib.pagination import Page, page_by_time
from leads.bulk_actions import actions_of
from leads.models import Job, JobLead, Operation
from leads.selectors.job_progress import Filter, counts_of
from leads.selectors.operations import FAILED_WAIT_FOR

State, Would = JobLead.State, JobLead.Would

_WAITING_SHOWN = 20


def with_people() -> QuerySet[Job]:
    """With ``has_failed`` and ``has_unknown``: whether a lead of it stands so."""
    leads = JobLead.objects.filter(job=OuterRef("pk"))
    has_failed, has_unknown = Exists(leads.filter(state=State.FAILED)), Exists(leads.filter(state=State.UNKNOWN))
    jobs = Job.objects.select_related("account", "actor", "approved_by", "undoes")
    return jobs.annotate(has_failed=has_failed, has_unknown=has_unknown)


def of_operation(operation: Operation) -> Job | None:
    """The job in which the lead was changed by this operation."""
    return Job.objects.filter(leads__operation=operation).first()


def list_jobs(account: Account, *, cursor: str, size: int) -> Page[Job]:
    return page_by_time(with_people().filter(account=account), cursor=cursor, size=size)


def list_working() -> list[Job]:
    """Over all accounts, for the workers."""
    return list(Job.objects.filter(state__in=(Job.State.CHECKING, Job.State.RUNNING)))


def list_with_unknown() -> list[Job]:
    """Jobs that no worker is at, with leads in doubt."""
    in_doubt = JobLead.objects.filter(state=State.UNKNOWN).values("job")
    return list(Job.objects.filter(pk__in=in_doubt).exclude(state=Job.State.RUNNING))


def list_cut_off() -> list[Job]:
    """Jobs cancelled within a day that a worker died over."""
    lately = Job.objects.filter(state=Job.State.CANCELLED, finished_at__gt=timezone.now() - timedelta(days=1))
    return [job for job in lately if cut_off(job).exists()]


def cut_off(job: Job) -> QuerySet[JobLead]:
    """Leads that somebody held too long, and did not end."""
    return JobLead.objects.filter(job=job, state=State.WAITING, leased_until__lte=timezone.now())


def unsettled(job: Job) -> QuerySet[JobLead]:
    """Leads of a job that is over which somebody still holds, or whose outcome is unknown."""
    held = Q(state=State.WAITING, leased_until__gt=timezone.now())
    return JobLead.objects.filter(held | Q(state=State.UNKNOWN), job=job)


def list_waiting(account: Account, person: User) -> list[Job]:
    """What needs this person: jobs to approve, those that stopped, one's own that are ready or left leads failed."""
    return list(_waiting(account, person).order_by("created_at")[:_WAITING_SHOWN])


def count_waiting(account: Account, person: User) -> int:
    """How many these are. One query, none for who runs no jobs."""
    return _waiting(account, person).count()


def _waiting(account: Account, person: User) -> QuerySet[Job]:
    if not person.has_permission("bulk.run"):
        return Job.objects.none()
    stopped = Q(state=Job.State.PAUSED) & ~Q(sentence="")
    ready = Q(state=Job.State.CHECKED, actor=person)
    failed = Q(state=Job.State.DONE, actor=person, finished_at__gt=timezone.now() - FAILED_WAIT_FOR, has_failed=True)
    asked = Q(state=Job.State.ASKED) & ~Q(actor=person) if person.has_permission("bulk.approve") else Q(pk=None)
    return with_people().filter(stopped | ready | failed | asked, account=account)


# What a job's leads can be looked at by: the word in the address, and what it means.
FILTERS: dict[str, tuple[str, Q]] = {
    "": ("All", Q()),
    **{f"would-{would.value}": (str(would.label), Q(would=would.value)) for would in Would},
    "starts": ("May start automations", Q(starts=True)),
    **{state.value: (str(state.label), Q(state=state.value)) for state in State},
}


def filters_of(job: Job) -> list[Filter]:
    """Those that hold at least one lead, and the one that holds all."""
    counts = counts_of(job)
    found = [Filter("", "All", counts.all)]
    if job.started_at is None:
        found += [Filter(f"would-{key}", key.label, counts.by_would.get(key, 0)) for key in Would]
        found.append(Filter("starts", FILTERS["starts"][0], counts.starts))
    else:
        found += [Filter(key, key.label, counts.by_state.get(key, 0)) for key in State]
    return [row for row in found if row.count or not row.key]


def list_undoing(job: Job) -> list[Job]:
    """The jobs that take this one back."""
    return list(with_people().filter(undoes=job).order_by("created_at"))


def count_forgotten(job: Job) -> int:
    """How many leads of the run that this job takes back it leaves out, as they were forgotten before. One query, none
    for a job that takes nothing back."""
    if job.undoes is None:
        return 0
    done = job.undoes.leads.filter(state=State.SUCCEEDED, operation__whose__sealed_key="")
    return done.exclude(position__in=job.leads.values("position")).count()


def leads_page(job: Job, which: str, *, after: str, size: int) -> tuple[list[JobLead], str]:
    """Leads in the order in which they were named, and the cursor of the next page. Raises `BadRequest`."""
    if which not in FILTERS or not ((after.isdecimal() and len(after) < 10) or after == ""):
        raise BadRequest("This page of the list does not exist. Start again from the first.")
    rows = _with_steps(job).filter(FILTERS[which][1])
    if after:
        rows = rows.filter(position__gt=int(after))
    found = list(rows.order_by("position")[: size + 1])
    return found[:size], str(found[size - 1].position) if len(found) > size else ""


def results(job: Job) -> Iterator[JobLead]:
    """Every lead, in order."""
    return _with_steps(job).order_by("position").iterator(chunk_size=2000)


def words_of(job: Job) -> list[str]:
    """What is done to each lead."""
    return [action.words for action in actions_of(job.actions)]


def _with_steps(job: Job) -> QuerySet[JobLead]:
    return job.leads.select_related("operation__whose").prefetch_related("operation__steps")
