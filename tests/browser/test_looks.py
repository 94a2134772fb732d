"""Every page, dialog and state: axe finds nothing in either theme, and nothing is wider than the window.

The data are as odd as they come: names that are long, empty, right to left or markup, tags of a hundred characters.
"""

import re
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page, expect

from accounts.models import AuditEntry, User
from accounts.services import users
from leads.access import Desk
from leads.models import Operation, Recipe
from leads.providers.changes import AssignTag, Change, EditLead, GivePoints, SubscribeToList, SubscribeToSequence
from leads.providers.kartra.sandbox.catalogue import LONG_TAG
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.services import notes
from leads.services.recipes import save_recipe
from tests.browser.conftest import Watch
from tests.browser.hands import Mouse
from tests.browser.looking import WIDTHS, look_at, settle, too_wide
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import do, send

pytestmark = pytest.mark.browser

ODD = NOTABLE["long_name"].id
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LONG_TEXT = f"{LONG_WORD} ليلى المصري 👩🏽‍🎨 <b>not bold</b>"


class Eye:
    """Goes through pages and remembers what is wrong, so that one run tells all of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: list[str] = []

    def see(self, title: str, address: str = "", *, also_on_a_phone: bool = False) -> None:
        if address:
            self.page.goto(address)
        self.found += look_at(self.page, title, also_on_a_phone=also_on_a_phone)

    def measure(self, title: str, address: str) -> None:
        """Only its width, for a page of a kind that axe has seen already."""
        self.page.goto(address)
        settle(self.page)
        for width in WIDTHS:
            self.found += too_wide(self.page, title, width)


@pytest.fixture
def eye(page: Page) -> Iterator[Eye]:
    looking = Eye(page)
    yield looking
    if looking.found:
        pytest.fail("\n".join(looking.found))


class World:
    """An account in which staff have been busy with odd things."""

    def __init__(self, desk: Desk, sandbox: Sandbox) -> None:
        self.desk, self.sandbox = desk, sandbox
        recipe = Recipe(
            account=desk.account, name="Gold " * 15, description=LONG_TEXT, give_tag=LONG_TAG, take_tag="vip"
        )
        save_recipe(actor=desk.user, recipe=recipe)
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


def test_signed_out(eye: Eye, user_of: Callable[[str], User]) -> None:
    eye.see("sign-in", "/sign-in/?next=/leads/")
    eye.page.get_by_label("Email").fill("nobody@example.com")
    eye.page.get_by_label("Password").fill("wrong")
    eye.page.get_by_role("button", name="Sign in").click()
    expect(eye.page.get_by_role("alert")).to_be_visible()
    eye.see("sign-in refused", also_on_a_phone=True)
    eye.see("forgotten", "/sign-in/forgotten/")
    eye.see("forgotten sent", "/sign-in/forgotten/sent/")
    eye.see("inactive", "/sign-in/inactive/")
    eye.see("bad link", "/sign-in/new-password/1-abc/")
    eye.see("new password done", "/sign-in/new-password/done/")
    link = users.set_password_link(actor=user_of("admin"), user=user_of("agent"))
    eye.see("new password", "/sign-in/" + link.split("/sign-in/", 1)[1])
    eye.see("nothing here signed out", "/no-such-page/")


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


def test_the_lead(eye: Eye, world: World) -> None:
    eye.see("lead odd", f"/leads/{ODD}/", also_on_a_phone=True)
    eye.see("activity odd", f"/leads/{ODD}/activity/")
    eye.see("lead ada", f"/leads/{ADA.id}/")
    eye.see("money ada", f"/leads/{ADA.id}/money/")
    for who in ("markup", "arabic", "blacklisted", "jon"):
        eye.measure(f"lead {who}", f"/leads/{NOTABLE[who].id}/")


def test_a_long_history(eye: Eye, sit_down: Callable[..., Desk]) -> None:
    sit_down("viewer")
    eye.measure("a long history", f"/leads/{NOTABLE['long_history'].id}/")


def test_find_and_create(eye: Eye, world: World) -> None:
    page = eye.page
    page.goto(f"/leads/{ODD}/")
    eye.see("home", "/", also_on_a_phone=True)
    eye.see("find", "/leads/")
    eye.see("find missing", f"/leads/?q={'very.' * 20}long@example.com")
    eye.see("find nonsense", f"/leads/?q={LONG_WORD}")
    eye.see("create", "/leads/new/?email=somebody@example.com")
    page.get_by_label("Email", exact=True).fill(ADA.email)
    page.get_by_role("button", name="Create lead").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("create existing")


def test_edit(eye: Eye, world: World) -> None:
    page = eye.page
    eye.see("edit odd", f"/leads/{ODD}/edit/", also_on_a_phone=True)
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
        eye.see(f"dialog {link}", also_on_a_phone=link == "Add tag")
        page.locator("#card-form button[type=submit]").click()
        if link in ("Give or remove", "Book or cancel"):  # the browser itself asks for what is missing
            page.keyboard.press("Escape")
            continue
        expect(page.get_by_role("alert")).to_be_visible()
        page.keyboard.press("Escape")
    page.get_by_role("link", name="Add tag", exact=True).click()
    page.locator("#card-form").get_by_role("button", name="Add tags").click()
    expect(page.get_by_role("alert")).to_be_visible()
    Mouse(page).picker("Tags", page.locator("#card-form")).click()
    eye.see("dialog refused with picker open")


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
    eye.see("palette", also_on_a_phone=True)
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
    eye.see("toasts", also_on_a_phone=True)


def test_operations(eye: Eye, world: World) -> None:
    page = eye.page
    for title, operation in (("done", world.edited), ("failed", world.failed), ("unknown", world.unknown)):
        eye.see(f"operation {title}", f"/operations/{operation.pk}/")
    page.get_by_role("button", name="Settle it").evaluate("button => { button.form.noValidate = true }")
    page.get_by_role("button", name="Settle it").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("operation decision refused")


def test_settings(eye: Eye, world: World) -> None:
    eye.see("connection", "/settings/connection/")
    eye.see("catalogues", "/settings/catalogues/")
    eye.see("field new", "/settings/catalogues/fields/new/")
    eye.see("profile", "/profile/")
    eye.see("password", "/sign-in/password/")
    eye.see("recipes", "/recipes/")
    eye.see("recipe new", "/recipes/new/")
    eye.see("recipe edit", f"/recipes/{world.recipe.pk}/edit/")
    eye.see("recipe delete", f"/recipes/{world.recipe.pk}/delete/")


def test_team(eye: Eye, world: World, user_of: Callable[[str], User]) -> None:
    page = eye.page
    admin = world.desk.user
    long = users.add_staff(actor=admin, email=f"{'very.' * 11}long@example.com", name=LONG_TEXT[:140], role="support")
    gone = users.deactivate_staff(actor=admin, user=user_of("viewer"))
    eye.see("team", "/team/", also_on_a_phone=True)
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
    page.goto(f"/team/{long.pk}/")
    page.locator("form[action$='/link/'] button").click()
    expect(page.get_by_label("Set-password link")).to_have_value(re.compile("/sign-in/new-password/"))
    eye.see("team link")


def test_audit(eye: Eye, world: World) -> None:
    eye.see("audit", "/audit/", also_on_a_phone=True)
    eye.see("audit filtered", f"/audit/?lead={ODD}")
    entry = AuditEntry.objects.filter(operation_id=world.edited.pk, outcome="succeeded").get()
    eye.see("audit entry", f"/audit/{entry.pk}/")
    entry = AuditEntry.objects.filter(operation_id=None).latest("pk")
    eye.see("audit entry without operation", f"/audit/{entry.pk}/")


def test_errors(eye: Eye, sit_down: Callable[..., Desk], sandbox: Sandbox) -> None:
    sit_down("agent")
    eye.see("not allowed", "/team/")
    eye.see("nothing here", "/no-such-page/")
    eye.see("no such lead", "/leads/999/")
    eye.see("deleted lead", f"/leads/{NOTABLE['deleted'].id}/")
    eye.see("no such operation", f"/operations/{uuid4()}/")
    sandbox.arm("*", "500", times=9)
    eye.see("kartra fails", f"/leads/{ADA.id}/")
    eye.page.goto("/settings/connection/")
    eye.page.locator("main input[name=csrfmiddlewaretoken]").last.evaluate("field => { field.value = 'old' }")
    eye.page.context.clear_cookies(name="csrftoken")
    eye.page.get_by_label("API key").fill("key")
    eye.page.get_by_label("API password").fill("password")
    eye.page.get_by_role("button", name="Test and save").click()
    expect(eye.page.get_by_role("heading", name="This page was open too long")).to_be_visible()
    eye.see("open too long")


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
