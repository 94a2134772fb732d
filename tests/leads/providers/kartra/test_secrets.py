"""A canary in the credentials: whatever happens, it is found nowhere but on the wire."""

import copy
import io
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from leads.providers.base import LeadRef
from leads.providers.changes import AssignTag, RefundTransaction
from leads.providers.errors import Misconfigured, ProviderError
from leads.providers.kartra.client import KartraClient
from leads.providers.kartra.provider import KartraProvider
from tests.leads.providers.kartra.script import KEY, PASSWORD, NoLimit, Script, flat
from tests.leads.providers.kartra.test_sockets import BREAKS, ENDS, FINE, Behave, answer, client, server

CANARIES = {
    form
    for secret in (KEY, PASSWORD)
    for form in (secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1])
}
CALL = {"lead": {"id": "7"}, "actions": [{"cmd": "assign_tag", "tag_name": "vip"}]}


def assert_silent(text: str) -> None:
    for canary in CANARIES:
        assert canary not in text
    assert "zq7x" not in text
    assert "kw9v" not in text


@pytest.fixture(autouse=True)
def everything_logged() -> Iterator[io.StringIO]:
    """Every logger at its most talkative, and nothing of it holds a canary."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    loggers = [logging.getLogger(name) for name in ("", "httpx", "httpcore", "leads", "django")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(handler)
    yield written
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    assert_silent(written.getvalue())


def caught(act: Callable[[], Any]) -> BaseException:
    try:
        act()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is looked at)
        return error
    raise AssertionError("nothing was raised")


def everything_about(error: BaseException, settings: Any) -> str:
    """All that an error page, a log with local variables, or an error collector would show."""
    pages = []
    for debug in (True, False):
        settings.DEBUG = debug
        request = RequestFactory().get("/leads/7/")
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
        pages += [reporter.get_traceback_html(), reporter.get_traceback_text()]
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain = [error, error.__cause__, error.__context__]
    values = [repr(vars(link)) for link in chain if link is not None]
    frames = [repr(frame.f_locals) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return "\n".join([*pages, *whole.format(), *values, *frames, str(error), repr(error), repr(error.args)])


@pytest.mark.parametrize("is_write", [True, False])
@pytest.mark.parametrize("name", [*BREAKS, *ENDS])
def test_a_broken_call_shows_no_credentials(name: str, is_write: bool, settings: Any) -> None:
    behaviour: Behave = {**BREAKS, **ENDS}[name]
    with server(*[behaviour] * (1 if is_write or name in ENDS else 3)) as kartra:
        error = caught(lambda: client(kartra.url).call(CALL, is_write=is_write))
        assert quote_plus(KEY).encode() in kartra.bodies[0]
    assert isinstance(error, ProviderError)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert_silent(everything_about(error, settings))


def test_a_refused_connection_shows_no_credentials(settings: Any) -> None:
    error = caught(lambda: client("http://127.0.0.1:1/api").call(CALL, is_write=True))
    assert_silent(everything_about(error, settings))


def test_a_call_that_goes_well_leaves_no_credentials_in_the_logs(everything_logged: io.StringIO) -> None:
    with server(answer(FINE)) as kartra:
        client(kartra.url).call(CALL, is_write=True)
    assert "httpcore" in "".join(logging.root.manager.loggerDict)
    assert "POST" in everything_logged.getvalue()


@pytest.mark.parametrize(
    "fault",
    [ConnectionRefusedError(), ConnectionResetError(), TimeoutError(), KeyError("x"), (500, b"x"), b"junk", (429, b"")],
)
def test_faults_of_the_sandbox_show_no_credentials(fault: Any, settings: Any) -> None:
    script = Script(*[fault] * 4)
    assert_silent(everything_about(caught(lambda: script.client().call(CALL, is_write=False)), settings))


@pytest.mark.parametrize("body", [flat("203"), flat("999", "odd"), {}, {"status": "Success"}])
def test_what_kartra_refuses_shows_no_credentials(body: dict[str, Any], settings: Any) -> None:
    script = Script(body, body)
    provider = script.provider()
    assert_silent(everything_about(caught(provider.list_tags), settings))
    (outcome,) = provider.send(LeadRef(id="7"), [AssignTag("vip")])
    assert_silent(repr(outcome))


@pytest.mark.parametrize(
    "act",
    [
        lambda provider: provider.send(LeadRef(id="7"), [AssignTag("\ud800")]),
        lambda provider: provider.send(LeadRef(id="7"), [AssignTag("x")] * 460),
        lambda provider: provider.send(LeadRef(id="7"), [RefundTransaction("5", "0")]),
        lambda provider: provider.get_lead(LeadRef()),
    ],
)
def test_what_must_not_be_sent_shows_no_credentials(act: Callable[[KartraProvider], Any], settings: Any) -> None:
    assert_silent(everything_about(caught(lambda: act(Script().provider())), settings))


def test_a_limiter_that_fails_shows_no_credentials(settings: Any) -> None:
    class Broken(NoLimit):
        def wait(self, name: str, *, background: bool = False) -> NoReturn:
            raise OSError("the disk is full")

    broken = client("https://kartra.example/api", limiter=Broken())
    assert_silent(everything_about(caught(lambda: broken.call(CALL, is_write=True)), settings))


@pytest.mark.parametrize("url", ["http://kartra.example", "nonsense", "https://[::1"])
@pytest.mark.parametrize("app_id", ["APP", ""])
def test_a_client_that_cannot_be_made_shows_no_credentials(url: str, app_id: str, settings: Any) -> None:
    error = caught(lambda: KartraClient(url, app_id, KEY, PASSWORD, limiter=NoLimit()))
    assert isinstance(error, Misconfigured)
    assert_silent(everything_about(error, settings))


def test_neither_the_client_nor_what_holds_it_shows_credentials() -> None:
    client = Script().client()
    provider = KartraProvider(client)
    assert_silent(repr([client, provider, vars(client), vars(provider)]) + str(client) + f"{client}")
    for copied in (lambda: pickle.dumps(client), lambda: copy.deepcopy(client)):
        assert_silent(str(caught(copied)))


def test_the_canary_would_be_found(settings: Any, everything_logged: io.StringIO) -> None:
    """That the tests above look where a debug page looks."""

    def leak() -> None:
        body = f"api_key={KEY}"
        raise ValueError(len(body))

    with pytest.raises(AssertionError):
        assert_silent(everything_about(caught(leak), settings))
    everything_logged.truncate(0)
