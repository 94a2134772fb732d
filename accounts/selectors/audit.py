"""Reading the audit log."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit_actions, audit_terms, subjects
from accounts.models import Account, AuditEntry, AuditTerm, SavedFilter, User
from accounts.models.audit import AuditEntries
from kartra_admin.lib.pagination import Page, page_by_id

PAGE_SIZE = 50

# A word that stands in so few entries is asked for first, and the entries are named.
_FEW = 1000
# Times run with numbers, but for clocks that were wrong by less than half of this, and for so many entries that waited
# for each other.
_CLOCKS = datetime.timedelta(days=1)
_WAITING = 1000


def entry_page(*, action: str = "", cursor: str = "", **filters: Any) -> Page[AuditEntry]:
    """One page of the entries that `find` finds, newest first. Raises `BadRequest` for a cursor that is none of ours.

    Each action of an act is walked by itself, since no index has several of them in the order of their numbers.
    """
    entries = find(**filters)
    parts = [entries.filter(action=name) for name in audit_actions.with_stem(action)] if action else [entries]
    return page_by_id(*parts, cursor=cursor, size=PAGE_SIZE)


def find(
    *,
    text: str = "",
    person: User | None = None,
    action: str = "",
    lead: str = "",
    account: Account | None = None,
    outcome: str = "",
    amount_from: Decimal | None = None,
    amount_to: Decimal | None = None,
    ip: str = "",
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    operation: UUID | None = None,
) -> AuditEntries:
    """The entries that meet all conditions given. Days are whole ones of the desk's time zone.

    ``text``: all these words, of who did it, of what the act is called and of what is told. ``action`` is an act with
    all its outcomes, such as ``tag.assign``. ``lead`` is an id, a whole email address, or words of a name.
    """
    entries = AuditEntry.objects.readable()
    exactly = {
        "actor_id": person and person.pk, "account_id": account and account.pk, "outcome": outcome, "ip": ip,
        "operation_id": operation, "amount__gte": amount_from, "amount__lte": amount_to,
    }  # fmt: skip
    entries = entries.filter(**{name: value for name, value in exactly.items() if value not in (None, "")})
    if action:
        entries = entries.filter(action__in=audit_actions.with_stem(action))
    if lead:
        entries = entries.filter(_about(lead))
    if text:
        entries = _with_words(entries, audit_terms.digests(text))
    if since:
        entries = _from(entries, _start(since))
    if until:
        entries = _before(entries, _start(until + datetime.timedelta(days=1)))
    return entries


def list_for_operation(operation: UUID) -> QuerySet[AuditEntry]:
    """What one operation left in the log, in order."""
    return AuditEntry.objects.readable().filter(operation_id=operation).order_by("pk")


def list_beside(entry: AuditEntry) -> QuerySet[AuditEntry]:
    """The entry with the one before and the one after it in the chain, in order."""
    return AuditEntry.objects.readable().filter(pk__range=(entry.pk - 1, entry.pk + 1)).order_by("pk")


def list_filters(user: User) -> QuerySet[SavedFilter]:
    """One's own, and those that others share."""
    return SavedFilter.objects.select_related("owner").filter(Q(owner=user) | Q(is_shared=True))


def names_somebody(text: str) -> bool:
    """Whether a word of the text is an address or a part of a name of a lead."""
    return any(subjects.find(word) for word in subjects.terms(text))


def _about(text: str) -> Q:
    """Digits are an id. Leads are found by whole email addresses and words of their names, staff by how they begin."""
    if text.isdecimal():
        known = (subjects.find_lead(account, text) for account in Account.objects.values_list("pk", flat=True))
        return Q(subject_id__in=subjects.family(subject.pk for subject in known if subject)) | Q(target_id=text)
    staff = User.objects.filter(Q(name__istartswith=text) | Q(email__istartswith=text)).values_list("pk", flat=True)
    named = Q(target_kind="user", target_id__in=[str(pk) for pk in staff])
    return Q(subject_id__in=subjects.family(subjects.find(text))) | named


def _with_words(entries: AuditEntries, digests: Sequence[int]) -> AuditEntries:
    """A rare word names the entries; a common one is walked along, or asked of each entry on the way."""
    named: set[int] | None = None if digests else set()
    for digest in digests:
        having = AuditTerm.objects.filter(digest=digest).values_list("entry_id", flat=True)
        found = set(having[: _FEW + 1])
        if len(found) > _FEW:
            entries = entries.filter(terms__digest=digest)
        else:
            named = found if named is None else named & found
    return entries if named is None else entries.filter(pk__in=named)


def _from(entries: AuditEntries, start: datetime.datetime) -> AuditEntries:
    """Bounds of time are bounds of numbers too, so that the index of any other filter is walked within them alone."""
    first = AuditEntry.objects.filter(at__gte=start - _CLOCKS).order_by("at").values_list("pk", flat=True).first()
    return entries.none() if first is None else entries.filter(at__gte=start, pk__gte=first - _WAITING)


def _before(entries: AuditEntries, end: datetime.datetime) -> AuditEntries:
    last = AuditEntry.objects.filter(at__lt=end + _CLOCKS).order_by("-at").values_list("pk", flat=True).first()
    return entries.none() if last is None else entries.filter(at__lt=end, pk__lte=last + _WAITING)


def _start(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time.min))
