"""Secrets that nothing else looks like go through the desk, and are looked for everywhere afterwards: also within
whatever is sealed, and in whatever leaves the desk."""

import io
import logging
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from logging.config import dictConfig
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.db import connection as database
from django.test import Client

from accounts import seals
from accounts.models import AuditEntry, Connection, User
from accounts.tasks import send_password_link
from kartra_admin.lib.crypto import SealBroken
from kartra_admin.lib.pacing import Limiter, Turn
from leads.access import Desk, desk_for
from leads.models import Hook, Operation
from leads.providers.changes import AssignTag
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.server import running
from leads.services import events
from leads.services.imports import running as importing
from leads.services.imports import staging
from tests.accounts.factors import code_for
from tests.conftest import confirm
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import HTMX, do, grow_old, opened, read, typed, words
from tests.leads.services.bulk.conftest import run as run_job

pytestmark = pytest.mark.django_db

KEY = "canary KEY/+&=%ü-5f2c9e"
PASSWORD = "canary PASS/+&=%ß-81d7aa"
WRONG = "canary WRONG/+&=%é-33b0f1"
IPN = "canary IPN/+&=%ô-90ae5c"
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
    yield from re.findall(r"\w{6,}\Z", secret)  # its tail alone, whatever became of the rest


CREDENTIALS = {"Kartra's key": KEY, "Kartra's password": PASSWORD, "a wrong one": WRONG}


def assert_silent(text: str, where: str, canaries: dict[str, str] = CREDENTIALS) -> None:
    for name, secret in canaries.items():
        for spelling in spellings(secret):
            assert spelling not in text, f"{name} was found in {where}"


class Watching(Client):
    """A browser whose every answer is looked through, whole files and what is packed in them too."""

    def __init__(self, canaries: dict[str, str] = CREDENTIALS, **given: Any) -> None:
        super().__init__(**given)
        self.canaries, self.shown = canaries, ""

    @contextmanager
    def showing(self, name: str) -> Iterator[None]:
        """What is asked for within is where this canary must be shown."""
        self.shown = name
        yield
        self.shown = ""

    def request(self, **request: Any) -> Any:
        answer = super().request(**request)
        where, canaries = request.get("PATH_INFO"), {**self.canaries}
        canaries.pop(self.shown, None)
        for text in _texts_of(answer):
            assert_silent(text, f"the answer to {where}", canaries)
        assert_silent(str(answer.headers), f"a header of {where}", canaries)
        assert_silent(self.cookies.output(), f"a cookie of {where}", canaries)
        return answer


def _texts_of(answer: Any) -> list[str]:
    data = b"".join(answer) if answer.streaming else answer.content
    if not data.startswith(b"PK"):
        return [data.decode()]
    pack = zipfile.ZipFile(io.BytesIO(data))
    return [pack.read(name).decode() for name in pack.namelist()]


def everything_in_the_database() -> str:
    texts = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            texts += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(texts)


