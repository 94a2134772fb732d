"""What nobody waits for gives way to people: which of the calls ask the limiter for their turn as background work."""

from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from kartra_admin.lib.pacing import Limiter, Turn
from leads import tasks
from leads.access import Desk
from leads.models import Job, Operation, Reread
from leads.providers.changes import AssignTag, EditLead, SubscribeToList
from leads.providers.kartra.sandbox.state import connect, writing
from leads.services import directory, events, refreshing, settling
from leads.services.bulk import making, steering
from leads.services.directory import Met
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, do, grow_old, read, typed
from tests.leads.services.bulk.conftest import TAG, lay_down, states, work

pytestmark = pytest.mark.django_db
BEN = NOTABLE["ben"]
NOBODY = "nobody@example.com"
LATER = "Made later"
PERSON, BACKGROUND = False, True
Calls = list[tuple[tuple[str, ...], bool]]
Heard = Callable[[], Calls]


@pytest.fixture
def heard(sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Heard:
    """The commands of each call since this was last asked, and whether it gave way to people."""
    turns: list[bool] = []
    wait = Limiter.wait

    def listen(limiter: Limiter, name: str, *, background: bool = False) -> Turn:
        if name == settings.KARTRA_APP_ID:
            turns.append(background)
        return wait(limiter, name, background=background)

    def since() -> Calls:
        found = list(zip(sandbox.calls(), turns, strict=True))
        turns.clear()
        return found

    monkeypatch.setattr(Limiter, "wait", listen)
    return since


@pytest.fixture
def manager(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("manager")


def test_a_bulk_job_gives_way_in_its_dry_run_its_run_and_its_undo(manager: Desk, heard: Heard) -> None:
    changes = AssignTag(TAG), EditLead({"city": "Dallas"})
    job = work(lay_down(manager, f"{ADA.email}\n{BEN.email}\n{NOBODY}", *changes, creates_missing=True))
    assert job.state == Job.State.CHECKED
    assert heard() == [(("get_lead",), BACKGROUND)] * 3
    job = work(steering.start(actor=manager.user, job=job))
    assert states(job) == ["succeeded"] * 3
    edited = [("get_lead",), ("edit_lead", "assign_tag"), ("get_lead",)]
    made = [("get_lead",), ("create_lead", "assign_tag"), ("get_lead",)]
    assert sorted(heard()) == sorted((commands, BACKGROUND) for commands in [*edited, *edited, *made])
    undoing = work(making.undo_job(actor=manager.user, job=job, job_id=uuid4()))
    checked = heard()
    undoing = work(steering.start(actor=manager.user, job=undoing))
    undone = heard()
    assert states(undoing).count("succeeded") >= 2
    assert {commands for commands, _ in undone} >= {("get_lead",), ("edit_lead", "unassign_tag")}
    assert {is_background for _, is_background in [*checked, *undone]} == {BACKGROUND}


def test_an_undo_of_several_attempts_gives_way(manager: Desk, sandbox: Sandbox, heard: Heard) -> None:
    job = work(lay_down(manager, ADA.email, AssignTag(TAG), SubscribeToList(LATER)))
    job = work(steering.start(actor=manager.user, job=job))
    assert states(job) == ["failed"]
    with closing(connect(sandbox.path)) as db, writing(db):
        db.execute("INSERT INTO lists (id, account_id, name) VALUES (9901, 1, ?)", (LATER,))
    job = work(steering.retry(actor=manager.user, job=job))
    undoing = work(making.undo_job(actor=manager.user, job=job, job_id=uuid4()))
    heard()
    undoing = work(steering.start(actor=manager.user, job=undoing))
    assert states(undoing) == ["succeeded"]
    undone = heard()
    assert {commands for commands, _ in undone} >= {("unsubscribe_lead_from_list",), ("unassign_tag",)}
    assert {is_background for _, is_background in undone} == {BACKGROUND}


def test_the_readings_of_the_directory_give_way(manager: Desk, heard: Heard, settings: Any) -> None:
    settings.REFRESH_SHARE = 0.2
    directory.remember_rows(manager.account, [Met(ADA.id)], at=timezone.now())
    assert not refreshing.work()
    assert [is_background for _, is_background in heard()] == [BACKGROUND] * 3


def test_a_reading_that_an_event_asks_for_gives_way(desk_of: Callable[..., Desk], heard: Heard, settings: Any) -> None:
    settings.REFRESH_SHARE = 0.2
    desk = desk_of("admin")
    hook = events.make_hook(actor=desk.user, account=desk.account)
    sale = {"transaction_type": "sale", "product_name": "Course", "lead_id": ADA.id, "lead_email": ADA.email}
    url, form = f"/hooks/{events.secret_of(hook)}/", "application/x-www-form-urlencoded"
    assert Client().post(url, urlencode(sale), form).status_code == 200
    assert heard() == []
    tasks.read_told.call()
    assert not Reread.objects.exists()
    assert [is_background for _, is_background in heard()] == [BACKGROUND] * 3


def test_what_is_in_doubt_is_read_for_in_the_background_unless_a_person_asks(
    manager: Desk, sandbox: Sandbox, heard: Heard
) -> None:
    sandbox.arm("assign_tag", "lost", 2)
    for actor, tag, is_background in ((None, TAG, BACKGROUND), (manager.user, "🏺 collector", PERSON)):
        operation = do(manager, AssignTag(tag))
        assert Operation.objects.get(pk=operation.pk).outcome == "unknown"
        grow_old(operation)
        heard()
        settling.settle(operation, connection=manager.connection, actor=actor)
        assert heard() == [(("get_lead",), is_background)]


def test_a_lead_s_page_and_a_save_give_way_to_nobody(
    at_desk: Callable[..., Client], manager: Desk, heard: Heard
) -> None:
    client, url = at_desk("manager"), f"/leads/{ADA.id}/"
    posted = typed(manager, read(manager), city="Dallas", tags=[TAG])
    heard()
    client.get(url)
    client.get(f"{url}money/", headers=HTMX)
    shown = heard()
    assert len(shown) >= 2
    assert client.post(f"{url}edit/", posted).status_code == 302
    saved = heard()
    assert any("edit_lead" in commands for commands, _ in saved)
    assert len(saved) == 3
    client.post("/leads/new/", typed(manager, email=NOBODY))
    made = heard()
    assert (("create_lead",), PERSON) in made
    assert {is_background for _, is_background in [*shown, *saved, *made]} == {PERSON}
