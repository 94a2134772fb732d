"""A lock that is free again does not make an old reading new: what was done meanwhile stops whoever read before it."""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest

from leads.access import Desk
from leads.models import Operation, Outcome
from leads.providers.changes import PauseSubscription
from leads.services import _operations, money
from leads.services.money import Terms, Whose
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import writes

pytestmark = pytest.mark.django_db
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
PAYMENT, SUBSCRIPTION = "99488", "14833"


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("support")


def meant(desk: Desk) -> _operations.Intent:
    terms = Terms("Goodwill", "", "")
    return money.about(money.intent_of(uuid4(), desk.user, desk.connection, uuid4().hex, terms), WHOSE)


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_refund_settled_since_the_reading_stops_the_next(desk: Desk, sandbox: Sandbox, outcome: str) -> None:
    provider = provider_for(desk.connection)
    first, second = (money.read_sale(provider, desk.account, WHOSE, PAYMENT) for _ in range(2))
    if outcome == "failed":
        sandbox.arm("refund_transaction", "429", times=20)
    step = money.refund_step(first, Decimal("5.00"), seen=first.digest)
    assert _operations.perform(meant(desk), [step]).outcome == outcome
    sandbox.calls()
    late = money.refund_step(second, Decimal("5.00"), seen=second.digest)
    with pytest.raises(_operations.Locked, match="just been changed"):
        _operations.perform(meant(desk), [late])
    assert writes(sandbox) == []
    assert Operation.objects.count() == 1


def test_a_subscription_changed_since_the_reading_stops_the_next(desk: Desk, sandbox: Sandbox) -> None:
    provider, change = provider_for(desk.connection), PauseSubscription(SUBSCRIPTION)
    first, second = (money.read_plan(provider, desk.account, WHOSE, SUBSCRIPTION) for _ in range(2))
    done = _operations.perform(meant(desk), [money.subscription_step(first, change, seen=first.digest)])
    assert done.outcome == Outcome.SUCCEEDED
    sandbox.calls()
    with pytest.raises(_operations.Locked):
        _operations.perform(meant(desk), [money.subscription_step(second, change, seen=second.digest)])
    assert writes(sandbox) == []


def test_the_same_form_sent_twice_at_once_still_finds_the_first(desk: Desk, sandbox: Sandbox) -> None:
    provider = provider_for(desk.connection)
    first, second = (money.read_sale(provider, desk.account, WHOSE, PAYMENT) for _ in range(2))
    intent = meant(desk)
    operation = _operations.perform(intent, [money.refund_step(first, Decimal("5.00"), seen=first.digest)])
    late = money.refund_step(second, Decimal("5.00"), seen=second.digest)
    assert _operations.perform(intent, [late]) == operation
    assert writes(sandbox) == [("refund_transaction",)]
