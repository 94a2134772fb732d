from leads.models.bulk import Job, JobLead, JobSlot
from leads.models.desk import Catalogue, Note, Recent, Recipe
from leads.models.directory import Entry, Mark, MarkKind, Payment, SavedView, Word
from leads.models.forgetting import Forgetting
from leads.models.health import Heartbeat
from leads.models.imports import Import, ImportRow
from leads.models.inbound import Event, Hook, Reread
from leads.models.money import HELD_RUN, Approval, Limit, Playbook, PlaybookRun, Reason
from leads.models.operations import OPEN, SETTLED, Operation, OperationStep, Outcome, SettledBy, lock_of
from leads.models.unusual import Finding

__all__ = [
    "HELD_RUN",
    "OPEN",
    "SETTLED",
    "Approval",
    "Catalogue",
    "Entry",
    "Event",
    "Finding",
    "Forgetting",
    "Heartbeat",
    "Hook",
    "Import",
    "ImportRow",
    "Job",
    "JobLead",
    "JobSlot",
    "Limit",
    "Mark",
    "MarkKind",
    "Note",
    "Operation",
    "OperationStep",
    "Outcome",
    "Payment",
    "Playbook",
    "PlaybookRun",
    "Reason",
    "Recent",
    "Recipe",
    "Reread",
    "SavedView",
    "SettledBy",
    "Word",
    "lock_of",
]
