"""What Kartra lists for one lead and says to be another's is left alone. Only ids count."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from leads.access import Desk
from leads.models import Operation, Outcome
from leads.providers import changes
from leads.providers.base import LeadRef, Money
from leads.providers.errors import Refused
from leads.providers.kartra.provider import KartraProvider
from leads.selectors import money_rows
from leads.selectors.money import arrange
from leads.services import held, money
from leads.services.money import Terms, Whose
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import refund_part, writes

pytestmark = pytest.mark.django_db
WHOSE = Whose(ADA.id, "Ada Moreno", ADA.email)
PAYMENT, SUBSCRIPTION = "99488", "14833"
Tell = Callable[..., None]


@pytest.fixture
def desk(desk_of: Callable[..., Desk], settings: Any) -> Desk:
    settings.MONEY_HOLD = 0
    return desk_of("manager")


@pytest.fixture
def tell(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Let Kartra tell these values of the payment and the subscription."""
    found = provider_for(desk.connection).get_money(LeadRef(id=ADA.id))

    def telling(**values: str) -> None:
        told = Money(
            tuple(replace(row, **values) if row.id == PAYMENT else row for row in found.transactions),  # type: ignore[arg-type]
            tuple(replace(row, **values) if row.id == SUBSCRIPTION else row for row in found.subscriptions),  # type: ignore[arg-type]
        )
        monkeypatch.setattr(KartraProvider, "get_money", lambda self, ref: told)

    return telling


def pause(desk: Desk) -> Operation:
    return change(desk, changes.PauseSubscription(SUBSCRIPTION))


def cancel(desk: Desk) -> Operation:
    return change(desk, changes.CancelSubscription(SUBSCRIPTION))


def change(desk: Desk, wanted: changes.Change) -> Operation:
    plan = money.read_plan(provider_for(desk.connection), desk.account, WHOSE, SUBSCRIPTION)
    return money.change_subscription(
        actor=desk.user,
        connection=desk.connection,
        whose=WHOSE,
        change=wanted,
        terms=Terms("Goodwill", "", plan.digest),
        operation_id=uuid4(),
    )


@pytest.mark.parametrize("act", [refund_part, pause, cancel])
def test_what_kartra_says_to_be_anothers_is_not_touched(desk: Desk, sandbox: Sandbox, tell: Tell, act: Any) -> None:
    tell(lead_id="4174087")
    with pytest.raises(Refused, match="belongs to another lead"):
        act(desk)
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


@pytest.mark.parametrize("act", [refund_part, pause, cancel])
@pytest.mark.parametrize("told", [{"lead_id": ""}, {"lead_email": "old@example.com"}, {}])
def test_neither_silence_nor_another_address_stands_against_it(
    desk: Desk, tell: Tell, told: dict[str, str], act: Any
) -> None:
    tell(**told)
    assert act(desk).outcome == Outcome.SUCCEEDED


@pytest.mark.parametrize("act", [refund_part, pause])
def test_what_turns_out_to_be_anothers_while_it_is_held_is_not_sent(
    desk: Desk, sandbox: Sandbox, settings: Any, tell: Tell, act: Any
) -> None:
    settings.MONEY_HOLD = 10
    operation = act(desk)
    Operation.objects.update(send_at=timezone.now() - timedelta(seconds=1))
    tell(lead_id="4174087")
    operation.refresh_from_db()
    assert held.send_held(operation).outcome == Outcome.FAILED
    assert "belongs to another lead" in operation.steps.get().sentence
    assert writes(sandbox) == []


def test_the_leads_page_offers_none_of_it(desk: Desk, tell: Tell) -> None:
    tell(lead_id="4174087")
    found = arrange(provider_for(desk.connection).get_money(LeadRef(id=ADA.id)))
    standing = money_rows.of_money(found, account=desk.account, lead_id=ADA.id, user=desk.user)
    row, group = standing.row_of(PAYMENT), standing.group_of(SUBSCRIPTION)
    assert row.act.why_not == "Kartra says that this payment belongs to another lead. Refund it in Kartra."
    assert group.whys == ["Kartra says that this subscription belongs to another lead. Change or cancel it in Kartra."]
    assert all(act.why_not for act in group.acts)
