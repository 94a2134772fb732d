"""The same thing twice: a second click, a second tab, the Back button."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from leads.access import Desk
from leads.models import Operation
from tests.browser.hands import Mouse
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import read, writes

pytestmark = pytest.mark.browser


def open_lead(page: Page) -> None:
    page.goto(f"/leads/{ADA.id}/")
    expect(page.get_by_role("region", name="Money")).to_contain_text("#99432")


def test_a_double_click_is_one_call(page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    sit_down("agent")
    open_lead(page)
    sandbox.calls()
    page.get_by_role("button", name="Remove tag vip").dblclick()
    expect(page.get_by_role("button", name="Remove tag vip")).to_have_count(0)
    assert writes(sandbox) == [("unassign_tag",)]

    page.get_by_role("link", name="Add tag", exact=True).click()
    Mouse(page).pick("Tags", ["wholesale"], page.locator("#card-form"))
    page.get_by_role("button", name="Add tags").dblclick()
    expect(page.get_by_role("button", name="Remove tag wholesale")).to_be_visible()
    assert writes(sandbox) == [("assign_tag",)]

    page.get_by_role("link", name="Edit lead").click()
    page.get_by_label("City").fill("Dallas")
    page.get_by_role("button", name="Save changes").dblclick()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Dallas")
    assert writes(sandbox) == [("edit_lead",)]

    toasts = page.get_by_role("region", name="Notices")
    toasts.get_by_role("button", name="Undo").dblclick()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Boston")
    assert writes(sandbox) == [("edit_lead",)]


def test_a_double_click_without_scripts_is_one_call(
    browser_of: Callable[..., Page], desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    desk_of("agent")
    page = browser_of("agent", java_script_enabled=False)
    page.goto(f"/leads/{ADA.id}/edit/")
    page.get_by_label("City").fill("Dallas")
    sandbox.calls()
    page.get_by_role("button", name="Save changes").dblclick()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Dallas")
    assert writes(sandbox) == [("edit_lead",)]


def test_two_tabs_edit_the_same_lead(page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    """Whoever saves second sees both values, loses nothing, and may save again."""
    desk = sit_down("agent")
    second = page.context.new_page()
    for tab in (page, second):
        tab.goto(f"/leads/{ADA.id}/edit/")
    page.get_by_label("City").fill("Dallas")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Dallas")

    second.get_by_label("City").fill("Denver")
    second.get_by_label("Company").fill("Moreno & Daughters")
    Mouse(second).pick("Tags", ["wholesale"])
    sandbox.calls()
    second.get_by_role("button", name="Save changes").click()
    refused = second.get_by_role("alert")
    expect(refused).to_be_focused()
    expect(refused).to_contain_text("Now reads “Dallas” in Kartra. Saving again overwrites it.")
    expect(second.get_by_label("City")).to_have_value("Denver")
    expect(second.get_by_label("Company")).to_have_value("Moreno & Daughters")
    expect(second.get_by_role("button", name="Remove wholesale")).to_be_visible()
    assert writes(sandbox) == []
    second.get_by_role("button", name="Save changes").click()
    expect(second.get_by_role("region", name="Profile")).to_contain_text("Denver")
    lead = read(desk)
    assert (lead.profile["city"], lead.profile["company"]) == ("Denver", "Moreno & Daughters")


def test_back_and_save_again(page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    """The browser brings the old form back: sent unchanged it is the first save, sent changed it is refused."""
    sit_down("agent")
    page.goto(f"/leads/{ADA.id}/edit/")
    used = page.locator("main input[name=operation_id]").input_value()
    page.get_by_label("City").fill("Dallas")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Dallas")
    sandbox.calls()

    page.goto(f"/leads/{ADA.id}/edit/")
    operation_id = page.locator("main input[name=operation_id]")
    operation_id.evaluate("(field, used) => { field.value = used }", used)
    page.get_by_label("City").fill("Denver")
    page.get_by_role("button", name="Save changes").click()
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("already sent once")
    expect(page.get_by_label("City")).to_have_value("Denver")
    expect(operation_id).not_to_have_value(used)
    assert writes(sandbox) == []
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Denver")
    assert writes(sandbox) == [("edit_lead",)]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_back_button_after_a_save(
    browser_of: Callable[..., Page], desk_of: Callable[..., Desk], sandbox: Sandbox, scripts: bool
) -> None:
    """The form comes back with the values of now, so that there is nothing left to save."""
    desk_of("agent")
    page = browser_of("agent", java_script_enabled=scripts)
    page.goto(f"/leads/{ADA.id}/edit/")
    page.get_by_label("City").fill("Dallas")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Dallas")
    assert writes(sandbox) == [("edit_lead",)]
    page.go_back()
    expect(page.get_by_role("heading", name="Edit Ada Moreno")).to_be_visible()
    page.get_by_label("City").fill("Dallas")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed, so nothing was sent.")
    assert Operation.objects.count() == 1
    assert writes(sandbox) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_back_button_after_a_refund(
    browser_of: Callable[..., Page], desk_of: Callable[..., Desk], sandbox: Sandbox, scripts: bool
) -> None:
    """The page that comes back refunds nothing: the payment is locked by the first."""
    desk_of("support")
    page = browser_of("support", java_script_enabled=scripts)
    page.goto(f"/leads/{ADA.id}/transactions/99488/refund/")
    refund(page.get_by_role("main"))
    expect(page.get_by_role("main")).to_contain_text("Held back")
    page.go_back()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Nothing more can be refunded until that is settled.")
    expect(main.get_by_role("button", name="Refund")).to_have_count(0)
    assert Operation.objects.count() == 1
    assert writes(sandbox) == []


def test_back_and_forth_after_a_refund_in_the_dialog(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox
) -> None:
    sit_down("support")
    page.goto("/")
    page.goto(f"/leads/{ADA.id}/")
    card = page.get_by_role("region", name="Money")
    card.get_by_role("link", name="Refund Rebill 2, #99488").click()
    refund(page.locator("dialog[open]"))
    expect(card).to_contain_text("Held back")
    page.go_back()
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    page.go_forward()
    expect(card).to_contain_text("Held back")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(card.get_by_role("link", name="Refund Rebill 2, #99488")).to_have_count(0)
    assert Operation.objects.count() == 1
    assert writes(sandbox) == []


def refund(form: Locator) -> None:
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_label("Amount").fill("5")
    form.get_by_label("Amount").press("Enter")


def test_back_to_a_sent_form_can_be_sent(page: Page, sit_down: Callable[..., Desk]) -> None:
    """Its buttons are not left as they were while it was being sent."""
    sit_down("agent")
    page.goto(f"/leads/{ADA.id}/edit/")
    page.get_by_label("City").fill("Dallas")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Dallas")
    page.go_back()
    expect(page.get_by_role("heading", name="Edit Ada Moreno")).to_be_visible()
    page.get_by_label("City").fill("Denver")
    save = page.get_by_role("button", name="Save changes")
    expect(save).not_to_have_attribute("aria-disabled", "true")
    save.click()
    expect(page.get_by_role("alert").or_(page.get_by_role("region", name="Profile"))).to_contain_text("Denver")
