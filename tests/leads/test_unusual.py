"""Abuse is found with its person, and ordinary weeks find nobody."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Account, AuditEntry, User
from leads import unusual
from leads.models import Finding, Limit, Operation, OperationStep
from leads.selectors.unusual import marks_of
from leads.services.unusual import look
from tests.conftest import SignIn
from tests.entries import append
from tests.leads.helpers import ending, words

pytestmark = pytest.mark.django_db

LIMIT = Decimal("100.00")
WEEK = timedelta(days=7)


@pytest.fixture
def monday() -> datetime:
    """Of the week before last, at midnight in the desk's zone."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday()) - 2 * WEEK


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(name="The Studio", fingerprint="f" * 64, sealed_digest=b"")


@pytest.fixture
def team(user_of: Callable[[str], User]) -> list[User]:
    Limit.objects.all().delete()
    Limit.objects.create(role="support", per_transaction=LIMIT)
    return [user_of(role) for role in ("support", "manager", "admin")]


def act(
    account: Account,
    person: User,
    at: datetime,
    kind: str = "transaction.refund",
    *,
    lead: str,
    amount: Decimal | None = None,
    outcome: str = "succeeded",
) -> None:
    operation = Operation.objects.create(
        id=uuid4(), account=account, actor=person, lead_id=lead, request_digest="", outcome=outcome
    )
    Operation.objects.filter(pk=operation.pk).update(created_at=at)
    lock = f"sale {uuid4()}"
    OperationStep.objects.create(
        operation=operation, position=0, kind=kind, asked={}, lock=lock, amount=amount, **ending(outcome)
    )
    entry(account, person, at, f"{kind}.{outcome}", lead, operation_id=operation.pk)


def entry(account: Account, person: User, at: datetime, action: str, lead: str = "", **also: object) -> None:
    by = {"actor_id": person.pk, "actor_name": person.name, "account_id": account.pk}
    append(at=at, action=action, about_id=lead, **by, **also)


def ordinary_week(chance: random.Random, account: Account, team: list[User], monday: datetime) -> None:
    """Five days from nine to six: leads looked at, a few refunds of any amount, an export now and then."""
    for person in team:
        for day in range(5):
            morning = monday + timedelta(days=day, hours=9)

            def some_time(morning: datetime = morning) -> datetime:
                return morning + timedelta(minutes=chance.randrange(9 * 60))

            for _ in range(chance.randrange(20, 60)):
                entry(account, person, some_time(), "lead.view.viewed", str(chance.randrange(2000)))
            for _ in range(chance.randrange(5)):
                amount = Decimal(chance.randrange(100, 8900)) / 100
                act(account, person, some_time(), lead=str(chance.randrange(2000)), amount=amount)
            if chance.random() < 0.3:
                entry(account, person, some_time(), "directory.export.succeeded")
            if chance.random() < 0.5:
                act(account, person, some_time(), "subscription.cancel", lead=str(chance.randrange(2000)))
    late = monday + timedelta(days=2, hours=22, minutes=30)  # a manager's one late evening
    act(account, team[1], late, lead="1", amount=Decimal("12.00"))


def look_all_week(monday: datetime) -> None:
    """Every two hours of it; the worker does so every five minutes."""
    for hour in range(1, 7 * 24, 2):
        look(monday + timedelta(hours=hour))


@pytest.mark.parametrize("seed", range(3))
def test_ordinary_weeks_find_nobody(account: Account, team: list[User], monday: datetime, seed: int) -> None:
    ordinary_week(random.Random(seed), account, team, monday)
    look_all_week(monday)
    assert not Finding.objects.exists()


def many_refunds_to_one_lead(account: Account, people: list[User], monday: datetime) -> None:
    for number in range(4):
        person = people[number % len(people)]
        act(account, person, monday + timedelta(days=number, hours=10), lead="77", amount=Decimal("5.00"))


def many_refunds_by_one(account: Account, people: list[User], monday: datetime) -> None:
    for number in range(25):
        at = monday + timedelta(hours=9, minutes=number * 20)
        act(account, people[0], at, lead=f"9{number}", amount=Decimal("7.50"))


def at_night(account: Account, people: list[User], monday: datetime) -> None:
    for number in range(3):
        at = monday + timedelta(days=1, hours=2, minutes=number * 40)
        act(account, people[0], at, "subscription.cancel", lead=f"9{number}")


def just_below(account: Account, people: list[User], monday: datetime) -> None:
    for number, amount in enumerate(("99.99", "95.00", "100.00", "90.00")):
        at = monday + timedelta(days=number, hours=11)
        act(account, people[0], at, lead=f"9{number}", amount=Decimal(amount))


