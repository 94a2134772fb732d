"""Kartra's events in a browser: the address in Settings, the lead's timeline, and the notice on an open lead."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from leads.access import Desk
from leads.models import Hook
from leads.providers.changes import AssignTag
from leads.services import events, refreshing
from tests.browser.looking import Eye, settle
from tests.leads.conftest import ADA
from tests.leads.helpers import send

pytestmark = pytest.mark.browser
EVENT = '{"lead": {"id": "%s"}, "action": "%s", "action_details": {"tag": {"tag_name": "%s"}}}'


def post(hook: Hook, action: str = "assign_tag", tag: str = "wholesale") -> None:
    url = f"/hooks/{events.secret_of(hook)}/"
    answer = Client().post(url, EVENT % (ADA.id, action, tag), content_type="application/json")
    assert answer.status_code == 200


@pytest.fixture
def desk(sit_down: Callable[..., Desk]) -> Desk:
    return sit_down("admin")


@pytest.fixture
def hook(desk: Desk) -> Hook:
    return events.make_hook(actor=desk.user, account=desk.account)


@pytest.mark.looks_at("leads:events", "leads:event", "leads:hook")
def test_an_admin_makes_the_address_and_sees_what_comes(eye: Eye, page: Page, desk: Desk) -> None:
    page.goto("/settings/connection/")
    page.get_by_role("link", name="Events", exact=True).click()
    eye.see("events without an address")
    page.get_by_role("link", name="Create an address").first.click()
    eye.see("no address")
    page.get_by_role("button", name="Create address").click()
    expect(page.get_by_label("Address", exact=True)).to_have_value(
        f"{'http://127.0.0.1:8000'}/hooks/{events.secret_of(Hook.objects.get())}/"
    )
    page.get_by_label("Key of payment notifications").fill("hush")
    page.get_by_role("button", name="Save key").click()
    expect(page.get_by_text("Set", exact=True)).to_be_visible()
    eye.see("address")
    page.get_by_role("link", name="All events").click()
    eye.see("no events yet")

    hook = Hook.objects.get()
    post(hook)
    post(hook, "ticket_opened", "a very long name " * 20)
    events.receive(hook, b"junk", "")
    page.reload()
    expect(page.get_by_role("table", name="Latest events")).to_contain_text("was given tag wholesale")
    expect(page.get_by_role("table", name="Latest events")).to_contain_text("Unknown event")
    eye.see("events")
    page.get_by_role("table", name="Latest events").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Kartra reported: ticket opened")
    eye.see("event")


def test_an_open_lead_tells_quietly_that_it_has_changed_and_then_asks_no_more(
    eye: Eye, page: Page, desk: Desk, hook: Hook
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/changed/" in request.url else None)
    page.clock.install()
    page.goto(f"/leads/{ADA.id}/")
    settle(page)
    notice = page.locator("#lead-watch")
    with page.expect_response("**/changed/**") as quiet:
        page.clock.fast_forward(31_000)
    assert quiet.value.status == 204
    expect(notice).to_be_empty()

    send(desk, AssignTag("wholesale"))
    post(hook)
    refreshing.work()
    with page.expect_response("**/changed/**"):
        page.clock.fast_forward(31_000)
    expect(notice).to_contain_text("Changed in Kartra since you opened it.")
    eye.see("lead with notice")
    before = len(asked)
    page.clock.fast_forward(120_000)
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_role("button", name="Remove tag wholesale")).to_be_visible()
    assert len(asked) == before
    expect(page.locator("#activity-card")).to_contain_text("Kartra reported: was given tag wholesale")
    eye.see("lead with timeline")


def test_a_hidden_tab_asks_nothing(page: Page, desk: Desk) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/changed/" in request.url else None)
    page.clock.install()
    page.goto(f"/leads/{ADA.id}/")
    settle(page)
    page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })")
    page.clock.fast_forward(300_000)
    page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'visible', configurable: true })")
    with page.expect_response("**/changed/**"):  # asked at once by whoever comes back
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(asked) == 1


def test_ones_own_change_brings_no_notice(page: Page, desk: Desk) -> None:
    page.clock.install()
    page.goto(f"/leads/{ADA.id}/")
    settle(page)
    tag = page.get_by_role("button", name="Remove tag").first
    name = tag.get_attribute("aria-label") or ""
    tag.click()
    expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    with page.expect_response("**/changed/**") as answer:
        page.clock.fast_forward(31_000)
    assert answer.value.status == 204


def test_without_javascript_there_is_no_notice_and_the_timeline_stands(
    browser_of: Callable[..., Page], desk: Desk, hook: Hook
) -> None:
    page = browser_of("admin", java_script_enabled=False)
    post(hook)
    page.goto(f"/leads/{ADA.id}/")
    expect(page.locator("#lead-watch")).to_be_empty()
    expect(page.locator("#activity-card")).to_contain_text("Kartra reported: was given tag wholesale")
    page.goto("/settings/events/address/")
    page.get_by_role("button", name="Replace address").click()
    expect(page.get_by_text("This is the new address.")).to_be_visible()
