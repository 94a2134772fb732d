"""What is unusual: counted in the rows of what was done, and what was found before."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import ExtractHour
from django.utils import timezone

from accounts import audit_actions
from accounts.models import AuditEntry
from kartra_admin.lib.pagination import Page, page_by_id
from leads.models import Finding, Limit, OperationStep, Outcome
from leads.unusual import BY_NAME, JUST_BELOW, Rule, is_of, numbered

PAGE_SIZE = 50
SHOWN_FOR = timedelta(days=7)
SHOWN_ON_HOME = 5
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
    """Which entries of the log belong to a finding, and to which, by the entry's key. One query."""
    if not entries:
        return {}
    times = [entry.at for entry in entries]
    findings = list(Finding.objects.filter(since__lte=max(times), until__gte=min(times))[:200])
    found = {entry.pk: [each.title for each in findings if _is_of(entry, each)] for entry in entries}
    return {pk: titles for pk, titles in found.items() if titles}


def _is_of(entry: AuditEntry, finding: Finding) -> bool:
    rule = BY_NAME[finding.rule]
    if not is_of(rule, entry.action) or not finding.since <= entry.at <= finding.until:
        return False
    if finding.account_id and entry.account_id != finding.account_id:
        return False
    return entry.about_id == finding.lead_id if rule.by_lead else entry.actor_id == finding.person_id


def _findings() -> QuerySet[Finding]:
    return Finding.objects.select_related("account", "person")


# Counting


def _acts_on_money(rule: Rule, now: datetime) -> QuerySet[OperationStep]:
    between = {"operation__created_at__gt": now - rule.within, "operation__created_at__lte": now}
    return OperationStep.objects.filter(kind__in=rule.acts, **between).exclude(outcome__in=_NOTHING_CAME_OF_IT)


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
    return _grouped(rule, _acts_on_money(rule, now), fields, "operation__created_at")


def _refunds_of_person(rule: Rule, now: datetime) -> list[Group]:
    return _by_person(rule, _acts_on_money(rule, now), "operation__", "operation__created_at")


def _off_hours(rule: Rule, now: datetime) -> list[Group]:
    opens, closes = settings.WORKING_HOURS
    hour = ExtractHour("operation__created_at", tzinfo=timezone.get_default_timezone())
    rows = _acts_on_money(rule, now).annotate(hour=hour).filter(Q(hour__lt=opens) | Q(hour__gte=closes))
    return _by_person(rule, rows, "operation__", "operation__created_at")


def _below_limit(rule: Rule, now: datetime) -> list[Group]:
    """The limit is today's: who was given another one since is judged by that."""
    limits = {(limit.person_id, limit.role): limit.per_transaction for limit in Limit.objects.all()}
    seen: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    fields = ("operation__account_id", "operation__actor_id", "operation__actor__role", "operation__created_at")
    for account, person, role, at, amount in _acts_on_money(rule, now).values_list(*fields, "amount"):
        limit = limits.get((person, ""), limits.get((None, role)))
        if limit and amount and float(limit) * JUST_BELOW <= float(amount) <= float(limit):
            seen[account, person].append(at)
    return [
        Group(account, person, "", len(times), min(times), max(times))
        for (account, person), times in seen.items()
        if len(times) >= rule.number
    ]


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