def many_exports(account: Account, people: list[User], monday: datetime) -> None:
    for number in range(6):
        kind = "directory" if number % 2 else "report"
        entry(account, people[0], monday + timedelta(hours=10 + number), f"{kind}.export.succeeded")


def many_views(account: Account, people: list[User], monday: datetime) -> None:
    for number in range(150):
        at = monday + timedelta(hours=10, seconds=20 * number)
        entry(account, people[0], at, "lead.view.viewed", str(number))


ABUSE = {
    "lead": many_refunds_to_one_lead,
    "person": many_refunds_by_one,
    "hours": at_night,
    "limit": just_below,
    "exports": many_exports,
    "views": many_views,
}


@pytest.mark.parametrize("rule", unusual.RULES, ids=lambda rule: rule.name)
def test_abuse_within_an_ordinary_week_is_found_once(
    account: Account, team: list[User], monday: datetime, rule: unusual.Rule
) -> None:
    ordinary_week(random.Random(rule.name), account, team, monday)
    ABUSE[rule.name](account, team, monday)
    look_all_week(monday)
    found = Finding.objects.get()
    assert (found.rule, found.account) == (rule.name, None if rule.everywhere else account)
    assert (found.person, found.lead_id) == ((None, "77") if rule.by_lead else (team[0], ""))
    assert found.count >= rule.number
    assert found.until - found.since <= rule.within + timedelta(hours=1)


@pytest.mark.parametrize("rule", unusual.RULES, ids=lambda rule: rule.name)
def test_a_rule_is_given_another_number_or_switched_off(
    account: Account, team: list[User], monday: datetime, settings: object, rule: unusual.Rule
) -> None:
    ABUSE[rule.name](account, team, monday)
    for number in ("0", str(rule.number + 1)):
        settings.UNUSUAL = {rule.name: number}  # type: ignore[attr-defined]
        look_all_week(monday)
        assert not Finding.objects.filter(rule=rule.name).exists()


def test_what_failed_or_was_taken_back_does_not_count(account: Account, team: list[User], monday: datetime) -> None:
    for number in range(8):
        outcome = ("failed", "withdrawn")[number % 2]
        at = monday + timedelta(hours=10 + number)
        act(account, team[0], at, lead="77", amount=Decimal("99.00"), outcome=outcome)
    look(monday + timedelta(days=1))
    assert not Finding.objects.exists()


def test_taking_the_log_out_counts_once_for_each_time_it_was_asked_for(team: list[User], monday: datetime) -> None:
    def take(number: int) -> None:
        by = {"at": monday + timedelta(hours=10 + number), "actor_id": team[1].pk, "actor_name": team[1].name}
        append(**by, action="audit.export.requested", outcome="requested")
        append(**by, action=("audit.export.succeeded", "audit.pack.succeeded")[number % 2])

    for number in range(5):
        take(number)
    look(monday + timedelta(days=1))
    assert not Finding.objects.exists()
    take(5)
    look(monday + timedelta(days=1))
    found = Finding.objects.get()
    assert (found.rule, found.person, found.count) == ("exports", team[1], 6)


def took(person: User, at: datetime, action: str, account: Account | None = None) -> None:
    append(at=at, action=action, actor_id=person.pk, actor_name=person.name, account_id=account and account.pk)


def test_exports_of_one_person_count_over_all_accounts_and_those_without_one(
    account: Account, team: list[User], monday: datetime
) -> None:
    other = Account.objects.create(name="Elsewhere", fingerprint="e" * 64)
    taken = [
        ("audit.export.succeeded", None), ("directory.export.succeeded", account), ("audit.export.failed", None),
        ("directory.export.succeeded", other), ("audit.pack.succeeded", account), ("report.export.succeeded", other),
    ]  # fmt: skip
    for number, (action, where) in enumerate(taken):
        took(team[0], monday + timedelta(hours=10, minutes=number), action, where)
        took(team[1], monday + timedelta(hours=10, minutes=number), "directory.export.succeeded", account)
        if number == 4:
            look(monday + timedelta(hours=11))
            assert not Finding.objects.exists()
    for _ in range(2):
        look(monday + timedelta(hours=11))
    found = Finding.objects.order_by("person__name")
    assert {(each.person, each.account, each.count) for each in found} == {(team[0], None, 6), (team[1], None, 6)}
    assert found.count() == 2


