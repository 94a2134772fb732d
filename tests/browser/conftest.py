"""A Chromium, the desk on a real socket, and a watch over everything the browser says.

Waiting is done by ``expect`` alone: the desk's own policy forbids what ``page.wait_for_function`` evaluates.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect
from pytest_django.live_server_helper import LiveServer

from leads.access import Desk
from tests import parts
from tests.browser.looking import Eye
from tests.leads import conftest as desk_fixtures

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the browser's driver keeps an event loop in the test's thread
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

seeded, sandbox, desk_of = desk_fixtures.seeded, desk_fixtures.sandbox, desk_fixtures.desk_of

# Chromium's own note that an answer was refused; the tests look at what the page says about it. A 500 is never meant.
_STATUS_NOTE = re.compile(r"^Failed to load resource: the server responded with a status of (4\d\d|503)")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", *quiet]
    return {"executable_path": parts.chromium(), "args": arguments}


@pytest.fixture(scope="session")
def base_url(live_server: LiveServer) -> str:
    return live_server.url


@pytest.fixture(scope="session")
def browser_context_args(base_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "viewport": {"width": 1440, "height": 1000},
        "locale": "en-GB",
        "reduced_motion": "reduce",
    }


@pytest.fixture(autouse=True)
def _answered(live_server: LiveServer, sandbox: object) -> Iterator[None]:
    """Let the server finish what the browser asked for, before its tables are emptied and its sandbox goes away."""
    calm = threading.Condition()
    running = 0

    def count(change: int) -> None:
        nonlocal running
        with calm:
            running += change
            calm.notify_all()

    def started(**_: object) -> None:
        count(1)

    def finished(**_: object) -> None:
        count(-1)

    request_started.connect(started)
    request_finished.connect(finished)
    yield
    with calm:
        calm.wait_for(lambda: running <= 0, timeout=60)
    request_started.disconnect(started)
    request_finished.disconnect(finished)


# A request that a later one takes the place of, as while typing: htmx writes the end of it to the console as an error.
_DROPPED = re.compile("^htmx:(afterRequest|sendAbort)")


class Watch:
    """What a browser did that it should not: errors, violations of the policy, requests to other hosts."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.found: list[str] = []
        self.expected: list[str] = []

    def over(self, context: BrowserContext) -> None:
        context.set_default_timeout(PATIENCE)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"{error.page and error.page.url}: {error.error}"))
        context.on("request", self._request)

    def expect(self, pattern: str) -> None:
        """Let the console say this: the test provokes it."""
        self.expected.append(pattern)

    def surprises(self) -> list[str]:
        return [text for text in self.found if not any(re.search(pattern, text) for pattern in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        is_meant = _STATUS_NOTE.search(message.text) or _DROPPED.search(message.text)
        if message.type == "error" and not is_meant:
            self.found.append(f"{message.page and message.page.url}: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.netloc != self.host and address.scheme not in ("data", "blob"):
            self.found.append(f"asked another host: {request.url}")


@pytest.fixture(autouse=True)
def watch(base_url: str, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """No page of any test may be found at fault."""
    watching = Watch(urlsplit(base_url).netloc)
    yield watching
    assert watching.surprises() == []


@pytest.fixture
def context(context: BrowserContext, watch: Watch) -> BrowserContext:
    watch.over(context)
    return context


@pytest.fixture
def browser_of(
    new_context: Callable[..., BrowserContext], watch: Watch, client_of: Callable[[str], Client]
) -> Callable[..., Page]:
    """``browser_of("auditor")``: a page of another browser, signed in as that person."""

    def open_browser(role: str = "", **arguments: Any) -> Page:
        context = new_context(**arguments)
        watch.over(context)
        if role:
            enter(context, client_of(role))
        return context.new_page()

    return open_browser


@pytest.fixture
def sit_down(
    context: BrowserContext, client_of: Callable[[str], Client], desk_of: Callable[..., Desk]
) -> Callable[..., Desk]:
    """``sit_down("agent")``: the test's own browser is signed in as that person, who has credentials."""

    def sign_in(role: str) -> Desk:
        desk = desk_of(role)
        enter(context, client_of(role))
        return desk

    return sign_in


@pytest.fixture
def at_desk_alone(context: BrowserContext, client_of: Callable[[str], Client]) -> Callable[[str], None]:
    """``at_desk_alone("agent")``: signed in, without credentials for Kartra."""
    return lambda role: enter(context, client_of(role))


@pytest.fixture
def eye(page: Page, request: pytest.FixtureRequest) -> Iterator[Eye]:
    """Looks at pages; at those that the test's mark ``looks_at`` names it must really have looked."""
    looking = Eye(page)
    yield looking
    promised = {name for mark in request.node.iter_markers("looks_at") for name in mark.args}
    wrong = [*looking.found, *(f"never looked at {name}" for name in sorted(promised - looking.seen))]
    if wrong:
        pytest.fail("\n".join(wrong))


def enter(context: BrowserContext, client: Client) -> None:
    """Carry a session over into a browser."""
    for name, morsel in client.cookies.items():
        context.add_cookies([{"name": name, "value": morsel.value, "domain": "localhost", "path": "/"}])
