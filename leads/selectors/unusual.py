"""What is unusual: counted in the rows of what was done, and what was found before."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import ExtractHour
from django.utils import timezone

from accounts import audit_actions
from accounts.models import AuditEntry
from kartra_admin.lib.pagination import Page, page_by_id
from leads.models import Finding, Limit, Operation, OperationStep, Outcome
from leads.unusual import BY_NAME, JUST_BELOW, Rule, is_of, numbered

PAGE_SIZE = 50
SHOWN_FOR = timedelta(days=7)
SHOWN_ON_HOME = 5
_MOST = 200
_WHOSE = ("operation__created_at", "operation__account_id", "operation__actor_id", "operation__lead_id")
_NOTHING_CAME_OF_IT = (Outcome.FAILED, Outcome.WITHDRAWN)


@dataclass(frozen=True)
class Group:
    """What one person did, or was done to one lead, within a rule's time."""

    account_id: int | None
    person_id: int | None
    lead_id: str
    count: int
    first: datetime
    last: datetime


def rules() -> tuple[Rule, ...]:
    """Those that are on."""
    return numbered(settings.UNUSUAL)


def groups_of(rule: Rule, now: datetime) -> list[Group]:
    """Everybody who meets the rule with what was done in the time up to ``now``."""
    return _COUNTERS[rule.name](rule, now)


def finding_page(cursor: str = "") -> Page[Finding]:
    """All there are, newest first. Raises `BadRequest` for a cursor that is none of ours."""
    return page_by_id(_findings(), cursor=cursor, size=PAGE_SIZE)


def list_recent() -> list[Finding]:
    """Those of the last week, for the home page."""
    return list(_findings().filter(until__gte=timezone.now() - SHOWN_FOR).order_by("-until")[:SHOWN_ON_HOME])


def marks_of(entries: Sequence[AuditEntry]) -> dict[int, list[str]]:
    """Which entries of the log belong to a finding, and to which, by the entry's key: those of what it counted.

    A few queries, whatever their number. Of more than `_MOST` findings the newest are told.
    """
    if not entries:
        return {}
    operations = {entry.operation_id for entry in entries if entry.operation_id}
    began = Operation.objects.filter(pk__in=operations).values_list("created_at", flat=True)
    times = [*(entry.at for entry in entries), *began]
    between = Finding.objects.filter(since__lte=max(times), until__gte=min(times))
    findings = list(between.order_by("-until", "-pk")[:_MOST])
    acts = {name: _acts_of(BY_NAME[name], operations) for name in {each.rule for each in findings} & {*_COUNTED}}
    found = {entry.pk: [each.title for each in findings if _is_of(entry, each, acts)] for entry in entries}
    return {pk: titles for pk, titles in found.items() if titles}


def _is_of(entry: AuditEntry, finding: Finding, acts: Mapping[str, Mapping[tuple[UUID, str], Any]]) -> bool:
    """``acts``: of each rule that counts acts on money, those it counts, by operation and kind."""
    rule = BY_NAME[finding.rule]
    if not is_of(rule, entry.action):
        return False
    if rule.name not in acts:
        at, account, person, lead = entry.at, entry.account_id, entry.actor_id, ""
    elif entry.operation_id and (act := acts[rule.name].get((entry.operation_id, audit_actions.stem(entry.action)))):
        at, account, person, lead = (getattr(act, name) for name in _WHOSE)
    else:
        return False
    if not finding.since <= at <= finding.until or not (rule.everywhere or account == finding.account_id):
        return False
    return bool(lead == finding.lead_id if rule.by_lead else person == finding.person_id)


def _acts_of(rule: Rule, operations: Collection[UUID]) -> dict[tuple[UUID, str], Any]:
    rows = _COUNTED[rule.name](_acts_on_money(rule).filter(operation__in=operations))
    return {(row.operation_id, row.kind): row for row in rows}


def _findings() -> QuerySet[Finding]:
    return Finding.objects.select_related("account", "person")


# Counting


def _acts_on_money(rule: Rule) -> QuerySet[OperationStep]:
    return OperationStep.objects.filter(kind__in=rule.acts).exclude(lock="").exclude(outcome__in=_NOTHING_CAME_OF_IT)


