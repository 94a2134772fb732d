"""The Health page: it says what is wrong, and nothing where nothing is."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.services import connections
from leads import tasks
from leads.models import Heartbeat
from leads.selectors import health
from leads.services import heartbeats

pytestmark = pytest.mark.django_db
UserOf = Callable[[str], User]


def line(name: str) -> health.Line:
    return next(one for one in health.lines() if one.name == name)


@pytest.mark.parametrize(("name", "task"), [("Worker", tasks.send_due), ("Reconciliation", tasks.settle_due)])
def test_what_runs_every_minute_tells_that_it_is_alive(name: str, task: Callable[..., None]) -> None:
    assert (line(name).word, line(name).kind) == ("Never started", "failed")
    task.call_local()  # type: ignore[attr-defined]
    assert (line(name).word, line(name).kind) == ("Running", "succeeded")
    Heartbeat.objects.update(at=timezone.now() - health.ALIVE_WITHIN - timedelta(seconds=1))
    assert (line(name).word, line(name).kind) == ("Not responding", "failed")
    assert "Start manage.py worker" in line(name).says


def test_a_beat_after_a_beat_is_one_row() -> None:
    heartbeats.beat(Heartbeat.WORKER)
    heartbeats.beat(Heartbeat.WORKER)
    assert Heartbeat.objects.count() == 1


def test_the_page_says_what_is_wrong(user_of: UserOf, client_of: Callable[[str], Client], settings: Settings) -> None:
    settings.SECOND_FACTOR_ROLES = ["support"]
    agent = user_of("agent")
    user_of("support")
    placed = connections.place(actor=agent, owner=agent, api_key="key", api_password="canary-password")
    connections.note_failed(placed, "Kartra does not take this key any more.")
    page = client_of("admin").get("/settings/health/").content.decode()
    for words in (
        "Agent Person",
        "does not take this key any more",
        "Support Person",
        "Sandbox",
        "0.1.0",
        "Never started",
    ):
        assert words in page, words
    assert "canary-password" not in page


def test_who_is_well_is_not_named(user_of: UserOf, settings: Settings) -> None:
    settings.SECOND_FACTOR_ROLES = ["support"]
    support = user_of("support")
    Authenticator.objects.create(user=support, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert health.without_factor() == [support], "recovery codes alone are no factor"
    Authenticator.objects.create(user=support, type=Authenticator.Type.TOTP, data={})
    assert health.without_factor() == []
    placed = connections.place(actor=support, owner=support, api_key="key", api_password="password")
    connections.note_failed(placed, "No.")
    connections.note_worked(placed)
    assert health.failing_connections() == []


def test_database_and_cache_are_tried(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (line("Database").word, line("Cache").kind) == ("Working", "neutral")
    monkeypatch.setattr(health.cache, "get", lambda key: "something else", raising=False)
    assert line("Cache").word == "Failing"


def test_it_says_what_check_says(settings: Settings) -> None:
    settings.SETTLE_READINGS = 0
    (said,) = [one for one in health.check_messages() if "settle" in one.name]
    assert said.kind == "failed"
    assert "SETTLE_READINGS must be at least 1" in said.says


def test_live_or_sandbox(settings: Settings) -> None:
    assert line("Kartra").word == "Sandbox"
    settings.KARTRA_API_URL = "https://app.kartra.com/api"
    assert line("Kartra").word == "Live"
