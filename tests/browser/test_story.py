"""From the first sign-in to the auditor's page, three times: by mouse, by keyboard alone, without JavaScript."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from leads.access import Desk
from leads.models import Recipe
from leads.providers.changes import AssignTag, EditLead
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from tests.browser.conftest import Watch
from tests.browser.hands import WAYS, Mouse
from tests.conftest import PASSWORD
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import do, read, send, writes

pytestmark = pytest.mark.browser


@pytest.fixture(params=WAYS)
def hands(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext], watch: Watch) -> Mouse:
    way = WAYS[request.param]
    context = new_context(java_script_enabled=way.scripts)
    watch.over(context)
    return way(context.new_page())


def sign_in(hands: Mouse, person: User) -> None:
    page = hands.page
    page.goto("/")
    hands.type(page.get_by_label("Email"), person.email)
    hands.type(page.get_by_label("Password"), PASSWORD)
    hands.press(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()


def test_connect(hands: Mouse, user_of: Callable[[str], User], sandbox: Sandbox) -> None:
    page = hands.page
    manager = user_of("manager")
    page.goto("/sign-in/")
    hands.type(page.get_by_label("Email"), manager.email)
    hands.type(page.get_by_label("Password"), "not my password")
    hands.press(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("alert")).to_contain_text("not correct")
    expect(page.get_by_label("Email")).to_have_value(manager.email)
    hands.type(page.get_by_label("Password"), PASSWORD)
    hands.press(page.get_by_role("button", name="Sign in"))
    hands.press(page.get_by_role("link", name="Add credentials"))

    hands.type(page.get_by_label("Name of the account"), "Kiln & Clay")
    hands.type(page.get_by_label("API key"), "no-such-key")
    hands.type(page.get_by_label("API password"), "no-such-password")
    hands.press(page.get_by_role("button", name="Test and save"))
    expect(page.get_by_role("alert")).to_contain_text("Not kept.")
    expect(page.get_by_label("Name of the account")).to_have_value("Kiln & Clay")
    expect(page.get_by_label("API key")).to_have_value("")

    hands.type(page.get_by_label("API key"), ACCOUNTS[0].api_key)
    hands.type(page.get_by_label("API password"), ACCOUNTS[0].api_password)
    hands.press(page.get_by_role("button", name="Test and save"))
    expect(page.get_by_role("region", name="Notices")).to_contain_text("Kartra took these credentials")
    expect(page.get_by_role("heading", name="Kiln & Clay")).to_be_visible()
    assert ACCOUNTS[0].api_key not in page.content()


def test_find_edit_undo(
    hands: Mouse, desk_of: Callable[..., Desk], sandbox: Sandbox, browser_of: Callable[..., Page]
) -> None:
    desk = desk_of("agent")
    page = hands.page
    sign_in(hands, desk.user)
    hands.search(page.locator("#search"), f" <{ADA.email.upper()}> ")
    expect(page.get_by_role("heading", name="Ada Moreno", level=1)).to_be_visible()
    if hands.scripts:
        expect(page.get_by_role("region", name="Money")).to_contain_text("#99432")
    else:
        hands.press(page.get_by_role("link", name="See transactions and subscriptions"))
        expect(page.get_by_role("region", name="Money")).to_contain_text("#99432")
        page.go_back()

    hands.press(page.get_by_role("link", name="Edit lead"))
    expect(page.get_by_role("heading", name="Edit Ada Moreno")).to_be_visible()
    hands.type(page.get_by_label("City"), "Dallas")
    hands.pick("Tags", ["glaze & slip", "wholesale"])
    hands.pick("Lists", ["Glaze lab notes"])
    sandbox.calls()
    hands.press(page.get_by_role("button", name="Save changes"))
    expect(page.get_by_role("heading", name="Ada Moreno", level=1)).to_be_visible()
    assert writes(sandbox) == [("edit_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list")]
    activity = page.get_by_role("region", name="Activity")
    expect(activity).to_contain_text("Dallas")
    expect(page.get_by_role("region", name="Tags")).to_contain_text("wholesale")

    toast = page.get_by_role("region", name="Notices")
    expect(toast).to_contain_text("glaze & slip")
    hands.press(toast.get_by_role("button", name="Undo"))
    expect(toast).to_contain_text("Undo")
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Boston")
    expect(page.get_by_role("region", name="Tags")).not_to_contain_text("wholesale")
    lead = read(desk)
    assert (lead.profile["city"], set(lead.tags)) == ("Boston", {"customer", "vip"})

    auditor = browser_of("auditor", java_script_enabled=hands.scripts)
    auditor.goto("/audit/")
    table = auditor.get_by_role("table")
    expect(table).to_contain_text("Agent Person")
    row = table.get_by_role("row").filter(has_text="Dallas").filter(has_text="Succeeded").last
    expect(row).to_contain_text("Boston")
    expect(row).to_contain_text("Ada Moreno")


def test_cards(hands: Mouse, desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    """Tags, lists, a sequence at a step, points, a recipe, a note: each from its own card."""
    desk = desk_of("agent")
    recipe = Recipe(account=desk.account, name="Kiln Club Gold access", give_tag="kiln-club-gold")
    recipe.save()
    page = hands.page
    toasts = page.get_by_role("region", name="Notices")
    form = page.locator("#card-form")
    sign_in(hands, desk.user)
    page.goto(f"/leads/{ADA.id}/")

    hands.press(page.get_by_role("link", name="Add tag"))
    hands.pick("Tags", ["glaze & slip", "wholesale"], form)
    hands.press(form.get_by_role("button", name="Add tags"))
    expect(toasts).to_contain_text("wholesale")
    hands.press(page.get_by_role("button", name="Remove tag vip"))
    expect(toasts).to_contain_text("vip")
    expect(page.get_by_role("button", name="Remove tag vip")).to_have_count(0)
    assert set(read(desk).tags) == {"customer", "glaze & slip", "wholesale"}

    hands.press(page.get_by_role("link", name="Add to sequence"))
    hands.pick("Sequence", ["Glaze Chemistry drip"], form)
    hands.type(form.get_by_label("At step"), "2")
    hands.press(form.get_by_role("button", name="Add to sequence"))
    expect(page.get_by_role("region", name="Sequences")).to_contain_text("step 2")

    hands.press(page.get_by_role("link", name="Give or remove"))
    hands.type(form.get_by_label("Points"), "15")
    hands.type(form.get_by_label("Expire after"), "30")
    hands.press(form.get_by_role("button", name="Change points"))
    expect(page.get_by_role("region", name="Points")).to_contain_text("50")

    hands.press(page.get_by_role("button", name="Grant Kiln Club Gold access", exact=True))
    expect(page.get_by_role("button", name="Revoke Kiln Club Gold access", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Memberships")).to_contain_text("Gold")
    hands.press(page.get_by_role("button", name="Revoke Kiln Club Gold access", exact=True))
    expect(page.get_by_role("button", name="Grant Kiln Club Gold access", exact=True)).to_be_visible()

    hands.type(page.get_by_label("New note"), "Prefers the morning.")
    hands.press(page.get_by_role("button", name="Add note"))
    notes = page.get_by_role("region", name="Notes")
    expect(notes.get_by_role("listitem")).to_contain_text("Prefers the morning.")
    hands.press(notes.get_by_role("button", name="Delete your note"))
    expect(notes.get_by_role("listitem")).to_have_count(0)


def test_undo_from_the_activity(hands: Mouse, desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    """What was done takes itself back there, unless it has changed since: then it says so."""
    desk = desk_of("agent")
    do(desk, AssignTag("wholesale"))
    do(desk, EditLead({"city": "Dallas"}))
    send(desk, EditLead({"city": "Denver"}))
    page = hands.page
    sign_in(hands, desk.user)
    page.goto(f"/leads/{ADA.id}/")
    activity = page.get_by_role("region", name="Activity")
    toasts = page.get_by_role("region", name="Notices")
    sandbox.calls()
    hands.press(activity.get_by_role("button", name="Undo: added tag wholesale"))
    expect(toasts).to_contain_text("wholesale")
    expect(activity).to_contain_text("(undone)")
    expect(page.get_by_role("region", name="Tags")).not_to_contain_text("wholesale")
    assert writes(sandbox) == [("unassign_tag",)]

    hands.press(activity.get_by_role("button", name="Undo: edited fields"))
    expect(toasts).to_contain_text("Denver")
    expect(page.get_by_role("region", name="Profile")).to_contain_text("Denver")
    assert writes(sandbox) == []


def test_create_where_nothing_was_found(hands: Mouse, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("agent")
    page = hands.page
    sign_in(hands, desk.user)
    hands.search(page.locator("#search"), "mailto:new.person@example.com")
    expect(page.get_by_role("main")).to_contain_text("No lead with the email new.person@example.com")
    hands.press(page.get_by_role("link", name="Create a lead for new.person@example.com"))
    expect(page.get_by_label("Email", exact=True)).to_have_value("new.person@example.com")
    hands.type(page.get_by_label("First name"), "Nele")
    hands.pick("Tags", ["vip"])
    hands.press(page.get_by_role("button", name="Create lead"))
    expect(page.get_by_role("heading", name="Nele", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Tags")).to_contain_text("vip")

    hands.press(page.get_by_label("Account of Agent Person"))
    hands.press(page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto("/leads/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
