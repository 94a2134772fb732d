"""Role by state by way in by amount: one table of what must come of it, and nothing gets around it.

Every cell starts from a fresh Kartra and a desk on which nothing was done. A post is made as strong as it can be: it
carries the seal that a page would have given for what Kartra shows, whoever sends it, and a forged field here and
there. What came of it is read off the wire and the desk's tables, not off the page.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from accounts.services import connections
from leads.access import Desk, desk_for, whose_for
from leads.forms.money import Seen, SeenField, about_sale
from leads.models import Approval, Limit, Operation, OperationStep, Playbook, PlaybookRun
from leads.providers.base import LeadRef
from leads.providers.changes import RefundTransaction
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.services import approvals, money
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.conftest import SignIn
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, posted_again, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
JON = NOTABLE["jon"].id
SALE, PLAN = "99488", "14833"  # Ada's: 19.95, the last payment of the subscription
JONS_SALE, JONS_PLAN = "99601", "14901"

ROLES = ("viewer", "agent", "support", "manager", "auditor", "admin")
REFUNDING, DECIDING = ("support", "manager", "admin"), ("manager", "admin")
# Of the sale when the post arrives; the last three are of a request for approval alone.
STATES = ("fresh", "refunded in part", "refunded", "in doubt", "another lead's", "another account's")
ENDED = ("withdrawn", "declined", "a day old")
# How far the person's limit per payment lies from what he asks for; None is no limit.
LIMITS = {"within": Decimal("0.01"), "at": Decimal(0), "above": Decimal("-0.01"), "no limit": None}
# What he types instead; all of it is refused, limit or none.
TYPED = {"more than left": "19.96", "blank": "", "in two ways": "1.000", "signed": "-5", "word": "NaN", "fine": "5.005",
         "markup": "<b>5</b>", "huge": "1" + "0" * 30}  # fmt: skip
# All of it is pressed; the last with a part typed, which asks what is meant and is refused.
ALL = {"all": Decimal(0), "all, above": Decimal("-0.01"), "all, and a part": Decimal(0)}
HALF = "5.00"


def rule(role: str, way: str, state: str, amount: str) -> str:
    """What must come of it: refunded, asked (a request for approval), refused, missing (404) or denied (403)."""
    if role not in (DECIDING if "approval" in way else REFUNDING):
        return "denied"
    if state == "another account's" or (state == "another lead's" and way in ("page", "fragment")):
        return "missing"
    if way == "own approval":
        return "denied"
    if amount in (*TYPED, "all, and a part"):
        return "refused"
    if way == "approval":  # bound to what was shown; the approver's own limit is nothing to it
        return "refunded" if state == "fresh" else "refused"
    if state not in ("fresh", "refunded in part"):
        return "refused"
    return "asked" if amount.endswith("above") else "refunded"


def cells(state: str) -> Iterator[tuple[str, str]]:
    """Ways and amounts that there are in this state: only a form takes an amount."""
    if state in ENDED:
        yield from product(["approval"], LIMITS)
        return
    yield from product(["page", "fragment"], [*LIMITS, *TYPED, *ALL])
    yield from product(["playbook", "approval"], LIMITS)
    yield "own approval", "no limit"


class Bench:
    """One person at the desk, somebody else in the right account, and a Kartra that is put back before each cell unless
    the one before left it as it was."""

    is_ready = False

    def __init__(self, desk_of: DeskOf, client: Client, sandbox: Sandbox, seeded: Path, role: str, state: str) -> None:
        self.sandbox, self.seeded, self.role, self.state, self.client = sandbox, seeded, role, state, client
        self.insider = desk_of("manager" if role == "admin" else "admin")
        self.desk = desk_of(role, 1 if state == "another account's" else 0)
        self.asker = self._asker()
        self.playbook = Playbook.objects.create(account=self.insider.account, name="Refund", steps=[{"act": "refund"}])

    def _asker(self) -> Desk:
        person = User.objects.create_user(email="asker@example.com", name="Asker", role="support")
        keys = ACCOUNTS[0]
        connections.place(actor=person, owner=person, api_key=keys.api_key, api_password=keys.api_password)
        return desk_for(person)

    def put_back(self) -> None:
        OperationStep.objects.all().delete()
        for model in (Approval, Operation, PlaybookRun, Limit):
            model.objects.all().delete()
        self.sandbox.put_back(self.seeded)
        self.shown: money.Sale | None = None

    def post(self, way: str, amount: str) -> str:
        """Do it, and tell what came of it."""
        if "approval" in way:
            self.put_back()
            send = self.prepare_approval(own=way.startswith("own"))
            self.limit(amount, Decimal(HALF))
            self.bring_about()
        else:
            if not self.is_ready:
                self.put_back()
                self.bring_about()
            sale = self.sale()
            is_all = way == "playbook" or amount in ALL
            self.limit(amount, (sale.payment.left or Decimal(0)) if is_all else Decimal(HALF))
            send = self.prepare_playbook() if way == "playbook" else self.prepare_form(way, amount, sale)
        before, asked = Operation.objects.filter(outcome="succeeded").count(), Approval.objects.count()
        self.sandbox.calls()
        answer = send()
        calls = writes(self.sandbox)
        self.is_ready = not calls and Approval.objects.count() == asked and "approval" not in way
        assert calls in ([], [("refund_transaction",)])
        assert Operation.objects.filter(outcome="succeeded").count() - before == len(calls)
        if calls:
            return "refunded"
        if Approval.objects.count() > asked:
            return "asked"
        return {403: "denied", 404: "missing"}.get(answer.status_code, "refused")

    def limit(self, amount: str, asked: Decimal) -> None:
        Limit.objects.filter(role=self.role).delete()
        gap = {**LIMITS, **ALL}.get(amount)
        if gap is not None:
            Limit.objects.create(role=self.role, per_transaction=asked + gap)

    def bring_about(self) -> None:
        provider = provider_for(self.insider.connection)
        if self.state == "in doubt":
            self.sandbox.arm("refund_transaction", "junk")
            assert self.refund(self.insider).outcome == "unknown"  # type: ignore[union-attr]
        elif self.state == "refunded in part":
            provider.send(LeadRef(id=ADA.id), [RefundTransaction(SALE, amount="1.00")])
        elif self.state == "refunded":
            provider.send(LeadRef(id=ADA.id), [RefundTransaction(SALE, everything=True)])
        self.change_request()

    def change_request(self) -> None:
        changes: dict[str, Any] = {
            "another lead's": {"lead_id": JON},
            "withdrawn": {"status": "withdrawn"},
            "declined": {"status": "declined"},
        }.get(self.state, {})
        for request in Approval.objects.all():
            if self.state == "a day old":
                changes = {"created_at": request.created_at - Approval.OPEN_FOR}
            Approval.objects.filter(pk=request.pk).update(**{"status": "waiting", **changes})

    @property
    def wanted(self) -> str:
        return JONS_SALE if self.state == "another lead's" else SALE

    def sale(self) -> money.Sale:
        """What Kartra shows of the wanted payment to somebody who may see it; read once for as long as nothing
        changes."""
        if self.shown is None:
            whose = whose_for(self.insider, JON if self.wanted == JONS_SALE else ADA.id)
            provider = provider_for(self.insider.connection)
            self.shown = money.read_sale(provider, self.insider.account, whose, self.wanted)
        return self.shown

    def refund(self, desk: Desk) -> Operation | Approval:
        whose = whose_for(desk, ADA.id)
        seen = money.read_sale(provider_for(desk.connection), desk.account, whose, SALE).digest
        return approvals.refund_or_request(
            actor=desk.user,
            connection=desk.connection,
            whose=whose,
            transaction_id=SALE,
            amount=Decimal(HALF),
            terms=Terms("Other", "why", seen),
            operation_id=uuid4(),
        )

    # The ways in, each ready to be sent

    def prepare_form(self, way: str, amount: str, sale: money.Sale) -> Callable[[], HttpResponse]:
        salt = about_sale(self.desk.account.pk, ADA.id, self.wanted)
        form = {
            "operation_id": str(uuid4()),
            "much": "full" if amount in ALL else "partial",
            "amount": "" if amount in ("all", "all, above") else TYPED.get(amount, HALF),
            "reason": "Other",
            "note": "why",
            "seen": SeenField(salt).seal(Seen.of_sale(sale)),
        }
        address = f"/leads/{ADA.id}/transactions/{self.wanted}/refund/"
        return lambda: self.client.post(address, form, headers=HTMX if way == "fragment" else {})

    def prepare_playbook(self) -> Callable[[], HttpResponse]:
        address = f"/leads/{ADA.id}/playbooks/{self.playbook.pk}/"
        chosen = JONS_PLAN if self.state == "another lead's" else PLAN
        shown = self.client.get(f"{address}?of={chosen}")
        hidden = {name: [*posted_again(shown, name), ""][0] for name in ("operation_id", "seen")}
        form = {**hidden, "chosen": chosen, "reason": "Other", "note": "why", "amount": "0.01"}
        return lambda: self.client.post(address, form)

    def prepare_approval(self, *, own: bool) -> Callable[[], HttpResponse]:
        Limit.objects.create(person=self.asker.user, per_transaction=0)
        request = self.refund(self.asker)
        assert isinstance(request, Approval)
        if own:
            Approval.objects.update(requester=self.desk.user, requester_role=self.role)
        forged = {"do": "approve", "note": "", "amount": "500", "transaction_id": JONS_SALE, "operation_id": uuid4()}
        return lambda: self.client.post(f"/approvals/{request.pk}/decide/", forged)


@pytest.mark.parametrize("state", [*STATES, *ENDED])
@pytest.mark.parametrize("role", ROLES)
def test_every_cell_is_as_the_rule_says(
    desk_of: DeskOf, client_of: SignIn, sandbox: Sandbox, seeded: Path, settings: Any, role: str, state: str
) -> None:
    settings.MONEY_HOLD = 0
    bench = Bench(desk_of, client_of(role), sandbox, seeded, role, state)
    # What is typed wrongly is refused before the database is asked, so one database is enough for it.
    found = {cell: bench.post(*cell) for cell in cells(state) if cell[1] not in TYPED or connection.vendor == "sqlite"}
    assert found == {(way, amount): rule(role, way, state, amount) for way, amount in found}


def test_the_table_is_whole() -> None:
    """Every role, way and state has a cell, and each end comes about somewhere."""
    table = [
        (role, way, state, amount) for role in ROLES for state in (*STATES, *ENDED) for way, amount in cells(state)
    ]
    assert len(table) == 1476
    assert {rule(*cell) for cell in table} == {"refunded", "asked", "refused", "missing", "denied"}


@pytest.mark.parametrize("role", REFUNDING)
def test_a_stale_session_sends_nothing_by_any_way(
    desk_of: DeskOf, client_of: SignIn, sandbox: Sandbox, seeded: Path, settings: Any, role: str
) -> None:
    settings.MONEY_HOLD = 0
    bench = Bench(desk_of, client_of(role, stale=True), sandbox, seeded, role, "fresh")
    for way, amount in cells("fresh"):
        assert bench.post(way, amount) == ("denied" if "approval" in way and role == "support" else "refused")
