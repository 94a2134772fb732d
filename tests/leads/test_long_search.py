"""What nobody searches for: pages of words, wildcards alone, SQL. Each gets an answer, and no form sends too much."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, User
from leads.access import Desk
from leads.models import Entry
from leads.services import directory
from leads.services.directory import Met
from tests.leads.helpers import words

pytestmark = pytest.mark.django_db

# What gunicorn takes as the first line of a request unless told otherwise.
LONGEST_LINE = 4094
TYPED = {"search", "text", "email", None}


@pytest.mark.parametrize(
    "typed",
    [
        "x" * 10_000, "lorem ipsum " * 833, "é" * 10_000, "7" * 10_000, "%", "_", "%_%" * 100, "***", "?" * 50,
        "%" * 10_000, "'; DROP TABLE leads_entry; --", "' OR name=name --", '" UNION SELECT * FROM accounts_user --',
        '"*" AND (',
    ],
    ids=lambda typed: f"{len(typed)} of {typed[:9]}",
)  # fmt: skip
@pytest.mark.parametrize(
    ("url", "name", "sentences"),
    [
        ("/leads/", "q", {200: ["Nothing found", "Nobody"]}),
        ("/leads/?palette", "q", {200: [""]}),  # nothing to choose
        ("/directory/", "q", {200: [" 0 leads "], 400: ["has at most 200 characters"]}),
        ("/audit/", "text", {200: ["No entr", "Nothing"], 400: ["has at most 100 characters", "Type a more"]}),
    ],
)  # fmt: skip
def test_whatever_is_typed_gets_an_answer_and_finds_nobody(
    at_desk: Callable[[str], Client],
    desk_of: Callable[[str], Desk],
    url: str,
    name: str,
    sentences: dict[int, list[str]],
    typed: str,
) -> None:
    client = at_desk("admin")
    people = [Met(f"{number}", "Quincy Birch", f"quincy{number}@example.com") for number in range(1, 4)]
    directory.remember_rows(desk_of("admin").account, people, at=timezone.now())
    before = Entry.objects.count(), User.objects.count(), AuditEntry.objects.count()
    headers: dict[str, Any] = {"HX-Request": "true", "HX-Target": "palette-leads"} if "palette" in url else {}
    answer = client.get(url, {name: typed, **({"palette": ""} if "palette" in url else {})}, headers=headers)
    assert answer.status_code in sentences, (answer.status_code, words(answer)[:500])
    assert ("<html" in answer.content.decode()) != ("palette" in url)
    said = words(answer)
    assert any(sentence in said for sentence in sentences[answer.status_code]), said
    assert (Entry.objects.count(), User.objects.count(), AuditEntry.objects.count()) == before


class Asked(HTMLParser):
    """The longest line that each form of a page may ask the server with, and each box that asks by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: dict[str, int] = {}
        self.unbounded: list[str] = []
        self.boxes = 0
        self._form, self._select, self._longest = "", "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name, kind = found.get("name") or "", found.get("type")
        if tag == "form" and found.get("method") == "get":
            self._form = found.get("action") or ""
            self.lengths[self._form] = len(f"GET {self._form}? HTTP/1.1\r\n")
        elif tag == "select" and self._form:
            self._select, self._longest = name, 0
        elif tag == "option" and self._select:
            self._longest = max(self._longest, len((found.get("value") or "").encode()) * 3)
        elif tag == "input" and name and (self._form or "hx-get" in found):
            self._input(name, kind, found)
        self.boxes += (name, kind) == ("lead", "checkbox")

    def _input(self, name: str, kind: str | None, found: dict[str, str | None]) -> None:
        bounded = int(found.get("maxlength") or 0)
        if kind in TYPED and not bounded:
            self.unbounded.append(name)
        size = len(name) + 2 + (bounded * 9 if kind in TYPED else max(30, len(quote(found.get("value") or ""))))
        if self._form:
            self.lengths[self._form] += size
        if address := found.get("hx-get"):
            self.lengths[f"{address} {name}"] = len(f"GET {address}? HTTP/1.1\r\n") + size

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            self.lengths[self._form] += len(self._select) + 2 + self._longest
            self._select = ""
        elif tag == "form":
            self._form = ""


@pytest.mark.parametrize("url", ["/", "/leads/", "/directory/", "/audit/", "/unusual/", "/bulk/", "/report/"])
def test_no_form_asks_with_more_than_the_server_takes(
    at_desk: Callable[[str], Client], desk_of: Callable[[str], Desk], url: str
) -> None:
    """A letter is nine bytes of an address at most for each that ``maxlength`` counts. The directory is full of people
    who are known by long emails alone."""
    rows = [Met("", email=f"{number}{'é' * 300}@example.com", name=f"{number}") for number in range(60)]
    directory.remember_rows(desk_of("admin").account, rows, at=timezone.now())
    page = Asked()
    page.feed(at_desk("admin").get(url).content.decode())
    assert "/leads/ q" in page.lengths
    assert page.boxes == (50 if url == "/directory/" else 0)
    assert page.unbounded == []
    assert {where: size for where, size in page.lengths.items() if size > LONGEST_LINE} == {}
