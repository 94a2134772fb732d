"""Kartra fails, the network fails, the session ends: a sentence each time, and nothing that spins for ever."""

from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from leads.access import Desk
from tests.browser.conftest import Watch
from tests.browser.hands import Mouse
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import read

pytestmark = pytest.mark.browser

NETWORK = r"net::ERR_INTERNET_DISCONNECTED|htmx:(sendError|afterRequest)"


@pytest.fixture
def lead_page(page: Page, sit_down: Callable[..., Desk]) -> Page:
    sit_down("agent")
    page.goto(f"/leads/{ADA.id}/")
    expect(page.get_by_role("region", name="Money")).to_contain_text("#99432")
    return page


def nothing_spins(page: Page) -> None:
    for sign in (".is-sending", "[data-sending]", ".htmx-request", ".skeleton-line", "button[aria-disabled=true]"):
        expect(page.locator(sign)).to_have_count(0)


@pytest.mark.parametrize("mode", ["500", "junk", "half", "lost", "late", "refused"])
def test_money_that_cannot_be_read_says_so(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox, mode: str
) -> None:
    sit_down("agent")
    for command in ("retrieve_transactions_from_lead", "get_transaction_details"):
        sandbox.arm(command, mode, times=9)
    page.goto(f"/leads/{ADA.id}/")
    expect(page.get_by_role("heading", name="Ada Moreno", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("Kartra")
    expect(page.get_by_role("region", name="Money")).to_contain_text("Could not be loaded")
    nothing_spins(page)


@pytest.mark.parametrize("mode", ["500", "429", "refused"])
def test_a_change_that_was_not_done_says_so(lead_page: Page, sandbox: Sandbox, mode: str) -> None:
    page = lead_page
    sandbox.arm("unassign_tag", mode, times=9)
    page.get_by_role("button", name="Remove tag vip").click()
    expect(page.get_by_role("region", name="Notices").locator("[data-toast]")).not_to_have_count(0)
    expect(page.get_by_role("button", name="Remove tag vip")).to_be_visible()
    nothing_spins(page)


@pytest.mark.parametrize(
    ("mode", "settled"),
    [("junk", "does not prove it"), ("half", "Succeeded"), ("lost", "Succeeded"), ("late", "Succeeded")],
)
def test_a_change_in_doubt_says_so_and_can_be_settled(
    lead_page: Page, sandbox: Sandbox, mode: str, settled: str
) -> None:
    page = lead_page
    sandbox.arm("unassign_tag", mode)
    page.get_by_role("button", name="Remove tag vip").click()
    toasts = page.get_by_role("region", name="Notices")
    expect(toasts).to_contain_text("It may or may not have happened")
    activity = page.get_by_role("region", name="Activity")
    expect(activity).to_contain_text("Unknown")
    nothing_spins(page)
    activity.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("main").or_(toasts).filter(has_text=settled)).to_be_visible()


def test_a_dialog_keeps_what_was_typed_when_the_save_fails(lead_page: Page, sandbox: Sandbox) -> None:
    page = lead_page
    page.get_by_role("link", name="Add tag", exact=True).click()
    Mouse(page).pick("Tags", ["wholesale"], page.locator("#card-form"))
    sandbox.arm("*", "500", times=9)
    page.get_by_role("button", name="Add tags").click()
    expect(page.locator("dialog[open] [data-toast]")).to_contain_text("Kartra")
    expect(page.get_by_role("button", name="Remove wholesale")).to_be_visible()
    nothing_spins(page)


def test_a_page_that_cannot_be_read_says_what_to_do(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox
) -> None:
    sit_down("agent")
    sandbox.arm("*", "500", times=9)
    page.goto(f"/leads/{ADA.id}/")
    expect(page.get_by_role("main")).to_contain_text("Kartra")
    expect(page.get_by_role("link", name="Home").last).to_be_visible()


def test_a_cut_network_says_so(lead_page: Page, watch: Watch) -> None:
    watch.expect(NETWORK)
    page = lead_page
    page.context.set_offline(True)
    page.get_by_role("button", name="Remove tag vip").click()
    toasts = page.get_by_role("region", name="Notices")
    expect(toasts).to_contain_text("It may or may not have been saved")
    nothing_spins(page)
    page.get_by_role("link", name="Add tag", exact=True).click()
    expect(toasts).to_contain_text("Check the connection and try again")
    page.context.set_offline(False)
    page.get_by_role("button", name="Remove tag vip").click()
    expect(page.get_by_role("button", name="Remove tag vip")).to_have_count(0)


def test_signed_out_elsewhere_leads_to_the_sign_in(lead_page: Page) -> None:
    """A click on a fragment leads there, and signing in leads back to the lead."""
    page = lead_page
    Session.objects.all().delete()
    page.get_by_role("link", name="Add tag", exact=True).click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert f"next=/leads/{ADA.id}/" in page.url.replace("%2F", "/")


def test_a_deactivated_person_is_shown_out(
    lead_page: Page, desk_of: Callable[..., Desk], browser_of: Callable[..., Page]
) -> None:
    desk = desk_of("agent")
    admin = browser_of("admin")
    admin.goto(f"/team/{desk.user.pk}/deactivate/")
    admin.get_by_role("button", name="Deactivate").click()
    lead_page.get_by_role("button", name="Remove tag vip").click()
    expect(lead_page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "vip" in read(desk).tags
