"""Rows whose details one reading did not bring: further back than it goes, or not told by Kartra.

Their own page and dialogs read them alone. What cannot be read even so is neither shown as nothing nor acted on.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from leads.access import Desk
from leads.models import Operation, Outcome, Playbook, PlaybookRun
from leads.playbook_steps import CANCEL, REFUND
from leads.providers.base import LeadRef
from leads.providers.errors import Refused
from leads.providers.kartra.sandbox.desk import Desk as SandboxDesk
from leads.selectors.playbooks import progress_of
from leads.services import held, runs
from leads.services.money import Changed, Terms
from leads.services.playbook_preview import preview_playbook
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, words, writes
from tests.leads.views.test_subscriptions import confirm as confirm_change
from tests.leads.views.test_transactions import confirm, fields

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
MARGIT, JON = NOTABLE["long_history"].id, NOTABLE["jon"].id
SALE, CLUB = f"/leads/{ADA.id}/transactions/99432/", f"/leads/{ADA.id}/subscriptions/14833/"
UNTOLD = "Kartra did not return what was refunded so far. Nothing was sent. Try again in a minute."


@pytest.fixture
def _at_once(settings: Any) -> None:
    settings.MONEY_HOLD = 0


def beyond(desk: Desk, *kinds: str) -> list[str]:
    """The ids of Margit's rows that one reading does not reach, oldest first."""
    rows = provider_for(desk.connection).get_money(LeadRef(id=MARGIT)).transactions
    return [row.id for row in reversed(rows) if row.is_beyond and row.kind in kinds]


# Further back than one reading goes