def _recent(rule: Rule, now: datetime) -> QuerySet[OperationStep]:
    between = {"operation__created_at__gt": now - rule.within, "operation__created_at__lte": now}
    return _acts_on_money(rule).filter(**between)


def _by_person(rule: Rule, rows: QuerySet[Any], prefix: str, at: str) -> list[Group]:
    account = {} if rule.everywhere else {"account_id": f"{prefix}account_id"}
    return _grouped(rule, rows, {**account, "person_id": f"{prefix}actor_id"}, at)


def _grouped(rule: Rule, rows: QuerySet[Any], fields: dict[str, str], at: str) -> list[Group]:
    counted = rows.order_by().values(*fields.values())
    counted = counted.annotate(number=Count("pk"), first=Min(at), last=Max(at)).filter(number__gte=rule.number)
    return [
        Group(
            **{"account_id": None, "person_id": None, "lead_id": ""}
            | {name: row[field] for name, field in fields.items()},
            count=row["number"],
            first=row["first"],
            last=row["last"],
        )
        for row in counted
    ]


def _refunds_of_lead(rule: Rule, now: datetime) -> list[Group]:
    fields = {"account_id": "operation__account_id", "lead_id": "operation__lead_id"}
    return _grouped(rule, _recent(rule, now), fields, "operation__created_at")


def _refunds_of_person(rule: Rule, now: datetime) -> list[Group]:
    return _by_person(rule, _recent(rule, now), "operation__", "operation__created_at")


def _off_hours(rule: Rule, now: datetime) -> list[Group]:
    return _by_person(rule, _at_night(_recent(rule, now)), "operation__", "operation__created_at")


def _at_night(rows: QuerySet[OperationStep]) -> QuerySet[OperationStep]:
    opens, closes = settings.WORKING_HOURS
    hour = ExtractHour("operation__created_at", tzinfo=timezone.get_default_timezone())
    return rows.annotate(hour=hour).filter(Q(hour__lt=opens) | Q(hour__gte=closes))


def _below_limit(rule: Rule, now: datetime) -> list[Group]:
    seen: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    for row in _just_below(_recent(rule, now)):
        seen[row.operation__account_id, row.operation__actor_id].append(row.operation__created_at)
    return [
        Group(account, person, "", len(times), min(times), max(times))
        for (account, person), times in seen.items()
        if len(times) >= rule.number
    ]


def _just_below(rows: QuerySet[OperationStep]) -> Iterator[Any]:
    """The limit is today's: who was given another one since is judged by that."""
    limits = {(limit.person_id, limit.role): limit.per_transaction for limit in Limit.objects.all()}
    for row in _told(rows):
        limit = limits.get((row.operation__actor_id, ""), limits.get((None, row.operation__actor__role)))
        if limit and row.amount and float(limit) * JUST_BELOW <= float(row.amount) <= float(limit):
            yield row


def _told(rows: QuerySet[OperationStep]) -> Iterable[Any]:
    return rows.values_list("operation_id", "kind", "amount", "operation__actor__role", *_WHOSE, named=True)


def _entries(rule: Rule, now: datetime) -> list[Group]:
    names = [name for name in audit_actions.ACTIONS if is_of(rule, name)]
    rows = AuditEntry.objects.filter(action__in=names, at__gt=now - rule.within, at__lte=now, actor_id__isnull=False)
    return _by_person(rule, rows, "", "at")


_COUNTERS: dict[str, Callable[[Rule, datetime], list[Group]]] = {
    "lead": _refunds_of_lead,
    "person": _refunds_of_person,
    "hours": _off_hours,
    "limit": _below_limit,
    "exports": _entries,
    "views": _entries,
}
# What of them each rule that counts acts on money counts; the others count entries of the log.
_COUNTED: dict[str, Callable[[QuerySet[OperationStep]], Iterable[Any]]] = {
    "lead": _told,
    "person": _told,
    "hours": lambda rows: _told(_at_night(rows)),
    "limit": _just_below,
}
