"""When a call is sent again, what is told of one that failed, and which addresses are spoken to."""

import os
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kartra_admin.lib.pacing import NoTurn
from leads.providers.errors import Misconfigured, OutcomeUnknown, RateLimited, Unavailable
from leads.providers.kartra import client as client_module
from leads.providers.kartra.client import LARGEST_ANSWER, SANDBOX, KartraClient, Trouble, pause_before_retry
from tests.leads.providers.kartra.script import KEY, PASSWORD, NoLimit, Script, flat

CALL = {"actions": [{"cmd": "retrieve_account_tags"}]}
FINE = {"status": "Success", "account_tags": []}


def call(script: Script, *, is_write: bool = False, **options: Any) -> Any:
    return script.client(**options).call(CALL, is_write=is_write)


# The decision


def decide(trouble: Trouble, *, is_write: bool, retries: int = 0, seconds_gone: float = 0.0) -> float | None:
    return pause_before_retry(trouble, is_write=is_write, retries=retries, seconds_gone=seconds_gone, timeout=30)


def test_reads_are_sent_again_twice_unless_there_is_no_hope() -> None:
    for trouble in (Trouble.NO_ANSWER, Trouble.NOTHING_SENT):
        assert [decide(trouble, is_write=False, retries=retries) for retries in range(3)] == [0.2, 0.6, None]
    assert decide(Trouble.HOPELESS, is_write=False) is None


def test_writes_are_sent_again_only_where_kartra_cannot_have_carried_them_out() -> None:
    assert decide(Trouble.NO_ANSWER, is_write=True) is None
    assert decide(Trouble.HOPELESS, is_write=True) is None
    assert [decide(Trouble.NOTHING_SENT, is_write=True, retries=retries) for retries in range(3)] == [0.2, 0.6, None]


@pytest.mark.parametrize("is_write", [True, False])
def test_a_call_that_was_limited_is_sent_again_three_times_after_a_second(is_write: bool) -> None:
    pauses = [decide(Trouble.LIMITED, is_write=is_write, retries=retries, seconds_gone=100) for retries in range(4)]
    assert pauses == [1.0, 1.0, 1.0, None]


def test_nobody_waits_for_many_time_limits() -> None:
    assert decide(Trouble.NO_ANSWER, is_write=False, retries=1, seconds_gone=44) is not None
    assert decide(Trouble.NO_ANSWER, is_write=False, retries=1, seconds_gone=46) is None


@given(st.sampled_from(Trouble), st.integers(0, 10), st.floats(0, 1000), st.floats(0.1, 100))
def test_no_circumstance_sends_a_write_again_that_may_have_been_carried_out(
    trouble: Trouble, retries: int, seconds_gone: float, timeout: float
) -> None:
    pause = pause_before_retry(trouble, is_write=True, retries=retries, seconds_gone=seconds_gone, timeout=timeout)
    assert pause is None or trouble in (Trouble.LIMITED, Trouble.NOTHING_SENT)


# Calls


@pytest.mark.parametrize(
    "trouble",
    [ConnectionRefusedError(), ConnectionResetError(), TimeoutError(), (500, b""), (503, b"<html>"), b"junk", b""],
)
def test_a_read_is_sent_again(trouble: Any) -> None:
    script = Script(trouble, trouble, FINE)
    assert call(script) == FINE
    assert len(script.calls) == 3
    assert script.calls[0] == script.calls[2]
    assert script.sleeps == [0.2, 0.6]
    assert script.reports == [None]


@pytest.mark.parametrize("trouble", [ConnectionRefusedError(), TimeoutError(), (500, b""), b"junk"])
def test_a_read_is_given_up_after_three_tries(trouble: Any) -> None:
    script = Script(trouble, trouble, trouble)
    with pytest.raises(Unavailable, match="Try again") as caught:
        call(script)
    assert len(script.calls) == 3
    assert script.reports == [caught.value]


