"""A person with values that nothing else looks like goes through everything the desk does, and is forgotten."""

import hashlib
import importlib
import io
import json
from collections.abc import Callable, Collection
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts import subjects
from accounts.models import AuditEntry, SavedFilter, Subject
from accounts.selectors import audit
from kartra_admin.lib.errors import AppError, Conflict, Denied
from leads import search_index
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
    Reason,
    Recent,
    Recipe,
    SavedView,
)
from leads.providers.base import Lead, LeadRef
from leads.providers.changes import AssignTag, UnassignTag
from leads.providers.kartra.provider import KartraProvider
from leads.selectors import forgetting as selectors
from leads.selectors import refs
from leads.services import (
    _forgetting_lines,
    approvals,
    directory,
    events,
    finding,
    forgetting,
    leads,
    money,
    notes,
    refreshing,
    rereads,
)
from leads.services import reports as reporting
from leads.services.bulk import approving, making, results, steering
from leads.services.directory import Met
from leads.services.imports import running, staging
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import do, opened, read, together, words
from tests.leads.services.bulk.conftest import lay_down, work
from tests.leads.services.bulk.conftest import run as run_job
from tests.leads.services.playbooks import conftest as playbooks
from tests.leads.services.test_edit import edit

# What is wiped from the files is wiped after the transaction.
pytestmark = pytest.mark.django_db(transaction=True)
OTHER_ADA = NOTABLE["bindery_ada"]
JON, SALE = NOTABLE["jon"].id, "99601"
EMAIL = "quetzalina@xylophon-canary.example"
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
    finding.note_found(desk.account, JON, EMAIL)
    Client().post("/sign-in/", {"login": EMAIL, "password": "is this the right page?"})
    name_after(desk)
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
    job = work(lay_down(desk, ADA.id, AssignTag("wholesale"), name="Declined"))
    for note in ("Brontowski has a violet unicorn", "Ada said no"):
        decide(job, desk_of("manager"), note)
    steering.cancel(actor=desk.user, job=job)
    lines = f"Lead ID;E-Mail;First Name\n{JON};{EMAIL};Quetzalina\n{ADA.id};{EMAIL};Quetzalina\n{JON};x;Brontowski\n"
    source = staging.stage(actor=desk.user, account=desk.account, file=io.BytesIO(lines.encode()), file_name="f.csv")
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    while running.work(source.pk):
        pass
    return desk


def name_after(desk: Desk) -> None:
    """What staff call after the canary, who is nobody to them but words."""
    SavedView.objects.create(account=desk.account, owner=desk.user, name="Mrs. Q", query="q=brontowski")
    SavedView.objects.create(account=desk.account, owner=desk.user, name="All", query="q=ada")
    SavedFilter.objects.create(owner=desk.user, name="Quetzalina’s", query="outcome=failed")
    SavedFilter.objects.create(owner=desk.user, name="All", query="outcome=failed")


def decide(job: Job, desk: Desk, note: str) -> None:
    Job.objects.filter(pk=job.pk).update(state="asked", asked_at=timezone.now())
    job.refresh_from_db()
    approving.decline(actor=desk.user, account=desk.account, job=job, note=note)


def refund(desk: Desk, amount: str) -> Any:
    whose = whose_for(desk, JON)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, SALE)
    return approvals.refund_or_request(
        actor=desk.user, connection=desk.connection, whose=whose, transaction_id=SALE, amount=Decimal(amount),
        terms=Terms("Goodwill", "the violet unicorn", sale.digest), operation_id=uuid4(),
    )  # fmt: skip


def forget(desk: Desk, lead_id: str = JON) -> Forgetting:
    return forgetting.ask(actor=desk.user, whom=[selectors.Known(desk.account, lead_id)], reason="asked")[0]


