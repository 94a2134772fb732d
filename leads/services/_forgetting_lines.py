"""Lines that name a person by email alone: of jobs, of files, of events. Each is sealed under a key of many.

They are opened and looked through, since what is sealed can be found in no other way.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.models import Account
from leads.models import Event, ImportRow, Job, JobLead
from leads.selectors.forgetting import addresses_in
from leads.services.events import body_of

_AT_ONCE = 500


@dataclass
class Lines:
    """Keys of rows that name the person."""

    events: list[int] = field(default_factory=list)
    import_rows: list[int] = field(default_factory=list)
    job_leads: list[int] = field(default_factory=list)
    jobs: list[UUID] = field(default_factory=list)


def find(account: Account, lead_id: str, emails: set[str]) -> Lines:
    """Everything that holds one of the addresses; lines of files that name the lead by its id, too."""
    rows = ImportRow.objects.filter(source__account=account).select_related("source", "whose")
    found = Lines(
        import_rows=[
            row.pk
            for row in _each(rows)
            if row.lead_id == lead_id or lead_id in row.cells or _names(" ".join(row.cells), emails)
        ]
    )
    events = _each(Event.objects.filter(account=account, lead_id=""))
    found.events = [row.pk for row in events if _names(body_of(row), emails)]
    unnamed = JobLead.objects.filter(job__account=account, lead_id="").select_related("job", "whose")
    found.job_leads = [row.pk for row in _each(unnamed) if _names(f"{row.email} {row.sentence}", emails)]
    jobs = _each(Job.objects.filter(account=account))
    found.jobs = [job.pk for job in jobs if any(_names(line["text"], emails) for line in job.left_out)]
    return found


def strike(lines: Lines, emails: set[str]) -> None:
    """Take them away. Of a job's lead its place and its outcome stay, so that the job's counts do.

    What a job left out is read again under a lock: somebody else may have been forgotten since it was found.
    """
    Event.objects.filter(pk__in=lines.events).delete()
    for start in range(0, len(lines.import_rows), _AT_ONCE):
        ImportRow.objects.filter(pk__in=lines.import_rows[start : start + _AT_ONCE]).delete()
    JobLead.objects.filter(pk__in=lines.job_leads).update(sealed="", whose=None)
    for job in Job.objects.select_for_update().filter(pk__in=lines.jobs).order_by("pk"):
        job.left_out = [line for line in job.left_out if not _names(line["text"], emails)]
        job.save(update_fields=["left_out"])  # type: ignore[misc]


def _each(rows: Any) -> Iterable[Any]:
    return rows.order_by("pk").iterator(chunk_size=_AT_ONCE)  # type: ignore[no-any-return]


def _names(text: str, emails: set[str]) -> bool:
    return not emails.isdisjoint(addresses_in(text))
