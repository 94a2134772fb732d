"""The address for Kartra's posts: what it answers, what it keeps, and how little anybody can do with it."""

import gc
import json
import logging
import random
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_tasks import default_task_backend

from accounts import subjects
from accounts.models import Subject
from leads.access import Desk
from leads.models import Entry, Event, Hook, Mark, MarkKind, Operation, Reread
from leads.providers.kartra.sandbox.state import connect
from leads.services import directory, events, refreshing, rereads
from leads.services.directory import Met
from leads.views import hooks
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import together

pytestmark = pytest.mark.django_db
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def event(action: str = "assign_tag", lead: object = ADA.id, tag: str = "vip", **also: Any) -> bytes:
    post = {"lead": {"id": lead, "email": ADA.email}, "action": action, "action_details": {"tag": {"tag_name": tag}}}
    return json.dumps({**post, **also}).encode()


def payment(**fields: str) -> bytes:
    fixed = {"transaction_type": "sale", "product_name": "Course", "lead_id": ADA.id, "lead_email": ADA.email}
    return urlencode({**fixed, **fields}).encode()


class Kartra:
    """Posts as Kartra would."""

    def __init__(self, desk: Desk, hook: Hook) -> None:
        self.desk, self.hook = desk, hook
        self.url = f"/hooks/{events.secret_of(hook)}/"
        self._client = Client(enforce_csrf_checks=True)

    def post(self, body: bytes, kind: str = JSON, **extra: Any) -> int:
        answer = self._client.post(self.url, body, content_type=kind, **extra)
        assert answer.content == b""
        return answer.status_code

    def counts(self) -> dict[str, int]:
        self.hook.refresh_from_db()
        return {**events.not_kept(self.hook), "unqueued": self.hook.unqueued}


@pytest.fixture
def kartra(desk_of: Callable[..., Desk]) -> Kartra:
    desk = desk_of("admin")
    return Kartra(desk, events.make_hook(actor=desk.user, account=desk.account))


def test_an_event_is_kept_sealed_and_asks_for_a_reading(kartra: Kartra) -> None:
    assert kartra.post(event()) == 200
    kept = Event.objects.get()
    assert (kept.account, kept.form, kept.action, kept.about) == (
        kartra.desk.account, "json", "assign_tag", "was given tag vip",
    )  # fmt: skip
    assert (kept.lead_id, kept.is_known) == (ADA.id, True)
    assert '"vip"' not in kept.sealed_body  # with its quotes, which no seal holds by chance
    assert json.loads(events.body_of(kept)) == json.loads(event())
    assert Reread.objects.get().lead_id == ADA.id
    kartra.hook.refresh_from_db()
    assert kartra.hook.last_event_at == kept.received_at


def test_the_first_of_many_has_a_worker_read_at_once(kartra: Kartra) -> None:
    default_task_backend.clear()  # type: ignore[attr-defined]
    for number in range(1, 4):
        kartra.post(event(lead=str(number)))
    assert [result.task.name for result in default_task_backend.results] == ["read_told"]  # type: ignore[attr-defined]
    Reread.objects.all().delete()
    kartra.post(event(lead="9"))
    assert len(default_task_backend.results) == 2  # type: ignore[attr-defined]


def test_the_command_for_trying_it_by_hand_is_taken(kartra: Kartra) -> None:
    body = events.by_hand("x").partition("-d '")[2].rpartition("'")[0]
    assert kartra.post(body.encode()) == 200
    assert Event.objects.get().is_known


def test_nothing_of_what_it_says_becomes_a_fact_and_kartra_is_not_asked(kartra: Kartra, sandbox: Sandbox) -> None:
    sandbox.calls()
    kartra.post(event(tag="forged", lead="555", first_name="Mallory"))
    assert not Entry.objects.exists()
    assert not Mark.objects.exists()
    assert not Operation.objects.exists()
    assert sandbox.calls() == []


def test_a_payment_notification_asks_for_its_money_too(kartra: Kartra) -> None:
    kartra.post(event())
    assert not Reread.objects.get().with_money
    assert kartra.post(payment(), FORM) == 200
    assert Event.objects.latest("pk").about == "bought Course"
    again = Reread.objects.get()
    assert (again.with_money, again.times) == (True, 2)
    kartra.post(event(tag="other"))
    assert Reread.objects.get().with_money