def test_nothing_of_a_forgotten_person_is_left(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = live(desk_of)
    named = dump({*DIRECTORY, "leads_savedview", "accounts_savedfilter"})  # which are struck, and not sealed
    assert_unknown(named, "the database before")
    assert audit.find(text=EMAIL, action="session.start").count() == 1
    assert audit.find(text="violet unicorn", action="job.decide").count() == 1
    for value in ("quetzalina", "xylophon-canary", "5557301946", "zwickelbau"):
        assert value in dump(()), "the test would notice"
    assert [value for value in VALUES if value not in opened().lower()] == [], "the test would notice"
    assert EMAIL in str(Job.objects.get(name="By email").left_out)
    step = OperationStep.objects.filter(kind="lead.edit").latest("pk")
    assert step.after["Address"] == "Kaninchenstall 2"
    refunds = list(OperationStep.objects.filter(kind="transaction.refund").order_by("pk"))
    ada = [row.lead_name for row in Operation.objects.filter(lead_id=ADA.id)]

    whose = subjects.of_lead(desk.account.pk, JON)

    asked = forget(desk)
    assert (asked.state, asked.waits_for) == ("done", "")
    assert_unknown(dump(()), "the database")
    assert_unknown(opened().lower(), "what is sealed under other keys")
    assert_unknown(str(getattr(cache, "_cache", "")).lower(), "the cache")
    assert refs.find_ref(desk.connection, JON).email == ""
    assert (Note.objects.count(), Event.objects.count(), Recent.objects.count()) == (0, 0, 0)
    assert not Entry.objects.filter(lead_id=JON).exists()
    assert [row.name for row in (*SavedView.objects.all(), *SavedFilter.objects.all())] == ["All", "All"]
    assert not any(audit.find(text=text).exists() for text in (EMAIL, "brontowski", "violet"))
    declined = AuditEntry.objects.filter(action="job.decide.declined").order_by("pk")
    assert [entry.detail.get("note", "") for entry in declined] == ["", "Ada said no"]
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


def files() -> str:
    """SQLite's, in small letters."""
    found = (Path(f"{database.settings_dict['NAME']}{ending}") for ending in ("", "-wal"))
    return "\n".join(file.read_bytes().decode("latin-1").lower() for file in found if file.exists())


def test_sqlite_keeps_no_byte_in_its_files(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    """PostgreSQL keeps what was deleted until it is vacuumed, which is for who runs it."""
    desk = live(desk_of)
    if database.vendor != "sqlite":
        forget(desk)
        assert_unknown(dump(()), "the database")
        return
    assert "brontowski" in files(), "the test would notice"
    forget(desk)
    assert_unknown(files(), "the files")


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
    assert_unknown(opened().lower(), "what is sealed under other keys")


@pytest.mark.parametrize("fault", ["429", "refused"])
def test_a_creation_that_failed_before_goes_with_the_person(
    desk_of: Callable[..., Desk], sandbox: Sandbox, fault: str
) -> None:
    """It never had a number, and is sealed under a key of its own."""
    desk = desk_of("admin")
    sandbox.arm("create_lead", fault, times=99)
    asked = {"actor": desk.user, "connection": desk.connection, "profile": {"first_name": "Quetzalina"}}
    more = {"custom_fields": {}, "also": [AssignTag("vip")]}
    failed = leads.create_lead(**asked, **more, email=EMAIL.title(), operation_id=uuid4())
    other = leads.create_lead(**asked, **more, email=f"not-{EMAIL}", operation_id=uuid4())
    sandbox.disarm()
    made = leads.create_lead(**asked, **more, email=EMAIL, operation_id=uuid4())
    assert (failed.outcome, failed.lead_id, made.outcome) == ("failed", "", "succeeded")
    assert "quetzalina" in opened().lower()
    assert forget(desk, made.lead_id).state == "done"
    failed, other = (Operation.objects.get(pk=row.pk) for row in (failed, other))
    assert (failed.lead_email, failed.lead_name, failed.request_digest) == ("", "a forgotten person", "")
    assert [step.asked for step in failed.steps.all()] == [{}, {}]
    assert not audit.find(text=EMAIL).exists()
    assert other.lead_email == f"not-{EMAIL}", "somebody else"
    call_command("auditverify", stdout=io.StringIO())


def test_a_digest_that_outlives_the_person_tells_nothing_to_who_guesses(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    """A small job's name, acts and leads can be guessed, so an unkeyed digest of them would confirm an email."""
    desk = desk_of("admin")
    job = lay_down(desk, EMAIL, AssignTag("vip"), name="One")
    asked = [job.name, job.actions, job.creates_missing, job.pace, ""]
    guessed = json.dumps(["job", asked, [["", EMAIL]]], sort_keys=True, default=str)
    assert subjects.digest_of(guessed) == job.request_digest, "the test guesses right"
    assert hashlib.sha256(guessed.encode()).hexdigest() not in dump(())


def test_digests_of_jobs_from_before_they_were_keyed_are_cleared(desk_of: Callable[..., Desk]) -> None:
    job = lay_down(desk_of("admin"), EMAIL, AssignTag("vip"), name="One")
    importlib.import_module("leads.migrations.0018_unkeyed_digests").clear(apps, None)
    job.refresh_from_db()
    assert (job.request_digest, job.leads.count()) == ("", 1)


def test_a_reading_that_was_on_its_way_brings_nobody_back(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = desk_of("admin")
    at, lead = timezone.now(), read(desk)
    forget(desk, ADA.id)
    directory.remember_lead(desk.account, lead, at=at)
    assert not Entry.objects.exists()
    directory.remember_lead(desk.account, lead, at=timezone.now())
    assert Entry.objects.get().email == ADA.email


def by_email_alone(desk: Desk, email: str) -> str:
    """Somebody imported without an id. Gives the place in the directory."""
    directory.remember_rows(desk.account, [Met("", email=email)], at=timezone.now())
    return Entry.objects.get(email=email).handle


def test_nor_does_a_reading_by_the_email_that_was_all_that_was_known(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    desk = desk_of("admin")
    provider = KartraProvider.get_lead
    handle = by_email_alone(desk, ADA.email)

    def forgotten_meanwhile(self: KartraProvider, ref: LeadRef) -> Lead:
        lead = provider(self, ref)
        assert forget(desk, handle).state == "done"
        return lead

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KartraProvider, "get_lead", forgotten_meanwhile)
        provider_for(desk.connection).get_lead(LeadRef(email=ADA.email))
    assert not Entry.objects.exists()
    provider_for(desk.connection).get_lead(LeadRef(email=ADA.email))
    assert Entry.objects.get().lead_id == ADA.id


@pytest.mark.parametrize("is_numbered", [True, False])
@pytest.mark.parametrize("was_told", [True, False])
def test_nor_does_the_refresher_that_had_to_wait_for_its_share(
    desk_of: Callable[..., Desk], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, is_numbered: bool, was_told: bool
) -> None:
    desk = desk_of("admin")
    if is_numbered:
        directory.remember_rows(desk.account, [Met(ADA.id, email=ADA.email)], at=timezone.now())
    handle = ADA.id if is_numbered else by_email_alone(desk, ADA.email)
    if is_numbered and was_told:
        rereads.want(desk.account.pk, ADA.id, at=timezone.now())
    monkeypatch.setattr(refreshing, "wait_for_share", lambda calls: forget(desk, handle))
    sandbox.calls()
    refreshing.work()
    assert sandbox.calls() == []
    assert not Entry.objects.exists()


def test_the_lines_that_a_job_has_of_nobody_any_more_are_not_done_to_others(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    desk = desk_of("admin")
    sandbox.arm("create_lead", "lost")
    new = {"profile": {}, "custom_fields": {}, "also": [], "operation_id": uuid4()}
    leads.create_lead(actor=desk.user, connection=desk.connection, email="other@example.com", **new)
    job = run_job(desk, f"{EMAIL}\n{ADA.id}")
    JobLead.objects.filter(lead_id="").update(state="failed")
    forget(desk, by_email_alone(desk, EMAIL))
    sandbox.calls()
    work(steering.retry(actor=desk.user, job=job))
    row = JobLead.objects.get(lead_id="")
    assert (row.state, row.email) == ("failed", "")
    assert "was forgotten" in row.sentence
    assert sandbox.calls() == []


def test_who_got_a_number_while_a_request_waits_is_forgotten_by_it(
    desk_of: Callable[..., Desk], sandbox: Sandbox, settings: Any
) -> None:
    desk = desk_of("admin")
    handle = by_email_alone(desk, ADA.email)
    directory.remember_rows(desk.account, [Met(ADA.id)], at=timezone.now())
    settings.FORGET_AFTER_DAYS = 7
    asked = forget(desk, handle)
    provider_for(desk.connection).get_lead(LeadRef(id=ADA.id))
    provider_for(desk.connection).get_lead(LeadRef(email=ADA.email))
    assert [entry.lead_id for entry in Entry.objects.all()] == [ADA.id], "what was left over is gone"
    Forgetting.objects.update(due_at=timezone.now())
    assert forgetting.forget_due() == 1
    asked.refresh_from_db()
    assert asked.lead_id == ADA.id
    assert not Entry.objects.exists()


def test_events_of_a_number_that_nobody_knows_go_with_whom_they_name(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    desk = desk_of("admin")
    hook = events.make_hook(actor=desk.user, account=desk.account)
    for number, email in (("999001", ADA.email), ("999002", NOTABLE["ben"].email)):
        post = {"lead": {"id": number, "email": email}, "action": "unsubscribed"}
        events.receive(hook, json.dumps(post).encode(), "application/json")
    read(desk)
    forget(desk, ADA.id)
    assert [row.lead_id for row in Event.objects.all()] == ["999002"]
    assert selectors.is_known(desk.account, "999002"), "who has nothing but an event can be forgotten, too"
    forget(desk, "999002")
    assert not Event.objects.exists()


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
    forgetting.withdraw(actor=admin.user, asked=asked)
    forgetting.withdraw(actor=admin.user, asked=asked)
    asked.refresh_from_db()
    assert (asked.state, asked.ended_by) == ("withdrawn", admin.user)
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
        forgetting.withdraw(actor=admin.user, asked=asked)


def test_only_admins_and_only_reasons_of_the_list(desk_of: Callable[..., Desk], admin: Desk) -> None:
    with pytest.raises(Denied):
        forget(desk_of("manager"), ADA.id)
    whom = [selectors.Known(admin.account, ADA.id)]
    with pytest.raises(AppError):
        forgetting.ask(actor=admin.user, whom=whom, reason="Ada Moreno wrote")
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
    assert (asked.state, asked.waits_for) == (
        "waiting",
        "The bulk job ‘Spring sale’ includes this lead and is not finished.",
    )
    work(job)
    assert forgetting.forget_due() == 0
    Job.objects.update(state="cancelled")
    assert forgetting.forget_due() == 1
    assert [(row.email, row.name) for row in JobLead.objects.all()] == [("", "")]


def test_what_staff_named_after_the_person_goes_or_is_told(admin: Desk) -> None:
    read(admin)
    read(admin, JON)
    told = {
        "Mrs. ADA.MORENO@example.com": "goes", "Ada Moreno’s": "goes", "zoe@example.com": "", "Adam": "",
        str(Entry.objects.get(lead_id=JON)): "",
    }  # fmt: skip
    for name in told:
        SavedView.objects.create(account=admin.account, owner=admin.user, name=name)
        Job.objects.create(account=admin.account, actor=admin.user, name=name, request_digest=name)
    SavedView.objects.create(account=admin.account, owner=admin.user, name="Her", query="q=ada.moreno%40example.com")
    SavedFilter.objects.create(owner=admin.user, name="Hers", query="outcome=failed&text=ada+moreno")
    Recipe.objects.create(account=admin.account, name="Gift", description="As for Ada Moreno", give_tag="x")
    Reason.objects.create(text="Ada Moreno again")
    Job.objects.create(
        account=admin.account, actor=admin.user, name="Tag", request_digest="tag", state="done",
        actions=[{"kind": "tag.assign", "asked": {"tag": "for Ada Moreno"}}],
    )  # fmt: skip
    mentions = selectors.mentions(selectors.person_of(admin.account, ADA.id))
    assert mentions.goes == [
        "the filter of the log ‘Hers’", "the saved view ‘Ada Moreno’s’", "the saved view ‘Her’",
        "the saved view ‘Mrs. ADA.MORENO@example.com’",
    ]  # fmt: skip
    assert mentions.loses_name == ["the bulk job ‘Ada Moreno’s’", "the bulk job ‘Mrs. ADA.MORENO@example.com’"]
    assert mentions.can_be_changed == ["the reason ‘Ada Moreno again’", "the recipe ‘Gift’"]
    assert mentions.stays == ["what is done by the bulk job ‘Tag’"]
    forget(admin, ADA.id)
    names = sorted(Job.objects.values_list("name", flat=True))
    assert names == sorted(["Tag", "removed", "removed", *(name for name, becomes in told.items() if not becomes)])
    assert {view.name for view in SavedView.objects.all()} == {name for name, becomes in told.items() if not becomes}
    assert not SavedFilter.objects.exists()


def test_who_is_known_in_another_account_is_forgotten_there_with_an_entry_of_its_own(
    desk_of: Callable[..., Desk], admin: Desk
) -> None:
    there = desk_of("manager", 1)
    do(admin, AssignTag("advanced"))
    read(admin)
    do(there, AssignTag("paper-club"), lead_id=OTHER_ADA.id)
    read(there, OTHER_ADA.id)
    imported = Entry.objects.create(
        account=there.account, email=ADA.email, name="Ada", seen_at=timezone.now(), changed_at=timezone.now()
    )
    person = selectors.person_of(admin.account, ADA.id)
    elsewhere = [selectors.Known(there.account, lead_id) for lead_id in (OTHER_ADA.id, imported.handle)]
    assert selectors.find_elsewhere(person) == elsewhere
    Entry.objects.filter(account=there.account).delete()
    assert selectors.find_elsewhere(person) == elsewhere[:1], "the log knows the lead, too"
    assert audit.find(text=ADA.email, account=there.account).exists(), "the test would notice"

    whom = [selectors.Known(admin.account, ADA.id), *elsewhere[:1]]
    asked = forgetting.ask(actor=admin.user, whom=whom, reason="asked")
    assert [(row.account, row.lead_id, row.state) for row in asked] == [
        (admin.account, ADA.id, "done"), (there.account, OTHER_ADA.id, "done"),
    ]  # fmt: skip
    entries = AuditEntry.objects.filter(action="lead.forget.succeeded").order_by("pk")
    assert [(entry.account_id, entry.about_id) for entry in entries] == [(row.account_id, row.lead_id) for row in asked]
    assert not audit.find(text=ADA.email).exists()
    assert not audit.find(lead=ADA.email).exists()
    assert ADA.email not in opened().lower()
    assert selectors.find_elsewhere(person) == []
    call_command("auditverify", stdout=io.StringIO())


def test_all_accounts_are_asked_for_or_none(desk_of: Callable[..., Desk], admin: Desk, settings: Any) -> None:
    settings.FORGET_AFTER_DAYS = 7
    there = desk_of("manager", 1)
    read(admin)
    read(there, OTHER_ADA.id)
    person = selectors.person_of(admin.account, ADA.id)
    whom = [selectors.Known(admin.account, ADA.id), *selectors.find_elsewhere(person)]
    assert len(whom) == 2
    forgetting.ask(actor=admin.user, whom=whom[1:], reason="asked")
    assert selectors.find_elsewhere(person) == [], "it is asked already"
    with pytest.raises(Conflict):
        forgetting.ask(actor=admin.user, whom=whom, reason="asked")
    assert [asked.account for asked in Forgetting.objects.all()] == [there.account]
    assert AuditEntry.objects.filter(action="lead.forget.requested").count() == 1


def test_a_failed_line_goes_by_phone_or_whole_name(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    """Nothing else tells whose it is."""
    desk = desk_of("admin")
    edit(
        desk, read(desk, JON), email=EMAIL, first_name="Quetzalina", middle_name="M.", last_name="Brontowski",
        phone="5557301946", phone_country_code="1",
    )  # fmt: skip
    read(desk, JON)
    gone = [
        "abc,,Quetzalina,Brontowski,", "abc,,BRONTOWSKI,Dr. Quetzálina,5550001111", "abc,,,,(555) 730-1946",
        "abc,,,,+1 (0)555 7301946", "abc,,,,0555/7301946", "abc,,Ada,Moreno,1 555 7301946",
    ]  # fmt: skip
    kept = [
        "abc,,Quetzalina,Smith,", "abc,,Brontowskis,Quetzalina,", "abc,,,,5557301947", "abc,,,,946", "abc,,,,",
        "abc,,Ada,Moreno,5550001111",
    ]  # fmt: skip
    good = f"{ADA.id},{ADA.email},Ada,Moreno,5550001111"
    content = "\n".join(["Lead ID,E-Mail,First Name,Last Name,Phone", *gone, *kept, good])
    source = staging.stage(
        actor=desk.user, account=desk.account, file=io.BytesIO(content.encode()), file_name="leads.csv"
    )
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    while running.work(source.pk):
        pass
    assert [",".join(row.cells) for row in source.rows.order_by("line")] == gone + kept
    assert forget(desk).state == "done"
    assert [",".join(row.cells) for row in source.rows.order_by("line")] == kept


def test_files_and_jobs_that_are_called_after_the_person_lose_their_names(
    desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    """And the log says of a file no more than its number, for what stands in the log stays."""
    desk = desk_of("admin")
    edit(desk, read(desk, JON), email=EMAIL, first_name="Quetzalina", last_name="Brontowski")
    read(desk, JON)
    done = run_job(desk, ADA.id, AssignTag("advanced"), name="As for Brontowski")
    other = run_job(desk, ADA.id, AssignTag("wholesale"), name="Spring sale")
    back = making.undo_job(actor=desk.user, job=done, job_id=uuid4())
    Job.objects.filter(pk=back.pk).update(state="cancelled")
    asked = {"actor": desk.user, "account": desk.account}
    files = [
        staging.stage(**asked, file=io.BytesIO(f"E-Mail,Name\n{ADA.email},Ada\n,Ada".encode()), file_name=name)
        for name in ("brontowski-list.csv", f"{EMAIL}.csv", "leads.csv")
    ]
    running.start(actor=desk.user, source=files[0], matched=files[0].matched, take_good=True)
    while running.work(files[0].pk):
        pass
    staging.record_export(actor=desk.user, source=Import.objects.get(pk=files[0].pk))
    entries = [entry for entry in AuditEntry.objects.readable().order_by("pk") if entry.target_kind == "import"]
    assert "brontowski" not in str([(entry.target_name, entry.sentence, entry.detail) for entry in entries]).lower()
    assert entries[0].sentence == f"Read a file of leads as import {files[0].pk}, 2 lines"

    mentions = selectors.mentions(selectors.person_of(desk.account, JON))
    assert len(mentions.loses_name) == 4
    assert (mentions.can_be_changed, mentions.stays) == ([], [])
    assert forget(desk).state == "done"
    assert [file.file_name for file in Import.objects.order_by("pk")] == ["removed", "removed", "leads.csv"]
    assert {job.pk: job.name for job in Job.objects.all()} == {
        done.pk: "removed", back.pk: "removed", other.pk: "Spring sale",
    }  # fmt: skip
    assert sorted(Operation.objects.exclude(label="").values_list("label", flat=True)) == ["Spring sale", "removed"]
    assert "brontowski" not in dump({"accounts_auditentry"}), "only entries about the job keep its name"
    call_command("auditverify", stdout=io.StringIO())


def test_the_undo_of_a_run_says_how_many_it_leaves_out(
    admin: Desk, client_of: Callable[[str], Client], sandbox: Sandbox
) -> None:
    def told(job: Job) -> str:
        return words(client_of("admin").get(f"/bulk/{job.pk}/"))

    done = run_job(admin, f"{ADA.id}\n{JON}", AssignTag("advanced"))
    before = making.undo_job(actor=admin.user, job=done, job_id=uuid4())
    Job.objects.filter(pk=before.pk).update(state="cancelled")
    assert forget(admin).state == "done"
    undoing = work(making.undo_job(actor=admin.user, job=done, job_id=uuid4()))
    assert [row.lead_id for row in undoing.leads.all()] == [ADA.id]
    assert "1 lead of that run is left out: it was forgotten since" in told(undoing)
    for job in (done, before):
        assert "left out" not in told(job)


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


def test_what_comes_while_lines_are_looked_at_is_looked_at_too(
    desk_of: Callable[..., Desk], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = live(desk_of)
    hook = events.make_hook(actor=desk.user, account=desk.account)
    late = {"lead": {"email": f" {EMAIL} "}, "action": "assign_tag", "action_details": {"tag": {"tag_name": "late"}}}
    look, looked = _forgetting_lines.look, []

    def look_slowly(*args: Any) -> None:
        look(*args)
        if not looked:
            events.receive(hook, json.dumps(late).encode(), "application/json")
            Event.objects.update(lead_id="")
            decide(Job.objects.get(name="Declined"), desk_of("manager"), "Again, for Brontowski")
            Job.objects.create(  # type: ignore[misc]
                account=desk.account, actor=desk.user, name="Late", request_digest="x", state="done",
                left_out=[{"line": 1, "text": f"xx {EMAIL}"}],
            )  # fmt: skip
        looked.append(args)

    monkeypatch.setattr(_forgetting_lines, "look", look_slowly)
    assert forget(desk).state == "done"
    assert len(looked) == 2
    assert_unknown(opened().lower(), "what is sealed under other keys")


def test_nothing_is_looked_at_while_something_is_open(admin: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    do(admin, AssignTag("advanced"))
    Operation.objects.update(outcome="unknown")
    monkeypatch.setattr(_forgetting_lines, "look", lambda *args: pytest.fail("it takes long, and was for nothing"))
    assert forget(admin, ADA.id).state == "waiting"


def test_who_gets_another_name_meanwhile_is_looked_for_anew(
    admin: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(admin)
    look = _forgetting_lines.look

    def look_slowly(*args: Any) -> None:
        Entry.objects.filter(lead_id=ADA.id).update(email="ada.new@example.com")
        look(*args)

    monkeypatch.setattr(_forgetting_lines, "look", look_slowly)
    asked = forget(admin, ADA.id)
    assert (asked.state, "another name or address" in asked.waits_for) == ("waiting", True)
    assert forgetting.forget_due() == 1


class Killed(BaseException):
    """The worker is no more."""


def test_a_worker_that_is_killed_leaves_the_wiping_to_the_next(
    admin: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(admin, read(admin, JON), email=EMAIL, first_name="Quetzalina", last_name="Brontowski")
    read(admin, JON)

    def die(connection: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(search_index, "wipe", die)
        with pytest.raises(Killed):
            forget(admin)
    asked = Forgetting.objects.get()
    assert (asked.state, Entry.objects.filter(lead_id=JON).exists()) == ("done", False)
    if database.vendor == "sqlite":
        assert "brontowski" in files(), "the test would notice"
    with monkeypatch.context() as patch:
        patch.setattr(search_index, "wipe", lambda connection: False)  # somebody reads at that moment
        forgetting.forget_due()
    assert forgetting.forget_due() == 0
    if database.vendor == "sqlite":
        assert_unknown(files(), "the files")
    asked.refresh_from_db()
    assert asked.waits_for == ""
    monkeypatch.setattr(search_index, "wipe", lambda connection: pytest.fail("it is wiped already"))
    forgetting.forget_due()


def test_two_who_are_found_at_once_do_not_bring_each_other_back(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = live(desk_of)
    job = Job.objects.get(name="By email")
    job.left_out = [{"line": 1, "text": text} for text in ("one@example.com", "two@example.com", "nobody")]
    job.save(update_fields=["left_out"])  # type: ignore[misc]
    found = []
    for email in ("one@example.com", "two@example.com"):
        person = selectors.Person(desk.account, "0", frozenset({email}), frozenset())
        found.append((person, _forgetting_lines.Lines()))
        _forgetting_lines.look(*found[-1])
    with transaction.atomic():
        for person, lines in found:
            _forgetting_lines.strike(person, lines)
    assert [line["text"] for line in Job.objects.get(pk=job.pk).left_out] == ["nobody"]