@pytest.mark.parametrize(
    "trouble", [(301, b""), (302, b""), (400, b""), (403, b""), (404, b""), b" " * (LARGEST_ANSWER + 1)]
)
def test_a_read_without_hope_is_not_sent_again(trouble: Any) -> None:
    script = Script(trouble)
    with pytest.raises(Unavailable, match="KARTRA_API_URL"):
        call(script)
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionResetError(), TimeoutError(), OSError(), KeyError("a fault"), (301, b""), (404, b""), (500, b""), b"",
        b"junk", b"[]", b" " * (LARGEST_ANSWER + 1),
    ],
)  # fmt: skip
def test_a_write_that_was_sent_is_never_sent_again(trouble: Any) -> None:
    script = Script(trouble)
    with pytest.raises(OutcomeUnknown, match="may or may not") as caught:
        call(script, is_write=True)
    assert len(script.calls) == 1
    assert script.reports == [caught.value]


def test_a_write_that_was_not_sent_is_sent_again() -> None:
    script = Script(ConnectionRefusedError(), ConnectionRefusedError(), FINE)
    assert call(script, is_write=True) == FINE


def test_a_write_is_unknown_where_a_second_try_breaks() -> None:
    with pytest.raises(OutcomeUnknown):
        call(Script(ConnectionRefusedError(), ConnectionResetError()), is_write=True)


@pytest.mark.parametrize("is_write", [True, False])
def test_a_limited_call_pauses_everybody_and_goes_again(is_write: bool) -> None:
    script = Script((429, b"Too many requests"), (429, b""), (429, b""), FINE)
    assert call(script, is_write=is_write) == FINE
    assert script.limiter.pauses == [("APP", 1.0)] * 3
    assert len(script.limiter.waits) == 4


@pytest.mark.parametrize("is_write", [True, False])
def test_a_call_that_stays_limited_changed_nothing(is_write: bool) -> None:
    script = Script(*[(429, b"Too many requests")] * 4)
    with pytest.raises(RateLimited, match="Nothing was changed"):
        call(script, is_write=is_write)
    assert not script.answers


def test_each_try_waits_for_a_slot_of_the_app() -> None:
    script = Script((500, b""), FINE, FINE)
    call(script)
    call(script, background=True)
    assert script.limiter.waits == [("APP", False), ("APP", False), ("APP", True)]


def test_a_write_that_waited_too_long_for_its_turn_is_not_sent() -> None:
    script = Script()
    with pytest.raises(Unavailable, match=r"given up\. Nothing was sent"):
        call(script, is_write=True, is_late=lambda: bool(script.limiter.waits))
    assert (script.calls, script.sleeps) == ([], [])
    assert len(script.limiter.waits) == 1


def test_a_read_is_never_too_late() -> None:
    assert call(Script(FINE), is_late=lambda: True) == FINE


@pytest.mark.parametrize("trouble", [(429, b""), ConnectionRefusedError()])
def test_a_write_is_not_sent_again_once_it_is_too_late(trouble: Any) -> None:
    script = Script(trouble, FINE)
    with pytest.raises(Unavailable, match="Nothing was sent"):
        call(script, is_write=True, is_late=lambda: bool(script.calls))
    assert len(script.calls) == 1


@pytest.mark.parametrize("is_write", [False, True])
def test_nothing_is_sent_where_no_turn_can_be_had(is_write: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, **_: bool) -> None:
        raise NoTurn("the table of slots")

    script = Script()
    monkeypatch.setattr(script.limiter, "wait", fail)
    with pytest.raises(Unavailable, match="Nothing was changed"):
        call(script, is_write=is_write)
    assert script.calls == []
    assert script.sleeps == [0.2, 0.6]


def test_a_429_is_waited_for_alone_where_nobody_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, seconds: float) -> None:
        raise NoTurn("the table of slots")

    script = Script((429, b""), FINE)
    monkeypatch.setattr(script.limiter, "pause", fail)
    call(script)
    assert script.sleeps == [1.0]


def test_an_error_of_the_set_up_is_reported_and_any_other_answer_shows_that_the_connection_works() -> None:
    script = Script(flat("203"), flat("212"), FINE)
    for _ in range(3):
        call(script)
    assert [type(report) for report in script.reports] == [Misconfigured, type(None), type(None)]


