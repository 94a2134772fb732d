"""Money in a browser: four steps to a refund, Undo while it is held, the card that follows by itself."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from leads.access import Desk
from leads.models import Limit, Operation, Outcome
from leads.services import held
from tests.browser.hands import Keyboard
from tests.browser.looking import settle
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import writes

pytestmark = pytest.mark.browser


def card(page: Page) -> Locator:
    return page.get_by_role("region", name="Money")


def dialog(page: Page) -> Locator:
    return page.locator("dialog[open]")


def toasts(page: Page) -> Locator:
    return page.get_by_role("region", name="Notices")


@pytest.fixture
def lead_page(page: Page, sit_down: Callable[..., Desk]) -> Page:
    sit_down("support")
    page.goto(f"/leads/{ADA.id}/")
    expect(card(page)).to_contain_text("#99488")
    return page


def open_refund(page: Page) -> Locator:
    card(page).get_by_role("link", name="Refund Rebill 2, #99488").click()
    expect(dialog(page)).to_contain_text("Refund Rebill 2 of Kiln Club")
    return dialog(page)


def leave() -> None:
    """Let the time of what is held come, and the worker do its round."""
    Operation.objects.filter(outcome=Outcome.HELD).update(send_at=timezone.now() - timedelta(seconds=1))
    held.send_due_operations()


def test_four_steps_from_the_search_box(page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    sit_down("support")
    page.goto("/")
    steps = 0

    page.locator("#search").fill(ADA.email)
    page.keyboard.press("Enter")
    steps += 1

    card(page).get_by_role("link", name="Refund Rebill 2, #99488").click()
    expect(dialog(page).get_by_label("Amount")).to_be_focused()
    settle(page)
    steps += 1

    page.keyboard.type("20")  # too much by a nickel: the sentence says so before anything is sent
    expect(dialog(page)).to_contain_text("Only 19.95 is left")
    page.keyboard.press("Backspace")
    page.keyboard.type(",50")
    page.keyboard.press("Tab")
    page.keyboard.type("Good")
    expect(dialog(page)).to_contain_text("Refunds 2.50 of 19.95 to the card ending 4242, leaving 17.45.")
    steps += 1

    dialog(page).get_by_role("button", name="Refund 2.50").click()
    steps += 1

    expect(dialog(page)).to_have_count(0)
    expect(card(page)).to_contain_text("Held back")
    assert steps == 4
    operation = Operation.objects.get()
    assert (operation.reason, operation.steps.get().amount) == ("Goodwill", Decimal("2.50"))
    assert writes(sandbox) == []


def test_it_counts_down_leaves_and_the_card_follows(lead_page: Page, sandbox: Sandbox) -> None:
    page = lead_page
    form = open_refund(page)
    form.get_by_label("Amount").fill("5")
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_role("button", name="Refund 5.00").click()
    expect(toasts(page)).to_contain_text("Refund of 5.00 leaves in")
    expect(card(page)).to_contain_text("leaves in")
    expect(page.get_by_role("region", name="Activity")).to_contain_text("asked to refund 5.00")
    assert writes(sandbox) == []
    leave()
    expect(card(page)).to_contain_text("by Support Person, “Goodwill”")
    expect(toasts(page)).to_contain_text("Refunded 5.00 of transaction #99488.")
    expect(toasts(page).locator("[data-toast]")).to_have_count(1)
    expect(card(page).get_by_role("row", name="Rebill 2 #99488")).to_contain_text("14.95")
    expect(page.locator("[hx-trigger^=every]")).to_have_count(0)
    assert writes(sandbox) == [("refund_transaction",)]


@pytest.mark.parametrize("where", ["toast", "row"])
def test_undo_takes_it_back(lead_page: Page, sandbox: Sandbox, where: str) -> None:
    page = lead_page
    form = open_refund(page)
    form.get_by_label("Full refund 19.95").check()
    expect(form.get_by_label("Amount")).to_be_hidden()
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_role("button", name="Refund 19.95").dblclick()
    expect(card(page)).to_contain_text("Held back")
    (toasts(page) if where == "toast" else card(page)).get_by_role("button", name="Undo").click()
    expect(toasts(page)).to_contain_text("Taken back. Nothing was sent.")
    expect(card(page).get_by_role("link", name="Refund Rebill 2, #99488")).to_be_visible()
    leave()
    assert Operation.objects.get().outcome == Outcome.WITHDRAWN
    assert writes(sandbox) == []


def test_nothing_typed_is_lost(lead_page: Page, sandbox: Sandbox) -> None:
    page = lead_page
    form = open_refund(page)
    form.get_by_label("Amount").fill("1.000")
    form.get_by_label("Note").fill("As agreed on the phone")
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_role("button", name="Refund").click()
    alert = form.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text("can be read in two ways")
    expect(form.get_by_label("Amount")).to_have_value("1.000")
    expect(form.get_by_label("Note")).to_have_value("As agreed on the phone")
    form.get_by_label("Full refund").check()
    form.get_by_label("Partial").check()
    expect(form.get_by_label("Amount")).to_have_value("1.000")
    expect(form.get_by_label("Amount")).to_be_focused()
    assert writes(sandbox) == []


def test_by_keyboard_alone(lead_page: Page) -> None:
    page = lead_page
    hands = Keyboard(page)
    hands.press(card(page).get_by_role("link", name="Pause Kiln Club, #14833"))
    expect(dialog(page).get_by_role("heading", name="Pause Kiln Club")).to_be_visible()
    hands.walk_to(dialog(page).get_by_label("Reason"))
    page.keyboard.type("Good")
    hands.press(dialog(page).get_by_role("button", name="Pause subscription"))
    expect(card(page)).to_contain_text("Pause subscription #14833")
    hands.press(card(page).get_by_role("button", name="Undo: Pause subscription #14833"))
    expect(toasts(page)).to_contain_text("Taken back")


def test_above_the_limit_somebody_is_asked(lead_page: Page, desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    page = lead_page
    desk_of("manager")
    Limit.objects.create(role="support", per_transaction=Decimal(4))
    form = open_refund(page)
    form.get_by_label("Amount").fill("5")
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_role("button", name="Ask to refund 5.00").click()
    expect(form).to_contain_text("Manager Person can approve it")
    form.get_by_role("link", name="Done").click()
    expect(dialog(page)).to_have_count(0)
    assert writes(sandbox) == []


def test_without_javascript(browser_of: Callable[..., Page], desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk_of("support")
    page = browser_of("support", java_script_enabled=False)
    page.goto(f"/leads/{ADA.id}/money/")
    page.get_by_role("link", name="Refund Rebill 2, #99488").click()
    page.get_by_label("Amount").fill("5")
    page.get_by_label("Reason").select_option("Goodwill")
    page.get_by_role("button", name="Refund", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("Held back")
    page.get_by_role("main").get_by_role("button", name="Undo").click()
    expect(toasts(page)).to_contain_text("Taken back. Nothing was sent.")
    assert writes(sandbox) == []
