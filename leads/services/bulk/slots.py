"""How many workers are at a job at once. Each holds a slot, under a lease that lapses when he is killed."""

from datetime import timedelta

from django.utils import timezone

from leads.models import Job, JobSlot
from leads.services import _queue

# Reading and changing a lead take two calls of 0.3 s and some work: so many at once use up twenty calls a second.
MOST = 12
LEASE = timedelta(seconds=35)  # of which a slice begins leads for the first five


def number_for(job: Job) -> int:
    """One more than leads begin in a second, since each takes about one."""
    return min(job.leads_a_second + 1, MOST)


def call_workers(job: Job) -> None:
    """Have all slots of the job worked on."""
    for number in range(number_for(job)):
        _queue.work_on_job(job.pk, number)


def call_missing(job: Job) -> None:
    """Have those slots worked on that nobody holds. Who holds one comes again by himself; many more calls than that
    would take turns from him."""
    held = JobSlot.objects.filter(job=job, leased_until__gt=timezone.now()).values_list("number", flat=True)
    for number in sorted(set(range(number_for(job))) - set(held)):
        _queue.work_on_job(job.pk, number)


def take(job: Job, number: int) -> bool:
    """True for one caller only, until he leaves it or its lease is over."""
    now = timezone.now()
    slot, is_new = JobSlot.objects.get_or_create(job=job, number=number, defaults={"leased_until": now + LEASE})
    free = JobSlot.objects.filter(pk=slot.pk, leased_until__lte=now)
    return is_new or bool(free.update(leased_until=now + LEASE))


def leave(job: Job, number: int) -> None:
    JobSlot.objects.filter(job=job, number=number).update(leased_until=timezone.now())
