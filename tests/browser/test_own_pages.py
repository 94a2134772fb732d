"""A dialog's address opened by itself, as from a link in a new tab: the form is a page, and answers as one."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from leads.access import Desk
from tests.browser.hands import Mouse
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import read, writes

pytestmark = pytest.mark.browser


def test_a_card(page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    desk = sit_down("agent")
    page.goto(f"/leads/{ADA.id}/tags/change/")
    page.get_by_role("button", name="Add tags").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("Nothing was chosen")
    Mouse(page).pick("Tags", ["wholesale"])
    page.get_by_role("button", name="Add tags").click()
    expect(page.get_by_role("region", name="Tags")).to_contain_text("wholesale")
    expect(page.get_by_role("heading", name="Ada Moreno", level=1)).to_be_visible()
    assert "wholesale" in read(desk).tags


def test_a_refund(page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    sit_down("support")
    page.goto(f"/leads/{ADA.id}/transactions/99488/refund/")
    main = page.get_by_role("main")
    main.get_by_label("Amount").fill("5")
    expect(main).to_contain_text("leaving 14.95")
    main.get_by_role("button", name="Refund 5.00").click()
    main.get_by_label("Reason").evaluate("field => { field.form.noValidate = true }")
    main.get_by_role("button", name="Refund 5.00").click()
    expect(main.get_by_role("alert")).to_contain_text("Nothing was sent")
    expect(page.locator("dialog[open]")).to_have_count(0)
    main.get_by_label("Reason").select_option("Goodwill")
    main.get_by_role("button", name="Refund 5.00").click()
    expect(main).to_contain_text("Held back")
    assert page.url.endswith("/transactions/99488/")
    assert writes(sandbox) == []


def test_pausing_a_subscription(page: Page, sit_down: Callable[..., Desk]) -> None:
    sit_down("support")
    page.goto(f"/leads/{ADA.id}/subscriptions/14833/pause/")
    page.get_by_label("Reason").select_option("Goodwill")
    page.get_by_role("button", name="Pause subscription").click()
    expect(page.get_by_role("main")).to_contain_text("Held back")
    assert page.url.endswith("/subscriptions/14833/")
