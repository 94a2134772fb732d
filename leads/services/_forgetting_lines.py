"""Lines that name a person by email alone: of jobs, of files, of events. Each is sealed under a key of many.

They are opened and looked through, since what is sealed can be found in no other way. Jobs and files that are called
after the person lose their names.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from leads.models import Event, Import, ImportRow, Job, JobLead, Operation
from leads.models.inbound import events_of_nobody
from leads.selectors.forgetting import Person, files_called_after, jobs_called_after
from leads.services.events import body_of

_AT_ONCE = 500

# What a job or a file is called that was called after a person.
_NAMELESS = "removed"


@dataclass
class Lines:
    """Keys of rows that name the person, by model, and of all that were looked at."""

    naming: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[type, set[Any]] = field(default_factory=lambda: defaultdict(set))


def look(person: Person, lines: Lines) -> None:
    """Look at all that was not looked at yet, for whatever names the person; lines of files by the lead's id, too, and
    those that failed, which may lack both, by phone and name."""
    account, lead_id = person.account, person.lead_id
    for row in _new(ImportRow.objects.filter(source__account=account).select_related("source", "whose"), lines):
        is_theirs = row.lead_id == lead_id or lead_id in row.cells or person.has_address_in(" ".join(row.cells))
        if is_theirs or (row.outcome == "failed" and person.is_on_line(row.cells)):
            lines.naming[ImportRow].append(row.pk)
    for row in _new(Event.objects.filter(account=account, whose=events_of_nobody(account.pk)), lines):
        if person.has_address_in(body_of(row)):
            lines.naming[Event].append(row.pk)
    unnamed = JobLead.objects.filter(job__account=account, lead_id="").select_related("job", "whose")
    for row in _new(unnamed, lines):
        if person.has_address_in(f"{row.email} {row.sentence}"):
            lines.naming[JobLead].append(row.pk)
    jobs = Job.objects.filter(account=account).iterator(chunk_size=_AT_ONCE)  # each time: a note may have come since
    lines.naming[Job] = [job.pk for job in jobs if any(map(person.is_named_in, _texts_of(job)))]


def strike(person: Person, lines: Lines) -> None:
    """Take them away. Of a job's lead its place and its outcome stay, so that the job's counts do.

    What a job left out is read again under a lock: somebody else may have been forgotten since it was found.
    """
    Event.objects.filter(pk__in=lines.naming[Event]).delete()
    rows = lines.naming[ImportRow]
    for start in range(0, len(rows), _AT_ONCE):
        ImportRow.objects.filter(pk__in=rows[start : start + _AT_ONCE]).delete()
    JobLead.objects.filter(pk__in=lines.naming[JobLead]).update(sealed="", whose=None)
    for job in Job.objects.select_for_update().filter(pk__in=lines.naming[Job]).order_by("pk"):
        job.left_out = [line for line in job.left_out if not person.is_named_in(line["text"])]
        job.decision_note = "" if person.is_named_in(job.decision_note) else job.decision_note
        job.save(update_fields=["left_out", "decision_note"])  # type: ignore[misc]
    _strike_names(person)


def _strike_names(person: Person) -> None:
    """Of jobs, with the label of what they did, and of files."""
    for job in jobs_called_after(person):
        Job.objects.filter(pk=job.pk).update(name=_NAMELESS)
        Operation.objects.filter(account=person.account, label=job.name).update(label=_NAMELESS)
    Import.objects.filter(pk__in=[file.pk for file in files_called_after(person)]).update(file_name=_NAMELESS)


def _texts_of(job: Job) -> list[str]:
    return [job.decision_note, *(line["text"] for line in job.left_out)]


def _new(rows: Any, lines: Lines) -> Iterator[Any]:
    """Those that were not seen yet. By their keys and not by the greatest: who began earlier may commit later."""
    seen = lines.seen[rows.model]
    keys = [key for key in rows.order_by("pk").values_list("pk", flat=True) if key not in seen]
    seen.update(keys)
    for start in range(0, len(keys), _AT_ONCE):
        yield from rows.filter(pk__in=keys[start : start + _AT_ONCE])
