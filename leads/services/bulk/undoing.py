"""What of a lead's attempts can be taken back. A retry makes another attempt, so there may be several."""

from collections.abc import Sequence

from leads import effects
from leads.models import Job, JobLead, Operation
from leads.providers.base import Lead


def undoable(lead: JobLead) -> list[Operation]:
    """What the lead's attempts did that can be taken back, the newest first."""
    if lead.attempt == 0:
        made = [lead.operation] if lead.operation else []
    else:
        ids = [lead.id_of_attempt(attempt) for attempt in reversed(range(lead.attempt + 1))]
        found = Operation.objects.prefetch_related("steps__undone_by", "undone_by").in_bulk(ids)
        made = [found[pk] for pk in ids if pk in found]
    return [operation for operation in made if operation.can_undo]


def left_to_undo(job: Job, row: JobLead) -> list[Operation]:
    """What this lead of an undoing job has still to take back, the newest first."""
    was = JobLead.objects.select_related("operation").filter(job=job.undoes_id, position=row.position).first()
    return undoable(was) if was else []


def still_done(operations: Sequence[Operation], lead: Lead) -> list[Operation]:
    """Without those of which all is as it was before."""
    return [
        operation
        for operation in operations
        if any(effects.state_of(step.change, lead) != step.before for step in operation.steps_to_undo)
    ]


def next_to_undo(job: Job, row: JobLead) -> Operation | None:
    """What the attempt before the one that ``row`` takes back did, and is still to be taken back."""
    undone = row.undoes
    if undone is None:
        return None
    return next((older for older in left_to_undo(job, row) if older.created_at < undone.created_at), None)