def test_a_lead_known_by_email_only_is_looked_up_in_the_directory(kartra: Kartra) -> None:
    at = timezone.now()
    Entry.objects.create(account=kartra.desk.account, lead_id="77", email="b@example.com", seen_at=at, changed_at=at)
    assert kartra.post(payment(lead_id="N/A", lead_email="B@example.com"), FORM) == 200
    assert kartra.post(payment(lead_id="N/A", lead_email="c@example.com"), FORM) == 200
    assert list(Event.objects.order_by("pk").values_list("lead_id", flat=True)) == ["77", ""]
    assert Reread.objects.get().lead_id == "77"


def test_leads_that_nobody_knows_get_no_key_of_their_own(kartra: Kartra) -> None:
    kartra.post(event(lead="1"))  # the account's own key is made with the first
    before = Subject.objects.count()
    for number in range(2, 30):
        assert kartra.post(event(lead=str(number))) == 200
        assert kartra.post(payment(lead_id=str(number), lead_email=f"{number}@example.com"), FORM) == 200
    assert Subject.objects.count() == before
    assert {events.body_of(row) != "" for row in Event.objects.all()} == {True}


def test_who_is_in_the_directory_or_has_a_key_is_sealed_for_alone(kartra: Kartra) -> None:
    account = kartra.desk.account
    directory.remember_rows(account, [Met(ADA.id, email=ADA.email)], at=timezone.now())
    kartra.post(event())
    own = subjects.find_lead(account.pk, ADA.id)
    assert own
    assert Event.objects.get().whose == own
    jon = subjects.of_lead(account.pk, NOTABLE["jon"].id)
    kartra.post(event(lead=NOTABLE["jon"].id))
    assert Event.objects.get(lead_id=NOTABLE["jon"].id).whose == jon


def test_a_double_is_dropped_and_counted_and_the_same_comes_through_later(kartra: Kartra) -> None:
    assert [kartra.post(event()) for _ in range(3)] == [200, 200, 200]
    assert Event.objects.count() == 1
    assert kartra.counts()["doubles"] == 2
    Event.objects.update(received_at=timezone.now() - events.DOUBLE_WITHIN - timedelta(seconds=1))
    assert kartra.post(event()) == 200
    assert Event.objects.count() == 2


def test_a_double_has_the_lead_read_again_all_the_same(kartra: Kartra) -> None:
    """A tag that is given, taken and given again is told of by the same words."""
    for body in (event(), event("tag_removed"), event()):
        Reread.objects.all().delete()  # it was read
        assert kartra.post(body) == 200
        assert Reread.objects.count() == 1
    assert kartra.counts()["doubles"] == 1


def test_an_unknown_event_is_kept_and_known_as_such(kartra: Kartra) -> None:
    assert kartra.post(event("ticket_opened")) == 200
    kept = Event.objects.get()
    assert (kept.action, kept.is_known, kept.about) == ("ticket_opened", False, "")
    assert Reread.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", JSON, 400), (b"{", JSON, 400), (b"[1]", JSON, 400), (b"\xff\xfe\x00", JSON, 400), (b"a=1", FORM, 400),
        (b"<x/>", "text/xml", 415), (b"{}", "image/png", 415), (b"x" * 65_537, JSON, 413), (b"x" * 3_000_000, FORM, 413)
    ],
)  # fmt: skip
def test_junk_is_refused_changes_nothing_and_is_counted(kartra: Kartra, body: bytes, kind: str, status: int) -> None:
    assert kartra.post(body, kind) == status
    assert not Event.objects.exists()
    assert not Reread.objects.exists()
    assert kartra.counts()["refused"] == 1


def test_a_huge_post_is_refused_unread(kartra: Kartra) -> None:
    class Endless(BytesIO):
        def read(self, *size: int | None) -> bytes:
            raise AssertionError("somebody read it")

    answer = Client().generic("POST", kartra.url, b"", JSON, CONTENT_LENGTH=str(10**12), **{"wsgi.input": Endless()})
    assert answer.status_code == 413
    answer = Client().generic("POST", "/hooks/x/", b"", JSON, CONTENT_LENGTH=str(10**12), **{"wsgi.input": Endless()})
    assert answer.status_code == 404


