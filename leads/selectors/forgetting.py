"""People who are to be forgotten: lists, what stands against it, and what will still name them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, AuditEntry, SavedFilter
from kartra_admin.lib import folding
from leads.models import (
    OPEN,
    Approval,
    Entry,
    Event,
    Forgetting,
    Import,
    Job,
    JobLead,
    Operation,
    OperationStep,
    Playbook,
    PlaybookRun,
    Reason,
    Recent,
    Recipe,
    SavedView,
)
from leads.models.forgetting import call
from leads.models.operations import DENIED, DENIED_FOR
from leads.selectors import search

# Entries of the log about a bulk job that hold what somebody wrote about it.
DECIDED = ("job.decide.approved", "job.decide.declined")

_SHOWN = 100
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'=&/]+@[^\s<>()\[\],;:\"'=&/]+")
_SHORTEST_PHONE = 7  # in digits
_OF = re.compile(r"['’]s\b")  # of a name
_UNDER_WAY = (Import.State.READING, Import.State.CHECKING, Import.State.RUNNING)
_OVER = (Job.State.CANCELLED, Job.State.DONE)


@dataclass(frozen=True)
class Asked:
    """A request, with the name under which the directory knows the lead, as long as it does."""

    request: Forgetting
    name: str


@dataclass(frozen=True)
class Person:
    """By what the desk knows somebody: whole addresses, and the words of the names; all folded. ``names`` are first and
    last words of whole ones, ``phones`` the digits, both as the directory has them."""

    account: Account
    lead_id: str
    emails: frozenset[str]
    words: frozenset[str]
    names: frozenset[tuple[str, str]] = frozenset()
    phones: frozenset[str] = frozenset()

    def has_address_in(self, text: str) -> bool:
        return not self.emails.isdisjoint(addresses_in(text))

    def is_on_line(self, cells: Sequence[str]) -> bool:
        """Whether a line of a file holds the phone, with or without the country's code, or the first and the last
        name."""
        words = frozenset(folding.split(" ".join(cells)))
        phones = filter(None, map(_phone_of, cells))
        has_phone = any(here.endswith(own) or own.endswith(here) for here in phones for own in self.phones)
        return has_phone or any(words.issuperset(name) for name in self.names)

    def is_named_in(self, text: str) -> bool:
        """Whether a text of staff holds a whole address of the person, or words of the name that together are nobody
        else's in the directory. It may be the query of an address."""
        text = unquote_plus(text)
        named = self.words.intersection(folding.split(_OF.sub(" ", text)))
        is_long = any(len(word) >= folding.SHORTEST_WORD for word in named)
        return self.has_address_in(text) or (is_long and not self._is_of_others(named))

    def _is_of_others(self, words: frozenset[str]) -> bool:
        own = entries_of(self.account, self.lead_id).values("pk")
        others = Entry.objects.filter(account=self.account).exclude(pk__in=own).exclude(email__in=self.emails)
        found = search.narrow_by(self.account, others, " ".join(sorted(words)))
        for word in words:  # found as a part of a word, too
            found = found.filter(words__contains=f" {word} ")
        return found.exists()


@dataclass(frozen=True)
class Known:
    """Somebody of whom something is kept, by account and lead, or place in the directory; no more is told to who works
    in another account."""

    account: Account
    lead_id: str

    @property
    def called(self) -> str:
        return call(self.lead_id)


@dataclass(frozen=True)
class Mentions:
    """What staff called after a person, in words: what goes with the person, what loses its name, what somebody can
    still rename or delete, and what nobody can change any more."""

    goes: list[str]
    loses_name: list[str]
    can_be_changed: list[str]
    stays: list[str]


def list_waiting(account: Account) -> list[Asked]:
    """The next first."""
    return _named(account, _of(account).filter(state=Forgetting.State.WAITING).order_by("due_at"))


def list_over(account: Account) -> list[Asked]:
    """What was done or taken back, newest first."""
    return _named(account, _of(account).exclude(state=Forgetting.State.WAITING).order_by("-ended_at")[:_SHOWN])


def find_waiting(account: Account, lead_id: str) -> Forgetting | None:
    return _of(account).filter(lead_id=lead_id, state=Forgetting.State.WAITING).first()


def entries_of(account: Account, lead_id: str) -> QuerySet[Entry]:
    """By the lead's id, or by `Entry.handle` where there was none."""
    pk = lead_id.removeprefix("entry:")
    own = {"lead_id": lead_id} if pk == lead_id else {"pk": int(pk)}
    return Entry.objects.filter(account=account, **own)


