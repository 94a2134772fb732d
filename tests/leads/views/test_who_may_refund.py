"""Role by amount by state by way in: nothing reaches Kartra but what the rules let through, however it is posted."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from leads.access import Desk, whose_for
from leads.forms.money import Seen, SeenField, about_sale
from leads.models import Approval, Limit, Operation
from leads.providers.base import LeadRef
from leads.providers.changes import RefundTransaction
from leads.services import approvals, money
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.conftest import SignIn
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
JON, SALE, REFUNDED, OF_ADA = NOTABLE["jon"].id, "99601", "99602", "100710"
ROLES = ("viewer", "agent", "support", "manager", "auditor", "admin")
LIMITS = {"support": Decimal(20), "manager": Decimal(40)}
AMOUNTS = {"below": Decimal("-0.01"), "at": Decimal(0), "above": Decimal("0.01")}
STATES = ("refundable", "refunded", "locked", "of another lead")


@pytest.fixture(autouse=True)
def _limits(desk_of: DeskOf, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    for role, amount in LIMITS.items():
        Limit.objects.create(role=role, per_transaction=amount)


def bring_about(state: str, desk: Desk, sandbox: Sandbox) -> str:
    """Put the account into the state; gives the transaction that is asked for under Jon's address."""
    if state == "locked":
        sandbox.arm("refund_transaction", "junk")
        first = refund(desk, JON, SALE, Decimal(5))
        assert isinstance(first, Operation)
        assert first.outcome == "unknown"
    sandbox.calls()
    return {"refunded": REFUNDED, "of another lead": OF_ADA}.get(state, SALE)


def refund(desk: Desk, lead_id: str, transaction_id: str, amount: Decimal) -> Operation | Approval:
    whose = whose_for(desk, lead_id)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, transaction_id)
    return approvals.refund_or_request(
        actor=desk.user,
        connection=desk.connection,
        whose=whose,
        transaction_id=transaction_id,
        amount=amount,
        terms=Terms("Other", "why", sale.digest),
        operation_id=uuid4(),
    )


def post(client: Client, desk: Desk, transaction_id: str, amount: Decimal, headers: dict[str, str]) -> HttpResponse:
    """Post the dialog's form straight away, with the seal that a page would have given for what Kartra shows."""
    real_owner = ADA.id if transaction_id == OF_ADA else JON
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose_for(desk, real_owner), transaction_id)
    seal = SeenField(about_sale(desk.account.pk, JON, transaction_id)).seal(Seen.of_sale(sale))
    form = {
        "operation_id": str(uuid4()),
        "much": "partial",
        "amount": f"{amount:.2f}",
        "reason": "Other",
        "note": "why",
        "seen": seal,
    }
    return client.post(f"/leads/{JON}/transactions/{transaction_id}/refund/", form, headers=headers)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("role", ROLES)
def test_a_direct_post_gains_nothing(
    desk_of: DeskOf, client_of: SignIn, sandbox: Sandbox, role: str, state: str
) -> None:
    """Below, at and above the limit, as a page and as a fragment."""
    owner, desk, client = desk_of("admin"), desk_of(role), client_of(role)
    transaction_id = bring_about(state, owner, sandbox)
    may = role in ("support", "manager", "admin") and state == "refundable"
    for amount, headers in product(AMOUNTS, ({}, HTMX)):
        wanted = LIMITS.get(role, Decimal(30)) + AMOUNTS[amount]
        before = Operation.objects.count()
        answer = post(client, desk, transaction_id, wanted, headers)
        is_above = amount == "above" and role in LIMITS
        case = (amount, headers, answer.status_code)
        assert len(writes(sandbox)) == (may and not is_above), case
        assert Operation.objects.count() - before == (may and not is_above), case
        assert Approval.objects.count() == (may and is_above), case
        assert (answer.status_code == 403) == (role not in ("support", "manager", "admin")), case
        Approval.objects.all().delete()


@pytest.mark.parametrize("state", [*STATES, "recalled", "declined", "old"])
@pytest.mark.parametrize("role", ROLES)
def test_an_approval_lets_through_what_was_asked_for_by_who_may_decide(
    desk_of: DeskOf, client_of: SignIn, sandbox: Sandbox, role: str, state: str
) -> None:
    """The approver asks for nothing himself: whatever he posts, the request stands for the act."""
    owner, asker = desk_of("admin"), desk_of("support")
    desk_of(role)
    request = refund(asker, JON, SALE, Decimal("100.01"))
    assert isinstance(request, Approval)
    changes: dict[str, Any] = {
        "of another lead": {"lead_id": ADA.id},
        "recalled": {"status": "recalled"},
        "declined": {"status": "declined"},
        "old": {"created_at": request.created_at - Approval.OPEN_FOR},
    }.get(state, {})
    Approval.objects.filter(pk=request.pk).update(**{"status": "waiting", **changes})
    if state == "refunded":
        provider_for(owner.connection).send(LeadRef(id=JON), [RefundTransaction(SALE, amount="10.00")])
    if state == "locked":
        bring_about(state, owner, sandbox)
    sandbox.calls()
    forged = {"do": "approve", "note": "", "amount": "500", "transaction_id": REFUNDED, "operation_id": str(uuid4())}
    answer = client_of(role).post(f"/approvals/{request.pk}/decide/", forged)
    decides = role in ("manager", "admin")
    is_sent = decides and state == "refundable"
    assert len(writes(sandbox)) == is_sent
    assert (answer.status_code == 403) == (not decides)
    request.refresh_from_db()
    assert (request.status == "approved") == is_sent
    if is_sent:
        assert request.operation is not None
        assert request.operation.steps.get().change == RefundTransaction(SALE, amount="100.01")


@pytest.mark.parametrize("role", ["support", "manager", "admin"])
def test_a_stale_session_sends_nothing(desk_of: DeskOf, client_of: SignIn, sandbox: Sandbox, role: str) -> None:
    desk = desk_of(role)
    answer = post(client_of(role, stale=True), desk, SALE, Decimal(10), HTMX)
    assert answer["HX-Redirect"].startswith("/sign-in/again/")
    assert writes(sandbox) == []
    assert not Operation.objects.exists()
