"""What the provider told by itself, for the pages that show it. One account at a time."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, Q, QuerySet

from accounts.models import Account
from kartra_admin.lib.pagination import Page, page_by_id
from leads.models import Entry, Event, Hook, Operation
from leads.selectors import operations

PAGE = 50
_KINDS_SHOWN = 60


@dataclass(frozen=True)
class Moment:
    """Something on a lead's timeline: an operation of staff, or an event. ``is_read``: the lead was read after it."""

    at: datetime
    operation: Operation | None = None
    event: Event | None = None
    is_read: bool = True


@dataclass(frozen=True)
class Kind:
    """How often one sort of event came."""

    event: Event
    count: int
    last: datetime


def hook_of(account: Account) -> Hook | None:
    return Hook.objects.select_related("account", "made_by").filter(account=account).first()


def event_page(account: Account, *, cursor: str) -> Page[Event]:
    """Newest first. Raises `BadRequest` for a cursor that is none of ours."""
    return page_by_id(_of(account), cursor=cursor, size=PAGE)


def list_kinds(account: Account) -> list[Kind]:
    """What came, the most frequent first."""
    rows = (
        Event.objects.filter(account=account)
        .values("form", "action", "is_known")
        .annotate(count=Count("pk"), last=Max("received_at"))
        .order_by("-count", "action")[:_KINDS_SHOWN]
    )
    return [
        Kind(Event(form=row["form"], action=row["action"], is_known=row["is_known"]), row["count"], row["last"])
        for row in rows
    ]


def timeline(account: Account, lead_id: str, limit: int = operations.SHOWN_ON_LEAD) -> list[Moment]:
    """What staff did to a lead and what was told of it, newest first."""
    told = list(_of(account).filter(lead_id=lead_id).order_by("-received_at")[:limit])
    read_at = _read_at(account, lead_id) if told else None
    moments = [
        *(Moment(row.created_at, operation=row) for row in operations.list_for_lead(account, lead_id, limit)),
        *(Moment(row.received_at, event=row, is_read=bool(read_at and read_at > row.received_at)) for row in told),
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:limit]


def has_changed(account: Account, lead_id: str, since: datetime) -> bool:
    """Whether a reading after ``since`` found something new. What was only told does not count. One query."""
    confirmed = Q(lead_read_at__gte=F("changed_at")) | Q(money_read_at__gte=F("changed_at"))
    return Entry.objects.filter(confirmed, account=account, lead_id=lead_id, changed_at__gt=since).exists()


def _of(account: Account) -> QuerySet[Event]:
    return Event.objects.filter(account=account).defer("sealed_body")


def _read_at(account: Account, lead_id: str) -> datetime | None:
    return Entry.objects.filter(account=account, lead_id=lead_id).values_list("lead_read_at", flat=True).first()
