"""An account from which a lot of money went back, and much of it oddly: one of everything that money has a page for."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from leads.access import Desk, whose_for
from leads.models import Approval, Limit, Operation, Playbook, Reason
from leads.providers.changes import Change, EditSubscription, PauseSubscription
from leads.providers.kartra.sandbox.catalogue import LONG_TAG
from leads.services import approvals, money
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.browser.looking import LONG_TEXT, LONG_WORD
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import posted_again

JON, TROUBLE, INES, MARGIT = (NOTABLE[name].id for name in ("jon", "trouble", "installments", "long_history"))
JON_SALE = "99601"  # 590.00, nothing refunded
LONG_REASON = LONG_WORD[:120]


def refund(desk: Desk, lead_id: str, transaction_id: str, amount: str | None, reason: str = "Goodwill") -> Any:
    """What the dialog does; gives the operation, or the request for approval."""
    whose = whose_for(desk, lead_id)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, transaction_id)
    return approvals.refund_or_request(
        actor=desk.user,
        connection=desk.connection,
        whose=whose,
        transaction_id=transaction_id,
        amount=Decimal(amount) if amount else None,
        terms=Terms(reason, LONG_TEXT if reason == "Other" else "", sale.digest),
        operation_id=uuid4(),
    )


def change(desk: Desk, lead_id: str, wanted: Change) -> Operation:
    whose = whose_for(desk, lead_id)
    plan = money.read_plan(provider_for(desk.connection), desk.account, whose, wanted.subject)
    terms = Terms(LONG_REASON, "", plan.digest)
    return money.change_subscription(
        actor=desk.user, connection=desk.connection, whose=whose, change=wanted, terms=terms, operation_id=uuid4()
    )


class MoneyWorld:
    """Made by support, who may refund 20.00 at a time, a manager, and an admin."""

    def __init__(self, desk_of: Callable[..., Desk], client_of: Callable[[str], Client], sandbox: Sandbox) -> None:
        self.support, self.manager, self.admin = (desk_of(role) for role in ("support", "manager", "admin"))
        self.client, self.sandbox = client_of("support"), sandbox
        self.reason = Reason.objects.create(text=LONG_REASON, position=1)
        Limit.objects.create(role="support", per_transaction=Decimal(20), per_day=Decimal(5000), count_per_day=99)
        self.limit = Limit.objects.create(
            person=self.manager.user, per_lead=Decimal(999999), per_transaction=Decimal(9)
        )
        self.refunds()
        self.requests()
        self.subscriptions()

    def refunds(self) -> None:
        """One that succeeded, one that Kartra refused, and one in doubt for so long that it is red on home."""
        self.done = refund(self.support, ADA.id, "99488", "5.00", "Other")
        self.refused = refund(self.admin, JON, "99603", "149.00")
        self.doubtful = refund(self.admin, TROUBLE, "99605", None, LONG_REASON)
        for operation in (self.refused, self.doubtful):
            hours_ago = timezone.now() - timedelta(hours=3)
            Operation.objects.filter(pk=operation.pk).update(created_at=hours_ago, sent_at=hours_ago)
        Operation.objects.filter(pk=self.doubtful.pk).update(readings=3)

    def requests(self) -> None:
        """One in each state, all but the manager's own about the same sale."""
        by = {"actor": self.manager.user, "connection": self.manager.connection}
        self.declined = self.ask("20.01", "Other")
        approvals.decline(**by, approval=self.declined, note=LONG_TEXT)
        self.withdrawn = self.ask("20.02")
        approvals.withdraw(actor=self.support.user, approval=self.withdrawn)
        self.expired = self.ask("20.03")
        Approval.objects.filter(pk=self.expired.pk).update(created_at=timezone.now() - timedelta(days=2))
        approvals.expire_old()
        self.approved = self.ask("90.00", LONG_REASON)
        approvals.approve(**by, approval=self.approved, note="As agreed")
        self.waiting = self.ask("150.00", "Other")
        self.own = refund(self.manager, ADA.id, "99432", "10.00")

    def ask(self, amount: str, reason: str = "Goodwill") -> Approval:
        asked: Approval = refund(self.support, JON, JON_SALE, amount, reason)
        return asked

    def subscriptions(self) -> None:
        """One edited, one paused."""
        change(self.manager, INES, EditSubscription("14905", amount="19.50"))
        change(self.support, INES, PauseSubscription("14906"))

    def playbook(self, name: str, *steps: tuple[str, str]) -> Playbook:
        written = [{"act": act, "name": about} if about else {"act": act} for act, about in steps]
        return Playbook.objects.create(account=self.admin.account, name=name, description=LONG_TEXT, steps=written)

    def run(self, playbook: Playbook, lead_id: str = ADA.id) -> str:
        """The address of the run."""
        address = f"/leads/{lead_id}/playbooks/{playbook.pk}/"
        shown = self.client.get(address)
        hidden = {name: posted_again(shown, name)[0] for name in ("operation_id", "seen", "chosen")}
        return self.client.post(address, {**hidden, "reason": "Other", "note": LONG_TEXT})["Location"]

    def every_step(self) -> Playbook:
        tags = ("take-tag", "vip"), ("give-tag", LONG_TAG)
        return self.playbook("Ends it all " * 9, *tags, ("cancel", ""), ("refund", ""), ("leave-list", "Newsletter"))
