"""Leads that are to be read again soon, because something told that they changed."""

from datetime import datetime

from django.db.models import F

from leads.models import Reread
from leads.services import _queue

OUTSTANDING_AT_MOST = 10_000


def want(account_id: int, lead_id: str, *, at: datetime, with_money: bool = False) -> bool:
    """Have a lead read again; once, however often it is asked for. False where too many of the account wait already."""
    same = Reread.objects.filter(account=account_id, lead_id=lead_id)
    if same.update(times=F("times") + 1, **({"with_money": True} if with_money else {})):
        return True
    waiting = Reread.objects.filter(account=account_id).count()
    if waiting >= OUTSTANDING_AT_MOST:
        return False
    row = Reread(account_id=account_id, lead_id=lead_id, wanted_at=at, with_money=with_money)
    Reread.objects.bulk_create([row], ignore_conflicts=True)
    if not waiting:  # whoever reads for the first finds the others
        _queue.read_told()
    return True


def finish(reread: Reread) -> None:
    """It was read. The row goes, unless somebody asked anew meanwhile: then it is free to be taken again."""
    same = Reread.objects.filter(pk=reread.pk)
    if not same.filter(times=reread.times).delete()[0]:
        same.update(leased_until=None)
