"""The lead page, beside a bare Django view that makes the same calls to Kartra and returns the same bytes.

A page is what a browser asks for: the page itself, and its money card. Ours comes through the whole desk; the bare
one through a Django without middleware, to a view that knows the credentials, calls the provider and answers with
bytes that were rendered before. Both in this process, which does nothing else, in turns; the sandbox is a server of its
own, so that what it takes is not counted. CPU is `time.process_time`; the median over all turns counts.
"""

import io
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import stage
from tests.bench.table import Line, say

TURNS, WARM = 200, 10
# Ada: two subscriptions with their payments, tags, lists, a membership. Ben: nothing but a name.
LEADS = {"a lead with two subscriptions": "4174086", "a lead who bought nothing": "4174090"}


def measure(lane: str, folder: Path) -> None:
    with stage.sandbox(folder, leads=60) as address:
        stage.open_desk(folder, address, KARTRA_CALLS_PER_SECOND="5000")
        person = stage.seat("support")
        for who, lead_id in LEADS.items():
            pages = Pages(person, lead_id)
            for _ in range(WARM):
                pages.take_turn()
            turns = [pages.take_turn() for _ in range(TURNS)]
            ours, bare = (statistics.median(column) for column in zip(*turns, strict=True))
            print(f"    ours {1000 * ours:.1f} ms, bare {1000 * bare:.1f} ms, {pages.size:,} bytes")
            how = f"page and money card, median CPU of {TURNS} turns in one process, sandbox in another over HTTP"
            say(Line(f"lead page, {who}: CPU to a bare view's, {lane}", ours / bare, how, goal=1.5))


class Pages:
    """One lead, asked for in both ways."""

    def __init__(self, person: Any, lead_id: str) -> None:
        from django.conf import settings
        from django.core.handlers.wsgi import WSGIHandler
        from django.test import Client

        browser = Client()
        browser.force_login(person)
        cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
        self._urls = (f"/leads/{lead_id}/", f"/leads/{lead_id}/money/")
        self._headers: tuple[dict[str, str], ...] = (
            {"HTTP_COOKIE": cookie},
            {"HTTP_COOKIE": cookie, "HTTP_HX_REQUEST": "true"},
        )
        self._ours = WSGIHandler()
        bytes_of = {url: _answer(self._ours, url, more) for url, more in zip(self._urls, self._headers, strict=True)}
        self.size = sum(map(len, bytes_of.values()))
        self._bare = _bare_site(person, lead_id, *bytes_of.values())

    def take_turn(self) -> tuple[float, float]:
        """Seconds of CPU of ours, and of the bare one."""
        return self._seconds(self._ours, ""), self._seconds(self._bare, "/bare")

    def _seconds(self, site: Any, prefix: str) -> float:
        start = time.process_time()
        for url, more in zip(self._urls, self._headers, strict=True):
            _answer(site, prefix + url, more)
        return time.process_time() - start


def _bare_site(person: Any, lead_id: str, page: bytes, card: bytes) -> Any:
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.urls import clear_url_caches, path

    from accounts.services.connections import open_credentials
    from kartra_admin import urls
    from leads.providers.base import LeadRef
    from leads.wiring import provider_with

    credentials = open_credentials(person.connection)

    def detail(request: HttpRequest) -> HttpResponse:
        provider_with(credentials).get_lead(LeadRef(id=lead_id))
        return HttpResponse(page)

    def money(request: HttpRequest) -> HttpResponse:
        provider_with(credentials).get_money(LeadRef(id=lead_id))
        return HttpResponse(card)

    urls.urlpatterns += [path(f"bare/leads/{lead_id}/", detail), path(f"bare/leads/{lead_id}/money/", money)]
    clear_url_caches()
    middleware, settings.MIDDLEWARE = settings.MIDDLEWARE, []
    try:
        return WSGIHandler()
    finally:
        settings.MIDDLEWARE = middleware


def _answer(site: Any, url: str, headers: dict[str, str]) -> bytes:
    """What a server would send on, without a server."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": url, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), **headers,
    }  # fmt: skip
    answer = site(environ, lambda status, headers: statuses.append(status))
    body = b"".join(answer)
    answer.close()
    assert statuses == ["200 OK"], (url, statuses)
    return body


if __name__ == "__main__":
    sys.exit(stage.on_each_database(measure))
