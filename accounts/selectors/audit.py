"""Reading the audit log."""

import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit_actions
from accounts.models import AuditEntry, User
from kartra_admin.lib.pagination import Page, page_by_id

PAGE_SIZE = 50


def entry_page(
    *,
    person: User | None = None,
    action: str = "",
    lead: str = "",
    outcome: str = "",
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    operation: UUID | None = None,
    cursor: str = "",
) -> Page[AuditEntry]:
    """One page of entries, newest first, that meet all conditions given. Days are whole ones of the desk's time zone.

    ``action`` is an act with all its outcomes, such as ``tag.assign``. ``lead`` is an id, or the beginning of a name
    or an email address. Raises `BadRequest` for a cursor that is none of ours.
    """
    entries = AuditEntry.objects.all()
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
    return page_by_id(entries, cursor=cursor, size=PAGE_SIZE)


def list_for_operation(operation: UUID) -> QuerySet[AuditEntry]:
    """What one operation left in the log, in order."""
    return AuditEntry.objects.filter(operation_id=operation).order_by("pk")


def _about(text: str) -> Q:
    """Digits are an id. A target is named ``Jane Smith``, ``jane@example.com`` or ``Jane Smith <jane@example.com>``."""
    if text.isdecimal():
        return Q(target_id=text)
    return Q(target_name__istartswith=text) | Q(target_name__icontains=f"<{text}")


def _start(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time.min))
