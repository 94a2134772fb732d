"""Keys, dialogs, pickers, the palette and the theme: where the focus is, and what Esc closes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from leads.access import Desk
from tests.browser.hands import Mouse
from tests.leads.conftest import ADA, Sandbox

pytestmark = pytest.mark.browser


@pytest.fixture
def lead_page(page: Page, sit_down: Callable[..., Desk]) -> Page:
    sit_down("agent")
    page.goto(f"/leads/{ADA.id}/")
    expect(page.get_by_role("region", name="Money")).to_contain_text("#99432")
    return page


def test_slash_finds(lead_page: Page) -> None:
    page = lead_page
    page.keyboard.press("/")
    search = page.get_by_role("combobox", name="Find a lead")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    page.keyboard.type("/ben/")  # pressed again out of habit, then meant
    expect(search).to_have_value("ben/")


def test_question_mark_shows_the_keys(lead_page: Page) -> None:
    page = lead_page
    edit = page.get_by_role("link", name="Edit lead")
    edit.focus()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_be_visible()
    page.keyboard.press("/")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(edit).to_be_focused()
    page.get_by_label("New note").focus()
    page.keyboard.type("Why? a/b")
    expect(keys).to_be_hidden()
    expect(page.get_by_label("New note")).to_have_value("Why? a/b")


def test_palette_goes_acts_and_finds(lead_page: Page) -> None:
    page = lead_page
    palette = page.get_by_role("dialog", name="Commands")
    chosen = palette.get_by_role("option", selected=True)
    page.keyboard.press("ControlOrMeta+k")
    expect(palette.get_by_role("combobox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()

    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type("add tags")
    expect(chosen).to_contain_text("Add tags")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add tags")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Add tag")).to_be_focused()

    page.keyboard.press("ControlOrMeta+k")
    expect(chosen).to_have_count(1)
    first = chosen.inner_text()
    page.keyboard.press("ArrowDown")
    expect(chosen).not_to_have_text(first)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(palette.get_by_role("option").last).to_have_attribute("aria-selected", "true")
    page.keyboard.type("go to leads")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Leads", level=1)).to_be_visible()

    page.keyboard.press("ControlOrMeta+k")
    expect(palette.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("ben.osei@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ben Osei", level=1)).to_be_visible()


@pytest.mark.parametrize(
    ("link", "title", "focused"),
    [
        ("Add tag", "Add tags", "Tags"),
        ("Add to list", "Subscribe to lists", "Lists"),
        ("Add to sequence", "Add to a sequence", "Sequence"),
        ("Give or remove", "Give or remove points", "Points"),
        ("Book or cancel", "Book or cancel a class", "Calendar"),
    ],
)
def test_a_dialog_takes_the_focus_and_gives_it_back(lead_page: Page, link: str, title: str, focused: str) -> None:
    page = lead_page
    opener = page.get_by_role("link", name=link, exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog.get_by_label(focused, exact=True).and_(page.locator(":focus"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("link", name="Go back").click()
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_dialog_opened_again_at_once_gives_the_focus_back_too(lead_page: Page) -> None:
    page = lead_page
    opener = page.get_by_role("link", name="Add tag", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add tags")
    expect(dialog).to_be_visible()
    opener.evaluate("link => { document.getElementById('dialog').close(); link.click(); }")
    dialog.get_by_role("link", name="Go back").click()
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_focus_stays_at_the_card_after_a_change(lead_page: Page) -> None:
    page = lead_page
    page.get_by_role("button", name="Remove tag vip").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove tag vip")).to_have_count(0)
    expect(page.get_by_role("heading", name="Tags")).to_be_focused()
    page.get_by_role("link", name="Give or remove").focus()
    page.keyboard.press("Enter")
    points = page.locator("#card-form").get_by_label("Points", exact=True)
    expect(points).to_be_focused()
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="Give or remove")).to_be_focused()


def test_who_is_quicker_than_the_page_stays_on_it(lead_page: Page) -> None:
    """A dialog's form that is sent as soon as it is there is answered in the page, not by a page of its own."""
    page = lead_page
    page.evaluate("""() => document.addEventListener("htmx:afterSwap", () => setTimeout(() => {
        const points = document.querySelector("#card-form [type=number]");
        if (!points) return;
        points.value = "5";
        points.form.requestSubmit();
    }))""")
    page.evaluate("window.isTheSamePage = true")
    page.get_by_role("link", name="Give or remove").click()
    expect(page.locator("#toasts")).to_contain_text("Gave points.")
    assert page.evaluate("window.isTheSamePage")


def chips(page: Page) -> Locator:
    return page.get_by_role("group", name="Chosen").first.locator(".chip")


def test_a_picker_by_keyboard(lead_page: Page, sandbox: Sandbox) -> None:
    """Arrows walk, Enter takes, Backspace takes off, Esc closes the list and then the dialog."""
    page = lead_page
    page.get_by_role("link", name="Add tag", exact=True).click()
    field = Mouse(page).picker("Tags", page.locator("#card-form"))
    expect(field).to_be_focused()
    options = page.get_by_role("listbox", name="Choices").get_by_role("option")
    page.keyboard.type("work 20")
    expect(options).to_have_text(["workshop-2024", "workshop-2025", "workshop-2026"])
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_id(field.get_attribute("aria-activedescendant") or "none")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(options.nth(0)).to_have_id(field.get_attribute("aria-activedescendant") or "none")
    page.keyboard.press("Enter")
    expect(chips(page)).to_have_text(["workshop-2024 ×"])
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.type("cafe")
    expect(options).to_have_text(["café-regular"])
    page.keyboard.press("Enter")
    expect(chips(page)).to_have_text(["workshop-2024 ×", "café-regular ×"])
    page.keyboard.type("no such tag")
    expect(page.get_by_text("No matches.").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    page.keyboard.press("Backspace")
    expect(chips(page)).to_have_text(["workshop-2024 ×"])
    page.get_by_role("button", name="Remove workshop-2024").press("Enter")
    expect(chips(page)).to_have_count(0)
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("dialog", name="Add tags")).to_be_visible()
    sandbox.calls()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was chosen, so nothing was sent.")
    expect(page.get_by_role("alert")).to_be_focused()
    assert sandbox.calls() == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Add tags")).to_be_hidden()


def test_esc_closes_the_user_menu_and_the_last_toast(lead_page: Page) -> None:
    page = lead_page
    menu = page.get_by_label("Account of Agent Person")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu).to_be_focused()
    page.get_by_role("button", name="Remove tag vip").click()
    toast = page.get_by_role("region", name="Notices").locator("[data-toast]")
    expect(toast).to_have_count(1)
    page.keyboard.press("Escape")
    expect(toast).to_have_count(0)


def test_the_theme_is_kept(lead_page: Page, browser_of: Callable[..., Page]) -> None:
    page = lead_page
    root = page.locator("html")
    expect(root).to_have_css("color-scheme", "light dark")
    page.get_by_label("Account of Agent Person").click()
    page.get_by_role("button", name="Dark").click()
    expect(root).to_have_css("color-scheme", "dark")
    expect(root).to_have_css("background-color", "rgb(15, 17, 21)")
    other = page.context.new_page()
    other.goto("/leads/")
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    other.get_by_label("Account of Agent Person").click()
    expect(other.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    other.get_by_role("button", name="System").click()
    expect(root).to_have_css("color-scheme", "light dark")
    page.reload()
    expect(root).to_have_css("color-scheme", "light dark")