@pytest.fixture
def log(settings: Any, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the program writes to its log from now on, line by line as an operator reads it."""
    dictConfig(settings.LOGGING)
    (console,) = logging.getLogger().handlers
    written = io.StringIO()
    monkeypatch.setattr(console, "stream", written)
    return written


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

    take_out(client, desk)

    # A fault of our own, below the call, with the page that shows every variable.
    with monkeypatch.context() as broken:
        settings.DEBUG = True  # type: ignore[attr-defined]
        broken.setattr(Limiter, "wait", _break)
        for method, url, posted in (
            ("get", f"/leads/{ADA.id}/", {}),
            (
                "post",
                f"/leads/{ADA.id}/points/change/",
                {"operation_id": f"{uuid4()}", "points": "1", "direction": "give"},
            ),
            ("post", SETTINGS, {"api_key": KEY, "api_password": PASSWORD}),
            ("post", SETTINGS, {"api_key": KEY, "api_password": WRONG}),
        ):
            answer = getattr(client, method)(url, posted)
            assert answer.status_code == 500
            assert "Traceback" in words(answer), "the page that shows every variable"

    for record in caplog.records:
        assert_silent(f"{record.getMessage()} {record.args!r} {record.exc_text or ''}", f"the log of {record.name}")
    assert_silent(caplog.text, "the log")
    assert_nothing_holds(CREDENTIALS)
    for file in tmp_path.rglob("*"):
        if file.is_file() and not file.name.startswith("sandbox"):
            assert_silent(file.read_bytes().decode("latin-1"), file.name)
    assert Connection.objects.count() == 2, "they are there, sealed"


@pytest.mark.django_db(transaction=True)  # allauth tells of a new factor after the commit
def test_what_proves_who_somebody_is_stands_only_where_it_must(
    at_desk: Callable[[str], Client], user_of: Callable[[str], User], desk_of: Callable[[str], Desk], log: io.StringIO
) -> None:
    """The secret of an authenticator app, recovery codes, passwords, the tokens of links, the address for events and
    the key that payment notifications carry."""
    at_desk("admin")
    canaries = {
        "the staff password": "canary-STAFF-19c7ab",
        "the new password": "canary-FRESH-64d0e2",
        "the IPN key": IPN,
    }
    client, desk, agent = Watching(canaries), desk_of("admin"), user_of("agent")
    client.force_login(desk.user)
    confirm(client)

    # A link, the passwords that come of it, and the app.
    page = client.post(f"/team/{agent.pk}/link/")
    canaries["the token of a link"] = _token_in(page.content.decode())
    path = urlsplit(re.findall(r"http://[^\"]+new-password[^\"]+", page.content.decode())[0]).path
    own = Watching(canaries)
    for broken in (
        f"{path}>",
        f"{path} .",
        f"{path[:-1]}> /",
        f"{path[:-9]} {path[-9:]}",
        path.replace("/new-", "//new-"),
    ):
        assert Client().get(broken).status_code == 404, "a link as a mail program spoils it"
    own.post(own.get(path)["Location"], {"password1": "no", "password2": canaries["the staff password"]})
    own.post(own.get(path)["Location"], dict.fromkeys(("password1", "password2"), canaries["the staff password"]))
    own.post("/sign-in/", {"login": agent.email, "password": canaries["the new password"]})
    own.post("/sign-in/", {"login": agent.email, "password": canaries["the staff password"]})
    assert own.get("/profile/").status_code == 200, "signed in"
    page = own.get("/sign-in/factors/app/")
    canaries["the app's secret"] = re.findall(r'id="app-key"[^>]*value="([A-Z2-7]{32})"', page.content.decode())[0]
    assert_nothing_holds(canaries)
    with own.showing("the app's secret"):
        own.post("/sign-in/factors/app/", {"code": "000000"})
    own.post("/sign-in/factors/app/", {"code": code_for(canaries["the app's secret"])})
    codes = re.findall(r"<code>(\d{8})</code>", own.get("/sign-in/factors/codes/").content.decode())
    canaries |= {"a recovery code": codes[0], "another recovery code": codes[1]}
    own.get("/sign-in/factors/codes/")
    _sign_in_with(Watching(canaries), agent, "the staff password", "a recovery code")
    changed = dict.fromkeys(("password1", "password2"), canaries["the new password"])
    own.post("/sign-in/password/", {"oldpassword": "wrong", **changed})
    own.post("/sign-in/password/", {"oldpassword": canaries["the staff password"], **changed})
    _sign_in_with(Watching(canaries), agent, "the new password", "another recovery code")

    # Where one has to confirm first, what was typed waits.
    client.post("/settings/events/address/")
    stale = Watching(canaries)
    stale.force_login(desk.user)
    confirm(stale, stale=True)
    stale.post("/settings/events/address/key/", {"key": IPN})
    assert_nothing_holds(canaries)
    stale.get("/not-sent/")

    # The address for events, its key, and a post with it.
    canaries["the address for events"] = events.secret_of(Hook.objects.get())
    with client.showing("the address for events"):
        assert canaries["the address for events"] in client.get("/settings/events/address/").content.decode()
        client.post("/settings/events/address/key/", {"key": IPN * 20})
        client.post("/settings/events/address/key/", {"key": IPN})
    url = f"/hooks/{canaries['the address for events']}/"
    for key, status in ((IPN, 200), (f"{IPN}x", 403)):
        body = f"transaction_type=sale&product_name=Course&lead_id={ADA.id}&secret_key={quote_plus(key)}"
        answer = client.post(url, body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == status
    (event,) = desk.account.events.all()
    assert "Course" in words(client.get(f"/settings/events/{event.pk}/"))
    for broken in (url, f"{url}>", f"{url[:-1]}> /"):
        assert Client().get(broken).status_code in (404, 405)

    assert mail.outbox == []
    send_password_link.call(seals.keyring().seal(agent.email, bound_to=seals.of_typed()))
    (message,) = mail.outbox
    assert_silent(str(message.body), "the mail with another link", canaries)
    canaries["the token of a mail"] = _token_in(str(message.body))
    mail.outbox.clear()

    do(desk, AssignTag("advanced"))
    take_out(client, desk)
    assert_nothing_holds(canaries)
    assert "/new-password/…" in log.getvalue()
    assert "/hooks/…" in log.getvalue()
    assert_silent(log.getvalue(), "the log", canaries)


def _sign_in_with(client: Watching, user: User, password: str, code: str) -> None:
    """What is typed for a code may stand in its field again where it is not taken."""
    client.post("/sign-in/", {"login": user.email, "password": client.canaries[password]})
    client.post("/sign-in/factor/", {"code": "00000000"})
    client.post("/sign-in/factor/", {"code": client.canaries[code]})
    assert client.get("/profile/").status_code == 200, "signed in"
    with client.showing(code):
        client.post("/sign-in/again/code/", {"password": client.canaries[password], "code": client.canaries[code]})


def _token_in(text: str) -> str:
    """What makes a set-password link one, without whose it is."""
    token: str = re.findall(r"new-password/\w+-(\w+-\w+)/", text)[0]
    return token


def take_out(client: Watching, desk: Desk) -> None:
    """Have the browser take out every kind of file that the desk gives."""
    lines = f"E-Mail;First Name\n{ADA.email};Ada\nnobody;Nobody\n"
    source = staging.stage(actor=desk.user, account=desk.account, file=io.BytesIO(lines.encode()), file_name="f.csv")
    importing.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    while importing.work(source.pk):
        pass
    job = run_job(desk, ADA.id, AssignTag("wholesale"))
    operation = Operation.objects.filter(lead_id=ADA.id, outcome="succeeded").latest("created_at")
    about_nobody = AuditEntry.objects.exclude(target_kind="lead").latest("pk")
    files = (
        "/audit/export/ndjson/", "/audit/export/csv/", f"/leads/{ADA.id}/evidence/",
        f"/audit/operation/{operation.pk}/evidence/", f"/audit/{about_nobody.pk}/evidence/",
        "/directory/csv/", "/report/csv/", f"/bulk/{job.pk}/csv/", f"/directory/import/{source.pk}/failed/csv/",
    )  # fmt: skip
    for url in files:
        answer = client.get(url)
        assert (answer.status_code, "attachment" in answer["Content-Disposition"]) == (200, True), url


def assert_nothing_holds(canaries: dict[str, str]) -> None:
    """Neither as it is stored nor opened: tables, sessions, what waits, what is told of leads, what was mailed."""
    stored = everything_in_the_database()
    sessions = [str(session.get_decoded()) for session in Session.objects.all()]
    assert_silent(stored, "the database", canaries)
    people = User.objects.values_list("pk", flat=True)
    elsewhere = {name: secret for name, secret in canaries.items() if name != "the token of a link"}
    assert_silent("\n".join(sessions), "a session", elsewhere)  # who opened a link has it there
    for token in re.findall(r"gAAAA[\w-]+=*", "\n".join([stored, *sessions])):
        for bound_to in (seals.of_typed(), seals.of_messages(), *map(seals.of_form, people)):
            with suppress(SealBroken):
                assert_silent(seals.keyring().open(token, bound_to=bound_to), f"what is sealed as {bound_to}", canaries)
    assert_silent(opened(), "a row that is sealed", canaries)
    for entry in AuditEntry.objects.readable():
        assert_silent(f"{vars(entry)} {entry.told} {entry.sentence}", f"the audit entry {entry.action}", canaries)
    for message in mail.outbox:
        assert_silent(f"{message.message()}", "a mail", canaries)


def _disarm(sandbox: Sandbox) -> None:
    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute("DELETE FROM faults")
    kartra.close()


def _break(limiter: Limiter, name: str, *, background: bool = False) -> Turn:
    raise OSError("a disk that fails")