def id_of(asked: Forgetting) -> str:
    """Whom it is about by now: who was known by email alone may have got a number since."""
    entry = entries_of(asked.account, asked.lead_id).first()
    return entry.handle if entry else asked.lead_id


def find_imported(account: Account, email: str) -> Entry | None:
    """Who is known by this email alone."""
    return Entry.objects.filter(account=account, lead_id=None, email=email.lower()).first() if email else None


def is_known(account: Account, lead_id: str) -> bool:
    """Whether anything is kept here of a lead, also of one that the provider no longer has."""
    rows = (model.objects.filter(account=account, lead_id=lead_id) for model in (Entry, Event))
    return any(found.exists() for found in rows) or subjects.find_lead(account.pk, lead_id) is not None


def person_of(account: Account, lead_id: str) -> Person:
    """By what the desk knows the person now."""
    about = {"account": account, "lead_id": lead_id}
    entries = entries_of(account, lead_id)
    emails = {entry.email for entry in entries}
    names = {entry.name for entry in entries}
    for model in (Operation, Approval, PlaybookRun):
        rows = [row for row in model.objects.filter(**about) if not row.is_forgotten]
        emails |= {row.lead_email for row in rows}
        names |= {row.lead_name for row in rows}
    of_jobs = JobLead.objects.filter(job__account=account, lead_id=lead_id).select_related("job")
    for found in (Recent.objects.filter(**about), of_jobs):
        met = [row for row in found if not row.is_forgotten]
        emails |= {row.email for row in met}
        names |= {row.name for row in met}
    return Person(
        account,
        lead_id,
        addresses_in(" ".join(emails)),
        frozenset(folding.split(" ".join(names))),
        frozenset((words[0], words[-1]) for entry in entries if len(words := folding.split(entry.name)) > 1),
        frozenset(filter(None, (_phone_of(entry.phone) for entry in entries))),
    )


def find_elsewhere(person: Person) -> list[Known]:
    """Where an address of the person is known in other accounts, or was, but for who is to be forgotten there already.

    By the directory, and by the log, which has an entry of all that is done to a lead.
    """
    others = Entry.objects.filter(email__in=person.emails, account__in=Account.objects.exclude(pk=person.account.pk))
    found = {(entry.account_id, entry.handle) for entry in others}
    keys = subjects.family(key for email in person.emails for key in subjects.find(email))
    for key in keys:
        told = AuditEntry.objects.readable().filter(subject_id=key, target_kind="lead", account_id__isnull=False)
        entry = told.exclude(account_id=person.account.pk).order_by("-pk").first()
        if entry and entry.account_id and entry.about_id:
            found.add((entry.account_id, entry.about_id))
    asked = Forgetting.objects.filter(state=Forgetting.State.WAITING).values_list("account", "lead_id")
    accounts = Account.objects.in_bulk([account for account, _ in found])
    return [Known(accounts[account], lead_id) for account, lead_id in sorted(found.difference(asked))]


def creations_of(person: Person) -> list[Operation]:
    """Tries to create the lead that came to nothing, so that no number stands with them."""
    over = Operation.objects.filter(account=person.account, lead_id="").exclude(outcome__in=OPEN)
    return [row for row in over.iterator(chunk_size=500) if person.has_address_in(row.lead_email)]


def addresses_in(text: str) -> frozenset[str]:
    """The whole email addresses that stand in a text of any kind, folded."""
    return frozenset(folding.email_word(found.rstrip(".!?")) for found in _ADDRESS.findall(text))


def _phone_of(text: str) -> str:
    """The digits without the zeros that are dialled before them, "" for what is too short to be somebody's phone."""
    digits = folding.digits(text).lstrip("0")
    return digits if len(digits) >= _SHORTEST_PHONE else ""


def views_naming(person: Person) -> list[SavedView]:
    """Views of the directory that are called after the person or look for the person."""
    views = SavedView.objects.filter(account=person.account)
    return [view for view in views if person.is_named_in(f"{view.name} {view.query}")]


def filters_naming(person: Person) -> list[SavedFilter]:
    """The same of the log, which belongs to all accounts."""
    return [kept for kept in SavedFilter.objects.all() if person.is_named_in(f"{kept.name} {kept.query}")]


