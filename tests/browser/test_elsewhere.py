"""What Kartra says of a lead may name other hosts: nothing of it, and nothing that slips into a page, goes there."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from leads.access import Desk
from leads.providers.kartra.sandbox.state import connect, writing
from tests.browser.conftest import Watch
from tests.leads.conftest import ADA, Sandbox

pytestmark = pytest.mark.browser


class Elsewhere:
    """Another host, which notes what it is asked for, and allows everything."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    host = Elsewhere()
    thread = threading.Thread(target=host.server.serve_forever, daemon=True)
    thread.start()
    yield host
    host.server.shutdown()
    thread.join()
    host.server.server_close()


def test_a_lead_that_points_elsewhere_is_shown_without_a_request_there(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox, elsewhere: Elsewhere
) -> None:
    picture = f"{elsewhere.url}/picture.png"
    markup = f'<img src="{elsewhere.url}/markup.png"> ![x]({elsewhere.url}/markdown.png) {elsewhere.url}/plain'
    told = {"lead_picture": picture, "website": f"{elsewhere.url}/site", "notes": markup, "company": markup}
    told |= {name: f"{elsewhere.url}/{name}" for name in ("facebook", "twitter", "linkedin")}
    sandbox.set_facts(ADA.id, sandbox.facts(ADA.id) | told)
    with closing(connect(sandbox.path)) as db, writing(db):
        db.execute("UPDATE leads SET custom = json_set(custom, '$.12', ?) WHERE id = ?", (markup, ADA.id))
    sit_down("manager")
    for path in (f"/leads/{ADA.id}/", f"/leads/{ADA.id}/edit/", "/leads/?q=moreno", "/"):
        page.goto(path, wait_until="networkidle")
        expect(page.get_by_role("main")).to_contain_text("Moreno")
    page.goto(f"/leads/{ADA.id}/", wait_until="networkidle")
    for text in (picture, f"{elsewhere.url}/site", "markdown.png"):
        expect(page.get_by_role("main")).to_contain_text(text)
    assert elsewhere.asked == []


# What a page might be made to do, in its own scripts' words.
_REACHING = """url => new Promise(done => {
    const left = new Set(
        ["img-src", "connect-src", "style-src-elem", "font-src", "frame-src", "media-src", "object-src"]
    )
    document.addEventListener("securitypolicyviolation", event => {
        left.delete(event.effectiveDirective)
        if (!left.size) done([])
    })
    setTimeout(() => done([...left]), 5000)
    const add = (name, fields) => document.body.append(Object.assign(document.createElement(name), fields))
    add("img", {src: url + "/img"})
    add("link", {rel: "stylesheet", href: url + "/style"})
    add("iframe", {src: url + "/frame"})
    add("video", {src: url + "/media"})
    add("object", {data: url + "/object"})
    new FontFace("x", `url(${url}/font)`).load().catch(() => {})
    fetch(url + "/fetch").catch(() => {})
    navigator.sendBeacon(url + "/beacon")
})"""


def test_what_slips_into_a_page_reaches_no_other_host(
    page: Page, sit_down: Callable[..., Desk], watch: Watch, elsewhere: Elsewhere
) -> None:
    watch.expect("Content Security Policy|violates the document")
    watch.expect(f"^asked another host: {re.escape(elsewhere.url)}/")  # it says so of what is stopped, too
    sit_down("manager")
    page.goto(f"/leads/{ADA.id}/", wait_until="networkidle")
    assert page.evaluate(_REACHING, elsewhere.url) == []
    assert elsewhere.asked == []