def test_an_export_that_was_refused_or_only_asked_for_neither_counts_nor_is_marked(
    account: Account, team: list[User], client_of: SignIn
) -> None:
    now = timezone.now()
    refused = ("audit.export.denied", "audit.pack.denied", "audit.export.requested")
    for number in range(12):
        took(team[0], now - timedelta(minutes=30 - number), refused[number % 3])
    look(now)
    assert not Finding.objects.exists()
    for number in range(6):
        took(
            team[0],
            now - timedelta(minutes=40 - 4 * number),
            ("audit.pack.succeeded", "audit.export.failed")[number % 2],
        )
    look(now)
    assert Finding.objects.get().count == 6
    rows = client_of("auditor").get("/audit/").context["page"].rows
    marked = {entry.action for entry in rows if entry.marks}
    assert marked == {"audit.pack.succeeded", "audit.export.failed"}
    assert sum(bool(entry.marks) for entry in rows) == 6


def test_what_goes_on_lets_its_finding_grow_and_what_comes_again_is_another(
    account: Account, team: list[User], monday: datetime
) -> None:
    for week in range(2):
        for number in range(6):
            at = monday + week * WEEK + timedelta(hours=1, minutes=10 * number)
            act(account, team[0], at, lead=f"{week}{number}", amount=Decimal("3.00"))
            look(at + timedelta(minutes=1))
            look(at + timedelta(minutes=2))
    assert [(each.rule, each.count) for each in Finding.objects.order_by("since")] == [("hours", 6), ("hours", 6)]


def test_hours_are_those_of_the_desk(account: Account, team: list[User], monday: datetime, settings: object) -> None:
    """Noon in UTC is two at night in Honolulu."""
    settings.TIME_ZONE = "Pacific/Honolulu"  # type: ignore[attr-defined]
    noon = monday.astimezone(ZoneInfo("UTC")).replace(hour=12)
    for number in range(3):
        act(account, team[0], noon + timedelta(minutes=number), lead=str(number), amount=Decimal("3.00"))
    look(noon + timedelta(hours=1))
    assert Finding.objects.get().rule == "hours"


# Marked


def at_both_ends_of_the_day(account: Account, people: list[User], monday: datetime) -> None:
    """Before nine and after five, with the working day between them."""
    for hour in (6, 7, 17):
        act(account, people[0], monday + timedelta(hours=hour, minutes=30), lead=f"9{hour}", amount=Decimal("7.50"))


def bystanders(rule: unusual.Rule, account: Account, other: Account, team: list[User], found: Finding) -> None:
    """What the rule does not count, while it was met, by the same person or of the same lead, and what comes near."""
    at, person, lead = found.since + (found.until - found.since) / 2, found.person or team[0], found.lead_id or "91"
    entry(account, person, at, "tag.assign.succeeded", lead)
    entry(account, person, at, "session.end.succeeded")
    for kind in rule.acts:
        entry(account, person, at, f"{kind}.denied", lead)
        if rule.name == "exports":
            entry(account, person, at, f"{kind}.requested")
    near = {"lead": lead, "amount": Decimal("99.00")}
    for again in (found.since - rule.within - timedelta(hours=1), found.until + rule.within + timedelta(hours=1)):
        do_one(rule, account, person, again, **near)
    if rule.by_lead:
        do_one(rule, account, person, at, **{**near, "lead": "78"})
    else:
        do_one(rule, account, team[2], at, **near)
    if not rule.everywhere:
        do_one(rule, other, person, at, **near)
    if rule.name in ("lead", "person", "hours", "limit"):
        for outcome in ("failed", "withdrawn"):
            act(account, person, at, lead=lead, amount=Decimal("99.00"), outcome=outcome)
    if rule.name == "hours":
        act(account, person, at.replace(hour=12), lead=lead, amount=Decimal("7.50"))
    if rule.name == "limit":
        for amount in (Decimal("5.00"), Decimal("89.99"), Decimal("100.01"), None):
            act(account, person, at, lead=lead, amount=amount)


def do_one(rule: unusual.Rule, account: Account, person: User, at: datetime, *, lead: str, amount: Decimal) -> None:
    if rule.name == "exports":
        entry(account, person, at, "directory.export.succeeded")
    elif rule.name == "views":
        entry(account, person, at, "lead.view.viewed", lead)
    else:
        act(account, person, at, lead=lead, amount=amount)


@pytest.mark.parametrize("rule", unusual.RULES, ids=lambda rule: rule.name)
def test_what_is_counted_is_marked_and_nothing_else(
    account: Account, team: list[User], monday: datetime, settings: Settings, rule: unusual.Rule
) -> None:
    settings.WORKING_HOURS = (9, 17)
    settings.UNUSUAL = {each.name: "0" for each in unusual.RULES if each != rule}
    other = Account.objects.create(name="Elsewhere", fingerprint="e" * 64)
    {**ABUSE, "hours": at_both_ends_of_the_day}[rule.name](account, team, monday)
    counted = set(AuditEntry.objects.values_list("pk", flat=True))
    look(AuditEntry.objects.latest("at").at)
    bystanders(rule, account, other, team, Finding.objects.get())
    for at in set(AuditEntry.objects.values_list("at", flat=True)):
        look(at)
    assert Finding.objects.get().count == len(counted)
    everything = list(AuditEntry.objects.readable())
    assert len(everything) >= len(counted) + 6
    assert marks_of(everything) == {pk: [rule.title] for pk in counted}


