"""From the first refund to the auditor's page, by three people in three browsers."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from leads.access import Desk
from leads.models import Limit, Operation, Outcome
from leads.providers.base import LeadRef
from leads.services import held, reconcile, runs
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import writes

pytestmark = pytest.mark.browser
REFUND, STATUS = ("refund_transaction",), ("modify_subscription_status",)
STORY = [
    "Support Person: Asked to: Refund payment #99488",
    "Support Person: Sending to Kartra: Refund payment #99488",
    "Support Person: Refunded payment #99488",
    "Support Person: Requested approval of the refund of 12.00 of payment #99488, above 10.00 per payment,"
    " of which 5.00 is used",
    "Manager Person: Approved the refund of 12.00 of payment #99488, requested by Support Person",
    "Support Person: Asked to: Refund payment #99488",
    "Support Person: Sending to Kartra: Refund payment #99488",
    "Support Person: Refunded payment #99488",
    "Support Person: Asked to: Refund payment #99432",
    "Support Person: Sending to Kartra: Refund payment #99432",
    "Support Person: No clear answer: Refund payment #99432",
    "Kartra Admin, to reconcile: Refunded payment #99432",
    "Support Person: Asked to: Pause subscription #14833",
    "Support Person: Sending to Kartra: Pause subscription #14833",
    "Support Person: Paused subscription #14833",
    "Support Person: Asked to: Resume subscription #14833",
    "Support Person: Sending to Kartra: Resume subscription #14833",
    "Support Person: Resumed subscription #14833",
    "Support Person: Started playbook Cancel and refund",
    "Support Person: Asked to: Cancel subscription #14833",
    "Support Person: Sending to Kartra: Cancel subscription #14833",
    "Support Person: Cancelled subscription #14833",
    "Support Person: Asked to: Refund payment #99488",
    "Support Person: Sending to Kartra: Refund payment #99488",
    "Support Person: Refunded payment #99488",
]
REBILL, SALE = "Refund Rebill 2, #99488", "Refund Sale, #99432"


def send() -> None:
    """The time of what is held has come, and the worker does its round."""
    Operation.objects.filter(outcome=Outcome.HELD).update(send_at=timezone.now() - timedelta(seconds=1))
    held.send_due_operations()
    runs.attend_all()


def read() -> None:
    """The time of the next reading has come, and the worker does its round."""
    Operation.objects.filter(outcome=Outcome.UNKNOWN).update(next_reading_at=timezone.now() - timedelta(seconds=1))
    reconcile.reconcile(only_due=True)


class Support:
    """What somebody of support does at the lead's money card."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.card = page.get_by_role("region", name="Money")
        self.toasts = page.get_by_role("region", name="Notices")

    def row(self, name: str) -> Locator:
        return self.card.get_by_role("row", name=name)

    def open(self, act: str) -> Locator:
        self.card.get_by_role("link", name=act).click()
        form = self.page.locator("dialog[open]")
        form.get_by_label("Reason").select_option("Goodwill")
        return form

    def refund(self, which: str, amount: str, button: str = "Refund") -> None:
        form = self.open(which)
        form.get_by_label("Amount").fill(amount)
        form.get_by_role("button", name=f"{button} {amount}").click()

    def confirm(self, act: str, button: str) -> None:
        self.open(act).get_by_role("button", name=button).click()
        expect(self.card).to_contain_text("Held back")
        send()


def refunded(desk: Desk) -> list[Decimal | None]:
    """What Kartra holds as given back of the club's two payments, newest first."""
    rows = provider_for(desk.connection).get_money(LeadRef(id=ADA.id)).transactions
    made = [row for row in rows if row.kind in ("refund", "partial_refund") and row.parent_id in ("99488", "99432")]
    return [row.amount for row in sorted(made, key=lambda row: int(row.id), reverse=True)]