@pytest.mark.usefixtures("_at_once")
def test_an_old_payment_is_seen_and_a_refund_of_it_is_sent(
    at_desk: AtDesk, desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    client, oldest = at_desk("manager"), beyond(desk_of("manager"), "sale", "rebill")[0]
    url = f"/leads/{MARGIT}/transactions/{oldest}/"
    sandbox.calls()
    page = client.get(url)
    assert page.status_code == 200
    assert "Paid" in words(page)
    assert "did not return" not in words(page)
    sandbox.calls()
    dialog = client.get(f"{url}refund/", headers=HTMX)
    assert 'type="submit"' in dialog.content.decode()
    assert len(sandbox.calls()) == 4  # who it is, money in two, and this payment with what may have gone back of it
    confirm(client, f"{url}refund/", amount="1.00")
    assert writes(sandbox) == [("refund_transaction",)]
    assert Operation.objects.get().steps.get().code == "250"  # too old for Kartra, which nobody knows beforehand


def test_what_went_back_of_an_old_payment_is_seen_with_it_and_alone(
    at_desk: AtDesk, desk_of: Callable[..., Desk]
) -> None:
    client, desk = at_desk("viewer"), desk_of("manager")
    for number in beyond(desk, "refund", "partial_refund"):
        alone = words(client.get(f"/leads/{MARGIT}/transactions/{number}/"))
        parent = provider_for(desk.connection).get_transaction(number).parent_id
        assert f"Follows from #{parent}" in alone
        assert f"#{number}" in words(client.get(f"/leads/{MARGIT}/transactions/{parent}/"))


def test_a_subscriptions_page_shows_payments_from_far_back(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = at_desk("viewer").get(f"/leads/{MARGIT}/subscriptions/14902/")
    assert len(sandbox.calls()) == 4
    assert "#100001" in words(answer)
    assert "Details not read" not in words(answer)


# Not told by Kartra


@pytest.mark.parametrize("end", ["", "refund/"])
def test_what_passes_is_read_once_more(at_desk: AtDesk, sandbox: Sandbox, end: str) -> None:
    client = at_desk("support")
    sandbox.arm("get_transaction_details", "500", times=3)
    answer = client.get(f"{SALE}{end}", headers=HTMX)
    assert answer.status_code == 200
    assert "10.00" in words(answer)


@pytest.mark.parametrize("end", ["", "refund/"])
def test_a_payment_whose_details_are_not_told_is_not_shown_as_paid(at_desk: AtDesk, sandbox: Sandbox, end: str) -> None:
    client = at_desk("support")
    sandbox.arm("get_transaction_details", "500", times=60)
    answer = client.get(f"{SALE}{end}", headers=HTMX)
    assert answer.status_code == 503
    assert UNTOLD in words(answer)


def test_payments_that_are_not_told_are_not_called_none(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("viewer")
    sandbox.arm("get_transaction_details", "500", times=60)
    answer = client.get(CLUB)
    assert answer.status_code == 200
    assert "Kartra did not return the details of" in words(answer)
    assert "lists no payment" not in words(answer)


def test_the_last_payment_is_not_an_older_one(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("manager")
    sandbox.arm("get_transaction_details", "500", times=60)
    dialog = client.get(f"{CLUB}cancel/", headers=HTMX)
    assert "Kartra did not return which one was the last." in words(dialog)
    assert "Refund the last payment" not in words(dialog)


ENDS = ["pause/", "resume/", "edit/", "cancel/"]
NO_DETAILS = "Kartra did not return its details. Reload to read them again."
NOTHING_SENT = "Kartra did not return the details of this subscription. Nothing was sent."


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("url", [f"/leads/{JON}/subscriptions/14901/", CLUB], ids=["paypal", "card"])
def test_no_act_on_a_subscription_whose_details_are_not_told(
    at_desk: AtDesk, sandbox: Sandbox, url: str, end: str, headers: dict[str, str]
) -> None:
    client = at_desk("manager")
    shown = fields(client.get(f"{url}cancel/", headers=headers))  # one that is offered: it carries what all carry
    sandbox.arm("get_subscription_details", "500", times=60)
    dialog = client.get(url + end, headers=headers)
    assert NO_DETAILS in words(dialog) or "It is already running." in words(dialog)
    assert "button is-primary" not in dialog.content.decode()
    assert "button is-danger" not in dialog.content.decode()
    posted = client.post(url + end, {**shown, "reason": "Goodwill", "amount": "5"}, headers=headers)
    assert posted.status_code == 422
    assert NOTHING_SENT in words(posted)
    assert not Operation.objects.exists()
    assert writes(sandbox) == []


def test_its_page_and_the_money_card_offer_none_either(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("manager")
    sandbox.arm("get_subscription_details", "500", times=60)
    for url in (CLUB, f"/leads/{ADA.id}/money/"):
        answer = client.get(url)
        assert NO_DETAILS in words(answer)
        assert not re.search(r'href="[^"]*/(pause|resume|edit|cancel)/', answer.content.decode())


def test_whether_paypal_holds_it_is_not_known_without_its_payments(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("manager")
    sandbox.arm("get_transaction_details", "500", times=60)
    answer = client.get(f"/leads/{JON}/subscriptions/14901/pause/", headers=HTMX)
    assert "so it may be a PayPal subscription." in words(answer)
    assert 'type="submit"' not in answer.content.decode()


def test_what_is_held_is_not_sent_without_details(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    confirm_change(client, f"{CLUB}pause/")
    Operation.objects.update(send_at=timezone.now() - timedelta(seconds=1))
    sandbox.arm("get_subscription_details", "500", times=60)
    assert held.send_due_operations() == 1
    step = Operation.objects.get().steps.get()
    assert (step.outcome, NOTHING_SENT in step.sentence) == (Outcome.FAILED, True)
    assert writes(sandbox) == []


@pytest.mark.parametrize("command", ["get_subscription_details", "get_transaction_details"])
def test_a_playbook_is_not_run_without_details(desk_of: Callable[..., Desk], sandbox: Sandbox, command: str) -> None:
    desk = desk_of("manager")
    steps = [{"act": CANCEL}, {"act": REFUND}]
    playbook = Playbook.objects.create(account=desk.account, name="Cancel and refund", steps=steps)
    about: dict[str, Any] = {
        "actor": desk.user, "connection": desk.connection, "playbook": playbook, "lead_id": ADA.id,
        "chosen": "14833",
    }  # fmt: skip
    before = preview_playbook(**about)
    assert before.why_not == ""
    sandbox.arm(command, "500", times=60)
    now = preview_playbook(**about)
    assert "Not every step can be done" in now.why_not
    for seen in (before.digest, now.digest):
        with pytest.raises((Changed, Refused)):
            runs.start_playbook(**about, terms=Terms("Goodwill", "", seen), run_id=uuid4())
    assert not Operation.objects.exists()
    assert writes(sandbox) == []


@pytest.mark.usefixtures("_at_once")
def test_a_run_stops_where_the_details_are_not_told_any_more(
    desk_of: Callable[..., Desk], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check of all steps and the turn of the cancellation."""
    desk = desk_of("manager")
    playbook = Playbook.objects.create(account=desk.account, name="Cancel", steps=[{"act": CANCEL}])
    about: dict[str, Any] = {
        "actor": desk.user, "connection": desk.connection, "playbook": playbook, "lead_id": ADA.id,
        "chosen": "14833",
    }  # fmt: skip
    begin = runs.begin

    def silenced(*args: Any) -> PlaybookRun:
        sandbox.arm("get_subscription_details", "500", times=60)
        return begin(*args)

    monkeypatch.setattr(runs, "begin", silenced)
    run = runs.start_playbook(**about, terms=Terms("Goodwill", "", preview_playbook(**about).digest), run_id=uuid4())
    assert NOTHING_SENT in progress_of(run).stopped
    assert not Operation.objects.exists()
    assert writes(sandbox) == []


def test_cancel_and_refund_is_refused_without_details(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("manager")
    shown = fields(client.get(f"{CLUB}cancel/", headers=HTMX))
    sandbox.arm("get_subscription_details", "500", times=60)
    posted = client.post(f"{CLUB}cancel/", {**shown, "reason": "Goodwill", "refund_last": "on"}, headers=HTMX)
    assert posted.status_code == 422
    assert NOTHING_SENT in words(posted)
    assert not PlaybookRun.objects.exists()
    assert writes(sandbox) == []


# Refused by Kartra for good: no reading helps, so none is offered


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``refuse("99432")``: Kartra lists the row, and says that there is no such."""
    owned = SandboxDesk.owned

    def refuse_rows(*numbers: str) -> None:
        monkeypatch.setattr(
            SandboxDesk, "owned", lambda desk, table, number: None if number in numbers else owned(desk, table, number)
        )

    return refuse_rows


MONEY = f"/leads/{ADA.id}/money/"
REFUSED = [
    ("99432", MONEY, "Kartra does not return the details of 1 row. Without them nothing can be done here"),
    ("99488", MONEY, "Details not given"),
    ("99432", MONEY, "Kartra does not return its details. Refund it in Kartra."),
    ("99432", SALE, "Kartra does not return the details of this payment."),
    ("99432", CLUB, "so it is unknown which of them belong to this subscription."),
    ("99517", MONEY, "Kartra lists a refund without saying which payment it belongs to. Refund it in Kartra."),
    ("99488", f"{CLUB}cancel/", "Kartra did not return which one was the last. Refund it in Kartra."),
    ("14833", MONEY, "details not given"),
    ("14833", MONEY, "Kartra does not return its details. Change or cancel it in Kartra."),
    ("14833", CLUB, "Kartra does not return the details of this subscription."),
    ("14833", f"{CLUB}cancel/", "Kartra does not return its details. Change or cancel it in Kartra."),
]


@pytest.mark.parametrize(("number", "url", "said"), REFUSED)
def test_what_kartra_refuses_for_good_is_said_and_no_reload_is_offered(
    at_desk: AtDesk, refuse: Callable[..., None], number: str, url: str, said: str
) -> None:
    refuse(number)
    text = words(at_desk("manager").get(url))
    assert said in text
    assert "Reload" not in text
    assert "Try again" not in text


def test_nothing_is_sent_to_a_subscription_that_kartra_refuses_to_tell(
    at_desk: AtDesk, sandbox: Sandbox, refuse: Callable[..., None]
) -> None:
    client = at_desk("manager")
    shown = fields(client.get(f"{CLUB}cancel/"))
    refuse("14833")
    posted = client.post(f"{CLUB}pause/", {**shown, "reason": "Goodwill"})
    assert posted.status_code == 422
    assert "Kartra does not return the details of this subscription. Nothing was sent. Change it in Kartra." in words(
        posted
    )
    assert not Operation.objects.exists()
    assert writes(sandbox) == []


def test_a_playbook_says_that_its_refund_is_to_be_made_in_kartra(
    desk_of: Callable[..., Desk], refuse: Callable[..., None]
) -> None:
    desk = desk_of("manager")
    playbook = Playbook.objects.create(account=desk.account, name="Refund", steps=[{"act": REFUND}])
    refuse("99488")
    shown = preview_playbook(
        actor=desk.user, connection=desk.connection, playbook=playbook, lead_id=ADA.id, chosen="14833"
    )
    (line,) = shown.lines
    assert line.note == "Kartra did not return which payment was its last. Refund it in Kartra."