def test_all_that_the_log_tells_of_a_counted_refund_is_marked(
    account: Account, team: list[User], monday: datetime
) -> None:
    """Also of the last one, whose entries come after it was recorded, and what a program found out about it later."""
    many_refunds_to_one_lead(account, team, monday)
    look(monday + timedelta(days=5))
    last = Operation.objects.latest("created_at")
    said = {"operation_id": last.pk, "account_id": account.pk, "about_id": "77", "actor_name": "reconcile"}
    late = append(at=monday + timedelta(days=6), action="transaction.refund.succeeded", **said)
    assert marks_of([late]) == {late.pk: ["Many refunds to one lead"]}


def test_of_too_many_findings_the_newest_are_told(account: Account, team: list[User], monday: datetime) -> None:
    many_exports(account, team, monday)
    look(monday + timedelta(days=1))
    found = Finding.objects.get()
    since, until = found.since, found.until - timedelta(seconds=1)
    found.delete()  # and found again as the last one
    views = {"rule": "views", "account": account, "person": team[1], "count": 1, "since": since, "until": until}
    Finding.objects.bulk_create(Finding(**views) for _ in range(200))
    look(monday + timedelta(days=1))
    entries = list(AuditEntry.objects.readable())
    assert marks_of(entries) == {each.pk: ["Many exports"] for each in entries}


# Seen


@pytest.fixture
def found(account: Account, team: list[User]) -> Finding:
    """A manager who looked at many leads just now."""
    now = timezone.now()
    for number in range(160):
        entry(account, team[1], now - timedelta(seconds=number), "lead.view.viewed", str(number))
    entry(account, team[0], now, "lead.view.viewed", "5")
    look()
    return Finding.objects.get()


def test_it_is_marked_in_the_log_at_the_right_entries(found: Finding, client_of: SignIn, team: list[User]) -> None:
    client = client_of("auditor")
    page = client.get("/audit/").context["page"]
    marked = {entry.actor_id: entry.marks for entry in page.rows if entry.action == "lead.view.viewed"}
    assert marked == {team[1].pk: ["Many leads viewed"], team[0].pk: []}
    entry_of_manager = next(entry for entry in page.rows if entry.actor_id == team[1].pk)
    assert "Many leads viewed" in words(client.get(f"/audit/{entry_of_manager.pk}/"))


@pytest.mark.parametrize("role", ["auditor", "manager", "admin"])
def test_it_stands_on_home_and_leads_to_its_entries(found: Finding, client_of: SignIn, role: str) -> None:
    client = client_of(role)
    home = client.get("/")
    assert "Many leads viewed" in words(home)
    page = client.get("/unusual/")
    assert "160 leads viewed in an hour" in words(page)
    assert "Manager Person" in words(page)
    _assert_leads_to_entries(client, page.content.decode())


def _assert_leads_to_entries(client: Client, html: str) -> None:
    address = next(part for part in html.split('"') if part.startswith("/audit/?since="))
    rows = client.get(address.replace("&amp;", "&")).context["page"].rows
    assert rows
    assert {(entry.actor_name, entry.action) for entry in rows} == {("Manager Person", "lead.view.viewed")}


@pytest.mark.parametrize("role", ["agent", "support"])
def test_who_may_not_read_the_log_does_not_see_it(found: Finding, client_of: SignIn, role: str) -> None:
    client = client_of(role)
    assert "Many leads viewed" not in words(client.get("/"))
    assert client.get("/unusual/").status_code == 403


def test_a_finding_of_long_ago_leaves_home(found: Finding, client_of: SignIn) -> None:
    Finding.objects.update(until=timezone.now() - timedelta(days=8))
    client = client_of("auditor")
    assert "Many leads viewed" not in words(client.get("/"))
    assert "Many leads viewed" in words(client.get("/unusual/"))


def test_a_cursor_of_nowhere_is_refused(client_of: SignIn) -> None:
    assert client_of("auditor").get("/unusual/?cursor=x").status_code == 400


@pytest.mark.parametrize("odd", [{"person": "many"}, {"nobody": "3"}, {"views": "-1"}, {"views": "9" * 20}])
def test_odd_numbers_stop_the_start(odd: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"must be a whole number|no rule"):
        unusual.numbered(odd)
