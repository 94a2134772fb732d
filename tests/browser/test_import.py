"""Importing a file in a browser: choose it, match its columns, watch it go in, take the failed lines."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from leads.access import Desk
from leads.models import Entry, Import
from leads.services.imports import running
from tests.browser.looking import Eye, settle

pytestmark = pytest.mark.browser
LONG = "averyveryverylongwordwithoutanyplacetobreakit" * 4
LINES = [
    "Lead ID,E-Mail,First Name,Last Name,Where,Tags,Odd column with a very long name indeed",
    f"11,ada@example.com,Ada,Moreno,Boston,vip;member,{LONG}",
    "12,bo@example.com,Bo,Li,,,",
    ",not an email,Cy,,,,",
    f",,{LONG},,,,",
    *(f"{number},n{number}@example.com,Name,{number},Denver,," for number in range(100, 130)),
]


def file(content: str = "\n".join(LINES), name: str = "leads.csv") -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": content.encode("utf-16")}


def work() -> None:
    while running.work(Import.objects.get().pk):
        pass


@pytest.mark.looks_at("leads:imports", "leads:import", "leads:import-failed")
def test_a_file_goes_in_step_by_step(eye: Eye, page: Page, sit_down: Callable[..., Desk]) -> None:
    sit_down("manager")
    page.goto("/directory/")
    page.get_by_role("link", name="Import leads").click()
    eye.see("import")
    page.get_by_label("CSV file").set_input_files(file())
    page.get_by_role("button", name="Read file").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Match the columns of leads.csv")
    expect(page.get_by_label("E-Mail")).to_have_value("email")
    preview = page.get_by_role("table", name="The first lines as they would be imported")
    expect(preview).to_contain_text("Ada Moreno #11 ada@example.com")
    expect(preview).to_contain_text("This line names no lead")
    expect(preview).not_to_contain_text("Boston")
    eye.see("match")
    page.get_by_label("Where").select_option("City")
    expect(preview).to_contain_text("Boston")
    page.get_by_label("First Name").select_option("City")
    expect(page.get_by_text("Column ‘First Name’ is already imported as this", exact=False)).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Import 34 lines").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was imported.")
    eye.see("match refused")
    page.get_by_label("First Name").select_option("First name")
    expect(page.locator("#preview")).not_to_contain_text("is already imported as this")
    page.get_by_role("button", name="Import 34 lines").click()

    expect(page.get_by_role("heading", name="Being checked", exact=True)).to_be_visible()
    eye.see("import running")
    work()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()  # the page asked by itself
    expect(page.get_by_role("region", name="Result")).to_contain_text("New32")
    eye.see("import done")
    assert Entry.objects.filter(city="Denver").count() == 30

    page.get_by_role("link", name="Show rejected lines").click()
    expect(page.get_by_role("table", name="Rejected lines")).to_contain_text("This line has no email")
    eye.see("failed lines")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    assert "This line names no lead" in download.value.path().read_text()
    page.goto("/directory/import/")
    eye.see("imports")


def test_what_is_refused_says_so_and_a_file_that_is_too_large_does_not_travel(
    eye: Eye, page: Page, sit_down: Callable[..., Desk], settings: Any
) -> None:
    settings.IMPORT_MAX_MB = 1
    sit_down("manager")
    page.goto("/directory/import/")
    field = page.get_by_label("CSV file")
    field.set_input_files(file('Name,Email\n"Ada,x\n'))
    page.get_by_role("button", name="Read file").click()
    expect(page.get_by_role("alert")).to_contain_text("The quotes that open in line 2 are never closed.")
    eye.see("import refused")
    field.set_input_files(file("Email\n" + "a@b.example\n" * 60_000))
    assert field.evaluate("field => field.validationMessage") == "This file is larger than 1 MB. Split it."
    page.get_by_role("button", name="Read file").click()
    expect(page.get_by_role("heading", name="Import leads", level=1)).to_be_visible()
    assert not Import.objects.exists()


def test_it_goes_without_javascript(browser_of: Callable[..., Page], sit_down: Callable[..., Desk]) -> None:
    sit_down("manager")
    page = browser_of("manager", java_script_enabled=False)
    page.goto("/directory/import/")
    page.get_by_label("CSV file").set_input_files(file())
    page.get_by_role("button", name="Read file").click()
    page.get_by_label("Where").select_option("City")
    page.get_by_role("button", name="Refresh preview").click()
    expect(page.locator("#preview")).to_contain_text("Boston")
    page.get_by_label("All or nothing").check()
    page.get_by_role("button", name="Import 34 lines").click()
    work()
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("2 of 34 lines cannot be used, and you chose all or nothing.")).to_be_visible()
    assert not Entry.objects.exists()


def test_a_file_is_discarded(page: Page, sit_down: Callable[..., Desk]) -> None:
    sit_down("manager")
    page.goto("/directory/import/")
    page.get_by_label("CSV file").set_input_files(file())
    page.get_by_role("button", name="Read file").click()
    page.get_by_role("button", name="Discard file").click()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("leads.csv is discarded.")
    assert not Import.objects.exists()
