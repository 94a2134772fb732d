"""Finding people while typing, with nothing but the keyboard, and the directory as a list."""

import re
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect

from leads.access import Desk
from leads.services import directory
from leads.services.directory import Met
from tests.browser.looking import Eye
from tests.leads.conftest import ADA, NOTABLE, Sandbox

pytestmark = pytest.mark.browser
JON = NOTABLE["jon"]


def fill(desk: Desk) -> None:
    rows = [
        Met(ADA.id, name="Ada Moreno", email=ADA.email, city="Boston", tags=["customer", "vip"]),
        Met(JON.id, name="Jon Smith", email=JON.email, company="Smith Pottery", tags=["customer"]),
        *(
            Met(str(number), name=f"Smithers {number}", email=f"s{number}@example.com", tags=["prospect"])
            for number in range(5000, 5070)
        ),
    ]
    directory.remember_rows(desk.account, rows, at=timezone.now())


@pytest.fixture
def home(page: Page, sit_down: Callable[..., Desk]) -> Page:
    fill(sit_down("manager"))
    page.goto("/")
    return page


def test_jon_smth_opens_jon_smith_by_keyboard(eye: Eye, home: Page) -> None:
    page = home
    page.goto(f"/leads/{ADA.id}/")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Find a lead")
    expect(box).to_be_focused()
    page.keyboard.type("jon smth")
    options = page.get_by_role("listbox", name="Leads found").get_by_role("option")
    expect(options).to_have_count(1)
    expect(options.locator("mark")).to_have_text(["Jon", "Smith", "jon", "smith", "Smith"])
    expect(options).to_contain_text("never read")
    expect(box).to_have_attribute("aria-expanded", "true")
    eye.see("search")
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(box).to_have_value("jon smth")
    page.keyboard.press("ArrowDown")
    expect(options).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "search-hit-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Jon Smith", level=1)).to_be_visible()


def test_typing_asks_once_it_rests_and_never_asks_kartra(home: Page, sandbox: Sandbox) -> None:
    page = home
    sandbox.calls()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "q=" in request.url else None)
    page.locator("#search").press_sequentially("smithers 5012", delay=15)
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("Smithers 5012")
    assert len(asked) < 8
    page.locator("#search").fill(JON.email)
    expect(options.first).to_contain_text("Jon Smith")
    page.locator("#search").fill("nobody@example.com")
    expect(page.get_by_role("paragraph").filter(has_text="Press Enter to look up nobody@example.com")).to_be_visible()
    expect(page.get_by_role("option")).to_have_count(0)
    page.locator("#search").fill("")
    expect(page.locator("#search-popup")).to_be_hidden()
    assert sandbox.calls() == []


@pytest.mark.parametrize("place", ["box", "palette", "directory"])
def test_what_is_no_longer_typed_is_asked_no_further(home: Page, place: str) -> None:
    """The first answer never comes; the next is asked for at once, and the first is given up."""
    page = home
    if place == "palette":
        page.keyboard.press("ControlOrMeta+k")
    elif place == "directory":
        page.goto("/directory/")
    field = {
        "box": page.locator("#search"),
        "palette": page.locator("#palette-input"),
        "directory": page.get_by_label("Words"),
    }[place]
    page.route(re.compile("5012"), lambda route: None)
    with page.expect_request(re.compile("5012")):
        field.fill("smithers 5012")
    with page.expect_event("requestfailed", lambda request: "5012" in request.url):
        field.fill("moreno")
    expect(page.get_by_text("Ada Moreno").first).to_be_visible()
    expect(page.get_by_text("Smithers")).to_have_count(0)


def test_enter_without_a_choice_lists_who_is_found(eye: Eye, home: Page) -> None:
    page = home
    page.locator("#search").fill("smith")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Found in the directory")).to_be_visible()
    eye.see("found")
    page.get_by_role("link", name="Jon Smith").click()
    expect(page.get_by_role("heading", name="Jon Smith", level=1)).to_be_visible()


