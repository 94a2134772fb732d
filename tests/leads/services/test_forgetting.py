"""A person with values that nothing else looks like goes through everything the desk does, and is forgotten."""

import io
import json
from collections.abc import Callable, Collection
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts import subjects
from accounts.models import AuditEntry, Subject
from kartra_admin.lib.errors import AppError, Conflict, Denied
from leads.access import Desk, get_lead_for, get_money_for, whose_for
from leads.models import (
    Approval,
    Entry,
    Event,
    Forgetting,
    Import,
    Job,
    JobLead,
    Limit,
    Note,
    Operation,
    OperationStep,
    PlaybookRun,
    Recent,
    SavedView,
)
from leads.models.sealed import SealedRow
from leads.providers.changes import AssignTag, UnassignTag
from leads.selectors import forgetting as selectors
from leads.selectors import refs
from leads.services import _forgetting_lines, approvals, directory, events, forgetting, leads, money, notes
from leads.services import reports as reporting
from leads.services.bulk import results
from leads.services.imports import running, staging
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import do, read, together
from tests.leads.services import test_playbooks as playbooks
from tests.leads.services.bulk.conftest import lay_down, work
from tests.leads.services.bulk.conftest import run as run_job
from tests.leads.services.test_edit import edit

# What is wiped from the files is wiped after the transaction.
pytestmark = pytest.mark.django_db(transaction=True)
JON, SALE = NOTABLE["jon"].id, "99601"
EMAIL = "quetzalina@xylophon-canary.example"
OLD = NOTABLE["jon"].email
VALUES = (
    "quetzalina", "brontowski", "xylophon-canary", "5557301946", "zwickelbau", "kaninchenstall", "violet unicorn",
)  # fmt: skip
DIRECTORY = {"leads_entry", "leads_mark", "leads_payment", "leads_word", "leads_entry_words", "leads_entry_parts"}


def dump(leaving_out: Collection[str]) -> str:
    """All tables, in small letters."""
    texts = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            if not any(table == name or table.startswith(f"{name}_") for name in leaving_out):
                cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
                texts += [f"{table}: {value}" for row in cursor.fetchall() for value in row]
    return "\n".join(texts).lower()


def opened() -> str:
    """Everything that is sealed and opens with the keys that are there, in small letters."""
    texts = [str(row.values_inside()) for model in SealedRow.__subclasses__() for row in model.objects.all()]
    return "\n".join([*texts, *map(events.body_of, Event.objects.all())]).lower()


def assert_unknown(text: str, where: str) -> None:
    for value in VALUES:
        at = text.find(value)
        assert at < 0, f"{value} stands in {where}: {text[max(0, at - 80) : at + 40]!r}"


@pytest.fixture(autouse=True)
def _at_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONEY_HOLD = 0
    settings.FORGET_AFTER_DAYS = 0
    from leads.services.bulk import slices

    monkeypatch.setattr(
        slices, "_take_turn", lambda job: 0.0 if Job.objects.filter(pk=job.pk, state=job.state) else None
    )


def live(desk_of: Callable[..., Desk]) -> Desk:
    """The canary's life at the desk."""
    desk, support = desk_of("admin"), desk_of("support")
    Limit.objects.create(role="support", per_transaction=Decimal(100))
    hook = events.make_hook(actor=desk.user, account=desk.account)
    early = {"lead": {"email": EMAIL}, "action": "assign_tag", "action_details": {"tag": {"tag_name": "vip"}}}
    events.receive(hook, json.dumps(early).encode(), "application/json")  # of whom nobody knows the number yet
    for street, company in (("Kaninchenstall 1", "Zwickelbau"), ("Kaninchenstall 2", "Zwickelbau GmbH")):
        edit(
            desk, read(desk, JON), email=EMAIL, first_name="Quetzalina", last_name="Brontowski", phone="5557301946",
            company=company, address=street,
        )  # fmt: skip
    lead = get_lead_for(desk, JON)
    get_money_for(desk, JON)
    leads.record_view(actor=desk.user, account=desk.account, lead=lead)
    refs.note_found(desk.account, JON, EMAIL)
    notes.add_note(
        actor=desk.user, account=desk.account, lead_id=JON, lead_label=lead.name, text="Quetzalina has a violet unicorn"
    )
    told = {**early, "lead": {"id": JON, "email": EMAIL, "first_name": "Quetzalina"}}
    events.receive(hook, json.dumps(told).encode(), "application/json")
    for amount, person in (("20", support), ("150", support)):
        refund(person, amount)
    request = Approval.objects.get()
    approvals.approve(actor=desk.user, connection=desk.connection, approval=request, note="Quetzalina's violet unicorn")
    playbooks.start(desk, playbooks.make(desk, [playbooks.step("give-tag", "wholesale")], "Greet"), lead_id=JON)
    run_job(desk, f"{EMAIL}\n{EMAIL}\n{ADA.email}\nxx {EMAIL}", name="By email")
    run_job(desk, f"{JON}\n{ADA.id}", AssignTag("member"), name="By id")
    lines = f"Lead ID;E-Mail;First Name\n{JON};{EMAIL};Quetzalina\n{ADA.id};{EMAIL};Quetzalina\n{JON};x;Brontowski\n"
    source = staging.stage(actor=desk.user, account=desk.account, file=io.BytesIO(lines.encode()), file_name="f.csv")
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    while running.work(source.pk):
        pass
    return desk


