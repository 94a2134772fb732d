"""The password asked for again, on the way to a dialog and on the way to a page: one comes back to where one was."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from leads.access import Desk
from leads.models import Operation
from tests.browser.conftest import Watch, enter
from tests.browser.hands import WAYS, Mouse
from tests.conftest import PASSWORD, SignIn
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import writes

pytestmark = pytest.mark.browser
LEAD = f"/leads/{ADA.id}/"


@pytest.fixture(params=WAYS)
def hands(
    request: pytest.FixtureRequest,
    new_context: Callable[..., BrowserContext],
    watch: Watch,
    desk_of: Callable[..., Desk],
    client_of: SignIn,
) -> Mouse:
    """Somebody of support, whose password was asked for an hour ago."""
    desk_of("support")
    way = WAYS[request.param]
    context = new_context(java_script_enabled=way.scripts)
    watch.over(context)
    enter(context, client_of("support", stale=True))
    return way(context.new_page())


def money(page: Page) -> Locator:
    return page.get_by_role("region", name="Money")


def confirm(hands: Mouse, password: str = PASSWORD) -> None:
    page = hands.page
    expect(page.get_by_role("heading", name="Confirm your identity")).to_be_visible()
    hands.type(page.get_by_label("Password"), password)
    hands.press(page.get_by_role("button", name="Confirm"))


def test_a_refund_goes_on_where_the_password_was_asked(hands: Mouse, sandbox: Sandbox) -> None:
    page = hands.page
    page.goto(LEAD if hands.scripts else f"{LEAD}money/")
    hands.press(money(page).get_by_role("link", name="Refund Rebill 2, #99488"))
    confirm(hands, "not my password")
    expect(page.get_by_role("alert")).to_be_visible()
    confirm(hands)

    form = page.locator("dialog[open]") if hands.scripts else page.get_by_role("main")
    expect(form).to_contain_text("Refund Rebill 2 of Kiln Club")
    if hands.scripts:  # above the page it was asked from, and its address is clean again
        expect(form.get_by_label("Reason")).to_be_focused()
        assert page.url.endswith(LEAD)
    form.get_by_label("Reason").select_option("Goodwill")
    hands.type(form.get_by_label("Amount"), "5")
    hands.press(form.get_by_role("button", name="Refund 5.00" if hands.scripts else "Refund part"))
    expect(page.get_by_role("main")).to_contain_text("Held back")
    assert Operation.objects.count() == 1
    assert writes(sandbox) == []


def test_a_dialog_that_came_back_does_not_come_again(
    page: Page, desk_of: Callable[..., Desk], client_of: SignIn
) -> None:
    """Loading the page anew, or going away and back, opens nothing by itself."""
    desk_of("support")
    enter(page.context, client_of("support", stale=True))
    page.goto(LEAD)
    money(page).get_by_role("link", name="Pause Kiln Club, #14833").click()
    confirm(Mouse(page))
    expect(page.get_by_role("dialog", name="Pause Kiln Club")).to_be_visible()
    page.keyboard.press("Escape")
    expect(money(page).get_by_role("link", name="Pause Kiln Club, #14833")).to_be_focused()
    page.reload()
    expect(money(page)).to_contain_text("#99488")
    expect(page.locator("dialog[open]")).to_have_count(0)
