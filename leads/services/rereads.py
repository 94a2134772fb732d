"""Leads that are to be read again soon, because something told that they changed."""

from datetime import datetime, timedelta

from django.db.models import F

from leads.models import Entry, Reread
from leads.services import _queue

OUTSTANDING_AT_MOST = 10_000
LEASE = timedelta(minutes=1)  # whoever takes a lead has so long to read it
NOT_AGAIN_FOR = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=1)


def want(account_id: int, lead_id: str, *, at: datetime, with_money: bool = False) -> bool:
    """Have a lead read again; once, however often it is asked for. False where too many of the account wait already."""
    same = Reread.objects.filter(account=account_id, lead_id=lead_id)
    if same.update(times=F("times") + 1, **({"with_money": True} if with_money else {})):
        return True
    waiting = Reread.objects.filter(account=account_id)
    if waiting.count() >= OUTSTANDING_AT_MOST:
        return False
    is_first = not waiting.exclude(leased_until__gt=at + LEASE).exists()  # those were set back
    row = Reread(account_id=account_id, lead_id=lead_id, wanted_at=at, with_money=with_money)
    Reread.objects.bulk_create([row], ignore_conflicts=True)
    if is_first:  # whoever reads for it finds the others
        _queue.read_told()
    return True


def lease_of(reread: Reread, at: datetime) -> datetime:
    """Until when nobody else takes the row that is taken now. What cannot be read is so tried less and less often, once
    an hour in the end, and keeps nothing else waiting."""
    return at + max(LEASE, min(at - reread.wanted_at, NOT_AGAIN_FOR))


def give_up_if_old(reread: Reread, at: datetime) -> None:
    """It could not be read, and not for the first time. After a day the row goes, unless nothing else of its account
    could be read of late either."""
    is_old = reread.leased_until is not None and reread.wanted_at < at - GIVEN_UP_AFTER
    read_lately = Entry.objects.filter(account=reread.account_id, lead_read_at__gte=at - NOT_AGAIN_FOR)
    if is_old and read_lately.exists():
        finish(reread)


def finish(reread: Reread) -> None:
    """It was read. The row goes, unless somebody asked anew meanwhile: then it is free to be taken again."""
    same = Reread.objects.filter(pk=reread.pk)
    if not same.filter(times=reread.times).delete()[0]:
        same.update(leased_until=None)