def refund(desk: Desk, amount: str) -> Any:
    whose = whose_for(desk, JON)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, SALE)
    return approvals.refund_or_request(
        actor=desk.user, connection=desk.connection, whose=whose, transaction_id=SALE, amount=Decimal(amount),
        terms=Terms("Goodwill", "the violet unicorn", sale.digest), operation_id=uuid4(),
    )  # fmt: skip


def forget(desk: Desk, lead_id: str = JON) -> Forgetting:
    return forgetting.ask(actor=desk.user, account=desk.account, lead_id=lead_id, reason="asked")


def test_nothing_of_a_forgotten_person_is_left(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = live(desk_of)
    assert_unknown(dump(DIRECTORY), "the database before")
    for value in ("quetzalina", "xylophon-canary", "5557301946", "zwickelbau"):
        assert value in dump(()), "the test would notice"
    assert [value for value in VALUES if value not in opened()] == [], "the test would notice"
    assert EMAIL in str(Job.objects.get(name="By email").left_out)
    step = OperationStep.objects.filter(kind="lead.edit").latest("pk")
    assert step.after["Address"] == "Kaninchenstall 2"
    refunds = list(OperationStep.objects.filter(kind="transaction.refund").order_by("pk"))
    ada = [row.lead_name for row in Operation.objects.filter(lead_id=ADA.id)]

    whose = subjects.of_lead(desk.account.pk, JON)

    asked = forget(desk)
    assert (asked.state, asked.waits_for) == ("done", "")
    assert_unknown(dump(()), "the database")
    assert_unknown(opened(), "what is sealed under other keys")
    assert_unknown(str(getattr(cache, "_cache", "")).lower(), "the cache")
    assert refs.find_ref(desk.connection, JON).email == ""
    assert (Note.objects.count(), Event.objects.count(), Recent.objects.count()) == (0, 0, 0)
    assert not Entry.objects.filter(lead_id=JON).exists()
    job = Job.objects.get(name="By email")
    report = reporting.export_month(actor=desk.user, account=desk.account, month=timezone.localdate().replace(day=1))
    exported = [*report, *results.export(actor=desk.user, job=job)]
    assert_unknown(str(exported).lower(), "an export made after")

    # What stays: who did what kind of thing when, the money, and everybody else.
    after = OperationStep.objects.get(pk=step.pk)
    assert (after.asked, after.before, after.after, after.sentence) == ({}, {}, {}, "")
    assert (after.operation.lead_name, after.operation.lead_email, after.operation.actor) == (
        "a forgotten person", "", desk.user,
    )  # fmt: skip
    again = OperationStep.objects.filter(kind="transaction.refund").order_by("pk")
    assert [(row.pk, row.amount, row.subject) for row in again] == [(row.pk, row.amount, SALE) for row in refunds]
    assert [row.lead_name for row in Operation.objects.filter(lead_id=ADA.id)] == ada
    assert all("Ada" in name for name in ada)
    told = AuditEntry.objects.filter(action="transaction.refund.succeeded", subject=whose)
    assert [(entry.actor_id is None, entry.target_name) for entry in told] == [(False, "a forgotten person")] * 2
    entry = AuditEntry.objects.get(action="lead.forget.succeeded")
    assert (entry.about_id, entry.target_name) == (JON, "")
    call_command("auditverify", stdout=io.StringIO())
    assert sorted(row.state for row in job.leads.all()) == ["succeeded", "succeeded"]


def test_sqlite_keeps_no_byte_in_its_files(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    """PostgreSQL keeps what was deleted until it is vacuumed, which is for who runs it."""
    desk = live(desk_of)
    if database.vendor != "sqlite":
        forget(desk)
        assert_unknown(dump(()), "the database")
        return
    files = [Path(f"{database.settings_dict['NAME']}{ending}") for ending in ("", "-wal")]
    assert any(b"Brontowski" in file.read_bytes() for file in files if file.exists()), "the test would notice"
    forget(desk)
    for file in files:
        if file.exists():
            assert_unknown(file.read_bytes().decode("latin-1").lower(), file.name)


def test_pages_show_a_forgotten_person_and_no_error(
    desk_of: Callable[..., Desk], client_of: Callable[[str], Client], sandbox: Sandbox
) -> None:
    desk = live(desk_of)
    forget(desk)
    client = client_of("admin")
    jobs = [f"/bulk/{job.pk}/" for job in Job.objects.all()]
    done = [f"/operations/{row.pk}/" for row in Operation.objects.all()]
    imports = [f"/directory/import/{row.pk}/" for row in Import.objects.all()]
    runs = [f"/playbook-runs/{row.pk}/" for row in PlaybookRun.objects.all()]
    for url in ("/", "/audit/", "/approvals/", "/bulk/", f"/leads/{JON}/activity/", "/settings/forgotten/",
                *jobs, *done, *imports, *runs):  # fmt: skip
        answer = client.get(url)
        assert answer.status_code == 200, url
        text = answer.content.decode().lower()
        assert_unknown(text, url)
        if url in runs:
            assert "a forgotten person" in text


def test_whoever_comes_back_is_somebody_new(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = live(desk_of)
    was = subjects.of_lead(desk.account.pk, JON)
    forget(desk)
    lead = get_lead_for(desk, JON)
    leads.record_view(actor=desk.user, account=desk.account, lead=lead)
    do(desk, AssignTag("vip"), lead_id=JON)
    now = subjects.of_lead(desk.account.pk, JON)
    assert now.pk != was.pk
    assert Recent.objects.get().email == EMAIL
    newest, *older = Operation.objects.filter(lead_id=JON).order_by("-created_at")
    assert newest.lead_email == EMAIL
    assert {row.lead_email for row in older} == {""}
    refund(desk, "10")
    left = money.read_sale(provider_for(desk.connection), desk.account, whose_for(desk, JON), SALE).payment.left
    assert left == Decimal(410), "what went back before still counts"


def test_who_was_created_here_is_forgotten_with_the_creation(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    """It was sealed before the lead had a number."""
    desk = desk_of("admin")
    made = leads.create_lead(
        actor=desk.user, connection=desk.connection, email=EMAIL, profile={"first_name": "Quetzalina"},
        custom_fields={}, also=[], operation_id=uuid4(),
    )  # fmt: skip
    made.refresh_from_db()
    assert (made.lead_email, made.whose.part_of) == (EMAIL, subjects.of_lead(desk.account.pk, made.lead_id))
    assert forget(desk, made.lead_id).state == "done"
    made.refresh_from_db()
    assert (made.lead_email, made.lead_name) == ("", "a forgotten person")
    assert_unknown(dump(()), "the database")
    assert_unknown(opened(), "what is sealed under other keys")


def test_a_reading_that_was_on_its_way_brings_nobody_back(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = desk_of("admin")
    at, lead = timezone.now(), read(desk)
    forget(desk, ADA.id)
    directory.remember_lead(desk.account, lead, at=at)
    assert not Entry.objects.exists()
    directory.remember_lead(desk.account, lead, at=timezone.now())
    assert Entry.objects.get().email == ADA.email


# Asking, taking back, waiting


@pytest.fixture
def admin(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("admin")


def test_for_some_days_it_can_be_taken_back(admin: Desk, settings: Any) -> None:
    settings.FORGET_AFTER_DAYS = 7
    read(admin)
    asked = forget(admin, ADA.id)
    assert asked.state == "waiting"
    assert timedelta(days=6, hours=23) < asked.due_at - timezone.now() <= timedelta(days=7)
    assert forgetting.forget_due() == 0
    with pytest.raises(Conflict):
        forget(admin, ADA.id)
    forgetting.take_back(actor=admin.user, asked=asked)
    forgetting.take_back(actor=admin.user, asked=asked)
    asked.refresh_from_db()
    assert (asked.state, asked.ended_by) == ("taken", admin.user)
    Forgetting.objects.update(due_at=timezone.now())
    assert forgetting.forget_due() == 0
    assert Entry.objects.filter(lead_id=ADA.id).exists()
    assert AuditEntry.objects.filter(action="lead.forget.withdrawn").count() == 1


def test_when_its_time_has_come_the_worker_does_it(admin: Desk, settings: Any) -> None:
    settings.FORGET_AFTER_DAYS = 7
    read(admin)
    asked = forget(admin, ADA.id)
    Forgetting.objects.update(due_at=timezone.now())
    assert forgetting.forget_due() == 1
    assert not Entry.objects.filter(lead_id=ADA.id).exists()
    with pytest.raises(Conflict, match="Too late"):
        forgetting.take_back(actor=admin.user, asked=asked)


def test_only_admins_and_only_reasons_of_the_list(desk_of: Callable[..., Desk], admin: Desk) -> None:
    with pytest.raises(Denied):
        forget(desk_of("manager"), ADA.id)
    with pytest.raises(AppError):
        forgetting.ask(actor=admin.user, account=admin.account, lead_id=ADA.id, reason="Ada Moreno wrote")
    assert not Forgetting.objects.exists()


@pytest.mark.parametrize("outcome", ["held", "pending", "unknown"])
def test_it_waits_for_what_is_not_settled(admin: Desk, outcome: str) -> None:
    operation = do(admin, AssignTag("advanced"))
    Operation.objects.update(outcome=outcome)
    asked = forget(admin, ADA.id)
    assert (asked.state, asked.waits_for) == ("waiting", "A change of this lead is not settled yet.")
    assert Operation.objects.get().lead_email == ADA.email
    Operation.objects.filter(pk=operation.pk).update(outcome="succeeded")
    assert forgetting.forget_due() == 1
    assert Operation.objects.get().lead_email == ""


@pytest.mark.parametrize("who", [ADA.id, ADA.email])
def test_it_waits_for_a_bulk_job(admin: Desk, sandbox: Sandbox, who: str) -> None:
    read(admin)
    job = lay_down(admin, who)
    asked = forget(admin, ADA.id)
    assert (asked.state, asked.waits_for) == ("waiting", "The bulk job ‘Spring sale’ has this lead and is not over.")
    work(job)
    assert forgetting.forget_due() == 0
    Job.objects.update(state="cancelled")
    assert forgetting.forget_due() == 1
    assert [(row.email, row.name) for row in JobLead.objects.all()] == [("", "")]


def test_what_staff_named_after_the_person_is_told(admin: Desk) -> None:
    read(admin)
    SavedView.objects.create(account=admin.account, owner=admin.user, name="Her", query="q=ada.moreno%40example.com")
    Job.objects.create(account=admin.account, actor=admin.user, name=f"For {ADA.email}!", request_digest="x")
    assert len(selectors.mentions(admin.account, ADA.id)) == 2
    assert selectors.mentions(admin.account, JON) == []


# At the same moment


def test_twice_at_once_it_is_done_once(admin: Desk, settings: Any) -> None:
    settings.FORGET_AFTER_DAYS = 7
    do(admin, AssignTag("advanced"))
    forget(admin, ADA.id)
    Forgetting.objects.update(due_at=timezone.now())
    assert sorted(together(*[forgetting.forget_due] * 4)) == [0, 0, 0, 1]
    assert AuditEntry.objects.filter(action="lead.forget.succeeded").count() == 1


def test_a_save_at_the_same_moment_is_whole_or_waited_for(admin: Desk, sandbox: Sandbox, settings: Any) -> None:
    """Whatever comes first: the change is sent as it was recorded, and never recorded under a key that is gone."""
    settings.FORGET_AFTER_DAYS = 7
    for number in range(6):
        read(admin)
        Forgetting.objects.create(
            account=admin.account, lead_id=ADA.id, reason="asked", requested_by=admin.user, due_at=timezone.now()
        )
        change = (AssignTag, UnassignTag)[number % 2]("advanced")
        made, _ = together(lambda change=change: do(admin, change), forgetting.forget_due)
        assert isinstance(made, Operation), made
        assert made.outcome == "succeeded"
        made.refresh_from_db()
        kept = (made.lead_email, made.steps.get().asked)
        assert kept in ((ADA.email, {"tag": "advanced"}), ("", {})), "sealed whole, or forgotten whole"
        if Forgetting.objects.filter(state="waiting").exists():
            forgetting.forget_due()
        assert not Forgetting.objects.filter(state="waiting").exists()
    assert not Subject.objects.filter(sealed_key="", digest__isnull=False).exists()


def test_two_who_are_found_at_once_do_not_bring_each_other_back(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = live(desk_of)
    job = Job.objects.get(name="By email")
    job.left_out = [{"line": 1, "text": text} for text in ("one@example.com", "two@example.com", "nobody")]
    job.save(update_fields=["left_out"])  # type: ignore[misc]
    people = ({"one@example.com"}, {"two@example.com"})
    found = [(emails, _forgetting_lines.find(desk.account, "0", emails)) for emails in people]
    with transaction.atomic():
        for emails, lines in found:
            _forgetting_lines.strike(lines, emails)
    assert [line["text"] for line in Job.objects.get(pk=job.pk).left_out] == ["nobody"]
