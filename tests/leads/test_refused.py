"""What somebody forged is refused with a sentence, and logged, and changes nothing: one rule for each kind of it.

What was sent with a signed session, a code or a passkey has an entry in the audit log. What anybody may send again and
again, a forged cursor, filter or id, has one line in the program's log, without what was sent.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.http import HttpResponse
from django.test import Client

from accounts.models import AuditEntry, AuditTerm, ChainHead, Checkpoint, SavedFilter, User
from accounts.services import checkpoints
from leads.models import SavedView
from tests.accounts.factors import HOST, code_for, give_app, give_passkey
from tests.accounts.test_second_factor import FACTOR, ask, begin, is_in
from tests.conftest import SignIn

pytestmark = pytest.mark.django_db(transaction=True)  # allauth tells of a new factor after the commit
JUNK = "forged-2f81c"
Lines = Callable[[], list[str]]

# They are written by asking, whatever is asked.
_ASKING = ("django_session", "usersessions_usersession")


@pytest.fixture
def refused(caplog: pytest.LogCaptureFixture) -> Lines:
    """What the program's log says of it; nothing anywhere in that log holds what was sent."""
    caplog.set_level(logging.DEBUG)

    def lines() -> list[str]:
        assert JUNK not in caplog.text
        records, texts = caplog.records, ("kartra_admin.middleware", "accounts.management.commands.auditverify")
        return [f"{row.levelname} {row.getMessage()}" for row in records if row.name in texts]

    return lines


def everything() -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but of the audit log, which grows."""
    log = {model._meta.db_table for model in (AuditEntry, AuditTerm, ChainHead)}
    with database.cursor() as cursor:
        names = [name for name in database.introspection.table_names(cursor) if name not in {*log, *_ASKING}]
        rows = {}
        for name in names:
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(name)}")
            rows[name] = sorted(map(str, cursor.fetchall()))
    return rows  # type: ignore[return-value]


def entries() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def assert_says(answer: HttpResponse, status: int, sentence: str) -> None:
    page = answer.content.decode()
    assert (answer.status_code, sentence in page) == (status, True), page


@pytest.fixture
def admin(at_desk: Callable[[str], Client], sandbox: object) -> Client:
    return at_desk("admin")


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("/audit/?cursor=", "accounts:audit"), ("/directory/?cursor=", "leads:directory"),
        ("/bulk/?page=", "leads:jobs"),
        ("/approvals/?page=", "leads:approvals"), ("/settings/events/?cursor=", "leads:events"),
        ("/unusual/?cursor=", "leads:unusual"),
    ],
)  # fmt: skip
def test_a_forged_cursor(admin: Client, user_of: Callable[[str], User], refused: Lines, url: str, page: str) -> None:
    before, told = everything(), entries()
    answer = admin.get(url + JUNK)
    assert_says(answer, 400, "This page of the list does not exist.")
    who, request = user_of("admin").pk, answer["X-Request-ID"]
    assert refused() == [f"WARNING refused: {page}, by staff no. {who}, from 127.0.0.1, request {request}"]
    assert (everything(), entries()) == (before, told), "the audit log cannot be filled with it"


@pytest.mark.parametrize(
    ("method", "url", "sent", "sentence"),
    [
        ("get", "/audit/", {"person": JUNK}, "Select a valid choice"),
        ("get", "/directory/", {"order": JUNK}, "Select a valid choice"),
        ("get", "/directory/csv/", {"order": JUNK}, "nothing was exported"),
        ("post", "/audit/filters/save/", {"name": "x", "query": f"person={JUNK}"}, "was not saved"),
        ("post", "/directory/views/save/", {"name": JUNK * 20, "query": ""}, "was not saved"),
    ],
)
def test_a_forged_filter(
    admin: Client, refused: Lines, method: str, url: str, sent: dict[str, str], sentence: str
) -> None:
    before, told = everything(), entries()
    assert_says(getattr(admin, method)(url, sent), 400, sentence)
    assert len(refused()) == 1
    assert (everything(), entries()) == (before, told)
    assert not SavedFilter.objects.exists()
    assert not SavedView.objects.exists()


def test_a_forged_export_id(admin: Client, refused: Lines) -> None:
    before, told = everything(), entries()
    for url in (f"/bulk/{UUID(int=404)}/csv/", f"/directory/import/{'9' * 12}/failed/csv/"):
        assert_says(admin.get(url), 404, "ot found")
    assert [line.split(",")[0] for line in refused()] == [
        "WARNING refused: leads:job-csv", "WARNING refused: leads:import-failed-csv",
    ]  # fmt: skip
    assert_says(admin.get(f"/audit/export/{JUNK[:6]}/"), 400, "nothing was exported")
    assert (everything(), entries()) == (before, [*told, "audit.export.denied"])


@pytest.mark.parametrize("url", ["/audit/99999999/evidence/", f"/audit/operation/{UUID(int=404)}/evidence/"])
def test_a_forged_evidence_pack(admin: Client, url: str) -> None:
    """One that was changed after it left the house is found by its own script: `tests/accounts/test_exports.py`."""
    before, told = everything(), entries()
    assert_says(admin.get(url), 422, "nothing to prove")
    assert (everything(), entries()) == (before, [*told, "audit.pack.denied"])


def test_a_forged_checkpoint(admin: Client, refused: Lines, tmp_path: Path) -> None:
    checkpoint = checkpoints.sign().as_evidence()
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "checkpoint-00000001.json").write_text(json.dumps({**checkpoint, "hash": "0" * 64}))
    before, told = everything(), entries()
    with pytest.raises(CommandError, match="no checkpoint"):
        call_command("auditverify", anchors=[kept])
    assert refused() == [f"ERROR auditverify: {kept} holds something that is no checkpoint: ValueError."]
    assert (everything(), entries()) == (before, told)
    assert Checkpoint.objects.count() == 1


def test_a_replayed_code(user_of: Callable[[str], User]) -> None:
    secret = give_app(user_of("manager"))
    code = code_for(secret)
    assert is_in(_with_code(code))
    again = begin("manager@example.com")
    before, told = everything(), entries()
    assert "A code works only once" in again.post(FACTOR, {"code": code}, **HOST).content.decode()
    assert not is_in(again)
    assert (everything(), entries()) == (before, [*told, "factor.check.failed"])


def _with_code(code: str) -> Client:
    client = begin("manager@example.com")
    client.post(FACTOR, {"code": code}, **HOST)
    return client


def test_a_passkey_of_another_origin(client_of: SignIn) -> None:
    device = give_passkey(client_of("manager"))
    device.origin = "http://evil.example"
    client = Client()
    sent = {"credential": device.use(ask(client))}
    before, told = everything(), entries()
    answer = client.post("/sign-in/passkey/", sent, follow=True, **HOST)
    assert "only for this desk&#x27;s own address" in answer.content.decode()
    assert not is_in(client)
    assert (everything(), entries()) == (before, [*told, "session.start.failed"])
