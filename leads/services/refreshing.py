"""Reading the directory's leads again while nobody waits: those that something told of first, then the oldest.

All of it together stays within `REFRESH_SHARE` of the calls, over all processes, and people go first; with a share of
0 only what was told is read. Each lead is taken by a conditional update, so that two workers never read the same one.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Account, Connection
from kartra_admin.lib.errors import AppError
from leads.models import Entry, Reread
from leads.providers.base import LeadRef
from leads.providers.errors import NotFound, Refused, Unavailable
from leads.services import _credentials, rereads
from leads.services.directory import NotKept
from leads.wiring import provider_for, wait_for_share

logger = logging.getLogger(__name__)

SECONDS = 5.0  # of one slice, after which others have their turn
OLD_AFTER = timedelta(hours=12)
_AT_ONCE = 20
_IN_A_ROW = 3  # so many leads that cannot be read mean that no other can


@dataclass(frozen=True)
class _Wanted:
    """A lead that was taken for reading, and the row that asked for it: it is gone once the lead was forgotten."""

    account: Account
    ref: LeadRef
    with_money: bool
    asked_by: Reread | Entry

    @property
    def calls(self) -> int:
        return 3 if self.with_money else 1

    @property
    def is_wanted(self) -> bool:
        """Whether nobody was forgotten while this waited for its share."""
        return type(self.asked_by)._default_manager.filter(pk=self.asked_by.pk).exists()


def work(seconds: float = SECONDS) -> bool:
    """Read for a while. True where there is more to read, or may be."""
    until = time.monotonic() + seconds
    failed: Counter[int] = Counter()  # leads in a row, by account
    while time.monotonic() < until:
        wanted = _take([pk for pk, times in failed.items() if times >= _IN_A_ROW])
        if wanted is None:
            return False
        wait_for_share(wanted.calls)
        try:
            _read(wanted)
        except AppError as error:
            logger.info("A lead of %s is not read again for now: %s", wanted.account, error.sentence)
            # No credentials, or too many calls: nothing of this account until the next time.
            failed[wanted.account.pk] += 1 if isinstance(error, Unavailable | NotKept) else _IN_A_ROW
            if isinstance(wanted.asked_by, Reread):
                rereads.give_up_if_old(wanted.asked_by, timezone.now())
        else:
            failed[wanted.account.pk] = 0
    return True


def _read(wanted: _Wanted) -> None:
    """What reads the lead keeps it in the directory, or that it is gone."""

    def read(connection: Connection) -> None:
        is_met = isinstance(wanted.asked_by, Reread)
        provider = provider_for(connection, background=True, is_met=is_met, to_keep=True)
        if not wanted.is_wanted:
            return
        try:
            lead = provider.get_lead(wanted.ref)
            if wanted.with_money:
                provider.get_money(LeadRef(id=lead.id))
        except (NotFound, Refused):
            pass  # the directory knows by now, or it will be tried another time

    _credentials.with_any(wanted.account, read)
    if isinstance(wanted.asked_by, Reread):
        rereads.finish(wanted.asked_by)


def _take(unusable: Collection[int]) -> _Wanted | None:
    """The next lead to be read, of an account that somebody holds credentials for."""
    accounts = [*Account.objects.filter(connections__user__is_active=True).exclude(pk__in=unusable).distinct()]
    random.shuffle(accounts)  # so that a large one leaves the others their turn
    now = timezone.now()
    if (told := _take_told(accounts, now)) or settings.REFRESH_SHARE <= 0:
        return told
    return next(filter(None, (_take_oldest(account, now) for account in accounts)), None)


def _take_told(accounts: Collection[Account], now: datetime) -> _Wanted | None:
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    rows = Reread.objects.filter(free, account__in=accounts).select_related("account").order_by("wanted_at")
    for row in rows[:_AT_ONCE]:
        if Reread.objects.filter(free, pk=row.pk).update(leased_until=rereads.lease_of(row, now)):
            known = Entry.objects.filter(account=row.account, lead_id=row.lead_id).first()
            ref = LeadRef(id=row.lead_id, email=known.email if known else "")
            return _Wanted(row.account, ref, row.with_money, row)
    return None


def _take_oldest(account: Account, now: datetime) -> _Wanted | None:
    untried = Q(asked_at=None) | Q(asked_at__lte=now - rereads.NOT_AGAIN_FOR)
    known = Entry.objects.filter(untried, account=account)
    for entry in _oldest(known, now):
        if Entry.objects.filter(untried, pk=entry.pk).update(asked_at=now):
            with_money = entry.gone_at is None and (entry.money_read_at is None or entry.payments.exists())
            return _Wanted(account, LeadRef(id=entry.lead_id or "", email=entry.email), with_money, entry)
    return None


def _oldest(known: QuerySet[Entry], now: datetime) -> Iterator[Entry]:
    """Those never read, then those read longest ago; each part by its index."""
    yield from known.filter(lead_read_at=None).order_by("id")[:_AT_ONCE]
    yield from known.filter(lead_read_at__lte=now - OLD_AFTER).order_by("lead_read_at", "id")[:_AT_ONCE]
