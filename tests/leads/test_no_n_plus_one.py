"""A page asks the database as often for many rows as for few."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AuditEntry, User
from leads.access import Desk
from leads.models import (
    Approval,
    Entry,
    Event,
    Finding,
    Forgetting,
    Import,
    ImportRow,
    Job,
    JobLead,
    Limit,
    Note,
    Operation,
    OperationStep,
    Outcome,
    Playbook,
    PlaybookRun,
    Reason,
    Recent,
    Recipe,
    SavedView,
)
from leads.playbook_steps import attempt_id
from tests.leads.conftest import ADA
from tests.leads.helpers import ending
from tests.test_access import PATTERNS, TABLE
from tests.test_looked_at import FRAGMENTS

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]


def fill(account: Account, people: list[User], rows: int) -> None:
    """Operations of all outcomes, some undone, with several steps; recents, notes and recipes."""
    now = timezone.now()
    for number in range(rows):
        actor = people[number % len(people)]
        made = Operation.objects.create(
            account=account,
            actor=actor,
            lead_id=ADA.id,
            lead_name="Ada",
            request_digest="x",
            outcome=list(Outcome)[number % 4],
            undoes=Operation.objects.filter(undone_by=None, undoes=None).first() if number % 3 == 2 else None,
        )
        for position in range(3):
            OperationStep.objects.create(
                operation=made,
                position=position,
                kind="lead.edit" if position else "tag.assign",
                subject="" if position else "vip",
                asked={"tag": "vip"} if not position else {"profile": {"city": "x"}},
                before={"City": "a"},
                after={"City": "b"},
                inverse={"kind": "tag.unassign", "asked": {"tag": "vip"}},
                **ending(made.outcome),
            )
        Event.objects.create(
            account=account, form="json", action="x", about="told", lead_id=ADA.id, digest=str(uuid4()), received_at=now
        )
        Note.objects.create(account=account, lead_id=ADA.id, author=actor, text=f"note {number}")
        Recipe.objects.create(account=account, name=f"recipe {uuid4()}", give_tag="vip")
        for person in people:
            Recent.objects.create(
                account=account,
                user=person,
                lead_id=str(number + 1000 + rows * 1000),
                email="x@example.com",
                opened_at=now + timedelta(seconds=number),
            )


def fill_money(account: Account, people: list[User], rows: int) -> None:
    """Refunds and cancellations of every outcome, requests in every state, runs that stopped, waited or were closed,
    limits, reasons, playbooks."""
    steps = [{"act": "cancel", "subject": "14833"}, {"act": "refund", "subject": "99488", "amount": "19.95"}]
    for number in range(rows):
        actor, other = people[number % len(people)], people[(number + 1) % len(people)]
        owner = {"account": account, "lead_id": ADA.id, "lead_name": "Ada", "reason": f"reason {number % 5}"}
        run = PlaybookRun.objects.create(
            actor=actor, name="Leave", steps=steps, figures_digest="x", goes_on=number % 2 == 1, **owner
        )
        if number % 3 == 2:
            run.ended_at, run.is_closed, run.closed_by, run.closed_note = timezone.now(), True, other, "Not any more"
            run.save()
        for part, kind in enumerate(("subscription.cancel", "transaction.refund")[: 1 + number % 2]):
            made = Operation.objects.create(
                id=attempt_id(run.pk, part, 1),
                actor=actor,
                approved_by=other,
                request_digest="x",
                run=run,
                outcome=list(Outcome)[number % len(Outcome)],
                finished_at=timezone.now(),
                readings=number % 5,
                **owner,
            )
            OperationStep.objects.create(
                operation=made,
                position=0,
                kind=kind,
                subject=steps[part]["subject"],
                asked={"transaction_id": "99488", "amount": "5.00"} if part else {"subscription_id": "14833"},
                amount=Decimal("0.10") if part else None,  # so that something of the payment is left, however many
                lock=f"{uuid4()}",
                **ending(made.outcome),
            )
        for status in Approval.Status:
            Approval.objects.create(
                requester=actor,
                kind="transaction.refund",
                asked={"transaction_id": f"{number}", "amount": "5.00"},
                amount=5,
                status=status,
                cools_until=timezone.now(),
                decided_by=other,
                **owner,
            )
        mark = uuid4().hex
        person = User.objects.create_user(email=f"{mark}@example.com", name=mark, role="support")
        Limit.objects.create(person=person, per_transaction=5)
        Reason.objects.create(text=mark)
        Playbook.objects.create(account=account, name=mark, steps=[{"act": "cancel"}, {"act": "refund"}])


def fill_work(account: Account, people: list[User], rows: int) -> None:
    """Bulk jobs and their leads, imports and their lines, forgotten people, saved views, findings."""
    now, actor = timezone.now(), people[0]
    job = Job.objects.filter(account=account).first() or make_job(account, actor)
    source = Import.objects.filter(account=account).first() or make_import(account, actor)
    begun, lines = job.leads.count(), source.rows.count()
    for number in range(rows):
        other = people[number % len(people)]
        make_job(account, other)
        make_import(account, other)
        JobLead.objects.create(
            job=job,
            position=begun + number,
            lead_id=f"{begun + number}",
            name="Ada",
            would="change",
            would_do=[0],
            state=list(JobLead.State)[number % 7],
            operation=Operation.objects.first(),
        )
        ImportRow.objects.create(source=source, line=lines + number, cells=["x"], outcome="failed", sentence="No")
        imported = Entry.objects.create(account=account, email=f"{uuid4()}@x.example", seen_at=now, changed_at=now)
        Forgetting.objects.create(
            account=account, lead_id=imported.handle, reason="asked", requested_by=other, due_at=now + timedelta(days=7)
        )
        Forgetting.objects.create(
            account=account,
            lead_id=ADA.id,
            reason="asked",
            requested_by=other,
            due_at=now,
            state="done",
            ended_at=now,
            ended_by=other,
        )
        SavedView.objects.create(account=account, owner=other, name=uuid4().hex, is_shared=True)
        Finding.objects.create(
            rule="person", account=account, person=other, count=number, since=now - timedelta(days=1), until=now
        )


def make_job(account: Account, actor: User) -> Job:
    actions = [{"kind": "tag.assign", "asked": {"tag": "vip"}}]
    return Job.objects.create(account=account, actor=actor, name="Tag them", actions=actions, state="checked")


def make_import(account: Account, actor: User) -> Import:
    return Import.objects.create(account=account, actor=actor, file_name="leads.csv", columns=["Email"], state="done")


# Without rows of the desk, or with a test of their own beside what they are about.
SIGNING_IN = {name for name in TABLE if name.startswith(("account_", "mfa_"))}
OWN_TESTS = {
    "leads:directory", "leads:directory-csv",  # views/test_directory.py
    "accounts:audit", "accounts:audit-export", "accounts:audit-pack", "accounts:audit-pack-operation",
    "accounts:audit-verifier", "accounts:audit-keys", "leads:evidence",  # accounts/test_audit_pages.py, test_exports.py
}  # fmt: skip
# What they lead to where there is nothing to show but an answer.
REDIRECTS = {"typed"}
ALONE = {"leads:event"}  # one post as it came, and nothing beside it
PAGES = [
    name
    for name, line in TABLE.items()
    if line.method == "get" and name not in SIGNING_IN | OWN_TESTS | REDIRECTS | ALONE
]


def addresses(desk: Desk) -> dict[str, str]:
    """Each page, about rows of many."""
    account = desk.account
    rows: dict[str, object] = {
        "lead_id": ADA.id,
        "transaction_id": "99488",
        "subscription_id": "14833",
        "card": "tags",
        "user_id": User.objects.get(email="support@example.com").pk,
        "imported_id": Entry.objects.filter(account=account, lead_id=None).order_by("pk").first().pk,  # type: ignore[union-attr]
        "entry_id": AuditEntry.objects.order_by("pk").first().pk,  # type: ignore[union-attr]
        "operation_id": Operation.objects.filter(account=account, run=None).order_by("created_at").first().pk,  # type: ignore[union-attr]
        "recipe_id": Recipe.objects.order_by("pk").first().pk,  # type: ignore[union-attr]
        "playbook_id": Playbook.objects.order_by("pk").first().pk,  # type: ignore[union-attr]
        "run_id": PlaybookRun.objects.filter(is_closed=False).order_by("created_at").first().pk,  # type: ignore[union-attr]
        "approval_id": Approval.objects.filter(status="waiting").order_by("created_at").first().pk,  # type: ignore[union-attr]
        "job_id": Job.objects.get(leads__position=0).pk,
        "import_id": Import.objects.get(rows__line=0).pk,
        "limit_id": Limit.objects.order_by("pk").first().pk,  # type: ignore[union-attr]
        "reason_id": Reason.objects.order_by("pk").first().pk,  # type: ignore[union-attr]
    }
    found = {}
    for name in PAGES:
        pattern = PATTERNS[name].pattern
        parts = dict.fromkeys([*pattern.converters, *getattr(pattern.regex, "groupindex", {})])
        found[name] = reverse(name, kwargs={part: rows[part] for part in parts})
    return found | {"leads:changed": f"{found['leads:changed']}?since=2026-01-01T00:00Z"}


def test_every_page_takes_as_many_queries_for_many_rows_as_for_few(
    at_desk: AtDesk, desk_of: Callable[..., Desk]
) -> None:
    client, desk = at_desk("admin"), desk_of("admin")
    people = [desk.user, desk_of("agent").user, desk_of("support").user]

    def queries(name: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(pages[name])
            content = b"".join(answer) if answer.streaming else answer.content
            assert name in FRAGMENTS or (answer.status_code == 200 and content), (name, answer.status_code)
        return len([query for query in captured if "RELEASE" not in query["sql"] and "SAVEPOINT" not in query["sql"]])

    for make in (fill, fill_money, fill_work):
        make(desk.account, people, 3)
    pages = addresses(desk)
    for name in PAGES:
        queries(name)
    few = {name: queries(name) for name in PAGES}
    for make in (fill, fill_money, fill_work):
        make(desk.account, people, 30)
    many = {name: queries(name) for name in PAGES}
    assert {name: (few[name], many[name]) for name in PAGES if few[name] != many[name]} == {}
    assert {name: number for name, number in few.items() if number > 30} == {}
