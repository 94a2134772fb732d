"""Every page, dialog and state of money: axe finds nothing in either theme, and nothing is wider than the window."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from leads.access import Desk
from leads.models import Limit, Operation, PlaybookRun
from leads.providers.changes import CancelSubscription
from leads.providers.kartra.sandbox.notable import NOTABLE
from tests.browser.conftest import enter
from tests.browser.looking import LONG_TEXT, LONG_WORD, Eye
from tests.browser.money_world import INES, JON, LONG_REASON, MARGIT, TROUBLE, MoneyWorld, change
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import come_to_wait

pytestmark = pytest.mark.browser
ADAS = f"/leads/{ADA.id}"


@pytest.fixture
def world(
    desk_of: Callable[..., Desk], client_of: Callable[[str], Client], sandbox: Sandbox, settings: Any
) -> MoneyWorld:
    hold, settings.MONEY_HOLD = settings.MONEY_HOLD, 0
    made = MoneyWorld(desk_of, client_of, sandbox)
    settings.MONEY_HOLD = hold
    return made


@pytest.fixture
def sit_as(
    eye: Eye, world: MoneyWorld, desk_of: Callable[..., Desk], client_of: Callable[[str], Client]
) -> Callable[[str], Page]:
    """``sit_as("manager")``: the page, whoever sat there before."""

    def sit(role: str) -> Page:
        desk_of(role)
        eye.page.context.clear_cookies()
        enter(eye.page.context, client_of(role))
        return eye.page

    return sit


def card(page: Page) -> Locator:
    return page.get_by_role("region", name="Money")


def dialog(page: Page) -> Locator:
    return page.locator("dialog[open]")


def refuse(form: Locator, button: str) -> None:
    """Send it as it stands, past what the browser itself asks for."""
    form.locator("form").first.evaluate("form => { form.noValidate = true }")
    form.get_by_role("button", name=button).click()
    expect(form.get_by_role("alert").first).to_be_visible()


@pytest.mark.looks_at(
    "leads:transaction",
    "leads:refund",
    "leads:subscription",
    "leads:subscription-pause",
    "leads:subscription-resume",
    "leads:subscription-edit",
    "leads:subscription-cancel",
)
def test_payments_and_subscriptions(eye: Eye, sit_as: Callable[[str], Page]) -> None:
    sit_as("manager")
    eye.see("transaction", f"{ADAS}/transactions/99488/")
    eye.see("transaction refused", f"/leads/{JON}/transactions/99603/")
    eye.see("refund page", f"{ADAS}/transactions/99488/refund/")
    eye.see("refund page that cannot", f"/leads/{JON}/transactions/99602/refund/")
    eye.see("subscription", f"{ADAS}/subscriptions/14833/")
    eye.see("subscription finished", f"{ADAS}/subscriptions/14700/")
    eye.see("subscription paypal", f"/leads/{JON}/subscriptions/14901/")
    eye.see("subscription paused", f"/leads/{INES}/subscriptions/14906/")
    eye.see("pause page", f"{ADAS}/subscriptions/14833/pause/")
    eye.see("resume page", f"/leads/{INES}/subscriptions/14906/resume/")
    eye.see("edit page", f"{ADAS}/subscriptions/14833/edit/")
    eye.see("cancel page", f"{ADAS}/subscriptions/14833/cancel/")


@pytest.mark.looks_at("leads:detail", "leads:money")
def test_the_money_card(eye: Eye, sit_as: Callable[[str], Page]) -> None:
    sit_as("support")
    for who, lead_id in (("ada", ADA.id), ("jon", JON), ("gale", TROUBLE), ("ines", INES)):
        eye.see(f"money of {who}", f"/leads/{lead_id}/money/")
    for who in ("failing", "chargeback"):
        eye.measure(f"money of {who}", f"/leads/{NOTABLE[who].id}/money/")
    eye.measure("money of margit", f"/leads/{MARGIT}/")
    sit_as("agent")
    eye.see("money for an agent", f"{ADAS}/")


def test_money_dialogs(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    """Each as it opens, and refused by the server."""
    page = sit_as("manager")
    for lead_id, act, what, button in (
        (ADA.id, "Pause", "Kiln Club, #14833", "Pause subscription"),
        (ADA.id, "Edit", "Kiln Club, #14833", "Change subscription"),
        (ADA.id, "Cancel", "Kiln Club, #14833", "Cancel subscription"),
        (INES, "Resume", "", "Resume subscription"),
    ):
        page.goto(f"/leads/{lead_id}/")
        card(page).get_by_role("link", name=f"{act} {what}").first.click()
        expect(dialog(page).get_by_role("heading")).to_be_visible()
        eye.see(f"dialog {act}")
        refuse(dialog(page), button)
        eye.see(f"dialog {act} refused")


def test_refund_dialogs(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    page = sit_as("support")
    page.goto(f"{ADAS}/")
    card(page).get_by_role("link", name="Refund Rebill 2, #99488").click()
    form = dialog(page)
    eye.see("dialog Refund")
    refuse(form, "Refund part")
    eye.see("dialog Refund refused")
    form.get_by_label("Amount").fill("5")
    expect(form).to_contain_text("Refunds 5.00")
    eye.see("dialog Refund filled")
    form.get_by_label("Reason").select_option(LONG_REASON)
    form.get_by_role("button", name="Refund all 14.95").click()
    expect(form.get_by_role("alert")).to_contain_text("but chose to refund all")
    eye.see("dialog Refund in two minds")
    Limit.objects.filter(role="support").update(per_transaction=4)
    page.reload()
    card(page).get_by_role("link", name="Refund Rebill 2, #99488").click()
    expect(form).to_contain_text("All of it is above your limit")
    form.get_by_label("Reason").select_option(LONG_REASON)
    form.get_by_label("Amount").fill("5")
    expect(form).to_contain_text("Above your limit")
    eye.see("dialog Refund above the limit")
    form.get_by_role("button", name="Ask to refund 5.00").click()
    expect(form).to_contain_text("Manager Person")
    eye.see("dialog Refund asked for")


@pytest.mark.looks_at("leads:operation")
def test_held_and_in_doubt(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    page = sit_as("support")
    for title, operation in (("done", world.done), ("refused", world.refused), ("in doubt", world.doubtful)):
        eye.see(f"refund {title}", f"/operations/{operation.pk}/")
    eye.see("transaction in doubt", f"/leads/{TROUBLE}/transactions/99605/")
    page.goto(f"{ADAS}/transactions/99488/refund/")
    page.get_by_label("Amount").fill("5")
    page.get_by_label("Reason").select_option("Other")
    page.get_by_label("Note").fill(LONG_TEXT)
    page.get_by_role("button", name="Refund 5.00").click()
    expect(page.get_by_role("main")).to_contain_text("Held back")
    held = Operation.objects.get(outcome="held")
    Operation.objects.filter(pk=held.pk).update(send_at=held.created_at + timedelta(hours=1))
    eye.see("lead with a held refund", f"{ADAS}/")
    eye.see("refund held", f"/operations/{held.pk}/")
    page.get_by_role("main").get_by_role("button", name="Take back").click()
    expect(page.get_by_role("main")).to_contain_text("Taken back")
    eye.see("refund taken back")


@pytest.mark.looks_at("leads:home")
def test_home_with_what_waits(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page], settings: Any) -> None:
    """What is in doubt for more than an hour is red."""
    settings.MONEY_HOLD = 0
    page = sit_as("manager")
    world.sandbox.arm("assign_tag", "429", times=20)
    world.run(world.playbook("Welcome back", ("give-tag", "wholesale")))
    page.goto("/")
    expect(page.get_by_role("region", name="Needs attention")).to_contain_text("Unclear for more than an hour")
    expect(page.get_by_role("region", name="For you to decide")).to_contain_text("150.00")
    expect(page.get_by_role("region", name="Unfinished playbooks")).to_contain_text("Welcome back")
    eye.see("home with what waits")


@pytest.mark.looks_at("leads:approvals", "leads:approval")
def test_approvals(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    page = sit_as("manager")
    eye.see("approvals", "/approvals/")
    address = f"/approvals/{world.waiting.pk}/"
    eye.see("approval to decide", address)
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("alert")).to_be_visible()
    eye.see("approval not declined")
    eye.see("approval of one's own", f"/approvals/{world.own.pk}/")
    for title in ("declined", "withdrawn", "expired", "approved"):
        eye.see(f"approval {title}", f"/approvals/{getattr(world, title).pk}/")
    sit_as("support")
    eye.see("approvals of the requester", "/approvals/")
    eye.see("approval of the requester", address)
    sit_as("manager")
    page.goto(address)
    page.get_by_role("button", name="Approve and refund 150.00").click()
    expect(page.get_by_role("link", name="Show the outcome")).to_be_visible()
    eye.see("approval approved just now")


@pytest.mark.looks_at("leads:approvals", "leads:approval", "leads:home")
def test_what_was_approved_and_then_failed(
    eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page], settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    page = sit_as("manager")
    world.sandbox.arm("refund_transaction", "429", times=20)
    page.goto(f"/approvals/{world.waiting.pk}/")
    page.get_by_role("button", name="Approve and refund 150.00").click()
    expect(page.get_by_role("region", name="Notices")).to_be_visible()
    sit_as("support")
    eye.see("approval that failed", f"/approvals/{world.waiting.pk}/")
    expect(page.get_by_role("main")).to_contain_text("Approved, and then not refunded")
    eye.see("approvals one failed", "/approvals/")
    eye.see("home with what failed", "/")
    expect(page.get_by_role("region", name="Needs attention")).to_contain_text("asked to refund 150.00")


def test_no_approvals(eye: Eye, sit_down: Callable[..., Desk]) -> None:
    sit_down("manager")
    eye.see("approvals none", "/approvals/")


@pytest.mark.looks_at(
    "leads:limits",
    "leads:limit-create",
    "leads:limit-edit",
    "leads:limit-remove",
    "leads:reasons",
    "leads:reason-edit",
)
def test_limits_and_reasons(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    page = sit_as("admin")
    eye.see("limits", "/settings/limits/")
    eye.see("limit new", "/settings/limits/new/")
    page.get_by_label("Per payment").fill("1.000")
    refuse(page.get_by_role("main"), "Save limits")
    eye.see("limit refused")
    eye.see("limit edit", f"/settings/limits/{world.limit.pk}/")
    eye.see("limit remove", f"/settings/limits/{world.limit.pk}/remove/")
    eye.see("reasons", "/settings/reasons/")
    page.get_by_label("Reason", exact=True).fill(LONG_REASON)
    refuse(page.get_by_role("main"), "Add reason")
    eye.see("reason refused")
    eye.see("reason edit", f"/settings/reasons/{world.reason.pk}/")


@pytest.mark.looks_at(
    "leads:playbooks", "leads:playbook-create", "leads:playbook-edit", "leads:playbook-delete", "leads:playbook-run"
)
def test_playbooks(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    page = sit_as("admin")
    eye.see("playbooks none", "/playbooks/")
    playbook = world.every_step()
    eye.see("playbooks", "/playbooks/")
    eye.see("playbook new", "/playbooks/new/")
    page.get_by_label("Name", exact=True).fill(LONG_WORD[:120])
    refuse(page.get_by_role("main"), "Save playbook")
    eye.see("playbook refused")
    eye.see("playbook edit", f"/playbooks/{playbook.pk}/edit/")
    eye.see("playbook delete", f"/playbooks/{playbook.pk}/delete/")
    eye.see("playbook page", f"{ADAS}/playbooks/{playbook.pk}/")
    refuse(page.get_by_role("main"), "Run Ends it all")
    eye.see("playbook page refused")
    eye.see("playbook page that cannot", f"/leads/{NOTABLE['ben'].id}/playbooks/{playbook.pk}/")
    page.goto(f"{ADAS}/")
    page.locator("summary", has_text="Playbook").click()
    eye.see("playbook menu")
    page.locator(f"#playbook-{playbook.pk}").click()
    expect(dialog(page)).to_contain_text("Remove tag vip")
    eye.see("dialog playbook")


@pytest.mark.looks_at("leads:playbook-progress")
def test_runs(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page], settings: Any) -> None:
    page = sit_as("support")
    welcome = world.playbook("Welcome back", ("give-tag", "wholesale"), ("take-tag", "vip"))
    address = world.run(welcome)
    PlaybookRun.objects.update(begin_at=timezone.now() + timedelta(hours=1))
    eye.see("run held", address)
    eye.see("lead with a held run", f"{ADAS}/")
    page.goto(address)
    page.get_by_role("main").get_by_role("button", name="Take back").click()
    expect(page.get_by_role("main")).to_contain_text("Taken back")
    eye.see("run taken back")
    settings.MONEY_HOLD = 0
    world.sandbox.arm("assign_tag", "429", times=20)
    eye.see("run failed", world.run(welcome))
    refuse(page.get_by_role("region", name="Close this run"), "Close run")
    eye.see("run not closed")
    world.sandbox.disarm()
    page.get_by_role("button", name="Resume playbook").click()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("All steps are done")
    eye.see("run resumed")
    world.sandbox.arm("modify_subscription_status", "lost")
    eye.see("run in doubt", world.run(world.every_step()))
    refund = world.playbook("Refund", ("refund", ""))
    Limit.objects.filter(role="support").update(per_transaction=1)
    eye.see("run waits for approval", world.run(refund, TROUBLE))


@pytest.mark.looks_at("leads:operation", "leads:playbook-progress")
def test_a_run_after_a_persons_word(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page], settings: Any) -> None:
    settings.MONEY_HOLD = 0
    page = sit_as("support")
    world.sandbox.arm("modify_subscription_status", "junk")
    address = world.run(world.playbook("Ends it all", ("cancel", ""), ("refund", "")))
    cancellation = Operation.objects.get(run__isnull=False, outcome="unknown")
    come_to_wait(cancellation)
    eye.see("step of a run to decide", f"/operations/{cancellation.pk}/")
    expect(page.get_by_role("main")).not_to_contain_text("refunded twice")
    page.get_by_label("It was done", exact=True).check()
    page.get_by_label("How do you know?").fill(LONG_TEXT)
    page.get_by_role("button", name="Settle").click()
    eye.see("run after a person's word", address)
    expect(page.get_by_role("button", name="Resume playbook")).to_be_visible()


@pytest.mark.looks_at("leads:report")
def test_report(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page], settings: Any) -> None:
    settings.MONEY_HOLD = 0
    change(world.support, JON, CancelSubscription("14901"))
    sit_as("manager")
    eye.see("report", "/report/")
    eye.see("report empty", "/report/?month=2001-05")


@pytest.mark.looks_at("accounts:audit", "accounts:audit-entry")
def test_money_in_the_log(eye: Eye, world: MoneyWorld, sit_as: Callable[[str], Page]) -> None:
    page = sit_as("auditor")
    eye.see("audit of money", "/audit/")
    page.goto(f"/audit/?operation={world.approved.pk}")
    page.goto(f"/audit/?lead={JON}")
    page.get_by_role("table").get_by_role("link").first.click()
    eye.see("audit entry of money")