def told(page: Page) -> list[str]:
    """Who did what, and what came of it, oldest first."""
    rows = page.get_by_role("table").locator("tbody tr").all()
    cells = [[row.locator(f"[data-label={name}]").inner_text() for name in ("Who", "What")] for row in reversed(rows)]
    return [f"{who}: {what.splitlines()[0]}" for who, what in cells]


def test_money_goes_back_once_by_the_right_people_and_the_log_tells_it(
    page: Page,
    sit_down: Callable[..., Desk],
    desk_of: Callable[..., Desk],
    browser_of: Callable[..., Page],
    sandbox: Sandbox,
) -> None:
    desk = sit_down("support")
    desk_of("manager")
    Limit.objects.create(role="support", per_transaction=Decimal(10))
    support = Support(page)
    before = refunded(desk)
    page.goto("/")
    page.locator("#search").fill(ADA.email)
    page.keyboard.press("Enter")
    expect(support.card).to_contain_text("#99488")
    sandbox.calls()

    # A part, within the limit
    support.refund(REBILL, "5.00")
    expect(support.card).to_contain_text("Held back")
    send()
    expect(support.card).to_contain_text("by Support Person, “Goodwill”")
    assert writes(sandbox) == [REFUND]

    # Above it: the manager decides
    support.refund(REBILL, "12.00", "Ask to refund")
    expect(page.locator("dialog[open]")).to_contain_text("Manager Person can approve it")
    page.keyboard.press("Escape")
    assert writes(sandbox) == []
    manager = browser_of("manager")
    manager.goto("/")
    manager.get_by_role("link", name="Approvals 1 to decide").click()
    manager.get_by_role("link", name="Refund payment #99488").click()
    manager.get_by_role("button", name="Approve and refund 12.00").click()
    expect(manager.get_by_role("main")).to_contain_text("Approved")
    assert writes(sandbox) == [REFUND]
    page.reload()
    expect(support.card).to_contain_text("approved by Manager Person")

    # The reply is lost: locked while it is in doubt, settled by a reading, sent once
    sandbox.arm("refund_transaction", "lost")
    support.refund(SALE, "3.00")
    expect(support.card).to_contain_text("Held back")
    send()
    expect(support.card).to_contain_text("Being checked")
    expect(support.card.get_by_role("link", name=SALE)).to_have_count(0)
    expect(support.card.locator("[hx-get*='was=unknown']")).to_be_visible()  # the card was read anew and asks again
    read()
    expect(support.toasts).to_contain_text("Refunded 3.00 of payment #99432.")
    expect(support.row("Sale #99432")).to_contain_text("7.00")
    assert writes(sandbox) == [REFUND]

    # The subscription: paused, resumed, cancelled with what is left of the last payment
    support.confirm("Pause Kiln Club, #14833", "Pause subscription")
    expect(support.card).to_contain_text("Paused")
    support.confirm("Resume Kiln Club, #14833", "Resume subscription")
    expect(support.card.get_by_role("link", name="Pause Kiln Club, #14833")).to_be_visible()
    assert writes(sandbox) == [STATUS, STATUS]
    Limit.objects.update(per_transaction=Decimal(20))  # or the rest would have to be asked for, too
    form = support.open("Cancel Kiln Club, #14833")
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Cancel subscription").click()
    expect(support.card).to_contain_text("Held back")
    send()
    expect(support.card).to_contain_text("Final: the customer has to buy again")
    expect(support.row("Rebill 2 #99488")).to_contain_text("0.00")
    assert writes(sandbox) == [STATUS, REFUND]
    assert refunded(desk) == [Decimal("2.95"), Decimal("3.00"), Decimal("12.00"), Decimal("5.00"), *before]

    # The auditor reads all of it
    auditor = browser_of("auditor")
    auditor.goto(f"/audit/?lead={ADA.id}")
    assert [line for line in told(auditor) if "Viewed" not in line] == STORY
    auditor.get_by_role("row").filter(has_text="reconcile").get_by_role("link").first.click()
    expect(auditor.get_by_role("region", name="The whole operation").get_by_role("listitem")).to_have_count(4)
