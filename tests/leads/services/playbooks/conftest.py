"""Playbooks as somebody makes, previews and runs them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from leads.access import Desk
from leads.models import Limit, Playbook, PlaybookRun
from leads.playbook_steps import CANCEL, REFUND
from leads.providers.base import LeadRef
from leads.selectors.playbooks import Progress, progress_of
from leads.services import runs
from leads.services.money import Terms
from leads.services.playbook_preview import Preview, preview_playbook
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE
from tests.leads.helpers import read

DeskOf = Callable[..., Desk]
JON, TROUBLE, BEN = NOTABLE["jon"].id, NOTABLE["trouble"].id, NOTABLE["ben"].id
ACTIVE, CANCELLED = "14833", "14700"
CANCEL_CALL, REFUND_CALL = ("modify_subscription_status",), ("refund_transaction",)


def step(act: str, name: str = "") -> dict[str, str]:
    return {"act": act, "name": name} if name else {"act": act}


# The tags and the list are such that each step has something to do on Ada.
TAGS = [step("take-tag", "vip"), step("give-tag", "wholesale")]
MIXED = [*TAGS, step(CANCEL), step(REFUND), step("leave-list", "Newsletter")]


def make(desk: Desk, steps: list[dict[str, str]], name: str = "Cancel and refund") -> Playbook:
    return Playbook.objects.create(account=desk.account, name=name, steps=steps)


def preview(desk: Desk, playbook: Playbook, lead_id: str = ADA.id, chosen: str = "") -> Preview:
    return preview_playbook(
        actor=desk.user, connection=desk.connection, playbook=playbook, lead_id=lead_id, chosen=chosen
    )


def start(desk: Desk, playbook: Playbook, *, lead_id: str = ADA.id, chosen: str = "", **changed: Any) -> PlaybookRun:
    """As somebody does who reads the preview and says yes."""
    seen = changed.pop("seen", "") or preview(desk, playbook, lead_id, chosen).digest
    wanted = {"run_id": uuid4(), "terms": Terms("Goodwill", "", seen), **changed}
    return runs.start_playbook(
        actor=desk.user, connection=desk.connection, playbook=playbook, lead_id=lead_id, chosen=chosen, **wanted
    )


def resume(desk: Desk, run: PlaybookRun, next_id: UUID | None = None) -> Progress:
    shown = next_id or progress_of(run).next_id
    assert shown
    return runs.resume_run(actor=desk.user, connection=desk.connection, run=run, next_id=shown)


def states(run: PlaybookRun) -> list[str]:
    return [row.state for row in progress_of(run).steps]


def refunds(desk: Desk, lead_id: str = ADA.id) -> list[Decimal | None]:
    """Every refund that Kartra holds of the lead."""
    rows = provider_for(desk.connection).get_money(LeadRef(id=lead_id)).transactions
    return [row.amount for row in rows if row.kind in ("refund", "partial_refund")]


def counts(calls: list[tuple[str, ...]]) -> tuple[int, int]:
    """How many calls cancelled, and how many refunded."""
    return calls.count(CANCEL_CALL), calls.count(REFUND_CALL)


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    """As without the time to take it back; what is held back has its own tests."""
    settings.MONEY_HOLD = 0


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("support")


@pytest.fixture
def names(desk: Desk) -> None:
    """What these tests suppose of the sandbox."""
    lead = read(desk)
    assert {"vip", "customer"} <= set(lead.tags)
    assert "wholesale" not in lead.tags
    assert any(row.name == "Newsletter" and row.active for row in lead.lists)


@pytest.fixture
def limited(desk: Desk) -> None:
    Limit.objects.create(role="support", per_transaction=Decimal("10.00"))


class Killed(BaseException):
    """The process is gone."""


def killed(*given: object, **named: object) -> None:
    raise Killed
