"""Run by `test_sealing.py` in a process of its own: a desk from before anything was sealed is brought up to date."""

import os
import sys
from datetime import UTC, datetime

import django
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = "zwickelbau"


def fill(old: object) -> None:
    """One row of each kind, as it stood then."""
    from accounts import seals
    from accounts.models import Account, User

    get = old.get_model  # type: ignore[attr-defined]
    account = Account.objects.create(provider="kartra", fingerprint="f", sealed_digest="x").pk
    user = User.objects.create_user(email="a@example.com", name="A", role="admin").pk
    mine = {"account_id": account, "lead_id": "7"}
    named = {"lead_name": WORDS, "lead_email": f"{WORDS}@example.com", "note": WORDS}
    run = get("leads", "PlaybookRun").objects.create(
        **mine, **named, actor_id=user, name="Leave", steps=[{"act": "give-tag", "name": WORDS}], figures_digest="x",
        ended_at=NOW, closed_note=WORDS,
    )  # fmt: skip
    made = get("leads", "Operation").objects.create(**mine, **named, actor_id=user, request_digest="x", run=run)
    get("leads", "OperationStep").objects.create(
        operation=made, position=0, kind="lead.edit", asked={"profile": {"city": WORDS}}, before={"City": WORDS},
        after={"City": WORDS}, inverse=None, words=WORDS,
    )  # fmt: skip
    get("leads", "Operation").objects.create(account_id=account, actor_id=user, request_digest="x", lead_email=WORDS)
    get("leads", "Approval").objects.create(
        **mine, **named, requester_id=user, requester_role="support", kind="transaction.refund", asked={"a": WORDS},
        request_digest="x", reason="r", figures={"Left": WORDS}, figures_digest="x", above="a", decision_note=WORDS,
    )  # fmt: skip
    get("leads", "Recent").objects.create(**mine, user_id=user, name=WORDS, email=WORDS, opened_at=NOW)
    get("leads", "Note").objects.create(**mine, author_id=user, text=WORDS)
    for digest, lead_id in (("d", "7"), ("e", "")):
        body = seals.keyring().seal(WORDS, bound_to=f"event:{account}:{digest}")
        get("leads", "Event").objects.create(
            account_id=account, form="json", action="x", about=WORDS, lead_id=lead_id, digest=digest, sealed_body=body,
            received_at=NOW,
        )  # fmt: skip
    job = get("leads", "Job").objects.create(
        account_id=account, actor_id=user, name="j", request_digest="x", left_out=[{"line": 1, "text": WORDS}]
    )
    for position, lead_id in enumerate(("7", "")):
        row = {"job": job, "position": position, "lead_id": lead_id, "email": WORDS, "name": WORDS, "sentence": WORDS}
        get("leads", "JobLead").objects.create(**row)
    for name in ("one.csv", "two.csv"):
        source = get("leads", "Import").objects.create(
            account_id=account, actor_id=user, file_name=name, columns=[WORDS]
        )
        get("leads", "ImportRow").objects.create(source=source, line=1, cells=[WORDS], email=WORDS, sentence=WORDS)


def check() -> None:
    from accounts.models import Subject
    from leads import models

    for row in models.Operation.objects.exclude(lead_id=""):
        assert (row.lead_name, row.lead_email, row.note) == (WORDS, f"{WORDS}@example.com", WORDS)
    assert models.Operation.objects.get(lead_id="").lead_email == WORDS
    step = models.OperationStep.objects.get()
    assert (step.asked, step.before, step.words, step.inverse) == (
        {"profile": {"city": WORDS}}, {"City": WORDS}, WORDS, None,
    )  # fmt: skip
    run, approval = models.PlaybookRun.objects.get(), models.Approval.objects.get()
    assert (run.is_closed, run.closed_note, run.steps[0]["name"]) == (True, WORDS, WORDS)
    assert (approval.asked, approval.figures, approval.decision_note) == ({"a": WORDS}, {"Left": WORDS}, WORDS)
    assert (models.Recent.objects.get().email, models.Note.objects.get().text) == (WORDS, WORDS)
    for event in models.Event.objects.all():
        assert (event.about, event.whose.open(event.sealed_body, bound_to=f"{event.place}:body")) == (WORDS, WORDS)
    assert models.Job.objects.get().left_out[0]["text"] == WORDS
    assert {(row.email, row.name, row.sentence) for row in models.JobLead.objects.all()} == {(WORDS,) * 3}
    one, two = models.Import.objects.order_by("pk")
    assert one.columns == [WORDS]
    assert one.whose_id != two.whose_id
    row = one.rows.get()
    assert (row.cells, row.sentence, row.whose_id) == ([WORDS], WORDS, one.whose_id)
    assert len(row.email_digest) == 64
    lead = {row.whose_id for model in (models.Note, models.Recent, models.Approval) for row in model.objects.all()}
    assert len(lead) == 1
    assert Subject.objects.count() == 6  # the lead, the operation without one, the events, the job, two imports
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert WORDS not in str(cursor.fetchall()), table


os.environ["DJANGO_SETTINGS_MODULE"] = "kartra_admin.settings"
django.setup()
call_command("migrate", "leads", "0012", verbosity=0)
call_command("migrate", "accounts", verbosity=0)
fill(MigrationExecutor(connection).loader.project_state([("leads", "0012_health"), ("accounts", "0005_subjects")]).apps)
call_command("migrate", verbosity=0)
check()
sys.stdout.write("sealed\n")
