"""Who opens a lead in the very instant in which it is forgotten comes wholly before it, or wholly after."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from accounts import subjects
from accounts.models import AuditEntry, AuditTerm, Subject, SubjectTerm
from accounts.services import chain
from leads.access import Desk
from leads.models import Forgetting, Recent
from leads.services import forgetting, leads
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import read

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.fixture
def admin(desk_of: Callable[..., Desk], sandbox: Sandbox) -> Desk:
    """Who has opened the lead a while ago, so that there are rows and words of it."""
    desk = desk_of("admin")
    leads.record_view(actor=desk.user, account=desk.account, lead=read(desk))
    Recent.objects.update(opened_at=timezone.now() - 2 * leads.VISIT)
    return desk


@contextmanager
def held_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Iterator[threading.Event]:
    """The first who calls that function waits inside it until the block ends. Gives what is set once he is there."""
    is_there, may_go = threading.Event(), threading.Event()
    original = getattr(owner, name)

    def wait(*args: Any, **kwargs: Any) -> Any:
        if not is_there.is_set():
            is_there.set()
            may_go.wait(20)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, wait)
    try:
        yield is_there
    finally:
        may_go.set()


class Act(threading.Thread):
    """Does something beside the test; ``raised`` is what came of it."""

    raised: BaseException | None = None

    def __init__(self, do: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._do = do
        self.start()

    def run(self) -> None:
        try:
            self._do()
        except BaseException as error:  # noqa: BLE001
            self.raised = error
        finally:
            database.close()


def acts_of(desk: Desk) -> dict[str, Callable[[], object]]:
    seen = read(desk)
    return {
        "view": lambda: leads.record_view(actor=desk.user, account=desk.account, lead=seen),
        "visit": lambda: leads.record_visit(actor=desk.user, account=desk.account, lead_id=ADA.id),
    }


def ask(desk: Desk) -> None:
    Forgetting.objects.create(
        account=desk.account, lead_id=ADA.id, reason="asked", requested_by=desk.user, due_at=timezone.now()
    )


def assert_forgotten(old: Subject, acts: list[Act]) -> None:
    for act in acts:
        act.join(20)
        assert not act.is_alive()
        assert act.raised is None
    old.refresh_from_db()
    assert old.is_forgotten
    assert not AuditTerm.objects.filter(subject=old).exists()
    assert not SubjectTerm.objects.filter(subject=old).exists()


@pytest.mark.parametrize("name", ["view", "visit"])
def test_who_comes_while_it_is_forgotten_waits(admin: Desk, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    old, act = subjects.of_lead(admin.account.pk, ADA.id), acts_of(admin)[name]
    ask(admin)
    with held_at(monkeypatch, forgetting, "_delete_what_is_clear") as is_there:
        forgets = Act(forgetting.forget_due)
        assert is_there.wait(20)
        sees = Act(act)
        sees.join(1)
        assert sees.is_alive()
    assert_forgotten(old, [forgets, sees])
    last = AuditEntry.objects.filter(action="lead.view.viewed").latest("pk")
    assert last.subject_id not in (None, old.pk)


@pytest.mark.parametrize("name", ["view", "visit"])
def test_who_is_at_it_already_is_waited_for(admin: Desk, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    old, act = subjects.of_lead(admin.account.pk, ADA.id), acts_of(admin)[name]
    ask(admin)
    with held_at(monkeypatch, chain, "append") as is_there:
        sees = Act(act)
        assert is_there.wait(20)
        forgets = Act(forgetting.forget_due)
        forgets.join(1)
        assert forgets.is_alive()
    assert_forgotten(old, [forgets, sees])
    last = AuditEntry.objects.filter(action="lead.view.viewed").latest("pk")
    assert last.subject_id == old.pk
    assert last.is_withheld