def test_the_palette_finds_leads_beside_commands(eye: Eye, home: Page) -> None:
    page = home
    page.keyboard.press("ControlOrMeta+k")
    palette = page.get_by_role("dialog", name="Commands")
    page.keyboard.type("moreno")
    lead = palette.get_by_role("group", name="Leads").get_by_role("option")
    expect(lead).to_have_count(1)
    expect(palette.get_by_role("option", selected=True)).to_contain_text("Find lead “moreno”")
    page.keyboard.press("ArrowDown")
    expect(lead).to_have_attribute("aria-selected", "true")
    eye.see("palette")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ada Moreno", level=1)).to_be_visible()


@pytest.mark.looks_at("leads:directory")
def test_the_directory_is_narrowed_walked_and_kept(eye: Eye, home: Page) -> None:
    page = home
    page.get_by_role("link", name="Directory").click()
    expect(page.get_by_role("status").filter(has_text="72 leads")).to_be_visible()
    eye.see("directory of signs", "/directory/?q=%25")
    eye.see("directory", "/directory/")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="Previous")).to_be_visible()
    page.get_by_label("Words").press_sequentially("smth pottery")
    expect(page.get_by_text("No exact matches")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_label("Words").fill("")
    page.get_by_role("combobox", name="Tag", exact=True).click()
    page.get_by_role("option", name="vip").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/directory/\?tag=vip$"))
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Phone", exact=True).check()
    expect(page.get_by_role("columnheader", name="Phone")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Email")).to_be_visible()
    page.get_by_label("Company", exact=True).check()  # the choice stays open
    expect(page.get_by_role("columnheader", name="Company")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Company", exact=True)).to_be_hidden()
    page.reload()
    page.get_by_text("Save as a view").click()
    page.get_by_label("Name of the view").fill("Important people")
    eye.see("directory with a view")
    page.get_by_role("button", name="Save view").click()
    page.goto("/directory/")
    page.get_by_role("navigation", name="Saved views").get_by_role("link", name="Important people").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("checkbox", name="Select Ada Moreno").check()
    page.get_by_role("button", name="Change selected leads").click()
    expect(page.get_by_label("Emails or ids")).to_have_value(ADA.id)
    page.goto("/directory/?q=smith")
    page.get_by_role("checkbox", name="Select all on this page").check()
    expect(page.get_by_role("checkbox", name="Select Smithers 5000")).to_be_checked()
    page.get_by_role("checkbox", name="Select all on this page").uncheck()
    expect(page.locator("td.is-tick input:checked")).to_have_count(0)


def test_on_a_phone_the_filters_are_folded_until_they_are_wanted(home: Page) -> None:
    page = home
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/directory/")
    expect(page.get_by_role("link", name="Smithers 5069")).to_be_in_viewport()  # the first of the list
    expect(page.locator("#id_standing")).to_be_hidden()
    unfold = page.get_by_role("button", name="Filters")
    expect(unfold).to_have_attribute("aria-expanded", "false")
    unfold.click()
    expect(unfold).to_have_attribute("aria-expanded", "true")
    page.locator("#id_standing").select_option("Blacklisted")
    expect(page.get_by_text("No leads match these filters")).to_be_visible()
    page.reload()
    expect(page.locator("#id_standing")).to_be_visible()  # what narrows the list is seen


def test_without_javascript_the_box_and_the_directory_are_plain_forms(
    browser_of: Callable[..., Page], desk_of: Callable[..., Desk]
) -> None:
    fill(desk_of("manager"))
    page = browser_of("manager", java_script_enabled=False)
    page.goto("/")
    page.get_by_role("searchbox", name="Find a lead").fill("jon smth")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Jon Smith")).to_be_visible()
    page.goto("/directory/")
    page.get_by_label("Words").fill("moreno")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("row")).to_have_count(2)