def notes_naming(person: Person) -> list[int]:
    """The subjects of what staff wrote, when they decided on bulk jobs, and that names the person."""
    decided = AuditEntry.objects.readable().filter(account_id=person.account.pk, action__in=DECIDED)
    return [
        entry.subject_id
        for entry in decided.filter(subject__isnull=False).iterator(chunk_size=500)
        if entry.subject_id and person.is_named_in(str(entry.detail.get("note", "")))
    ]


def mentions(person: Person) -> Mentions:
    """What staff named after the person."""
    account = person.account
    goes = [("the saved view", view.name) for view in views_naming(person)]
    goes += [("the filter of the log", kept.name) for kept in filters_naming(person)]
    loses_name = [("the bulk job", job.name) for job in jobs_called_after(person)]
    loses_name += [("the file", file.file_name) for file in files_called_after(person)]
    may_name = [("the reason", str(reason), str(reason)) for reason in Reason.objects.all()]
    for model, what in ((Recipe, "the recipe"), (Playbook, "the playbook")):
        of_account = model.objects.filter(account=account)
        may_name += [(what, row.name, f"{row.name} {row.description}") for row in of_account]
    can_be_changed = [(what, name) for what, name, text in may_name if person.is_named_in(text)]
    jobs = Job.objects.filter(account=account)
    stays = [("what is done by the bulk job", job.name) for job in jobs if person.is_named_in(str(job.actions))]
    return Mentions(*(_in_words(rows) for rows in (goes, loses_name, can_be_changed, stays)))


def jobs_called_after(person: Person) -> list[Job]:
    return [job for job in Job.objects.filter(account=person.account) if person.is_named_in(job.name)]


def files_called_after(person: Person) -> list[Import]:
    return [file for file in Import.objects.filter(account=person.account) if person.is_named_in(file.file_name)]


def _in_words(named: list[tuple[str, str]]) -> list[str]:
    return sorted({f"{what} ‘{name[:80]}’" for what, name in named})


def why_not_yet(person: Person) -> str:
    """What has to end before the person can be forgotten, "" for nothing."""
    account, lead_id = person.account, person.lead_id
    about = {"account": account, "lead_id": lead_id}
    unknown = Operation.objects.filter(account=account, lead_id="", outcome__in=OPEN)
    are_theirs = (person.has_address_in(row.lead_email) for row in unknown)
    if Operation.objects.filter(**about, outcome__in=OPEN).exists() or any(are_theirs):
        return "A change of this lead is not settled yet."
    denied = OperationStep.objects.filter(DENIED, operation__account=account, operation__lead_id=lead_id)
    if denied.filter(operation__finished_at__gt=timezone.now() - DENIED_FOR).exists():
        return "A refund that somebody settled as not done is still being checked, for a day."
    if Approval.objects.filter(**about, status__in=(Approval.Status.WAITING, Approval.Status.COOLING)).exists():
        return "A refund to this lead is waiting for approval."
    if PlaybookRun.objects.filter(**about, ended_at=None).exists():
        return "A playbook on this lead is not finished. Resume or close it."
    if job := _job_with(person):
        return f"The bulk job ‘{job}’ includes this lead and is not finished."[:300]
    if Import.objects.filter(account=account, state__in=_UNDER_WAY).exists():
        return "A file of leads is being imported."
    return ""


def _job_with(person: Person) -> Job | None:
    """A job that may still change the lead."""
    rows = JobLead.objects.filter(job__account=person.account).select_related("job", "whose")
    open_rows = rows.filter(Q(state=JobLead.State.WAITING) & ~Q(job__state__in=_OVER) | Q(state=JobLead.State.UNKNOWN))
    if row := open_rows.filter(lead_id=person.lead_id).first():
        return row.job
    unnamed = open_rows.filter(lead_id="").iterator(chunk_size=500)
    return next((row.job for row in unnamed if person.has_address_in(row.email)), None)


def _of(account: Account) -> QuerySet[Forgetting]:
    return Forgetting.objects.filter(account=account).prefetch_related("account", "requested_by", "ended_by")


def _named(account: Account, rows: QuerySet[Forgetting]) -> list[Asked]:
    found = list(rows)
    places = [int(row.lead_id.removeprefix("entry:")) for row in found if not row.is_numbered]
    is_meant = Q(lead_id__in=[row.lead_id for row in found]) | Q(pk__in=places)
    entries = Entry.objects.filter(is_meant, account=account)
    names = {key: str(entry) for entry in entries for key in (entry.lead_id, f"entry:{entry.pk}")}
    return [Asked(row, names.get(row.lead_id, "")) for row in found]
