"""Every page is looked at in a browser. The tests that look are marked ``looks_at`` with the URL names they promise."""

from collections.abc import Iterator
from types import ModuleType

from kartra_admin.settings import BASE_DIR
from tests.browser import (
    test_bulk,
    test_directory,
    test_events,
    test_import,
    test_looks,
    test_money_looks,
    test_sign_in,
)
from tests.test_access import TABLE

# What answers to GET without being a page.
# Parts of the refund dialog, of the money card, and of what runs in the background; the notice on an open lead.
FRAGMENTS = {
    "leads:refund-outlook", "leads:operation-status", "leads:playbook-status", "leads:job-progress",
    "leads:import-progress", "leads:changed",
}  # fmt: skip
ANSWERS = {"mfa_login_webauthn"}  # to a script, with what a passkey is asked
FILES = {
    "leads:report-csv", "leads:directory-csv", "leads:job-csv", "leads:import-failed-csv", "leads:evidence",
    "accounts:audit-export", "accounts:audit-pack", "accounts:audit-pack-operation", "accounts:audit-verifier",
    "accounts:audit-keys",
}  # fmt: skip
LOOKING = (test_bulk, test_directory, test_events, test_import, test_looks, test_money_looks, test_sign_in)


def promised(module: ModuleType) -> Iterator[str]:
    for thing in vars(module).values():
        for mark in getattr(thing, "pytestmark", ()):
            if mark.name == "looks_at":
                yield from mark.args


def test_every_page_is_looked_at() -> None:
    pages = {name for name, line in TABLE.items() if line.method == "get"} - FRAGMENTS - FILES - ANSWERS
    looked_at = {name for module in LOOKING for name in promised(module)}
    assert pages - looked_at == set()
    assert looked_at <= set(TABLE)


def test_themes_differ_in_colours_alone() -> None:
    """So that of the second theme only the colours have to be looked at: ``light-dark()`` takes nothing but colours."""
    ours = [path for folder in ("static", "templates") for path in (BASE_DIR / folder).rglob("*.*")]
    written = {path: path.read_text() for path in ours if path.suffix in (".css", ".js", ".html")}
    asking = [path for path, text in written.items() if "prefers-color-scheme" in text]
    assert asking == []
    assert any("light-dark(" in text for text in written.values())
