"""Keeping the directory: what was read of a lead, what an import or a bulk run tells of many, who is gone.

Writing the directory is no part of what the caller does: `quietly` around it logs a failure and goes on.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import Error as DatabaseTrouble
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts.models import Account
from kartra_admin.lib import folding
from kartra_admin.lib.errors import AppError
from leads.labels import phone_of
from leads.models import Entry, Forgetting, Mark, MarkKind, Payment
from leads.providers.base import Lead, LeadRef, Money
from leads.providers.base import Outcome as ProviderOutcome
from leads.providers.changes import Change, CreateLead, EditLead
from leads.services import _directory_batch
from leads.services._directory_batch import Met, Outcome, clean

__all__ = [
    "Met",
    "NotKept",
    "Outcome",
    "drop_left_over",
    "forget",
    "mark_back",
    "mark_gone",
    "quietly",
    "remember_changes",
    "remember_lead",
    "remember_money",
    "remember_rows",
]

_BATCH = 1000
_PATIENCE = "2s"

# A change's kind -> the mark it is about, and whether it gives it.
_MARKED = {
    "tag.assign": (MarkKind.TAG, True),
    "tag.unassign": (MarkKind.TAG, False),
    "list.subscribe": (MarkKind.LIST, True),
    "list.unsubscribe": (MarkKind.LIST, False),
    "sequence.subscribe": (MarkKind.SEQUENCE, True),
    "sequence.unsubscribe": (MarkKind.SEQUENCE, False),
}


class NotKept(AppError):
    """It was read, and the directory could not be written."""

    def __init__(self) -> None:
        super().__init__("What was read could not be kept. Try again in a minute.")


def quietly(remember: Callable[..., object], *what: Any, **also: Any) -> bool:
    """Remember beside other work: a failure is logged, also where no transaction can be begun, and a lock is not waited
    for long. Whether it was kept."""
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            remember(*what, **also)
        return True
    except DatabaseTrouble as error:  # its text may hold a lead's data
        logging.getLogger(__name__).warning("The directory was not kept: %s", type(error).__name__)
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()  # what the caller does next needs one that works
        return False


def met_of(lead: Lead) -> Met:
    """All that a reading tells, except of money."""
    profile = lead.profile
    return Met(
        lead_id=lead.id,
        name=lead.name,
        email=lead.email,
        phone=phone_of(profile),
        company=profile.get("company", ""),
        city=profile.get("city", ""),
        state=profile.get("state", ""),
        country=profile.get("country", ""),
        blacklisted=bool(lead.blacklisted),
        deleted=lead.deleted,
        tags=lead.tags,
        lists=[row.name for row in lead.lists if row.active],
        sequences=[row.name for row in lead.sequences if row.active],
        memberships=[f"{row.name} {row.level}".strip() for row in lead.memberships if row.active],
    )


def remember_lead(account: Account, lead: Lead, *, at: datetime, is_met: bool = True) -> None:
    """Keep what was read of a lead at ``at``, unless a later reading is kept already. One update if nothing is new.

    Unless ``is_met``, the lead was met last when it was before. What the directory does not keep, such as a custom
    field, counts as a change where it differs from the last reading.
    """
    met = met_of(lead)
    digest = _digest([asdict(met), _seen_beside(lead)])
    same = Entry.objects.filter(account=account, lead_id=lead.id)
    seen = {"seen_at": at} if is_met else {}
    if not same.filter(lead_digest=digest, gone_at=None).update(lead_read_at=at, **seen):
        with transaction.atomic():
            newest = same.select_for_update().first()
            if newest is None and _was_forgotten_since(account, lead.id, at):
                return
            if newest is None or newest.lead_read_at is None or newest.lead_read_at <= at:
                remember_rows(account, [met], at=at)
                if newest is not None and not is_met:
                    seen = {"seen_at": newest.seen_at}
                is_new = newest is not None and newest.lead_digest not in ("", digest)
                changed = {"changed_at": at} if is_new else {}
                same.update(lead_read_at=at, lead_digest=digest, gone_at=None, **seen, **changed)


def _was_forgotten_since(account: Account, lead_id: str, at: datetime) -> bool:
    """Whether the lead may have been forgotten since then. Of who was known by email alone, nothing that is left tells
    who it was, so it may have been anybody."""
    is_theirs = Q(lead_id=lead_id) | Q(lead_id__startswith="entry:")
    return Forgetting.objects.filter(is_theirs, account=account, ended_at__gte=at).exists()


def _seen_beside(lead: Lead) -> list[Any]:
    """What a person sees of a lead and the directory does not keep."""
    custom = sorted((value.identifier, value.display) for value in lead.custom_fields)
    return [dict(lead.profile), custom, lead.score, lead.notes, lead.consent.words if lead.consent else ""]


def remember_money(account: Account, lead_id: str, money: Money, *, at: datetime, is_met: bool = True) -> None:
    """Keep by which payments the lead, met before, can be found, and what it bought. One update if nothing is new.
    ``is_met`` as with `remember_lead`."""
    found = _payments_of(money)
    bought = frozenset(clean(row.product)[:255] for row in money.transactions if row.amount is not None) - {""}
    digest = _digest([[str(part) for part in row] for row in sorted(found, key=str)] + sorted(bought))
    same = Entry.objects.filter(account=account, lead_id=lead_id)
    seen = {"seen_at": at} if is_met else {}
    if same.filter(money_digest=digest).update(money_read_at=at, **seen):
        return
    with transaction.atomic():
        entry = same.select_for_update().first()
        if entry is None or (entry.money_read_at and entry.money_read_at > at):
            return
        if money.unread:  # what was not told is as it was
            bought |= set(entry.marks.filter(kind=MarkKind.PRODUCT).values_list("name", flat=True))
        else:
            entry.payments.all().delete()
        known = set(entry.payments.values_list("transaction_id", "subscription_id"))
        Payment.objects.bulk_create(
            Payment(
                entry=entry,
                account=account,
                transaction_id=row.transaction_id,
                subscription_id=row.subscription_id,
                last_four=row.last_four,
                amount=row.amount,
            )
            for row in found
            if (row.transaction_id, row.subscription_id) not in known
        )
        _directory_batch.write_marks(account, {entry: {MarkKind.PRODUCT: bought}})
        same.update(money_read_at=at, changed_at=at, money_digest=digest, **seen)


def remember_rows(account: Account, rows: Sequence[Met], *, at: datetime) -> list[Outcome]:
    """Keep what is told of many leads, met but not read; one outcome for each, in order.

    Works in the caller's transaction where there is one, so that a file is kept as a whole or not at all.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(rows), _BATCH):
        with transaction.atomic():
            outcomes += _directory_batch.remember(account, rows[start : start + _BATCH], at)
    return outcomes