def test_a_call_within_this_process_takes_its_turn_again_and_is_counted_as_it_goes() -> None:
    """Connections tell of that; here there is none. Otherwise a call that was late would meet the next ones."""
    script = Script(FINE)
    limiter, seen = script.limiter, list[object]()
    limiter.still = lambda name, turn, *, background=False: (seen.append(background), turn)[1]  # type: ignore[method-assign, assignment]
    limiter.sent = lambda name, turn: seen.append(len(script.calls))  # type: ignore[method-assign]
    assert script.client(background=True).call(CALL, is_write=False) == FINE
    assert seen == [True, 0]  # before Kartra has it


def test_a_call_within_this_process_arrives_as_it_is_sent_however_long_telling_of_it_takes() -> None:
    script, told, arrived = Script(FINE), list[float](), list[float]()
    script.limiter.sent = lambda name, turn: told.append(time.time())  # type: ignore[method-assign]

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        arrived.append(environ["sandbox.arrived"])
        return script(environ, start_response)

    client = KartraClient(SANDBOX, "APP", KEY, PASSWORD, limiter=script.limiter, wsgi_app=app)
    assert client.call(CALL, is_write=False) == FINE
    assert arrived[0] <= told[0]


def test_a_report_that_fails_does_not_lose_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    def report(error: object) -> None:
        raise RuntimeError("the database is away")

    script = Script(FINE)
    client = KartraClient(SANDBOX, "APP", KEY, PASSWORD, limiter=NoLimit(), wsgi_app=script, report=report)
    assert client.call(CALL, is_write=True) == FINE
    assert "could not note" in caplog.text


# Addresses and credentials


def client_for(url: str, app_id: str = "APP", key: str = KEY, password: str = PASSWORD) -> KartraClient:
    return KartraClient(url, app_id, key, password, limiter=NoLimit())


@pytest.mark.parametrize(
    "url",
    [
        "https://app.kartra.com/api", "https://app.kartra.com/api/", "http://127.0.0.1:9000/api", "http://localhost",
        "http://[::1]:8000/api", "http://127.8.8.8", "https://kartra.example:8443/x",
    ],
)  # fmt: skip
def test_https_and_loopback_are_spoken_to(url: str) -> None:
    assert repr(client_for(url)) == f"KartraClient({url.rstrip('/')})"


@pytest.mark.parametrize(
    "url",
    [
        "http://app.kartra.com/api", "http://10.0.0.1/api", "http://localhost.evil.example", "http://127.0.0.1.example",
        "ftp://127.0.0.1/", "", "kartra", "//app.kartra.com", "https://", "https://user:pass@app.kartra.com/api",
        "https://app.kartra.com/api?key=1", "https://app.kartra.com/#x", "https://app.kartra.com:99999999/", "https://[::1",
        "sandbox:",
    ],
)  # fmt: skip
def test_no_other_address_is_spoken_to(url: str) -> None:
    with pytest.raises(Misconfigured, match="KARTRA_API_URL"):
        client_for(url)


@pytest.mark.parametrize(("key", "password"), [("", "p"), ("k", ""), ("\ud800", "p")])
def test_missing_credentials_are_said_at_once(key: str, password: str) -> None:
    with pytest.raises(Misconfigured, match="key or password"):
        client_for("https://app.kartra.com/api", key=key, password=password)


def test_a_missing_app_id_is_said_at_once() -> None:
    with pytest.raises(Misconfigured, match="KARTRA_APP_ID"):
        client_for("https://app.kartra.com/api", app_id="")


def test_all_clients_of_a_process_share_the_connections_to_one_address() -> None:
    pools = [client_for(url)._http for url in ("https://a.example/api", "https://a.example/api/", "https://b.example")]
    assert pools[0] is pools[1]
    assert pools[0] is not pools[2]
    assert client_module._pool("https://a.example/api", os.getpid() + 1) is not pools[0]
    assert isinstance(pools[0], httpx.Client)
    assert pools[0].follow_redirects is False
