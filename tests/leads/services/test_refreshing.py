"""Reading leads again while nobody waits: what was told first, then the oldest, within a share of the calls."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from leads import wiring
from leads.access import Desk
from leads.models import Entry, Payment, Reread
from leads.services import directory, refreshing, rereads
from leads.services.directory import Met
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import together

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
BEN, JON = NOTABLE["ben"], NOTABLE["jon"]


@pytest.fixture
def desk(desk_of: DeskOf, settings: Any) -> Desk:
    settings.REFRESH_SHARE = 0.2
    return desk_of("agent")


def know(desk: Desk, *lead_ids: str) -> None:
    directory.remember_rows(desk.account, [Met(lead_id) for lead_id in lead_ids], at=timezone.now())


def read_ago(lead_id: str, **ago: float) -> None:
    at = timezone.now() - timedelta(**ago)
    Entry.objects.filter(lead_id=lead_id).update(lead_read_at=at, money_read_at=at, asked_at=None)


def test_a_lead_never_read_is_read_with_its_money(desk: Desk, sandbox: Sandbox) -> None:
    know(desk, ADA.id)
    assert not refreshing.work()
    entry = Entry.objects.get()
    assert entry.email == ADA.email
    assert entry.lead_read_at is not None
    assert entry.money_read_at is not None
    assert Payment.objects.exists()
    calls = sandbox.calls()
    assert calls[0] == ("get_lead",)
    assert len(calls) == 3


def test_what_was_told_goes_first_then_the_never_read_then_the_oldest(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(desk, ADA.id, BEN.id, JON.id)
    read_ago(ADA.id, days=2)
    read_ago(JON.id, days=3)
    read: list[str] = []
    monkeypatch.setattr(refreshing, "_read", lambda wanted: read.append(wanted.ref.id))
    rereads.want(desk.account.pk, "4174099", at=timezone.now())
    refreshing.work(0.5)
    assert read == ["4174099", BEN.id, JON.id, ADA.id]


def test_a_large_account_leaves_the_others_their_turn(
    desk_of: DeskOf, desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(desk, *(str(number) for number in range(30)))
    small = desk_of("manager", 1)
    directory.remember_rows(small.account, [Met("7", name="Old")], at=timezone.now())
    read: list[int] = []
    monkeypatch.setattr(refreshing, "_read", lambda wanted: read.append(wanted.account.pk))
    assert not refreshing.work()
    assert len(read) == 31
    assert small.account.pk in read[:30]  # but once in a thousand million runs


def test_to_be_read_again_because_it_was_long_ago_is_not_to_be_met(desk: Desk, sandbox: Sandbox) -> None:
    know(desk, ADA.id, BEN.id)
    long_ago = timezone.now() - timedelta(days=200)
    Entry.objects.update(seen_at=long_ago)
    rereads.want(desk.account.pk, BEN.id, at=timezone.now(), with_money=True)
    for _ in range(2):  # what is new, then what is so already
        assert not refreshing.work()
        assert Entry.objects.get(lead_id=ADA.id).seen_at == long_ago
        assert Entry.objects.get(lead_id=BEN.id).seen_at > long_ago  # an event told of it
        assert Entry.objects.get(lead_id=ADA.id).lead_read_at
        read_ago(ADA.id, days=2)


def test_who_was_read_lately_is_left_alone(desk: Desk, sandbox: Sandbox) -> None:
    know(desk, ADA.id)
    read_ago(ADA.id, hours=1)
    assert not refreshing.work()
    assert sandbox.calls() == []
    rereads.want(desk.account.pk, ADA.id, at=timezone.now())
    assert not refreshing.work()
    assert sandbox.calls() == [("get_lead",)]
    assert not Reread.objects.exists()


def test_money_is_read_where_the_telling_was_of_money(desk: Desk, sandbox: Sandbox) -> None:
    rereads.want(desk.account.pk, ADA.id, at=timezone.now(), with_money=True)
    refreshing.work()
    assert len(sandbox.calls()) == 3
    assert Entry.objects.get(lead_id=ADA.id).money_read_at is not None


def test_a_lead_gone_from_kartra_is_marked_and_stays(desk: Desk, sandbox: Sandbox) -> None:
    know(desk, "99999999")
    rereads.want(desk.account.pk, "88888888", at=timezone.now())
    assert not refreshing.work()
    entry = Entry.objects.get()
    assert (entry.lead_id, entry.gone_at is not None) == ("99999999", True)
    assert not Reread.objects.exists()
    sandbox.calls()
    assert not refreshing.work()
    assert sandbox.calls() == []


def test_who_is_known_by_email_alone_is_read_by_it(desk: Desk, sandbox: Sandbox) -> None:
    rows = [Met("", email=ADA.email, name="As imported"), Met("", email="left@example.com")]
    directory.remember_rows(desk.account, rows, at=timezone.now())
    assert not refreshing.work()
    ada = Entry.objects.get(lead_id=ADA.id)
    assert ada.name == "Ada Moreno"
    assert None not in (ada.lead_read_at, ada.money_read_at)
    assert Entry.objects.get(lead_id=None).gone_at is not None
    sandbox.calls()
    assert not refreshing.work()
    assert sandbox.calls() == []


def test_a_kartra_that_knows_emails_alone_makes_nobody_gone(desk: Desk, sandbox: Sandbox) -> None:
    directory.remember_rows(desk.account, [Met(ADA.id, email=ADA.email), Met(BEN.id)], at=timezone.now())
    sandbox.configure(email_only=True)
    rereads.want(desk.account.pk, ADA.id, at=timezone.now())
    assert not refreshing.work()
    ada = Entry.objects.get(lead_id=ADA.id)
    assert (ada.gone_at, ada.lead_read_at is None) == (None, False)


def test_a_kartra_that_is_away_is_left_alone_until_the_next_slice(desk: Desk, sandbox: Sandbox) -> None:
    know(desk, ADA.id, BEN.id, *(str(number) for number in range(4_200_001, 4_200_021)))
    rereads.want(desk.account.pk, JON.id, at=timezone.now())
    sandbox.arm("get_lead", "junk", 100)
    assert not refreshing.work(30)
    assert len(sandbox.calls()) == 9  # three leads, each tried three times
    assert not Entry.objects.exclude(lead_read_at=None).exists()
    assert Reread.objects.count() == 1
    sandbox.disarm()
    Reread.objects.update(leased_until=None)
    Entry.objects.filter(lead_id__gt="42").delete()
    Entry.objects.update(asked_at=None)
    refreshing.work()
    assert not Reread.objects.exists()
    assert not Entry.objects.filter(lead_read_at=None).exists()


UNREADABLE = f"0{ADA.id}"  # Kartra answers with the lead, by another id


def test_one_whose_answer_is_unreadable_keeps_nobody_waiting(desk: Desk, sandbox: Sandbox) -> None:
    rereads.want(desk.account.pk, UNREADABLE, at=timezone.now() - timedelta(minutes=20))
    know(desk, f"0{JON.id}", JON.id)
    rereads.want(desk.account.pk, BEN.id, at=timezone.now())
    assert not refreshing.work(30)
    read = Entry.objects.exclude(lead_read_at=None).order_by("lead_read_at", "id")
    assert [entry.lead_id for entry in read] == [BEN.id, JON.id]
    left = Reread.objects.get()
    assert left.lead_id == UNREADABLE
    assert left.leased_until
    assert left.leased_until > timezone.now() + timedelta(minutes=19)


def test_one_that_was_set_back_has_the_next_read_at_once_all_the_same(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    told: list[int] = []
    monkeypatch.setattr(rereads._queue, "read_told", lambda: told.append(1))
    rereads.want(desk.account.pk, UNREADABLE, at=now)
    rereads.want(desk.account.pk, JON.id, at=now)
    assert len(told) == 1
    Reread.objects.update(leased_until=now + timedelta(minutes=5))
    rereads.want(desk.account.pk, BEN.id, at=now)
    assert len(told) == 2


@pytest.mark.parametrize("remember", ["remember_lead", "remember_money", "mark_gone"])
def test_a_reading_that_was_not_kept_is_not_over(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, remember: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    lead_id = "88888888" if remember == "mark_gone" else ADA.id
    know(desk, lead_id)
    rereads.want(desk.account.pk, lead_id, at=timezone.now(), with_money=True)
    Entry.objects.update(asked_at=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(directory, remember, fail)
        assert not refreshing.work()
    assert Reread.objects.exists()
    Reread.objects.update(leased_until=None)
    assert not refreshing.work()
    assert not Reread.objects.exists()
    entry = Entry.objects.get()
    assert (entry.money_read_at or entry.gone_at) is not None


@pytest.mark.parametrize("is_anybody_read", [True, False])
def test_one_that_nobody_could_read_for_a_day_is_given_up_where_others_were_read(
    desk: Desk, sandbox: Sandbox, *, is_anybody_read: bool
) -> None:
    know(desk, JON.id)
    read_ago(JON.id, minutes=5 if is_anybody_read else 300)
    rereads.want(desk.account.pk, UNREADABLE, at=timezone.now() - timedelta(hours=25))
    refreshing.work()
    assert Reread.objects.exists()  # it was tried once
    Reread.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    refreshing.work()
    assert Reread.objects.exists() is not is_anybody_read


def test_one_lead_that_cannot_be_read_does_not_keep_the_others(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(desk, ADA.id, BEN.id)
    read: list[str] = []
    monkeypatch.setattr(refreshing, "_read", lambda wanted: read.append(wanted.ref.id))
    refreshing.work(0.5)
    refreshing.work(0.5)
    assert read == [ADA.id, BEN.id]


def test_nobody_s_account_is_not_read(desk: Desk, sandbox: Sandbox) -> None:
    know(desk, ADA.id)
    User.objects.update(is_active=False)
    assert not refreshing.work()
    assert sandbox.calls() == []


def test_no_share_means_that_only_what_was_told_is_read(
    desk: Desk, sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REFRESH_SHARE = 0
    monkeypatch.setattr(refreshing, "wait_for_share", lambda calls: None)
    know(desk, ADA.id)
    assert not refreshing.work()
    assert sandbox.calls() == []
    rereads.want(desk.account.pk, BEN.id, at=timezone.now())
    assert not refreshing.work()
    assert sandbox.calls() == [("get_lead",)]
    assert not Reread.objects.exists()


@pytest.mark.parametrize(
    ("share", "calls", "places", "a_second"),
    [(0.2, 20, 3, 4), (0.2, 3, 5, 1), (0.099, 20, 3, 1), (0.01, 20, 15, 1), (0.0001, 20, 15, 1), (0, 20, 15, 1)],
)
def test_a_small_share_is_what_it_says_down_to_a_call_in_five_seconds(
    settings: Any, monkeypatch: pytest.MonkeyPatch, share: float, calls: int, places: int, a_second: int
) -> None:
    taken: list[int] = []

    class Limiter:
        def __init__(self, pace: int) -> None:
            self._pace = pace

        def wait(self, *_: object, background: bool) -> None:
            assert background
            taken.append(self._pace)

    settings.REFRESH_SHARE, settings.KARTRA_CALLS_PER_SECOND = share, calls
    monkeypatch.setattr(wiring, "_limiter", lambda _, pace: Limiter(pace))
    wiring.wait_for_share(3)
    assert taken == [a_second] * places


def test_readings_stay_within_their_share(desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.KARTRA_CALLS_PER_SECOND, settings.REFRESH_SHARE = 20, 0.2
    know(desk, *(str(number) for number in range(4_200_001, 4_200_040)))
    Entry.objects.update(money_read_at=timezone.now())
    start = time.monotonic()
    assert refreshing.work(2)
    assert time.monotonic() - start < 4
    assert len(sandbox.calls()) <= 4 * 3


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_read_the_same_lead(desk: Desk, sandbox: Sandbox) -> None:
    ids = [str(number) for number in range(4_200_001, 4_200_011)]
    know(desk, *ids)
    Entry.objects.update(money_read_at=timezone.now())
    rereads.want(desk.account.pk, ADA.id, at=timezone.now())
    together(lambda: refreshing.work(3), lambda: refreshing.work(3))
    assert len(sandbox.calls()) == 11
    assert Entry.objects.exclude(lead_read_at=None).count() == 11
