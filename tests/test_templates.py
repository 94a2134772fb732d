"""What holds of every template: it compiles, its icons exist, and nothing in it needs an exception in the policy."""

import re
from pathlib import Path

import lucide
import pytest
from django.conf import settings
from django.template import Engine, engines
from django.template.base import Lexer, TokenType
from django.template.library import import_library

pytestmark = pytest.mark.once
FOLDER = Path(settings.BASE_DIR) / "templates"
NAMES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))
ALLAUTH_PAGES = (
    "login",
    "logout",
    "account_inactive",
    "reauthenticate",
    "password_change",
    "password_set",
    "password_reset",
    "password_reset_done",
    "password_reset_from_key",
    "password_reset_from_key_done",
)

# Never sent as a page: it is read from a disk, where no policy holds, and brings its own style.
KEPT_AS_FILES = {"accounts/audit/report.html"}

# What would be refused by the policy (inline code and style), or is quietly skipped under it (event filters); and
# what would take words of others for markup.
FORBIDDEN = {
    "inline style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "inline script": re.compile(r"<script\b(?![^>]*\ssrc=)", re.IGNORECASE),
    "event attribute": re.compile(r"\son[a-z]+\s*=", re.IGNORECASE),
    "hx-on": re.compile(r"\s(?:data-)?hx-on\b", re.IGNORECASE),
    "event filter": re.compile(r"hx-trigger\s*=\s*(?:\"[^\"]*\[|'[^']*\[)", re.IGNORECASE),
    "markup as it came": re.compile(r"\|\s*safe(?:seq)?\b|{%\s*autoescape\s+off"),
    "js: value": re.compile(r"(?:\bjs|javascript):", re.IGNORECASE),
    "other host": re.compile(
        r"<(?:script|link|img|iframe)\b[^>]*\s(?:src|href)\s*=\s*[\"'](?:https?:)?//", re.IGNORECASE
    ),
}


def source_of(name: str) -> str:
    return (FOLDER / name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_template_compiles(name: str) -> None:
    engines["django"].get_template(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_holds_nothing_that_the_policy_forbids(name: str) -> None:
    source = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", source_of(name), flags=re.DOTALL)
    found = [what for what, pattern in FORBIDDEN.items() if pattern.search(source)]
    assert found == (["inline style"] if name in KEPT_AS_FILES else [])


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ('<p style="color: red">', "inline style"),
        ("<script>go()</script>", "inline script"),
        ('<a onclick="go()">', "event attribute"),
        ('<a hx-on:click="go()">', "hx-on"),
        ('<a hx-trigger="click[ctrlKey]">', "event filter"),
        ("<a hx-vals='js:{a: 1}'>", "js: value"),
        ('<img src="//example.com/x.png">', "other host"),
    ],
)
def test_the_patterns_find_what_they_are_for(bad: str, what: str) -> None:
    assert FORBIDDEN[what].search(bad)


@pytest.mark.parametrize("name", NAMES)
def test_every_icon_exists(name: str) -> None:
    for icon in re.findall(r"{%\s*lucide\s+[\"']([^\"']+)[\"']", source_of(name)):
        lucide._render_icon(icon, 16)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_loads_only_what_it_uses(name: str) -> None:
    tokens = [token for token in Lexer(source_of(name)).tokenize() if token.token_type != TokenType.TEXT]
    words = [token.split_contents() for token in tokens if token.token_type == TokenType.BLOCK]
    tags = {first for first, *_ in words}
    filters = {found for token in tokens for found in re.findall(r"\|(\w+)", token.contents)}
    for library in {name for first, *names in words if first == "load" for name in names}:
        holds = import_library(Engine.get_default().libraries[library])
        assert tags & set(holds.tags) or filters & set(holds.filters), library


def test_every_class_of_the_style_sheets_is_given_somewhere() -> None:
    """In a template, a script or the code; Django itself gives ``errorlist``, and ``is-`` may stand before a state."""
    base = Path(settings.BASE_DIR)
    sheets = "".join(path.read_text() for path in (base / "static/css").rglob("*.css"))
    styled = set(re.findall(r"\.([a-z][\w-]*)(?=[^{}]*{)", re.sub(r"/\*.*?\*/", "", sheets, flags=re.DOTALL)))
    assert len(styled) > 100
    sources = [FOLDER, base / "static/js", base / "leads", base / "accounts", base / "kartra_admin"]
    files = [path for source in sources for path in source.rglob("*") if path.suffix in (".html", ".js", ".py")]
    given = {word for path in files for word in re.findall(r"[\w-]+", path.read_text())} | {"errorlist"}
    assert {name for name in styled if not {name, name.removeprefix("is-")} & given} == set()


@pytest.mark.parametrize("page", ALLAUTH_PAGES)
def test_a_page_of_allauth_in_use_is_ours(page: str) -> None:
    template = Engine.get_default().get_template(f"account/{page}.html")
    assert Path(template.origin.name).is_relative_to(FOLDER)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_an_error_page_needs_no_context(status: int) -> None:
    """Django renders some of them without a request, and the 500 must not fail in turn."""
    html = engines["django"].get_template(f"{status}.html").render()
    assert f'<span class="card-count">{status}</span>' in html
    assert 'class="menu"' not in html


def test_a_toast_offers_its_undo_only_where_there_is_one() -> None:
    toast = engines["django"].get_template("components/_toast.html")
    assert "<form" not in toast.render({"text": "Saved", "kind": "succeeded"})
    html = toast.render({"text": "<b>", "kind": "failed", "undo_url": "/undo/", "entry_url": "/entry/"})
    assert "&lt;b&gt;" in html
    assert 'action="/undo/"' in html
    assert 'href="/entry/"' in html