def remember_changes(
    account: Account, ref: LeadRef, changed: Sequence[Change], outcomes: Sequence[ProviderOutcome], *, at: datetime
) -> None:
    """Keep what changes that succeeded made of a lead, until it is read again."""
    answered = list(zip(changed, outcomes, strict=True))
    done = [change for change, outcome in answered if outcome.state == "succeeded"]
    lead_id = ref.id or next((str(outcome.data["lead_id"]) for _, outcome in answered if "lead_id" in outcome.data), "")
    if not lead_id:
        return
    told = [_told_by(lead_id, change) for change in done if isinstance(change, CreateLead | EditLead)]
    remember_rows(account, told, at=at)
    if done:
        mark_back(account, lead_id, at=at)
    marked = [(*_MARKED[change.kind], clean(change.subject)[:255]) for change in done if change.kind in _MARKED]
    entry = Entry.objects.filter(account=account, lead_id=lead_id).first() if marked else None
    if entry is None:
        return
    for kind, is_given, name in marked:
        if is_given:
            mark = Mark(entry=entry, account=account, kind=kind, name=name)
            Mark.objects.bulk_create([mark], ignore_conflicts=True)
        else:
            entry.marks.filter(kind=kind, name=name).delete()
    Entry.objects.filter(pk=entry.pk).update(lead_digest="", changed_at=at, seen_at=at)


