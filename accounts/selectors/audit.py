"""Reading the audit log."""

import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit_actions, subjects
from accounts.models import Account, AuditEntry, User
from accounts.models.audit import AuditEntries
from kartra_admin.lib.pagination import Page, page_by_id

PAGE_SIZE = 50
_MOST_STAFF = 200


def entry_page(*, cursor: str = "", **filters: Any) -> Page[AuditEntry]:
    """One page of the entries that `find` finds, newest first. Raises `BadRequest` for a cursor that is none
    of ours."""
    return page_by_id(find(**filters), cursor=cursor, size=PAGE_SIZE)


def find(
    *,
    person: User | None = None,
    action: str = "",
    lead: str = "",
    outcome: str = "",
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    operation: UUID | None = None,
) -> AuditEntries:
    """The entries that meet all conditions given. Days are whole ones of the desk's time zone.

    ``action`` is an act with all its outcomes, such as ``tag.assign``. ``lead`` is an id, a whole email address, or
    words of a name.
    """
    entries = AuditEntry.objects.readable()
    if person:
        entries = entries.filter(actor_id=person.pk)
    if action:
        entries = entries.filter(action__in=audit_actions.with_stem(action))
    if lead:
        entries = entries.filter(_about(lead))
    if outcome:
        entries = entries.filter(outcome=outcome)
    if since:
        entries = entries.filter(at__gte=_start(since))
    if until:
        entries = entries.filter(at__lt=_start(until + datetime.timedelta(days=1)))
    if operation:
        entries = entries.filter(operation_id=operation)
    return entries


def list_for_operation(operation: UUID) -> QuerySet[AuditEntry]:
    """What one operation left in the log, in order."""
    return AuditEntry.objects.readable().filter(operation_id=operation).order_by("pk")


def _about(text: str) -> Q:
    """Digits are an id. Leads are found by whole email addresses and words of their names, staff by how they begin."""
    if text.isdecimal():
        known = (subjects.find_lead(account, text) for account in Account.objects.values_list("pk", flat=True))
        return Q(subject_id__in=subjects.family(subject.pk for subject in known if subject)) | Q(target_id=text)
    staff = User.objects.filter(Q(name__istartswith=text) | Q(email__istartswith=text)).values_list("pk", flat=True)
    named = Q(target_kind="user", target_id__in=[str(pk) for pk in staff[:_MOST_STAFF]])
    return Q(subject_id__in=subjects.family(subjects.find(text))) | named


def _start(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time.min))
