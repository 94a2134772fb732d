"""A key and a password that nothing else looks like are typed in Settings, and looked for everywhere afterwards."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, quote_plus
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection as database
from django.test import Client

from accounts.models import AuditEntry, Connection, User
from kartra_admin.lib.pacing import Limiter, Turn
from leads.access import desk_for
from leads.models import Operation
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.server import running
from tests.conftest import confirm
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import HTMX, grow_old, read, typed, words

pytestmark = pytest.mark.django_db

KEY = "canary KEY/+&=%ü-5f2c9e"
PASSWORD = "canary PASS/+&=%ß-81d7aa"
WRONG = "canary WRONG/+&=%é-33b0f1"
SETTINGS = "/settings/connection/"


def spellings(secret: str) -> Iterator[str]:
    """The secret as a log, a page or a body might have it."""
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield repr(secret)[1:-1]
    yield repr(secret.encode())[2:-1]
    yield secret.replace("&", "&amp;")
    yield secret.encode("unicode_escape").decode()
    yield secret.rpartition("-")[2]  # its tail alone, whatever became of the rest


SPELLINGS = [spelling for secret in (KEY, PASSWORD, WRONG) for spelling in spellings(secret)]


def assert_silent(text: str, where: str) -> None:
    for spelling in SPELLINGS:
        assert spelling not in text, f"a canary was found in {where}"


class Watching(Client):
    """A browser whose every answer is looked through."""

    def request(self, **request: object) -> object:  # type: ignore[override]
        answer = super().request(**request)
        assert_silent(answer.content.decode(), f"the answer to {request.get('PATH_INFO')}")
        assert_silent(str(answer.headers), "a header")
        assert_silent(self.cookies.output(), "a cookie")
        return answer


def everything_in_the_database() -> str:
    texts = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            texts += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(texts)


@pytest.fixture(params=["in process", "over http"])
def at_canarys_desk(
    request: pytest.FixtureRequest, sandbox: Sandbox, settings: object, user_of: Callable[[str], User]
) -> Iterator[Watching]:
    """An admin whose Kartra knows the canary's credentials."""
    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute(
            "UPDATE accounts SET api_key = ?, api_password = ? WHERE api_key = ?", (KEY, PASSWORD, ACCOUNTS[0].api_key)
        )
    kartra.close()
    with ExitStack() as stack:
        if request.param == "over http":
            settings.KARTRA_API_URL = stack.enter_context(running(sandbox.path))  # type: ignore[attr-defined]
        settings.KARTRA_TIMEOUT = 0.5  # type: ignore[attr-defined]
        client = Watching(raise_request_exception=False)
        client.force_login(user_of("admin"))
        confirm(client)
        yield client


def test_the_canary_is_heard_nowhere(
    at_canarys_desk: Watching,
    sandbox: Sandbox,
    settings: object,
    tmp_path: Path,
    user_of: Callable[[str], User],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = at_canarys_desk
    for name in (None, "httpx", "httpcore", "django", "leads", "accounts"):
        caplog.set_level(logging.DEBUG, logger=name)

    # Wrong ones, good ones, and a form that is wrong.
    assert client.post(SETTINGS, {"api_key": KEY, "api_password": WRONG}).status_code == 422
    assert client.post(SETTINGS, {"api_key": WRONG, "api_password": PASSWORD}).status_code == 422
    assert client.post(SETTINGS, {"api_key": KEY, "api_password": ""}).status_code == 422
    sandbox.arm("*", "junk", times=3)
    assert client.post(SETTINGS, {"api_key": KEY, "api_password": PASSWORD}).status_code == 422
    assert client.post(SETTINGS, {"api_key": KEY, "api_password": PASSWORD, "account_name": "C"}).status_code == 302
    owner = user_of("viewer")
    assert client.post(f"/team/{owner.pk}/connection/", {"api_key": KEY, "api_password": PASSWORD}).status_code == 302

    # A day's work.
    desk = desk_for(User.objects.get(email="admin@example.com"))
    for path in ("/", SETTINGS, f"/leads/{ADA.id}/", f"/leads/{ADA.id}/money/", "/settings/catalogues/", "/team/"):
        assert client.get(path).status_code == 200
    assert client.post(f"/leads/{ADA.id}/edit/", typed(desk, read(desk), city="Dallas")).status_code == 302

    # Everything that can go wrong with a call.
    for mode in ("lost", "late", "refused", "429", "500", "half", "junk"):
        sandbox.arm("get_lead", mode)
        client.get(f"/leads/{ADA.id}/")
        sandbox.arm("give_points_to_lead", mode)
        posted = {"operation_id": str(uuid4()), "points": "1", "direction": "give"}
        client.post(f"/leads/{ADA.id}/points/change/", posted, headers=HTMX)
        _disarm(sandbox)
    for operation in Operation.objects.all():
        grow_old(operation)
        client.post(f"/operations/{operation.pk}/settle/")
    call_command("reconcile", verbosity=0)

    # A fault of our own, below the call, with the page that shows every variable.
    settings.DEBUG = True  # type: ignore[attr-defined]
    monkeypatch.setattr(Limiter, "wait", _break)
    for method, url, posted in (
        ("get", f"/leads/{ADA.id}/", {}),
        ("post", f"/leads/{ADA.id}/points/change/", {"operation_id": str(uuid4()), "points": "1", "direction": "give"}),
        ("post", SETTINGS, {"api_key": KEY, "api_password": PASSWORD}),
        ("post", SETTINGS, {"api_key": KEY, "api_password": WRONG}),
    ):
        answer = getattr(client, method)(url, posted)
        assert answer.status_code == 500
        assert "Traceback" in words(answer), "the page that shows every variable"

    for record in caplog.records:
        assert_silent(f"{record.getMessage()} {record.args!r} {record.exc_text or ''}", f"the log of {record.name}")
    assert_silent(caplog.text, "the log")
    assert_silent(everything_in_the_database(), "the database")
    for entry in AuditEntry.objects.all():
        assert_silent(str(vars(entry)), f"the audit entry {entry.action}")
    for session in Session.objects.all():
        assert_silent(str(session.get_decoded()), "a session")
    for file in tmp_path.rglob("*"):
        if file.is_file() and not file.name.startswith("sandbox"):
            assert_silent(file.read_bytes().decode("latin-1"), file.name)
    assert Connection.objects.count() == 2, "they are there, sealed"


def _disarm(sandbox: Sandbox) -> None:
    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute("DELETE FROM faults")
    kartra.close()


def _break(limiter: Limiter, name: str, *, background: bool = False) -> Turn:
    raise OSError("a disk that fails")
