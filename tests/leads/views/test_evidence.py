"""The evidence pack from a lead's own page, an operation's page, and who is offered it."""

import io
import json
import zipfile
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Account, AuditEntry
from accounts.services import audit
from leads.access import Desk
from leads.providers.changes import AssignTag
from tests.leads.conftest import ADA, NOTABLE
from tests.leads.helpers import do

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]


def told(answer: HttpResponse) -> list[dict[str, object]]:
    """What is told of each entry of a pack."""
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        rows = [json.loads(line) for line in pack.read("entries.ndjson").splitlines()]
    return [row["opened"]["told"] for row in rows if "opened" in row]


def test_the_pack_of_a_lead_is_of_that_lead_in_this_account(at_desk: AtDesk, desk_of: DeskOf) -> None:
    do(desk_of("agent"), AssignTag("advanced"))
    do(desk_of("agent"), AssignTag("advanced"), lead_id=NOTABLE["jon"].id)
    other = Account.objects.create(name="Elsewhere", fingerprint="e" * 64)
    audit.record(
        action="lead.view.viewed", outcome="viewed", account=other, target_kind="lead", target_id=ADA.id,
        target_name="Another Person",
    )  # fmt: skip
    rows = told(at_desk("auditor").get(f"/leads/{ADA.id}/evidence/"))
    assert len(rows) >= 2
    assert {row["target_id"] for row in rows} == {ADA.id}
    assert "Another Person" not in {row["target_name"] for row in rows}


def test_the_pack_of_an_operation(at_desk: AtDesk, desk_of: DeskOf) -> None:
    operation = do(desk_of("agent"), AssignTag("advanced"))
    client = at_desk("manager")
    assert f"/audit/operation/{operation.pk}/evidence/" in client.get(f"/operations/{operation.pk}/").content.decode()
    count = AuditEntry.objects.filter(operation_id=operation.pk).count()
    assert len(told(client.get(f"/audit/operation/{operation.pk}/evidence/"))) == count >= 2


def test_there_is_no_pack_of_a_lead_that_nobody_met(at_desk: AtDesk) -> None:
    answer = at_desk("manager").get("/leads/99999999/evidence/")
    assert answer.status_code == 422
    assert "nothing to prove" in answer.content.decode()
    assert not AuditEntry.objects.filter(action="audit.pack.succeeded").exists()
    assert AuditEntry.objects.get(action="audit.pack.denied").subject_id is None


@pytest.mark.parametrize(("role", "offered"), [("manager", True), ("agent", False)])
def test_who_may_is_offered_it(at_desk: AtDesk, role: str, offered: bool) -> None:
    page = at_desk(role).get(f"/leads/{ADA.id}/activity/").content.decode()
    assert (f"/leads/{ADA.id}/evidence/" in page) is offered
    assert at_desk(role).get(f"/audit/operation/{uuid4()}/evidence/").status_code == (422 if offered else 403)