def test_a_post_that_breaks_off_is_junk(kartra: Kartra) -> None:
    class Broken(BytesIO):
        def read(self, *size: int | None) -> bytes:
            raise OSError("gone")

    answer = Client().generic("POST", kartra.url, b"", JSON, CONTENT_LENGTH="10", **{"wsgi.input": Broken()})
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_it_takes_posts_only(kartra: Kartra, method: str) -> None:
    for url in (kartra.url, "/hooks/nobody/"):
        answer = getattr(Client(), method)(url)
        assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_a_wrong_secret_is_404_whatever_is_posted(kartra: Kartra) -> None:
    secret = events.secret_of(kartra.hook)
    for wrong in ("x", secret[:-1], secret + "x", secret.swapcase(), kartra.hook.secret_digest, "٣", "%00"):
        for body, kind in ((event(), JSON), (b"", "text/xml"), (b"x" * 70_000, JSON)):
            answer = Client().post(f"/hooks/{wrong}/", body, content_type=kind)
            assert (answer.status_code, answer.content) == ((404, b"") if wrong != "%00" else (400, answer.content))
    assert not Event.objects.exists()
    assert kartra.counts() == {"doubles": 0, "flooded": 0, "refused": 0, "unqueued": 0}


def test_a_new_address_takes_the_place_of_the_old_and_keeps_its_counts(kartra: Kartra) -> None:
    kartra.post(b"junk")
    events.make_hook(actor=kartra.desk.user, account=kartra.desk.account)
    assert kartra.post(event()) == 404
    hook = Hook.objects.get()
    assert Client().post(f"/hooks/{events.secret_of(hook)}/", event(), content_type=JSON).status_code == 200
    assert hook.refused == 1


def test_where_a_key_is_set_notifications_must_carry_it_and_events_need_not(kartra: Kartra) -> None:
    events.set_key(actor=kartra.desk.user, hook=kartra.hook, key="naïve key+1")
    for wrong in ({}, {"secret_key": ""}, {"secret_key": "N/A"}, {"secret_key": "naïve key 1"}):
        assert kartra.post(payment(**wrong), FORM) == 403
    assert not Event.objects.exists()
    assert kartra.counts()["refused"] == 4
    assert kartra.post(payment(secret_key="naïve key+1"), FORM) == 200
    assert kartra.post(event()) == 200
    events.set_key(actor=kartra.desk.user, hook=kartra.hook, key="")
    assert kartra.post(payment(), FORM) == 200


def test_a_flood_is_answered_with_429_and_counted(kartra: Kartra, settings: Any) -> None:
    settings.EVENTS_PER_MINUTE = 5
    answers = [kartra.post(event(tag=str(number))) for number in range(8)]
    assert sorted(answers) == [200] * 5 + [429] * 3 or answers[:5] == [200] * 5  # a minute may end meanwhile
    assert kartra.counts()["flooded"] == answers.count(429)
    cache.clear()
    assert kartra.post(event(tag="later")) == 200


