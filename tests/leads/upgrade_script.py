"""Run by `test_upgrade.py` in a process of its own: a desk from before 0020 is brought up to date."""

import os
import sys
from typing import Any
from uuid import uuid4

import django
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

# What was kept -> what stands there now.
CASES = {
    ("succeeded", ""): ("answer", None),
    ("failed", ""): ("answer", None),
    ("succeeded", "reading"): ("reading", None),
    ("failed", "Ada"): ("person", "ada@example.com"),
    ("succeeded", "Ada"): ("person", "ada@example.com"),
    ("failed", "Grace"): ("person", "grace@example.com"),
    ("succeeded", "Somebody who decided before the answer came"): ("answer", None),
    ("unknown", ""): ("", None),
    ("pending", ""): ("", None),
    ("withdrawn", ""): ("", None),
}


def fill(old: Any) -> None:
    """Each case a step. Another Ada asked for it all, and was answered once, before somebody decided."""
    from accounts.models import Account, User
    from tests.entries import append

    account = Account.objects.create(provider="kartra", fingerprint="f", sealed_digest="x").pk
    people = {
        name: User.objects.create_user(email=f"{email}@example.com", name=name, role="admin")
        for name, email in (("Ada", "ada"), ("Grace", "grace"))
    }
    other = User.objects.create_user(email="other@example.com", name="Other", role="agent")
    for outcome, by in CASES:
        operation = old.get_model("leads", "Operation").objects.create(
            id=uuid4(), account_id=account, actor_id=other.pk, request_digest="x", outcome=outcome
        )
        operation.steps.create(position=0, kind="points.give", outcome=outcome, settled_by=by)
        for person in (other, people.get(by)):
            if person:
                told = {"actor_id": person.pk, "actor_name": person.name, "operation_id": operation.pk}
                append(action=f"points.give.{outcome}", about_id="7", account_id=account, **told)
    old.get_model("leads", "Approval").objects.create(
        account_id=account, requester_id=other.pk, requester_role="agent", lead_id="7", kind="transaction.refund",
        request_digest="x", reason="r", figures_digest="x", above="a", status="recalled",
    )  # fmt: skip
    old.get_model("leads", "Forgetting").objects.create(
        account_id=account, lead_id="7", reason="asked", requested_by_id=other.pk, due_at=timezone.now(), state="taken"
    )


def check() -> None:
    from leads.models import Approval, Forgetting, OperationStep

    found = [
        (step.settled_by, step.decided_by and step.decided_by.email) for step in OperationStep.objects.order_by("pk")
    ]
    assert found == list(CASES.values()), found
    assert (Approval.objects.get().status, Forgetting.objects.get().state) == ("withdrawn", "withdrawn")


os.environ["DJANGO_SETTINGS_MODULE"] = "kartra_admin.settings"
django.setup()
call_command("migrate", "accounts", verbosity=0)
call_command("migrate", "leads", "0019", verbosity=0)
loader = MigrationExecutor(connection).loader
fill(loader.project_state([("leads", "0019_run_held"), ("accounts", "0011_first_factor")]).apps)
call_command("migrate", verbosity=0)
check()
sys.stdout.write("upgraded\n")
