"""Seeing money is a permission by itself: a role that lacks it meets no amount, whichever way it comes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts import permissions
from leads.access import Desk, get_sale_for
from leads.models import Event, Operation, PlaybookRun
from leads.providers.changes import AssignTag
from leads.services import money
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import HTMX, do, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
LEAD = f"/leads/{ADA.id}/"


@pytest.fixture
def refund(desk_of: DeskOf, sandbox: Sandbox, settings: Any) -> Operation:
    """One in doubt, so that home shows it too."""
    settings.MONEY_HOLD = 0
    desk = desk_of("manager")
    sale = get_sale_for(desk, ADA.id, "99488")
    sandbox.arm("refund_transaction", "junk")
    return money.refund_transaction(
        actor=desk.user,
        connection=desk.connection,
        whose=sale.whose,
        transaction_id="99488",
        amount=Decimal("7.77"),
        terms=money.Terms("Goodwill", "", sale.digest),
        operation_id=uuid4(),
    )


@pytest.fixture
def run(desk_of: DeskOf) -> PlaybookRun:
    desk = desk_of("manager")
    steps = [{"act": "refund", "subject": "99488", "amount": "7.77"}]
    return PlaybookRun.objects.create(
        account=desk.account, actor=desk.user, name="Leave", steps=steps, lead_id=ADA.id, figures_digest="x"
    )


@pytest.fixture
def _payment_told(desk_of: DeskOf) -> None:
    Event.objects.create(
        account=desk_of("manager").account,
        form="ipn",
        action="REFUND",
        about="gave 7.77 back",
        lead_id=ADA.id,
        digest="x",
        received_at=timezone.now(),
    )


@pytest.fixture
def _viewers_see_no_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(permissions.BY_ROLE, "viewer", permissions.BY_ROLE["viewer"] - {"money.view"})


SHOWN = ("/", LEAD, f"{LEAD}activity/")


def refused(refund: Operation, run: PlaybookRun) -> list[str]:
    return [
        f"{LEAD}money/",
        f"{LEAD}transactions/99488/",
        f"{LEAD}subscriptions/14833/",
        f"/operations/{refund.pk}/",
        f"/operations/{refund.pk}/status/",
        f"/playbook-runs/{run.pk}/",
        f"/playbook-runs/{run.pk}/status/",
    ]


@pytest.mark.usefixtures("_viewers_see_no_money", "_payment_told")
def test_who_may_not_see_money_meets_none(
    at_desk: AtDesk, desk_of: DeskOf, refund: Operation, run: PlaybookRun
) -> None:
    client = at_desk("viewer")
    tagged = do(desk_of("manager"), AssignTag("advanced"))
    for url in refused(refund, run):
        for headers in ({}, HTMX):
            answer = client.get(url, headers=headers)
            assert answer.status_code == 403, url
            assert "see payments and subscriptions" in words(answer)
    for url in SHOWN:
        answer = client.get(url)
        assert answer.status_code == 200
        assert "7.77" not in words(answer), url
        assert str(refund.pk) not in answer.content.decode(), url
    assert str(tagged.pk) in client.get(f"{LEAD}activity/").content.decode(), "what is no money is shown as ever"
    assert client.get(f"/operations/{tagged.pk}/").status_code == 200


@pytest.mark.usefixtures("_payment_told")
def test_who_may_sees_it_there(at_desk: AtDesk, refund: Operation, run: PlaybookRun) -> None:
    """Else the test before would prove nothing."""
    client = at_desk("viewer")
    for url in refused(refund, run):
        assert client.get(url).status_code == 200, url
    for url in SHOWN:
        assert "7.77" in words(client.get(url)), url
    assert "gave 7.77 back" in words(client.get(LEAD))
