"""The canary person of `test_forgetting`, looked for wherever else something could be kept: logs, mails, sessions, the
queue, files that went out, the search index, the cache. Each place is shown to have held something first."""

import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.db import connection as database
from django.test import Client
from django_tasks import default_task_backend

from accounts import seals
from accounts.models import Checkpoint
from accounts.services import checkpoints
from accounts.tasks import send_password_link
from kartra_admin.lib.pacing import Limiter
from leads.access import Desk
from leads.models import Entry
from leads.selectors import refs, search
from leads.services import finding, reconcile
from tests.conftest import redis_cache
from tests.leads.conftest import ADA, Sandbox
from tests.leads.services.test_forgetting import (
    EMAIL,
    JON,
    SALE,
    _at_once,  # noqa: F401  (a fixture)
    assert_unknown,
    forget,
    live,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_log_mail_session_queue_or_file_holds_the_person(
    desk_of: Callable[..., Desk],
    client_of: Callable[..., Client],
    sandbox: Sandbox,
    settings: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)  # as LOG_LEVEL does; loggers that settings.py holds back stay so
    settings.AUDIT_ANCHORS = ["mailto:auditor@example.com"]
    desk = live(desk_of)
    client = client_of("admin")
    client.raise_request_exception = False
    stale = client_of("admin", stale=True)
    on_disk = {file for file in tmp_path.rglob("*") if file.is_file()}

    # Pages, forms that wait, things that go wrong.
    for url in (f"/leads/{JON}/", f"/leads/{JON}/money/", "/directory/?q=quetzalina", f"/audit/?text={EMAIL}"):
        assert "quetzalina" in client.get(url).content.decode().lower(), url
    assert client.get(f"/leads/?q={EMAIL}&cursor=junk").status_code < 500
    refund = {"amount": "1", "reason": "Goodwill", "note": "the violet unicorn"}
    assert "not-sent" in stale.post(f"/leads/{JON}/transactions/{SALE}/refund/", refund)["Location"]
    for email in (EMAIL, "admin@example.com"):
        Client().post("/sign-in/forgotten/", {"email": email})
        send_password_link.call(seals.keyring().seal(email, bound_to=seals.of_typed()))
    for mode in ("500", "junk", "refused"):
        sandbox.arm("get_lead", mode)
        client.get(f"/leads/{JON}/")
        sandbox.disarm()
    reconcile.reconcile()
    with monkeypatch.context() as patch:
        patch.setattr(Limiter, "wait", _break)
        assert client.get(f"/leads/{JON}/").status_code == 500

    # What goes out of the house holds the person, and the desk keeps none of it.
    export = b"".join(client.get(f"/audit/export/ndjson/?lead={JON}").streaming_content).decode().lower()  # type: ignore[attr-defined]
    pack = zipfile.ZipFile(io.BytesIO(client.get(f"/leads/{JON}/evidence/").content))
    sheet = b"".join(client.get("/directory/csv/").streaming_content).decode().lower()  # type: ignore[attr-defined]
    for text in (export, pack.read("entries.ndjson").decode().lower(), sheet):
        assert "brontowski" in text
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == on_disk
    checkpoints.attend()
    checkpoints.sign_now(actor=desk.user)

    assert forget(desk).state == "done"

    names = {record.name for record in caplog.records}
    assert names >= {"django.request", "leads.providers.kartra.client"}, names
    assert any(record.exc_info for record in caplog.records), "an error with its traceback"
    for record in caplog.records:
        said = f"{record.getMessage()} {record.args!r} {record.exc_text or ''}"
        assert_unknown(said.lower(), f"the log of {record.name}")
    assert_unknown(caplog.text.lower(), "the log")

    sent = [f"{message.subject} {message.body} {message.to}" for message in mail.outbox]
    assert any("new password" in text for text in sent)
    assert Checkpoint.objects.exists()
    assert_unknown("\n".join(sent).lower(), "a mail")

    kept = [session.get_decoded() for session in Session.objects.all()]
    waits = next(session["typed_form"] for session in kept if "typed_form" in session)
    opened = seals.keyring().open(waits, bound_to=seals.of_form(desk.user.pk))
    assert "violet unicorn" in opened, "the test would notice"
    assert_unknown(str(kept).lower(), "a session")

    queued = [(result.task.name, result.args, result.kwargs) for result in default_task_backend.results]  # type: ignore[attr-defined]
    assert "send_password_link" in {name for name, *_ in queued}
    assert_unknown(str(queued).lower(), "the queue")

    after = b"".join(client.get("/audit/export/ndjson/").streaming_content).decode().lower()  # type: ignore[attr-defined]
    assert ADA.email in after
    assert_unknown(after, "an export of the log made after")
    for file in tmp_path.rglob("*"):
        if file.is_file() and not file.name.startswith("sandbox"):
            assert_unknown(file.read_bytes().decode("latin-1").lower(), file.name)


def _break(*args: object, **kwargs: object) -> None:
    raise OSError("a disk that fails")


def test_the_search_index_holds_the_person_no_more(desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = live(desk_of)
    terms = {"quetzalina", "zwickelbau", "xyl", "zwi"}  # the last two are of the index of parts
    assert terms - indexed() == set(), "the test would notice"
    assert [hit.entry.lead_id for hit in search.find(desk.account, "zwickelbau").hits] == [JON]
    forget(desk)
    assert not terms & indexed()
    assert "moreno" in indexed()
    assert_unknown("\n".join(indexed()), "the index")
    assert not search.find(desk.account, "zwickelbau").hits


def indexed() -> set[str]:
    """All terms of the index itself, which on SQLite has tables of its own; what is read from on PostgreSQL."""
    if database.vendor != "sqlite":
        words = " ".join(Entry.objects.values_list("words", flat=True))
        return {*words.split(), *(words[at : at + 3] for at in range(len(words)))}
    found = set()
    with database.cursor() as cursor:
        for index in ("leads_entry_words", "leads_entry_parts"):
            cursor.execute(f"CREATE VIRTUAL TABLE temp.seen USING fts5vocab(main, {index}, row)")
            cursor.execute("SELECT term FROM temp.seen")
            found |= {term for (term,) in cursor.fetchall()}
            cursor.execute("DROP TABLE temp.seen")
    return found


@pytest.fixture(params=["of the process", pytest.param("redis", marks=pytest.mark.redis)])
def everything_cached(request: pytest.FixtureRequest, settings: Any) -> Callable[[], dict[str, str]]:
    """All there is in the cache: keys, and values as they are kept, in small letters."""
    if request.param == "redis":
        settings.CACHES = {"default": redis_cache()}
        cache.clear()

    def read() -> dict[str, str]:
        if request.param == "redis":
            client = cache._cache.get_client()  # type: ignore[attr-defined]
            found = {key: client.get(key) for key in client.keys("*")}
        else:
            found = {key.encode(): value for key, value in cache._cache.items()}  # type: ignore[attr-defined]
        return {key.decode(): value.decode("latin-1").lower() for key, value in found.items()}

    return read


def test_the_cache_holds_the_person_no_more(
    desk_of: Callable[..., Desk],
    client_of: Callable[..., Client],
    sandbox: Sandbox,
    everything_cached: Callable[[], dict[str, str]],
) -> None:
    cache.set("probe", EMAIL)
    assert EMAIL in str(everything_cached()), "the test would notice"
    cache.delete("probe")
    desk = live(desk_of)
    client = client_of("admin")
    for url in (f"/leads/{JON}/", "/directory/?q=quetzalina", "/"):
        client.get(url)
    finding.note_found(desk.account, JON, EMAIL)
    key = cache.make_key(refs.key_of(desk.account, JON))
    assert key in everything_cached()
    assert refs.find_ref(desk.connection, JON).email == EMAIL
    assert_unknown(str(everything_cached()), "the cache before")
    forget(desk)
    assert key not in everything_cached()
    assert everything_cached(), "something else is there: the tries to sign in"
    assert_unknown(str(everything_cached()), "the cache")
