"""The results of a job as a file."""

from collections.abc import Iterator

from accounts.models import User
from accounts.services import access
from leads import summaries
from leads.models import Job
from leads.selectors import jobs as selectors
from leads.services.bulk.steering import log

HEAD = ("Line", "Lead id", "Email", "Name", "Dry run", "Outcome", "What", "Attempts", "Ended", "Operation")


def export(*, actor: User, job: Job) -> Iterator[tuple[str, ...]]:
    """A line for each lead, in the order in which they were named. The log tells who took it."""
    access.require(actor, "bulk.run")
    log(job, "export.succeeded", actor, rows=job.leads.count())
    return _rows(job)


def _rows(job: Job) -> Iterator[tuple[str, ...]]:
    yield HEAD
    actions = selectors.words_of(job)
    for row in selectors.results(job):
        yield (
            str(row.line or ""),
            row.lead_id,
            row.email,
            row.name,
            row.get_would_display() if row.would else "",
            row.get_state_display(),
            summaries.job_lead_what(row, actions),
            str(row.attempt + 1),
            f"{row.done_at:%Y-%m-%d %H:%M:%S %Z}" if row.done_at else "",
            str(row.operation_id or ""),
        )
