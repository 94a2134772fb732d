"""Money in a browser: four interactions to a refund, Undo while it is held, the card that follows by itself."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from leads.access import Desk
from leads.models import Limit, Operation, Outcome, Playbook, PlaybookRun
from leads.services import held, runs
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


# Kept over pages: each field that was given another value, and each link or button that was pressed, by mouse or key.
# Enter in a field sends off what was typed there and belongs to that; moving from field to field is nothing.
_COUNTER = """
const keep = (what) => {
  const done = JSON.parse(sessionStorage.getItem("done") ?? "[]");
  sessionStorage.setItem("done", JSON.stringify([...done, what]));
};
addEventListener("change", (event) => keep(`fill ${event.target.name}`), true);
addEventListener("click", (event) => {
  const pressed = event.target.closest("a, button, summary, label, input");
  const byEnter = event.detail === 0 && pressed?.matches("[type=submit]") && document.activeElement !== pressed;
  if (pressed && !byEnter && !pressed.matches("input:not([type=submit]), label")) keep(`press ${pressed.innerText}`);
}, true);
"""


@pytest.fixture
def done(page: Page) -> Callable[[], list[str]]:
    """What was done in the page so far, one line for each interaction."""
    page.add_init_script(_COUNTER)

    def read() -> list[str]:
        lines: list[str] = page.evaluate("JSON.parse(sessionStorage.getItem('done') ?? '[]')")
        return [line.strip() for line in lines]

    return read


def find_and_open_refund(page: Page) -> None:
    page.goto("/")
    page.locator("#search").press_sequentially(ADA.email)
    page.keyboard.press("Enter")
    card(page).get_by_role("link", name="Refund Rebill 2, #99488").click()
    expect(dialog(page).get_by_label("Reason")).to_be_focused()
    expect(dialog(page).get_by_label("Amount")).to_have_value("")
    settle(page)


def held_back(page: Page) -> tuple[str, Decimal | None]:
    """Why and how much is refunded in a moment."""
    expect(dialog(page)).to_have_count(0)
    expect(card(page)).to_contain_text("Held back")
    operation = Operation.objects.get()
    return operation.reason, operation.steps.get().amount


def test_four_interactions_from_the_search_box(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox, done: Callable[[], list[str]]
) -> None:
    sit_down("support")
    find_and_open_refund(page)
    expect(dialog(page)).to_contain_text("Refunds the amount you type, or all 19.95, to the card ending 4242.")
    page.keyboard.type("Good")
    dialog(page).get_by_role("button", name="Refund all 19.95").click()
    assert held_back(page) == ("Goodwill", Decimal("19.95"))
    assert done() == ["fill q", "press Refund", "fill reason", "press Refund all 19.95"]
    assert writes(sandbox) == []


def choose_and_type_a_part(page: Page) -> None:
    page.keyboard.type("Good")
    Keyboard(page).walk_to(dialog(page).get_by_label("Amount"))
    page.keyboard.type("20")  # too much by a nickel: it says so before anything is sent
    expect(dialog(page)).to_contain_text("Only 19.95 is left")
    page.keyboard.press("Backspace")
    page.keyboard.type(",50")
    expect(dialog(page)).to_contain_text("Refunds 2.50 of 19.95 to the card ending 4242, leaving 17.45.")
    expect(dialog(page).get_by_role("button", name="Refund 2.50")).to_be_visible()


def test_four_for_a_part_too_where_enter_sends_off_the_amount(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox, done: Callable[[], list[str]]
) -> None:
    """As it sends off what is searched for: the amount is the last that is filled in."""
    sit_down("support")
    find_and_open_refund(page)
    choose_and_type_a_part(page)
    page.keyboard.press("Enter")
    assert held_back(page) == ("Goodwill", Decimal("2.50"))
    assert done() == ["fill q", "press Refund", "fill reason", "fill amount"]
    assert writes(sandbox) == []


def test_a_part_takes_one_more_where_its_button_is_pressed(
    page: Page, sit_down: Callable[..., Desk], sandbox: Sandbox, done: Callable[[], list[str]]
) -> None:
    sit_down("support")
    find_and_open_refund(page)
    choose_and_type_a_part(page)
    dialog(page).get_by_role("button", name="Refund 2.50").click()
    assert held_back(page) == ("Goodwill", Decimal("2.50"))
    assert done() == ["fill q", "press Refund", "fill reason", "fill amount", "press Refund 2.50"]
    assert writes(sandbox) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_enter_never_refunds_all(
    browser_of: Callable[..., Page], desk_of: Callable[..., Desk], sandbox: Sandbox, *, scripts: bool
) -> None:
    """Nothing typed is an error at the amount, also with all of it pressed before and thought better of."""
    desk_of("support")
    page = browser_of("support", java_script_enabled=scripts)
    page.goto(f"/leads/{ADA.id}/" if scripts else f"/leads/{ADA.id}/money/")
    page.get_by_role("link", name="Refund Rebill 2, #99488").click()
    form = dialog(page) if scripts else page.get_by_role("main")
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_label("Amount").press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("An empty amount refunds nothing.")
    form.get_by_label("Amount").fill("2")
    form.get_by_role("button", name="Refund all 19.95").click()
    expect(form.get_by_role("alert")).to_contain_text("but chose to refund all")
    expect(form.get_by_label("Amount")).to_have_value("2")
    form.get_by_label("Amount").fill("")
    form.get_by_label("Amount").press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("An empty amount refunds nothing.")
    assert not Operation.objects.exists()
    form.get_by_label("Amount").fill("3")
    form.get_by_label("Amount").press("Enter")
    expect(page.get_by_role("main")).to_contain_text("Held back")
    assert Operation.objects.get().steps.get().amount == Decimal(3)
    assert writes(sandbox) == []


def test_all_of_it_by_keyboard_alone(lead_page: Page, sandbox: Sandbox) -> None:
    page = lead_page
    hands = Keyboard(page)
    hands.press(card(page).get_by_role("link", name="Refund Rebill 2, #99488"))
    expect(dialog(page).get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Good")
    hands.press(dialog(page).get_by_role("button", name="Refund all 19.95"))
    assert held_back(page) == ("Goodwill", Decimal("19.95"))
    assert writes(sandbox) == []


def test_neither_button_comes_to_be_where_the_other_was(lead_page: Page) -> None:
    """The label of one follows what is typed, while somebody reaches for it."""
    form = open_refund(lead_page)
    buttons = [form.locator(f"button[value={value}]") for value in ("partial", "full")]
    for width in (1440, 390):
        lead_page.set_viewport_size({"width": width, "height": 900})
        places = []
        for amount, label in (("", "Refund part"), ("5", "Refund 5.00")):
            form.get_by_label("Amount").fill(amount)
            expect(buttons[0]).to_have_text(label)
            places.append([(box["x"], box["width"]) for button in buttons if (box := button.bounding_box())])
        assert places[0] == places[1]


def test_it_counts_down_leaves_and_the_card_follows(lead_page: Page, sandbox: Sandbox) -> None:
    page = lead_page
    form = open_refund(page)
    form.get_by_label("Amount").fill("5")
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_role("button", name="Refund 5.00").click()
    expect(toasts(page)).to_contain_text("Refund of 5.00 will be sent in")
    expect(card(page)).to_contain_text("will be sent in")
    expect(page.get_by_role("region", name="Activity")).to_contain_text("asked to refund 5.00")
    assert writes(sandbox) == []
    leave()
    expect(card(page)).to_contain_text("by Support Person, “Goodwill”")
    expect(toasts(page)).to_contain_text("Refunded 5.00 of payment #99488.")
    expect(toasts(page).locator("[data-toast]")).to_have_count(1)
    expect(card(page).get_by_role("row", name="Rebill 2 #99488")).to_contain_text("14.95")
    expect(page.locator("[hx-trigger^=every]")).to_have_count(0)
    assert writes(sandbox) == [("refund_transaction",)]


@pytest.mark.parametrize("where", ["toast", "row"])
def test_undo_takes_it_back(lead_page: Page, sandbox: Sandbox, where: str) -> None:
    page = lead_page
    form = open_refund(page)
    form.get_by_label("Reason").select_option("Goodwill")
    form.get_by_role("button", name="Refund all 19.95").dblclick()
    expect(card(page)).to_contain_text("Held back")
    (toasts(page) if where == "toast" else card(page)).get_by_role("button", name="Take back").click()
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
    form.get_by_role("button", name="Refund part").click()
    alert = form.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text("can be read in two ways")
    expect(form.get_by_label("Amount")).to_have_value("1.000")
    expect(form.get_by_label("Note")).to_have_value("As agreed on the phone")
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
    hands.press(card(page).get_by_role("button", name="Take back: Pause subscription #14833"))
    expect(toasts(page)).to_contain_text("Taken back")


def test_above_the_limit_somebody_is_asked(lead_page: Page, desk_of: Callable[..., Desk], sandbox: Sandbox) -> None:
    page = lead_page
    desk_of("manager")
    Limit.objects.create(role="support", per_transaction=Decimal(4))
    form = open_refund(page)
    expect(form.get_by_role("button", name="Ask to refund all 19.95")).to_be_visible()
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
    page.get_by_role("button", name="Refund part").click()
    expect(page.get_by_role("main")).to_contain_text("Held back")
    page.get_by_role("main").get_by_role("button", name="Take back").click()
    expect(toasts(page)).to_contain_text("Taken back. Nothing was sent.")
    assert writes(sandbox) == []


@pytest.fixture
def held_run(page: Page, sit_down: Callable[..., Desk]) -> Page:
    """The page of a playbook that was just confirmed."""
    steps = [{"act": "cancel"}, {"act": "refund"}, {"act": "take-tag", "name": "vip"}]
    playbook = Playbook.objects.create(account=sit_down("support").account, name="Leave", steps=steps)
    page.goto(f"/leads/{ADA.id}/")
    page.locator("summary", has_text="Playbook").click()
    page.locator(f"#playbook-{playbook.pk}").click()
    expect(dialog(page)).to_contain_text("You can take it back for 10 seconds.")
    dialog(page).get_by_label("Reason").select_option("Goodwill")
    dialog(page).get_by_role("button", name="Run Leave").click()
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"Held back\s+starts in \d+ s"))
    return page


def test_undo_takes_a_playbook_back(held_run: Page, sandbox: Sandbox) -> None:
    main = held_run.get_by_role("main")
    main.get_by_role("button", name="Take back: Leave").press("Enter")
    expect(toasts(held_run)).to_contain_text("Taken back. Nothing was sent.")
    expect(main).to_contain_text("It was taken back by Support Person before it started.")
    expect(main.get_by_role("button")).to_have_count(0)
    expect(main.get_by_role("heading", level=1)).to_be_focused()
    PlaybookRun.objects.update(begin_at=timezone.now() - timedelta(seconds=1))
    runs.attend_all()
    assert writes(sandbox) == []


def test_the_page_follows_a_playbook_that_begins(held_run: Page, sandbox: Sandbox) -> None:
    held_run.get_by_role("button", name="Take back: Leave").focus()
    PlaybookRun.objects.update(begin_at=timezone.now() - timedelta(seconds=1))
    runs.attend_all()
    main = held_run.get_by_role("main")
    expect(main.get_by_role("heading", level=1)).to_contain_text("Done")
    expect(main.get_by_role("listitem").filter(has_text="Done")).to_have_count(3)
    expect(held_run.locator("[hx-trigger^=every]")).to_have_count(0)
    expect(main.get_by_role("heading", level=1)).to_be_focused()
    assert len(writes(sandbox)) == 3
