"""What the provider told by itself, for the pages that show it. One account at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, Q, QuerySet

from accounts.models import Account, User
from kartra_admin.lib.pagination import Page, page_by_id
from leads.models import Entry, Event, Hook, Operation
from leads.selectors import operations

PAGE = 50
_KINDS_SHOWN = 60


@dataclass(frozen=True)
class Moment:
    """Something on a lead's timeline: an operation of staff, or an event. ``again`` is the event that told the same act
    on the same payment in the other way. ``is_read``: what it is about was read after both, so that the lead's page
    shows what is so. Whether that is what was told, nobody can say."""

    at: datetime
    operation: Operation | None = None
    event: Event | None = None
    again: Event | None = None
    is_read: bool = False


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


def timeline(account: Account, lead_id: str, *, viewer: User, limit: int = operations.SHOWN_ON_LEAD) -> list[Moment]:
    """What staff did to a lead and what was told of it, newest first; nothing of money for who sees none."""
    events = _of(account).filter(lead_id=lead_id)
    if not viewer.has_permission("money.view"):
        events = events.filter(tells_of_money=False)
    told = list(events.order_by("-received_at")[: 2 * limit])
    read = Entry.objects.filter(account=account, lead_id=lead_id).only("lead_read_at", "money_read_at").first()
    moments = [
        *(
            Moment(row.created_at, operation=row)
            for row in operations.list_for_lead(account, lead_id, viewer=viewer, limit=limit)
        ),
        *(_moment(first, again, read) for first, again in _pairs(told)),
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:limit]


def _pairs(told: Sequence[Event]) -> list[tuple[Event, Event | None]]:
    """Each event with the later one that told the same act in the other way. Two told in the same way stay two: of a
    payment a part may be refunded twice."""
    pairs: list[tuple[Event, Event | None]] = []
    single: dict[tuple[str, str], int] = {}
    for event in sorted(told, key=lambda event: (event.received_at, event.pk)):
        other = single.pop((event.act_digest, "ipn" if event.form == "json" else "json"), None)
        if other is not None:
            pairs[other] = (pairs[other][0], event)
            continue
        if event.act_digest:
            single[event.act_digest, event.form] = len(pairs)
        pairs.append((event, None))
    return pairs


def _moment(event: Event, again: Event | None, read: Entry | None) -> Moment:
    read_at = read and (read.money_read_at if event.tells_of_money else read.lead_read_at)
    is_read = bool(read_at and read_at > (again or event).received_at)
    return Moment(event.received_at, event=event, again=again, is_read=is_read)


def has_changed(account: Account, lead_id: str, since: datetime) -> bool:
    """Whether a reading after ``since`` found something new. What was only told does not count. One query."""
    confirmed = Q(lead_read_at__gte=F("changed_at")) | Q(money_read_at__gte=F("changed_at"))
    return Entry.objects.filter(confirmed, account=account, lead_id=lead_id, changed_at__gt=since).exists()


def _of(account: Account) -> QuerySet[Event]:
    return Event.objects.filter(account=account).defer("sealed_body")
