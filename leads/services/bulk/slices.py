"""What workers run of a job: for a few seconds one lead after the other, then they make room and come again.

A job has as many slots as its pace needs, and a slice holds one of them. A lead is claimed by a conditional update,
under a lease. A worker that is killed loses both leases after a while, and the sweep, once a minute, calls new slices.
"""

import logging
import random
import time
from contextlib import suppress
from datetime import timedelta

from django.db import Error as DatabaseTrouble
from django.db.models import Q, QuerySet
from django.utils import timezone

from kartra_admin.lib.errors import AppError
from leads.models import Job, JobLead
from leads.providers.errors import RateLimited, Unavailable
from leads.selectors import jobs as selectors
from leads.services.bulk import ending, one, slots, steering
from leads.services.bulk.one import Work

logger = logging.getLogger(__name__)

SECONDS = 5.0
# How long a worker keeps a lead from others. Who comes after that looks for the operation first.
LEAD_LEASE = timedelta(seconds=90)
# Seconds before a slice comes again that found nothing to take, and one that Kartra took no call from.
NOTHING_TO_TAKE, NO_ANSWER = 2.0, 10.0
# A lead that begins late is made up for, by so much.
_SLACK = timedelta(seconds=0.25)
# Workers choose among so many, so that few of them want the same one.
_AMONG = 16


def sweep() -> None:
    """Find what a killed worker or a lost queue left behind. Many may call it at once."""
    for job in selectors.list_working():
        slots.call_missing(job)
    for job in selectors.list_with_unknown():
        ending.follow_unknown(job)
    for job in selectors.list_cut_off():
        ending.follow_cut_off(job)


def work(job: Job, number: int) -> float | None:
    """Work on the job in this slot for a while. Returns in how many seconds to come again, None for not at all."""
    if not job.is_working or number >= slots.number_for(job) or not slots.take(job, number):
        return None
    try:
        return _work(one.work_for(job, steering.connection_for(job)))
    except AppError as error:  # nobody's lead was begun
        steering.stop(job, error.sentence)
        return None
    finally:
        with suppress(DatabaseTrouble):
            slots.leave(job, number)


def _work(work: Work) -> float | None:
    """Raises the database's errors: the leases lapse then, and the sweep comes."""
    job = work.job
    act = one.check if job.state == Job.State.CHECKING else one.do
    until = time.monotonic() + SECONDS
    row = None
    try:
        while time.monotonic() < until:
            wait = _take_turn(job)
            if wait is None:
                return None
            if wait:
                time.sleep(wait)
                continue
            row = _claim(job)
            if row is None:
                return NOTHING_TO_TAKE if ending.is_unfinished(job) else None
            act(work, row)
            _note(job, "")
        return 0.0
    except (RateLimited, Unavailable) as error:
        _let_go(row, one.AGAIN_AFTER)
        _note(job, error.sentence)
        return NO_ANSWER
    except AppError as error:
        _let_go(row)
        steering.stop(job, error.sentence)
    except DatabaseTrouble:
        raise
    except Exception:
        logger.exception("job %s stopped at lead %s", job.pk, row and row.pk)
        _let_go(row)
        steering.stop(job, "The desk failed. See the worker's log.")
    return None


def _take_turn(job: Job) -> float | None:
    """0 where one lead may begin now, by the pace; else the seconds until then. None where the job has moved on."""
    now = timezone.now()
    found = Job.objects.filter(pk=job.pk, state=job.state).values_list("next_at", "pace").first()
    if found is None:
        return None
    next_at, job.pace = found
    if next_at and next_at > now:
        return min((next_at - now).total_seconds(), SECONDS / 2)
    begins = max(next_at or now, now - _SLACK)
    same = Job.objects.filter(pk=job.pk, state=job.state, next_at=next_at)
    return 0.0 if same.update(next_at=begins + timedelta(seconds=1 / job.leads_a_second)) else 0.001


def _claim(job: Job) -> JobLead | None:
    """A lead that nobody holds, now held."""
    now = timezone.now()
    free = _free(job).filter(Q(leased_until=None) | Q(leased_until__lte=now))
    while found := list(free.order_by("position").values_list("pk", flat=True)[:_AMONG]):
        pk = random.choice(found)  # noqa: S311  (no secret)
        if free.filter(pk=pk).update(leased_until=now + LEAD_LEASE):
            row = JobLead.objects.select_related("undoes__whose").get(pk=pk)
            row.job = job
            return row
    return None


def _free(job: Job) -> "QuerySet[JobLead]":
    waiting = JobLead.objects.filter(job=job, state=JobLead.State.WAITING)
    return waiting.filter(would="") if job.state == Job.State.CHECKING else waiting


def _let_go(row: JobLead | None, after: timedelta = timedelta(0)) -> None:
    if row:
        one.put_back(row, until=timezone.now() + after)


def _note(job: Job, sentence: str) -> None:
    """Keep with the job what holds it up, or that nothing does any more."""
    if job.sentence != sentence:
        Job.objects.filter(pk=job.pk, state=job.state).update(sentence=sentence[:500])
        job.sentence = sentence