def _told_by(lead_id: str, change: CreateLead | EditLead) -> Met:
    """What writing these fields tells. Of a name only the whole one: it is not known which part an edit left alone."""
    profile = change.profile
    is_new = isinstance(change, CreateLead)
    names = (profile.get(key, "") for key in ("first_name", "middle_name", "last_name", "last_name2"))
    return Met(
        lead_id=lead_id,
        name=" ".join(filter(None, names)) if is_new else None,
        email=change.email if isinstance(change, CreateLead) else change.new_email or None,
        phone=phone_of(profile) if "phone" in profile else None,
        company=profile.get("company"),
        city=profile.get("city"),
        state=profile.get("state"),
        country=profile.get("country"),
    )


def mark_gone(account: Account, ref: LeadRef, *, at: datetime) -> None:
    """The provider knows no such lead any more. The entry stays, and says so."""
    entries = _named(account, ref)
    entries.filter(gone_at=None).update(gone_at=at, changed_at=at)
    entries.update(lead_read_at=at)


def mark_back(account: Account, lead_id: str, *, at: datetime) -> None:
    """It is there after all, and is to be read."""
    entries = Entry.objects.filter(account=account, lead_id=lead_id).exclude(gone_at=None)
    entries.update(gone_at=None, lead_read_at=None, changed_at=at, seen_at=at)


def forget(account: Account, ref: LeadRef) -> bool:
    """Remove all that is kept of a lead, and the words that nobody else has. False where nothing was kept."""
    with transaction.atomic():
        entries = list(_named(account, ref))
        for entry in entries:
            words = folding.spelled(entry.words)
            entry.delete()
            _directory_batch.drop_unused(account, words)
    return bool(entries)


def drop_left_over(account: Account, email: str, lead_id: str) -> None:
    """Whoever has this email has this id by now, so an entry without one is left over. Who asked that it be forgotten
    meant this lead."""
    left_over = LeadRef(email=email)
    with transaction.atomic():
        waiting = Forgetting.objects.select_for_update().filter(account=account, state=Forgetting.State.WAITING)
        asked = waiting.filter(lead_id__in=[entry.handle for entry in _named(account, left_over)]).first()
        if asked and not waiting.filter(lead_id=lead_id).exists():
            Forgetting.objects.filter(pk=asked.pk).update(lead_id=lead_id)
        forget(account, left_over)


def _named(account: Account, ref: LeadRef) -> QuerySet[Entry]:
    """By id; by email alone only those of whom nothing else is known, since an address moves from lead to lead."""
    entries = Entry.objects.filter(account=account)
    return entries.filter(lead_id=ref.id) if ref.id else entries.filter(lead_id=None, email=ref.email.lower())


class _Payment(NamedTuple):
    transaction_id: str
    subscription_id: str
    last_four: str
    amount: Decimal | None


def _payments_of(money: Money) -> set[_Payment]:
    """By what a lead can be found: its transactions, and its subscriptions where no transaction names them."""
    found = {
        _Payment(
            clean(row.id)[:64],
            clean(row.subscription_id)[:64],
            clean(row.last_four)[-4:],
            row.amount if _fits(row.amount) else None,
        )
        for row in money.transactions
    }
    named = {row.subscription_id for row in found}
    alone = {clean(row.id)[:64] for row in money.subscriptions} - named
    return found | {_Payment("", number, "", None) for number in alone}


def _fits(amount: Decimal | None) -> bool:
    return amount is not None and amount.is_finite() and abs(amount) < 10**10


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()[:32]