def test_what_is_refused_in_a_flood_writes_nothing(
    kartra: Kartra, settings: Any, django_assert_num_queries: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EVENTS_PER_MINUTE = 3
    monkeypatch.setattr(events.time, "time", lambda: 1_000_000_000.0)  # within one minute
    posts = [(event(tag="one"), JSON, 200), (b"junk", JSON, 400), (b"x" * 65_537, JSON, 429), (event(), JSON, 429)]
    assert [kartra.post(body, kind) for body, kind, _ in posts] == [status for *_, status in posts]
    for body, kind in ((event(tag="two"), JSON), (b"junk", JSON), (b"x" * 70_000, FORM), (b"<x/>", "text/xml")):
        with django_assert_num_queries(1) as asked:  # whose address it is
            assert kartra.post(body, kind) == 429
        assert asked[0]["sql"].startswith("SELECT")
    assert kartra.counts() == {"doubles": 0, "flooded": 6, "refused": 1, "unqueued": 0}


def test_too_long_posts_count_as_a_flood(kartra: Kartra, settings: Any) -> None:
    settings.EVENTS_PER_MINUTE = 100
    answers = [kartra.post(b"x" * 65_537) for _ in range(30)]
    assert set(answers) == {413, 429}
    assert kartra.counts()["refused"] + kartra.counts()["flooded"] == 30


def test_what_was_not_kept_is_written_once_a_minute(kartra: Kartra) -> None:
    for _ in range(5):
        kartra.post(b"junk")
    kartra.hook.refresh_from_db()
    assert (kartra.hook.refused, kartra.counts()["refused"]) == (1, 5)
    cache.delete(f"posts-counted:{kartra.hook.pk}")  # as after a minute
    kartra.post(b"junk")
    kartra.hook.refresh_from_db()
    assert (kartra.hook.refused, kartra.counts()["refused"]) == (6, 6)


def test_long_posts_weigh_more(kartra: Kartra, settings: Any) -> None:
    settings.EVENTS_PER_MINUTE = 10
    assert [kartra.post(event(tag="x" * 60_000, number=number)) for number in range(3)].count(429) >= 1


def test_the_queue_holds_only_so_many_leads_and_says_how_many_it_left_out(
    kartra: Kartra, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereads, "OUTSTANDING_AT_MOST", 3)
    for number in range(1, 6):
        assert kartra.post(event(lead=str(number))) == 200
    assert kartra.post(event(lead="1", tag="again")) == 200
    assert sorted(Reread.objects.values_list("lead_id", flat=True)) == ["1", "2", "3"]
    assert kartra.counts()["unqueued"] == 2
    assert Event.objects.count() == 6


def test_the_address_is_in_no_log_line(kartra: Kartra, caplog: pytest.LogCaptureFixture) -> None:
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig({**settings.LOGGING, "incremental": False})
    handler = next(one for one in logging.getLogger().handlers if one.filters)
    lines: list[str] = []
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    for body, kind in ((b"junk", JSON), (b"", "text/xml"), (b"x" * 70_000, JSON)):
        kartra.post(body, kind)
    Client().get(kartra.url)
    assert any("/hooks/…" in line for line in lines)
    assert not [line for line in lines if events.secret_of(kartra.hook) in line]


@pytest.mark.django_db(transaction=True)
def test_of_posts_at_once_one_is_kept(kartra: Kartra) -> None:
    answers = together(*[lambda: Client().post(kartra.url, event(), content_type=JSON).status_code] * 4)
    assert answers == [200] * 4
    assert Event.objects.count() == 1
    assert kartra.counts()["doubles"] == 3
    assert Reread.objects.count() == 1


# The rig: forged, replayed, huge, out of order


def _forged(rng: random.Random, leads: Sequence[str]) -> tuple[bytes, str]:
    """Something that might come, of any kind, about any of the leads."""
    lead = rng.choice(leads)
    match rng.randrange(8):
        case 0 | 1 | 2:
            return event(
                rng.choice(["assign_tag", "unassign_tag", "buy_product", "junk"]), lead, str(rng.random())
            ), JSON
        case 3:
            return payment(transaction_type=rng.choice(["sale", "rebill", "zzz"]), lead_id=lead), FORM
        case 4:
            return rng.randbytes(rng.randint(0, 300)), rng.choice([JSON, FORM, "text/plain", "image/gif"])
        case 5:
            return b"x" * rng.choice([65_537, 80_000]), JSON
        case 6:
            return event(lead=rng.choice(["0", "-1", "x" * 900, "9" * 40, None])), JSON
        case _:
            return event(lead=lead, padding="é" * rng.randint(0, 3000)), rng.choice([JSON, FORM, ""])


def _posted_to_the_view(secret: str, body: bytes, kind: str) -> int:
    """Without what stands before every view, and costs more than this one."""
    said = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    return hooks.receive(WSGIRequest({**said, "wsgi.input": BytesIO(body)}), secret).status_code


def _at_kartra(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """All leads of the first account, as the sandbox's own tables have them."""

    def names(lead: int, sql: str) -> set[str]:
        return {row[0] for row in db.execute(sql, (lead,))}

    found = {}
    with closing(connect(sandbox.path)) as db:
        for lead, text in db.execute("SELECT id, facts FROM leads WHERE account_id = 1 AND NOT deleted").fetchall():
            facts = json.loads(text)
            found[str(lead)] = {
                "name": " ".join(filter(None, (facts["first_name"], facts["last_name"]))),
                **{key: facts[key] for key in ("email", "company", "city", "state", "country")},
                "tag": names(lead, "SELECT name FROM lead_tags JOIN tags ON id = tag_id WHERE lead_id = ?"),
                "list": names(
                    lead, "SELECT name FROM lead_lists JOIN lists ON id = list_id WHERE lead_id = ? AND active"
                ),
                "sequence": names(
                    lead,
                    "SELECT name FROM lead_sequences JOIN sequences ON id = sequence_id"
                    " WHERE lead_id = ? AND status = 'active'",
                ),
                "membership": names(
                    lead,
                    "SELECT l.membership_name || ' ' || l.name FROM lead_levels h JOIN levels l"
                    " ON (l.membership_id, l.id) = (h.membership_id, h.level_id) WHERE h.lead_id = ? AND h.active",
                ),
                "product": names(
                    lead, "SELECT product_name FROM transactions WHERE lead_id = ? AND kind != 'cancellation'"
                ),
            }
    return found


def _in_directory(entry: Entry) -> dict[str, Any]:
    kept: dict[str, Any] = {
        key: getattr(entry, key) for key in ("name", "email", "company", "city", "state", "country")
    }
    marks = set(entry.marks.values_list("kind", "name"))
    return kept | {kind: {name for each, name in marks if each == kind} for kind in MarkKind.values}


@pytest.mark.django_db(transaction=True)  # ten thousand versions of one row in one transaction would be slow
def test_ten_thousand_forged_posts_move_nothing_but_a_bounded_queue(
    kartra: Kartra, sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No directory entry, no operation, no call to Kartra; at most one reading for each lead, and no memory kept. The
    readings then bring what Kartra has, and nothing that was told."""
    settings.EVENTS_PER_MINUTE = 100_000
    at_kartra = _at_kartra(sandbox)
    others = [
        "5300001",
        NOTABLE["deleted"].id,
        *map(str, range(1, 299 - len(at_kartra))),
    ]  # of another account; of none
    leads = [*at_kartra, *others]
    monkeypatch.setattr(rereads, "OUTSTANDING_AT_MOST", 200)
    logging.disable()  # ten thousand lines
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")  # the disk is not what is tried here
    rng = random.Random(4)
    many = 10_000 if connection.vendor == "sqlite" else 4_000  # each is a commit
    posts = [_forged(rng, leads) for _ in range(many // 4)]
    sandbox.calls()
    sent = [*posts, *posts, *rng.sample(posts, len(posts)), *reversed(posts)]
    assert len(sent) == many
    secret = events.secret_of(kartra.hook)
    for body, kind in sent[:500]:
        assert kartra.post(body, kind) in (200, 400, 413, 415)
    for body, kind in sent[500:-300]:
        assert _posted_to_the_view(secret, body, kind) in (200, 400, 413, 415)
    tracemalloc.start()
    try:
        for body, kind in sent[-300:]:
            assert _posted_to_the_view(secret, body, kind) in (200, 400, 413, 415)
        gc.collect()
        kept_in_memory = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)
    assert kept_in_memory < 1_000_000  # what was sent is nearly three
    counts = kartra.counts()
    assert Event.objects.count() + counts["doubles"] + counts["refused"] == many
    assert Event.objects.count() <= len({body for body, _ in posts})
    assert Reread.objects.count() == 200
    assert Subject.objects.count() == 1, "of all who are not known here"
    assert not Entry.objects.exists()
    assert not Operation.objects.exists()
    assert sandbox.calls() == []
    assert threading.active_count() < 10

    wanted = dict(Reread.objects.values_list("lead_id", "with_money"))
    while refreshing.work():
        pass
    assert not Reread.objects.exists()
    kept = {entry.lead_id or "": _in_directory(entry) for entry in Entry.objects.all()}
    assert kept == {
        lead: at_kartra[lead] | ({} if with_money else {"product": set()})
        for lead, with_money in wanted.items()
        if lead in at_kartra
    }
    assert len(kept) > 30
    assert any(one["product"] for one in kept.values())
    assert not Operation.objects.exists()
    assert not Entry.objects.exclude(gone_at=None).exists()
