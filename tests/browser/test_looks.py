"""Every page, dialog and state: axe finds nothing in either theme, and nothing is wider than the window.

The data are as odd as they come: names that are long, empty, right to left or markup, tags of a hundred characters.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Account, AuditEntry, User
from accounts.services import users
from leads.access import Desk
from leads.models import Entry, Finding, Operation, Recipe
from leads.providers.changes import AssignTag, Change, EditLead, GivePoints, SubscribeToList, SubscribeToSequence
from leads.providers.kartra.sandbox.catalogue import LONG_TAG
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.services import notes
from leads.unusual import RULES
from tests.browser.conftest import Watch, enter
from tests.browser.hands import Mouse
from tests.browser.looking import LONG_TEXT, LONG_WORD, Eye, axe, settle
from tests.conftest import PASSWORD, SignIn
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import do, send

pytestmark = pytest.mark.browser

ODD = NOTABLE["long_name"].id


class World:
    """An account in which staff have been busy with odd things."""

    def __init__(self, desk: Desk, sandbox: Sandbox) -> None:
        self.desk, self.sandbox = desk, sandbox
        recipe = Recipe(
            account=desk.account, name="Gold " * 15, description=LONG_TEXT, give_tag=LONG_TAG, take_tag="vip"
        )
        recipe.save()
        self.recipe = recipe
        fields = {"about_me": f"{LONG_TEXT}\n" * 3, "glazes": ["1", "2", "3"], "shoe_size": LONG_WORD}
        odd = {"city": LONG_WORD[:120], "website": f"https://example.com/{LONG_WORD[:150]}"}
        self.done(AssignTag(LONG_TAG), AssignTag("日本語"), SubscribeToList("Élèves du mardi"), GivePoints(5))
        self.edited = self.done(EditLead(odd, fields))
        self.failed = self.done(SubscribeToSequence("Welcome series", "99"))
        sandbox.arm("assign_tag", "lost")
        self.unknown = self.done(AssignTag("wholesale"))
        for text in (LONG_TEXT, "مرحبا"):
            notes.add_note(actor=desk.user, account=desk.account, lead_id=ODD, lead_label="Wolfgang", text=text)

    def done(self, *changes: Change) -> Operation:
        return do(self.desk, *changes, lead_id=ODD)


@pytest.fixture
def world(sit_down: Callable[..., Desk], sandbox: Sandbox) -> World:
    return World(sit_down("admin"), sandbox)


@pytest.mark.looks_at(
    "account_login",
    "account_reset_password",
    "account_reset_password_done",
    "account_inactive",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
)
def test_signed_out(eye: Eye, user_of: Callable[[str], User]) -> None:
    eye.see("sign-in", "/sign-in/?next=/leads/")
    eye.page.get_by_label("Email").fill("nobody@example.com")
    eye.page.get_by_label("Password").fill("wrong")
    eye.page.get_by_role("button", name="Sign in").click()
    expect(eye.page.get_by_role("alert")).to_be_visible()
    eye.see("sign-in refused")
    eye.see("forgotten", "/sign-in/forgotten/")
    eye.see("forgotten sent", "/sign-in/forgotten/sent/")
    eye.see("inactive", "/sign-in/inactive/")
    eye.see("bad link", "/sign-in/new-password/1-abc/")
    eye.see("new password done", "/sign-in/new-password/done/")
    link = users.set_password_link(actor=user_of("admin"), user=user_of("agent"))
    eye.see("new password", "/sign-in/" + link.split("/sign-in/", 1)[1])
    eye.see("nothing here signed out", "/no-such-page/")


@pytest.mark.looks_at("account_reauthenticate", "account_set_password", "account_logout")
def test_passwords_and_signing_out(
    eye: Eye, user_of: Callable[[str], User], at_desk_alone: Callable[[str], None]
) -> None:
    page = eye.page
    at_desk_alone("agent")
    eye.see("confirm", "/sign-in/again/?next=/team/")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("confirm refused")
    eye.see("sign out", "/sign-in/out/")
    agent = user_of("agent")
    agent.set_unusable_password()
    agent.save()
    at_desk_alone("agent")
    eye.see("first password", "/sign-in/password/first/")
    page.get_by_label("Password", exact=True).fill("123")
    page.get_by_label("Password (again)").fill("456")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("first password refused")


@pytest.mark.looks_at("typed")
def test_what_was_typed_comes_back(
    eye: Eye, user_of: Callable[[str], User], client_of: SignIn, sandbox: Sandbox
) -> None:
    page = eye.page
    enter(page.context, client_of("admin", stale=True))
    page.goto(f"/team/{user_of('agent').pk}/")
    page.get_by_label("Name").fill(LONG_TEXT[:140])
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Confirm your identity")).to_be_visible()
    eye.see("confirm with something typed")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Not sent yet")).to_be_visible()
    eye.see("not sent yet")


@pytest.mark.looks_at("leads:home", "leads:connection")
def test_without_credentials(eye: Eye, sandbox: Sandbox, at_desk_alone: Callable[[str], None]) -> None:
    at_desk_alone("agent")
    eye.see("welcome", "/")
    eye.see("lead without credentials", f"/leads/{ADA.id}/")
    eye.see("connection none", "/settings/connection/")
    eye.page.get_by_label("API key").fill("no such key")
    eye.page.get_by_label("API password").fill("no such password")
    eye.page.get_by_role("button", name="Test and save").click()
    expect(eye.page.get_by_role("alert")).to_be_visible()
    eye.see("connection refused")


def test_an_empty_desk(eye: Eye, sit_down: Callable[..., Desk]) -> None:
    desk = sit_down("admin")
    eye.see("home empty", "/")
    eye.see("find empty", "/leads/")
    eye.see("recipes empty", "/recipes/")
    eye.see("lead empty", f"/leads/{NOTABLE['empty'].id}/")
    eye.see("activity empty", f"/leads/{NOTABLE['empty'].id}/activity/")
    eye.see("money empty", f"/leads/{NOTABLE['empty'].id}/money/")
    eye.see("audit nothing found", "/audit/?lead=1")
    eye.see("audit wrong filters", "/audit/?from=junk&until=junk&outcome=junk")
    desk.account.catalogues.all().delete()
    eye.see("catalogues empty", "/settings/catalogues/")
    eye.see("recipe new without catalogues", "/recipes/new/")


@pytest.mark.looks_at("leads:detail", "leads:activity", "leads:money")
def test_the_lead(eye: Eye, world: World) -> None:
    eye.see("lead odd", f"/leads/{ODD}/")
    eye.see("activity odd", f"/leads/{ODD}/activity/")
    eye.see("lead ada", f"/leads/{ADA.id}/")
    eye.see("money ada", f"/leads/{ADA.id}/money/")
    for who in ("markup", "arabic", "blacklisted", "jon"):
        eye.measure(f"lead {who}", f"/leads/{NOTABLE[who].id}/")


def test_a_lead_is_read_in_the_same_order_by_eye_on_a_phone_and_by_keyboard(page: Page, world: World) -> None:
    """Who he is, then his money: support has him on the phone. On a wide screen they stand side by side."""
    page.goto(f"/leads/{ADA.id}/")
    settle(page)
    where = "cards => cards.map(card => card.getBoundingClientRect()).map(({top, left}) => [left, top])"
    cards = page.locator(".split .card")
    wide = cards.evaluate_all(where)
    assert wide[1][0] < wide[0][0]
    assert wide[1][1] == wide[0][1]
    page.set_viewport_size({"width": 390, "height": 844})
    tops = [top for _, top in cards.evaluate_all(where)]
    assert tops == sorted(tops)
    assert cards.get_by_role("heading", level=2).all_inner_texts()[:3] == ["Profile", "Money", "Tags"]


def test_a_long_history(eye: Eye, sit_down: Callable[..., Desk]) -> None:
    sit_down("viewer")
    eye.measure("a long history", f"/leads/{NOTABLE['long_history'].id}/")


@pytest.mark.looks_at("leads:forget", "leads:forget-imported", "leads:forgettings")
def test_forgetting(eye: Eye, world: World) -> None:
    page = eye.page
    now = timezone.now()
    email = "zora@example.com"
    entry = Entry.objects.create(account=world.desk.account, email=email, seen_at=now, changed_at=now)
    eye.see("nobody of an imported email", f"/leads/?q={email}")
    eye.see("forget who was imported", f"/directory/{entry.pk}/forget/")
    page.goto(f"/leads/{ODD}/")
    eye.see("forgotten nobody", "/settings/forgotten/")
    eye.see("forget", f"/leads/{ODD}/forget/")
    page.get_by_label("Why").select_option("asked")
    page.get_by_role("button", name="Forget this person").click()
    eye.see("forgotten waiting")
    eye.see("forget asked already", f"/leads/{ODD}/forget/")
    eye.see("home with somebody to forget", "/")
    eye.see("lead to be forgotten", f"/leads/{ODD}/")
    page.goto("/")
    page.get_by_role("button", name="Take back the request to forget").click()
    eye.see("forgotten taken back")


@pytest.mark.looks_at("leads:find", "leads:create")
def test_find_and_create(eye: Eye, world: World) -> None:
    page = eye.page
    page.goto(f"/leads/{ODD}/")
    eye.see("home", "/")
    eye.see("find", "/leads/")
    eye.see("find missing", f"/leads/?q={'very.' * 20}long@example.com")
    eye.see("find nonsense", f"/leads/?q={LONG_WORD}")
    eye.see("create", "/leads/new/?email=somebody@example.com")
    page.get_by_label("Email", exact=True).fill(ADA.email)
    page.get_by_role("button", name="Create lead").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("create existing")


@pytest.mark.looks_at("leads:edit")
def test_edit(eye: Eye, world: World) -> None:
    page = eye.page
    eye.see("edit odd", f"/leads/{ODD}/edit/")
    page.goto(f"/leads/{ADA.id}/edit/")
    send(world.desk, EditLead({"city": LONG_WORD[:100]}))
    page.get_by_label("City").fill("Denver")
    Mouse(page).pick("Tags", [LONG_TAG])
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("edit conflict")
    Mouse(page).picker("Tags").click()
    eye.see("edit picker open")


def test_dialogs(eye: Eye, world: World) -> None:
    page = eye.page
    page.goto(f"/leads/{ODD}/")
    for link in ("Add tag", "Add to list", "Add to sequence", "Give or remove", "Book or cancel"):
        page.get_by_role("link", name=link, exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        eye.see(f"dialog {link}")
        page.locator("#card-form").evaluate("form => { form.noValidate = true }")  # or the browser itself asks
        page.locator("#card-form button[type=submit]").click()
        expect(page.get_by_role("alert")).to_be_visible()
        if link in ("Give or remove", "Book or cancel"):
            eye.see(f"dialog {link} refused")
        page.keyboard.press("Escape")
    page.get_by_role("link", name="Add tag", exact=True).click()
    page.locator("#card-form").get_by_role("button", name="Add tags").click()
    expect(page.get_by_role("alert")).to_be_visible()
    Mouse(page).picker("Tags", page.locator("#card-form")).click()
    eye.see("dialog refused with picker open")


@pytest.mark.looks_at("leads:change")
def test_cards_as_pages(eye: Eye, world: World) -> None:
    for card in ("tags", "lists", "sequences", "points", "calendars"):
        eye.see(f"card {card}", f"/leads/{ODD}/{card}/change/")


def test_overlays(eye: Eye, world: World, watch: Watch) -> None:
    page = eye.page
    page.goto(f"/leads/{ODD}/")
    page.get_by_label("Account of Admin Person").click()
    eye.see("user menu")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    eye.see("keys")
    page.keyboard.press("Escape")
    page.keyboard.press("ControlOrMeta+k")
    eye.see("palette")
    page.keyboard.type(LONG_WORD)
    eye.see("palette finding")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=f"Remove tag {LONG_TAG}").click()
    toasts = page.get_by_role("region", name="Notices")
    expect(toasts).to_contain_text("tag")
    watch.expect("Response Status Error Code 403")
    page.route("**/tags/change/", lambda route: route.fulfill(status=403))
    page.get_by_role("button", name="Remove tag 日本語").click()
    expect(toasts.locator(".is-failed")).to_have_count(1)
    page.get_by_label("Copy the email").click()
    toasts.hover()
    eye.see("toasts")


def test_the_menu_of_a_phone(eye: Eye, world: World) -> None:
    """Four places stand in its row, the others open above it: by a tap, by keyboard, and closed again by Esc."""
    page = eye.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/settings/health/")
    menu = page.get_by_role("navigation", name="Menu")
    expect(menu.get_by_role("link")).to_have_text(["Home", "Leads", "Directory", "Recipes"])
    menu.get_by_text("More", exact=True).press("Enter")
    expect(menu.get_by_role("link", name="Settings")).to_have_attribute("aria-current", "page")
    eye.found += axe(page, {})
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Settings")).to_be_hidden()
    menu.get_by_text("More", exact=True).click()
    menu.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("heading", name="Audit", level=1)).to_be_visible()
    page.set_viewport_size({"width": 1440, "height": 1000})
    expect(menu.get_by_text("More", exact=True)).to_be_hidden()
    expect(menu.get_by_role("link", name="Settings")).to_be_visible()


@pytest.mark.looks_at("leads:operation")
def test_operations(eye: Eye, world: World) -> None:
    page = eye.page
    for title, operation in (("done", world.edited), ("failed", world.failed), ("unknown", world.unknown)):
        eye.see(f"operation {title}", f"/operations/{operation.pk}/")
    page.get_by_role("button", name="Settle", exact=True).evaluate("button => { button.form.noValidate = true }")
    page.get_by_role("button", name="Settle", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("operation decision refused")


@pytest.mark.looks_at(
    "leads:connection-remove",
    "leads:catalogues",
    "leads:field-create",
    "accounts:profile",
    "account_change_password",
    "leads:recipes",
    "leads:recipe-create",
    "leads:recipe-edit",
    "leads:recipe-delete",
)
def test_settings(eye: Eye, world: World) -> None:
    eye.see("connection", "/settings/connection/")
    eye.see("connection remove", "/settings/connection/remove/")
    eye.see("catalogues", "/settings/catalogues/")
    eye.see("field new", "/settings/catalogues/fields/new/")
    eye.see("profile", "/profile/")
    eye.see("password", "/sign-in/password/")
    eye.see("recipes", "/recipes/")
    eye.see("recipe new", "/recipes/new/")
    eye.see("recipe edit", f"/recipes/{world.recipe.pk}/edit/")
    eye.see("recipe delete", f"/recipes/{world.recipe.pk}/delete/")


@pytest.mark.looks_at(
    "accounts:team",
    "accounts:team-add",
    "accounts:team-edit",
    "accounts:team-deactivate",
    "leads:connection-of",
    "leads:connection-remove-of",
)
def test_team(eye: Eye, world: World, user_of: Callable[[str], User], desk_of: Callable[..., Desk]) -> None:
    page = eye.page
    admin = world.desk.user
    long = users.add_staff(actor=admin, email=f"{'very.' * 11}long@example.com", name=LONG_TEXT[:140], role="support")
    gone = users.deactivate_staff(actor=admin, user=user_of("viewer"))
    eye.see("team", "/team/")
    eye.see("team add", "/team/add/")
    page.get_by_label("Email").fill(long.email)
    page.get_by_label("Name").fill("Somebody else")
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("team add refused")
    eye.see("team edit", f"/team/{long.pk}/")
    eye.see("team edit deactivated", f"/team/{gone.pk}/")
    eye.see("team deactivate", f"/team/{long.pk}/deactivate/")
    eye.see("connection of somebody", f"/team/{long.pk}/connection/")
    eye.see("connection remove of somebody", f"/team/{desk_of('agent').user.pk}/connection/remove/")
    page.goto(f"/team/{long.pk}/")
    page.get_by_role("link", name="Deactivate").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    eye.see("dialog deactivate")
    page.keyboard.press("Escape")
    page.locator("form[action$='/link/'] button").click()
    expect(page.get_by_label("Set-password link")).to_have_value(re.compile("/sign-in/new-password/"))
    eye.see("team link")


@pytest.mark.looks_at("accounts:audit", "accounts:audit-entry")
def test_audit(eye: Eye, world: World) -> None:
    eye.see("audit", "/audit/")
    eye.see("audit filtered", f"/audit/?lead={ODD}")
    page = eye.page
    page.goto(f"{page.url.split('/audit/')[0]}/audit/?action=lead.edit")
    page.get_by_text("Save as a filter").click()
    page.get_by_label("Name of the filter").fill("Changes of leads, " + "with a long name " * 3)
    page.get_by_role("button", name="Save filter").click()
    expect(page.get_by_role("navigation", name="Saved filters")).to_contain_text("Changes of leads")
    eye.see("audit with a kept filter")
    eye.see("audit words not found", "/audit/?text=nothing+such&amount_from=1")
    entry = AuditEntry.objects.filter(operation_id=world.edited.pk, outcome="succeeded").get()
    eye.see("audit entry", f"/audit/{entry.pk}/")
    entry = AuditEntry.objects.filter(operation_id=None).latest("pk")
    eye.see("audit entry without operation", f"/audit/{entry.pk}/")


@pytest.mark.looks_at("leads:unusual")
def test_what_is_unusual(eye: Eye, world: World) -> None:
    eye.see("nothing unusual", "/unusual/")
    now, admin, account = timezone.now(), world.desk.user, world.desk.account
    Account.objects.filter(pk=account.pk).update(name=LONG_WORD[:100])
    User.objects.filter(pk=admin.pk).update(name=LONG_WORD[:100])
    for number, rule in enumerate(RULES * 9):
        whose: dict[str, Any] = {"lead_id": ODD} if rule.by_lead else {"person": admin}
        at = now - timedelta(hours=number)
        since = at - rule.within
        Finding.objects.create(rule=rule.name, account=account, count=rule.number, since=since, until=at, **whose)
    eye.see("unusual", "/unusual/")
    eye.see("home with what is unusual", "/")
    eye.see("audit with what is unusual", "/audit/")


# What a finger is to hit.
_TOO_LOW = """() => [...document.querySelectorAll(
  "main :is(.button, .card-link, .copy, .chip-remove, .tabs a, .input, .picker-box, select), .user-menu summary"
)].filter(part => part.offsetParent && part.getBoundingClientRect().height < 39.9).map(part => part.outerHTML)"""


@pytest.mark.parametrize("address", ["/", f"/leads/{ODD}/", f"/leads/{ODD}/edit/", "/directory/", "/team/", "/audit/"])
def test_a_phone_has_room_for_fingers(page: Page, world: World, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    settle(page)
    assert page.evaluate(_TOO_LOW) == []


@pytest.mark.parametrize("address", ["/team/", "/directory/", "/audit/"])
def test_a_label_grows_its_row_on_a_phone(page: Page, world: World, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    settle(page)
    cells = page.locator("td[data-label]")
    cells.evaluate_all("cells => cells.forEach(cell => { cell.dataset.label = 'A label of many words for one cell' })")
    spilt = "cells => cells.filter(cell => cell.scrollHeight > cell.clientHeight + 1).map(cell => cell.outerHTML)"
    assert cells.evaluate_all(spilt) == []


def test_errors(
    eye: Eye, sit_down: Callable[..., Desk], sandbox: Sandbox, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit_down("agent")
    eye.see("not allowed", "/team/")
    eye.see("nothing here", "/no-such-page/")
    eye.see("no such lead", "/leads/999/")
    eye.see("deleted lead", f"/leads/{NOTABLE['deleted'].id}/")
    eye.see("takes only forms", f"/leads/{ADA.id}/notes/")
    eye.see("no such operation", f"/operations/{uuid4()}/")
    sandbox.arm("*", "500", times=9)
    eye.see("kartra fails", f"/leads/{ADA.id}/")
    eye.page.goto("/settings/connection/")
    eye.page.locator("main input[name=csrfmiddlewaretoken]").last.evaluate("field => { field.value = 'old' }")
    eye.page.context.clear_cookies(name="csrftoken")
    eye.page.get_by_label("API key").fill("key")
    eye.page.get_by_label("API password").fill("password")
    eye.page.get_by_role("button", name="Test and save").click()
    expect(eye.page.get_by_role("heading", name="This page has expired")).to_be_visible()
    eye.see("open too long")
    watch.expect("status of 500")
    monkeypatch.setattr("leads.views.home.render", broken)
    eye.see("broken", "/")


def broken(*_: object, **__: object) -> None:
    raise RuntimeError


@pytest.mark.parametrize("role", ["auditor", "agent"])
def test_other_roles(eye: Eye, sit_down: Callable[..., Desk], desk_of: Callable[..., Desk], role: str) -> None:
    do(desk_of("manager"), AssignTag("wholesale"))
    sit_down(role)
    eye.see(f"home of the {role}", "/")
    eye.see(f"lead for the {role}", f"/leads/{ADA.id}/")
    operation: UUID = Operation.objects.get().pk
    eye.see(f"operation for the {role}", f"/operations/{operation}/")
    if role == "auditor":
        eye.see("audit for the auditor", "/audit/")
