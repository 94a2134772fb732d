"""Signing in by a person: with app and passkey, from two browsers at once, and too often."""

import re
from collections.abc import Callable
from functools import partial
from html import unescape

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from accounts.models import AuditEntry, User
from accounts.permissions import BY_ROLE, PERMISSIONS, ROLES
from accounts.services import connections, users
from leads.access import Desk
from tests.accounts.factors import code_for, give_app
from tests.browser.conftest import Watch, enter
from tests.browser.looking import Eye
from tests.conftest import PASSWORD, SignIn
from tests.leads.conftest import ADA
from tests.test_access import PUBLIC, SIGNED_IN, TABLE, address

pytestmark = pytest.mark.browser
UserOf = Callable[[str], User]
lasting_code = partial(code_for, lasting=12)  # a busy browser is in time, too


def type_password(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def give_finger(page: Page) -> None:
    """A device beside the browser that holds passkeys, and whose owner's finger is always on it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def is_home(page: Page) -> None:
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()
    expect(page).to_have_url(re.compile(r"localhost:\d+/$"))


def sign_out(page: Page) -> None:
    page.goto("/sign-in/out/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.looks_at("mfa_index", "mfa_activate_totp", "mfa_view_recovery_codes")
def test_who_needs_an_app_sets_it_up_and_gets_in(page: Page, eye: Eye, user_of: UserOf, settings: Settings) -> None:
    settings.SECOND_FACTOR_ROLES, settings.DEMO = ["manager"], False
    manager = user_of("manager")
    type_password(page, "manager@example.com")
    expect(page.get_by_role("main")).to_contain_text("Ask an admin for a set-password link")
    expect(page.get_by_role("link", name="Set up an app")).to_have_count(0)
    eye.see("second factor not without a link")
    users.let_set_up_factor(manager)
    manager.save()
    page.goto("/")
    expect(page.get_by_role("main")).to_contain_text("Your role needs a second factor")
    eye.see("second factor needed")
    page.goto("/leads/")
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    page.get_by_role("link", name="Set up an app").click()
    eye.see("set up an app")
    expect(page.get_by_role("img", name="QR code of the key below")).to_be_visible()
    page.get_by_label("Code from the app").fill("000000")
    page.get_by_role("button", name="Set up the app").click()
    expect(page.get_by_role("alert")).to_contain_text("The app was not set up")
    secret = page.get_by_label("Or enter this key in the app").input_value()
    page.get_by_label("Code from the app").fill(lasting_code(secret))
    page.get_by_role("button", name="Set up the app").click()
    expect(page.locator(".codes li")).to_have_count(10)
    eye.see("recovery codes")
    page.goto("/")
    is_home(page)


@pytest.mark.looks_at("mfa_authenticate", "mfa_deactivate_totp", "mfa_generate_recovery_codes")
@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_password_and_code(
    scripts: bool, page: Page, eye: Eye, new_context: Callable[..., BrowserContext], watch: Watch, user_of: UserOf
) -> None:
    secret = give_app(user_of("support"))
    if scripts:
        type_password(page, "support@example.com")
        eye.see("one more step")
    else:
        context = new_context(java_script_enabled=False)
        watch.over(context)
        page = context.new_page()
        type_password(page, "support@example.com")
    page.get_by_label("Code").fill("123456")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_contain_text("Not signed in.")
    page.get_by_label("Code").fill(lasting_code(secret))
    page.get_by_role("button", name="Sign in").click()
    is_home(page)
    if scripts:
        eye.see("remove the app", "/sign-in/factors/app/remove/")
        eye.see("new recovery codes", "/sign-in/factors/codes/new/")
    else:
        eye.seen |= {"mfa_authenticate", "mfa_deactivate_totp", "mfa_generate_recovery_codes"}


@pytest.mark.looks_at("mfa_add_webauthn", "mfa_reauthenticate_webauthn", "mfa_remove_webauthn")
def test_a_passkey_is_added_signs_in_alone_and_confirms(
    page: Page, eye: Eye, user_of: UserOf, at_desk_alone: Callable[[str], None]
) -> None:
    give_finger(page)
    at_desk_alone("admin")
    page.goto("/sign-in/factors/")
    page.get_by_role("link", name="Add a passkey").click()
    eye.see("add a passkey")
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.goto("/sign-in/factors/")
    expect(page.get_by_role("main")).to_contain_text("My laptop")
    eye.see("second factors")
    sign_out(page)

    page.get_by_role("button", name="Use a passkey").click()
    is_home(page)
    assert AuditEntry.objects.filter(action="session.start.succeeded").latest("pk").detail == {"by": "passkey"}

    eye.see("confirm by passkey", "/sign-in/again/passkey/?next=/team/add/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Add a person")).to_be_visible()
    page.goto("/sign-in/factors/")
    page.get_by_role("link", name="Remove My laptop").click()
    eye.see("remove a passkey")
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_role("main")).not_to_contain_text("My laptop")


def test_a_passkey_that_is_not_there_says_so(page: Page, user_of: UserOf, watch: Watch) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    page.goto("/sign-in/")
    page.get_by_role("button", name="Use a passkey").click()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.looks_at("mfa_reauthenticate")
def test_step_up_asks_for_password_and_code_and_goes_on(
    page: Page, eye: Eye, user_of: UserOf, desk_of: Callable[..., Desk], client_of: SignIn
) -> None:
    desk_of("admin")
    secret = give_app(user_of("admin"))
    enter(page.context, client_of("admin"))  # by password, just now: not enough
    page.goto("/team/add/")
    expect(page.get_by_role("heading", name="Confirm your identity")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    eye.see("confirm by code")
    page.get_by_label("Password").fill("not the password")
    page.get_by_label("Code").fill(lasting_code(secret))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("The password or the code is wrong.")
    eye.see("confirm by code, refused")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code").fill(lasting_code(secret))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Add a person")).to_be_visible()


@pytest.mark.looks_at("accounts:team-factor")
def test_an_admin_takes_a_lost_factor_away(
    page: Page, eye: Eye, user_of: UserOf, at_desk_alone: Callable[[str], None], browser_of: Callable[..., Page]
) -> None:
    person = user_of("support")
    secret = give_app(person)
    theirs = browser_of()
    type_password(theirs, "support@example.com")
    theirs.get_by_label("Code").fill(lasting_code(secret))
    theirs.get_by_role("button", name="Sign in").click()
    is_home(theirs)
    at_desk_alone("admin")
    eye.see("take away a factor", f"/team/{person.pk}/factor/")
    page.goto(f"/team/{person.pk}/")
    page.get_by_role("link", name="Remove the second factor").click()
    dialog = page.get_by_role("dialog", name="Remove the second factor of Support Person?")
    dialog.get_by_role("button", name="Remove the second factor").click()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("has no second factor now")
    theirs.reload()
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    type_password(theirs, "support@example.com")
    is_home(theirs)


@pytest.mark.looks_at("accounts:sessions")
def test_a_session_is_ended_from_another(
    page: Page, eye: Eye, user_of: UserOf, browser_of: Callable[..., Page]
) -> None:
    user_of("agent")
    there = browser_of(user_agent="Left on at the front desk")
    for one in (there, page):
        type_password(one, "agent@example.com")
        is_home(one)
    page.goto("/sessions/")
    eye.see("sessions")
    row = page.get_by_role("row").filter(has_text="Left on at the front desk")
    row.get_by_role("button", name="End").click()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("Session ended")
    expect(row).to_have_count(0)
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()


def test_guessing_is_told_how_long_to_wait(page: Page, user_of: UserOf) -> None:
    user_of("agent")
    for _ in range(5):
        type_password(page, "agent@example.com", "not the password")
        expect(page.get_by_role("alert")).to_contain_text("Not signed in.")
    type_password(page, "agent@example.com")
    expect(page.get_by_role("alert")).to_contain_text("Wait 5 minutes, then try again")


def test_role_and_address_decide_who_gets_where(
    page: Page, user_of: UserOf, browser_of: Callable[..., Page], settings: Settings
) -> None:
    user_of("admin"), user_of("auditor")
    settings.ROLE_ADDRESSES = "admin=203.0.113.0/24"
    type_password(page, "admin@example.com")
    expect(page.get_by_role("main")).to_contain_text("only from the addresses that your team has set")
    page.goto("/team/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    settings.ROLE_ADDRESSES = "admin=127.0.0.0/8,::1/128"
    type_password(page, "admin@example.com")
    page.goto("/team/")
    expect(page.get_by_role("heading", name="Team")).to_be_visible()
    auditor = browser_of()
    type_password(auditor, "auditor@example.com")
    is_home(auditor)
    menu = auditor.get_by_role("navigation", name="Menu")
    expect(menu.get_by_role("link", name="Audit")).to_be_visible()
    expect(menu.get_by_role("link", name="Team")).to_have_count(0)
    auditor.goto("/team/")
    expect(auditor.get_by_role("main")).to_contain_text("does not let you manage the team")
    settings.ROLE_ADDRESSES = "admin=203.0.113.0/24"
    page.goto("/team/")
    expect(page.get_by_role("main")).to_contain_text("only from the addresses that your team has set")


GETS = [name for name, line in TABLE.items() if line.method == "get"]


# All at once, as many as a browser opens.
_FETCH = """urls => Promise.all(urls.map(async url => {
    const answer = await fetch(url)
    return [answer.status, new URL(answer.url).pathname, await answer.text()]
}))"""


def assert_table(page: Page, role: str) -> None:
    """Every address that a browser can open answers as the table of `tests.test_access` says; "" is signed out."""
    page.goto("/sign-in/inactive/")
    urls = [address(name) for name in GETS]
    for name, url, (status, came_to, text) in zip(GETS, urls, page.evaluate(_FETCH, urls), strict=True):
        needs, has_to_sign_in = TABLE[name].needs, came_to == "/sign-in/"
        if needs == PUBLIC:
            assert status == 200, (role, name, status)
        elif not role:
            assert (status, has_to_sign_in) == (200, True), (name, status)
        elif needs == SIGNED_IN or needs in BY_ROLE[role]:
            assert status in (200, 204, 400, 404, 409, 422), (role, name, status)
            assert not has_to_sign_in, (role, name)
        else:
            assert (status, came_to) == (403, url), (role, name, status)
            assert PERMISSIONS[needs][0] in unescape(text), (role, name)


def test_role_by_role_a_browser_opens_what_the_table_says(
    page: Page, user_of: UserOf, desk_of: Callable[..., Desk], browser_of: Callable[..., Page]
) -> None:
    user_of("viewer")  # whom some addresses are about
    assert_table(page, "")
    for role in ROLES:
        desk_of(role)
        assert_table(browser_of(role), role)


def test_from_another_address_a_bound_role_opens_nothing(
    page: Page, user_of: UserOf, client_of: SignIn, browser_of: Callable[..., Page], settings: Settings
) -> None:
    """Each time with a session that began where it may. Nobody else is held up."""
    user_of("viewer")
    settings.ROLE_ADDRESSES = "manager=203.0.113.0/24"
    for name in GETS:
        page.context.clear_cookies()
        enter(page.context, client_of("manager"))
        answer = page.request.get(address(name), max_redirects=0)
        assert answer.status == 403, (name, answer.status)
        assert "only from the addresses that your team has set" in answer.text(), name
    assert page.request.get("/profile/", max_redirects=0).headers["location"].startswith("/sign-in/?"), "it was ended"
    assert browser_of("agent").request.get("/profile/", max_redirects=0).status == 200


@pytest.mark.looks_at("leads:health", "accounts:keys")
def test_health_and_keys(page: Page, eye: Eye, user_of: UserOf, at_desk_alone: Callable[[str], None]) -> None:
    agent = user_of("agent")
    placed = connections.place(actor=agent, owner=agent, api_key="key", api_password="password")
    connections.note_failed(placed, "Kartra does not take this API key any more. Place it again in Settings.")
    at_desk_alone("admin")
    eye.see("health", "/settings/health/")
    eye.see("keys", "/settings/keys/")


def test_signing_out_takes_a_lead_off_every_other_tab(page: Page, desk_of: Callable[..., Desk]) -> None:
    desk_of("agent")
    type_password(page, "agent@example.com")
    is_home(page)
    other = page.context.new_page()
    other.goto(f"/leads/{ADA.id}/")
    expect(other.get_by_role("heading", name="Ada Moreno")).to_be_visible()
    sign_out(page)
    expect(other.get_by_role("heading", name="Ada Moreno")).to_have_count(0)
    other.goto("/")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
