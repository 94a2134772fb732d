"""People who are to be forgotten: lists, what stands against it, and what will still name them."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Account
from kartra_admin.lib import folding
from leads.models import (
    OPEN,
    Approval,
    Entry,
    Forgetting,
    Import,
    Job,
    JobLead,
    Operation,
    OperationStep,
    PlaybookRun,
    Recent,
    SavedView,
)
from leads.models.operations import DENIED, DENIED_FOR

_SHOWN = 100
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'=&/]+@[^\s<>()\[\],;:\"'=&/]+")
_UNDER_WAY = (Import.State.READING, Import.State.CHECKING, Import.State.RUNNING)
_OVER = (Job.State.CANCELLED, Job.State.DONE)


@dataclass(frozen=True)
class Asked:
    """A request, with the name under which the directory knows the lead, as long as it does."""

    request: Forgetting
    name: str


def list_waiting(account: Account) -> list[Asked]:
    """The next first."""
    return _named(account, _of(account).filter(state=Forgetting.State.WAITING).order_by("due_at"))


def list_over(account: Account) -> list[Asked]:
    """What was done or taken back, newest first."""
    return _named(account, _of(account).exclude(state=Forgetting.State.WAITING).order_by("-ended_at")[:_SHOWN])


def find_waiting(account: Account, lead_id: str) -> Forgetting | None:
    return _of(account).filter(lead_id=lead_id, state=Forgetting.State.WAITING).first()


def find(account: Account, pk: int) -> Forgetting | None:
    return _of(account).filter(pk=pk).first()


def emails_of(account: Account, lead_id: str) -> set[str]:
    """The addresses under which the desk knows the person, folded."""
    about = {"account": account, "lead_id": lead_id}
    found = set(Entry.objects.filter(**about).values_list("email", flat=True))
    for model in (Operation, Approval, PlaybookRun):
        found |= {row.lead_email for row in model.objects.filter(**about)}
    found |= {row.email for row in Recent.objects.filter(**about)}
    found |= {row.email for row in JobLead.objects.filter(job__account=account, lead_id=lead_id).select_related("job")}
    return addresses_in(" ".join(map(str, found)))


def addresses_in(text: str) -> set[str]:
    """The whole email addresses that stand in a text of any kind, folded."""
    return {folding.email_word(found.rstrip(".!?")) for found in _ADDRESS.findall(text)}


def mentions(account: Account, lead_id: str) -> list[str]:
    """What staff named after the person, with a whole address in it. It is not sealed and will stay as it is."""
    emails = emails_of(account, lead_id)
    named = [
        *(("the bulk job", name) for name in Job.objects.filter(account=account).values_list("name", flat=True)),
        *(("the file", name) for name in Import.objects.filter(account=account).values_list("file_name", flat=True)),
    ]
    for view in SavedView.objects.filter(account=account):
        named.append(("the saved view", f"{view.name} {view.query}"))
    return sorted(
        {f"{what} ‘{name[:80]}’" for what, name in named if not emails.isdisjoint(addresses_in(unquote_plus(name)))}
    )


def why_not_yet(account: Account, lead_id: str, emails: set[str]) -> str:
    """What has to end before the person can be forgotten, "" for nothing."""
    about = {"account": account, "lead_id": lead_id}
    unknown = Operation.objects.filter(account=account, lead_id="", outcome__in=OPEN)
    if Operation.objects.filter(**about, outcome__in=OPEN).exists() or any(_is_of(row, emails) for row in unknown):
        return "A change of this lead is not settled yet."
    denied = OperationStep.objects.filter(DENIED, operation__account=account, operation__lead_id=lead_id)
    if denied.filter(operation__finished_at__gt=timezone.now() - DENIED_FOR).exists():
        return "A refund that somebody called not done is still looked for, for a day."
    if Approval.objects.filter(**about, status__in=(Approval.Status.WAITING, Approval.Status.COOLING)).exists():
        return "A refund to this lead waits for approval."
    if PlaybookRun.objects.filter(**about, ended_at=None).exists():
        return "A playbook on this lead is not over: resume or close it."
    if job := _job_with(account, lead_id, emails):
        return f"The bulk job ‘{job}’ has this lead and is not over."[:300]
    if Import.objects.filter(account=account, state__in=_UNDER_WAY).exists():
        return "A file of leads is being imported."
    return ""


def _job_with(account: Account, lead_id: str, emails: set[str]) -> Job | None:
    """A job that may still change the lead."""
    rows = JobLead.objects.filter(job__account=account).select_related("job", "whose")
    open_rows = rows.filter(Q(state=JobLead.State.WAITING) & ~Q(job__state__in=_OVER) | Q(state=JobLead.State.UNKNOWN))
    if row := open_rows.filter(lead_id=lead_id).first():
        return row.job
    unnamed = open_rows.filter(lead_id="").iterator(chunk_size=500)
    return next((row.job for row in unnamed if row.email and not emails.isdisjoint(addresses_in(row.email))), None)


def _is_of(operation: Operation, emails: set[str]) -> bool:
    return not emails.isdisjoint(addresses_in(operation.lead_email))


def _of(account: Account) -> QuerySet[Forgetting]:
    return Forgetting.objects.filter(account=account).select_related("account", "requested_by", "ended_by")


def _named(account: Account, rows: QuerySet[Forgetting]) -> list[Asked]:
    found = list(rows)
    entries = Entry.objects.filter(account=account, lead_id__in=[row.lead_id for row in found])
    names = {entry.lead_id: str(entry) for entry in entries}
    return [Asked(row, names.get(row.lead_id, "")) for row in found]
