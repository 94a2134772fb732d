"""A subscription's page, and pausing, resuming, editing and cancelling it."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from leads.access import Desk
from leads.models import Limit, Operation, Outcome, PlaybookRun
from leads.playbook_steps import attempt_id
from leads.providers.base import LeadRef
from leads.providers.changes import PauseSubscription
from leads.providers.errors import Unavailable
from leads.services import runs
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, come_to_wait, posted_again, words, writes
from tests.leads.views.test_transactions import fields

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
URL = f"/leads/{ADA.id}/subscriptions/14833/"
PAYPAL = f"/leads/{NOTABLE['jon'].id}/subscriptions/14901/"
OVER = f"/leads/{ADA.id}/subscriptions/14700/"
PAUSED = f"/leads/{NOTABLE['long_history'].id}/subscriptions/14907/"


def confirm(client: Client, url: str, *, htmx: bool = True, **typed: str) -> HttpResponse:
    headers = HTMX if htmx else {}
    shown = fields(client.get(url, headers=headers))
    shown.pop("amount", None)
    return client.post(url, {**shown, "reason": "Goodwill", **typed}, headers=headers)


@pytest.fixture
def _at_once(settings: Any) -> None:
    settings.MONEY_HOLD = 0


def test_the_page_tells_all_that_is_known(at_desk: AtDesk) -> None:
    text = words(at_desk("viewer").get(URL))
    for piece in (
        "Kiln Club #14833",
        "Active",
        "monthly",
        "19.95",
        "until cancelled",
        "#99488",
        "EST",
        "price point 2",
    ):
        assert piece in text, piece


def test_payments_that_paypal_took_say_so(at_desk: AtDesk) -> None:
    assert re.search(r"Rebill 7 #\d+ PayPal 85\.00", words(at_desk("viewer").get(PAYPAL)))


@pytest.mark.parametrize("number", ["14901", "1", "9" * 20])
@pytest.mark.parametrize("end", ["", "pause/", "resume/", "edit/", "cancel/"])
def test_a_subscription_of_somebody_else_is_not_found(at_desk: AtDesk, number: str, end: str) -> None:
    answer = at_desk("manager").get(f"/leads/{ADA.id}/subscriptions/{number}/{end}")
    assert answer.status_code == 404
    assert "no such subscription" in words(answer)


@pytest.mark.parametrize(
    ("end", "pieces"),
    [
        ("pause/", ["No payment is taken", "resume it at any time", "take it back for 10 s"]),
        ("edit/", ["Only what you fill in is sent", "Now 19.95", "Moves the whole billing schedule"]),
        ("cancel/", ["cannot be restarted", "Billing stops", "Past payments are not refunded", "Access closes only"]),
    ],
)
def test_the_dialogs_say_what_will_happen(at_desk: AtDesk, end: str, pieces: list[str]) -> None:
    client = at_desk("manager")
    for headers in (HTMX, {}):
        text = words(client.get(URL + end, headers=headers))
        assert [piece for piece in pieces if piece not in text] == []


@pytest.mark.parametrize(
    ("end", "piece"), [("cancel/", "Refund the last payment too: 19.95 of #99488"), ("edit/", "Now 19.95.")]
)
def test_a_dialog_that_was_refused_says_so_again(at_desk: AtDesk, end: str, piece: str) -> None:
    client = at_desk("manager")
    assert piece in words(client.get(f"{URL}{end}"))
    refused = confirm(client, f"{URL}{end}", reason="")
    assert refused.status_code == 422
    assert piece in words(refused)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"{URL}resume/", "It is already running."),
        (f"{PAYPAL}pause/", "PayPal bills this subscription. It can only be cancelled."),
        (f"{PAYPAL}edit/", "PayPal bills this subscription. It can only be cancelled."),
        (f"{OVER}cancel/", "It is cancelled for good. The customer has to buy again."),
        (f"{PAUSED}pause/", "It is already paused."),
    ],
)
def test_what_cannot_be_done_says_why(at_desk: AtDesk, sandbox: Sandbox, url: str, why: str) -> None:
    client = at_desk("manager")
    answer = client.get(url, headers=HTMX)
    assert why in words(answer)
    assert 'type="submit"' not in answer.content.decode()
    posted = client.post(url, {**fields(answer), "reason": "Goodwill", "amount": "5"}, headers=HTMX)
    assert posted.status_code == 422
    assert why in words(posted)
    assert writes(sandbox) == []


@pytest.mark.usefixtures("_at_once")
def test_pause_and_resume(at_desk: AtDesk) -> None:
    client = at_desk("support")
    assert "Paused subscription #14833" in words(confirm(client, f"{URL}pause/"))
    assert "Paused" in words(client.get(URL))
    assert "Resumed subscription #14833" in words(confirm(client, f"{URL}resume/"))
    assert "Active" in words(client.get(URL))


def test_a_pause_is_held_and_taken_back(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    assert re.search(r"Pause subscription #14833: will be sent in (10|9) s", words(confirm(client, f"{URL}pause/")))
    operation = Operation.objects.get()
    assert "Held back" in words(client.get(URL))
    for end in ("", "cancel/"):
        text = words(client.get(URL + end))
        assert "A change of it is held back, and nothing was sent yet." in text
        assert "being checked" not in text
    client.post(f"/operations/{operation.pk}/withdraw/", headers=HTMX)
    assert writes(sandbox) == []


@pytest.mark.usefixtures("_at_once")
def test_without_javascript(at_desk: AtDesk) -> None:
    client = at_desk("support")
    answer = confirm(client, f"{URL}pause/", htmx=False)
    assert (answer.status_code, answer["Location"]) == (302, URL)
    assert "Paused subscription #14833." in words(client.get(URL))


def test_a_subscription_that_changed_is_shown_anew(
    at_desk: AtDesk, desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    client, desk = at_desk("support"), desk_of("support")
    shown = fields(client.get(f"{URL}cancel/", headers=HTMX))
    provider_for(desk.connection).send(LeadRef(id=ADA.id), [PauseSubscription("14833")])
    sandbox.calls()
    answer = client.post(f"{URL}cancel/", {**shown, "reason": "Goodwill"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Status was active now paused" in words(answer)
    assert writes(sandbox) == []


# Cancelling with a refund


@pytest.mark.usefixtures("_at_once")
def test_cancel_and_refund_the_last_payment(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    assert "Refund the last payment too: 19.95 of #99488" in words(client.get(f"{URL}cancel/", headers=HTMX))
    text = words(confirm(client, f"{URL}cancel/", refund_last="on"))
    assert "Cancel and refund: cancelled subscription #14833." in text
    assert "Cancel and refund: refunded 19.95 of payment #99488." in text
    assert writes(sandbox) == [("modify_subscription_status",), ("refund_transaction",)]


@pytest.mark.parametrize("htmx", [True, False])
@pytest.mark.usefixtures("_at_once")
def test_the_refund_waits_where_the_cancellation_is_not_sure(at_desk: AtDesk, sandbox: Sandbox, htmx: bool) -> None:
    client = at_desk("support")
    sandbox.arm("modify_subscription_status", "lost", times=9)
    answer = confirm(client, f"{URL}cancel/", refund_last="on", htmx=htmx)
    text = words(answer if htmx else client.get(answer["Location"]))
    assert "No clear answer" in text
    assert "The refund of 19.95 waits for the cancellation" in text
    for page in (URL, f"/leads/{ADA.id}/transactions/99488/", f"/leads/{ADA.id}/money/"):
        assert "Waiting for the cancellation Cancel and refund by Support Person" in words(client.get(page)), page
    assert "Cancel and refund for Ada Moreno" not in words(client.get("/")), "it needs nobody yet"
    assert ("refund_transaction",) not in writes(sandbox)


@pytest.mark.usefixtures("_at_once")
def test_a_page_that_waits_is_told_when_the_refund_is_made(
    at_desk: AtDesk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = at_desk("support")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "_go_on", lambda progress, *rest: progress)  # killed before the first part
        confirm(client, f"{URL}cancel/", refund_last="on")
    assert "playbook-runs" in client.get(URL).content.decode()
    assert "/status/" not in client.get(URL).content.decode(), "nothing is begun by itself"
    run = PlaybookRun.objects.get()
    with monkeypatch.context() as patch:
        patch.setattr(runs.approvals, "refund_or_request", lambda **asked: (_ for _ in ()).throw(Unavailable("Away")))
        client.post(f"/playbook-runs/{run.pk}/resume/", {"operation_id": str(attempt_id(run.pk, 0, 1))})
    page = client.get(URL).content.decode()
    assert "Continues automatically" in page
    [watch] = re.findall(r'hx-get="(/playbook-runs/[^"]*/status/[^"]*)"', page)
    same = client.get(watch, headers=HTMX)
    assert (watch in same.content.decode(), same.get("HX-Trigger")) == (True, None)
    runs.attend_all()
    moved = client.get(watch, headers=HTMX)
    assert (moved.content, "money-changed" in moved["HX-Trigger"]) == (b"", True)
    assert "playbook-runs" not in client.get(URL).content.decode()


@pytest.mark.usefixtures("_at_once")
def test_who_decides_about_the_cancellation_is_told_that_the_refund_waits(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    sandbox.arm("modify_subscription_status", "junk")
    confirm(client, f"{URL}cancel/", refund_last="on")
    operation = Operation.objects.get()
    come_to_wait(operation)
    page = client.get(f"/operations/{operation.pk}/")
    assert f'href="/playbook-runs/{operation.run_id}/"' in page.content.decode()
    assert "If you choose ‘It was done’, that starts nothing after it" in words(page)
    sandbox.calls()
    client.post(f"/operations/{operation.pk}/decide/", {"happened": "yes", "reason": "The gateway shows it ended"})
    assert "Can continue" in words(client.get("/"))
    text = words(client.get(f"/playbook-runs/{operation.run_id}/"))
    for piece in ("A person, not Kartra, said that the step before was done", "Resume playbook"):
        assert piece in text
    runs.attend_all()
    assert writes(sandbox) == []


@pytest.mark.usefixtures("_at_once")
def test_where_the_cancellation_fails_the_dialog_says_so(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    sandbox.arm("modify_subscription_status", "429", times=30)
    answer = confirm(client, f"{URL}cancel/", refund_last="on")
    assert answer.status_code == 422
    assert "Nothing was changed" in words(answer)
    assert "Nothing was refunded." in words(answer)
    sandbox.disarm()
    again = client.post(f"{URL}cancel/", {**fields(answer), "reason": "Goodwill", "refund_last": "on"}, headers=HTMX)
    assert "refunded 19.95" in words(again), "confirmed anew, under a new id"
    assert "Cancel and refund at" not in words(client.get("/"))


def test_both_are_held_back_and_taken_back_together(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    text = words(confirm(client, f"{URL}cancel/", refund_last="on"))
    assert "Cancel subscription #14833: will be sent in" in text
    operation = Operation.objects.get()
    client.post(f"/operations/{operation.pk}/withdraw/", headers=HTMX)
    assert "Waiting for the cancellation" not in words(client.get(URL))
    assert writes(sandbox) == []


def test_above_the_limit_the_dialog_says_that_approval_is_asked_for(at_desk: AtDesk) -> None:
    client = at_desk("support")
    assert "above your limit" not in words(client.get(f"{URL}cancel/", headers=HTMX))
    Limit.objects.create(role="support", per_transaction=Decimal(10))
    assert "above your limit (10.00 per payment)" in words(client.get(f"{URL}cancel/", headers=HTMX))


@pytest.mark.usefixtures("_at_once")
def test_cancel_alone_refunds_nothing(at_desk: AtDesk, sandbox: Sandbox) -> None:
    confirm(at_desk("support"), f"{URL}cancel/")
    assert writes(sandbox) == [("modify_subscription_status",)]


# Editing


def in_days(days: int) -> str:
    return (timezone.now() + timedelta(days=days)).strftime("%Y-%m-%d")


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ({"amount": "24,50"}, {"amount": "24.50"}),
        ({"amount": "1.00"}, {"amount": "1.00"}),
        ({"amount": "9,999.99"}, {"amount": "9999.99"}),
        ({"quantity": "3"}, {"quantity": "3"}),
        ({"installments_left": "6"}, {"installments_left": "6"}),
        ({"installments_left": " Until  Cancelled "}, {"installments_left": "until cancelled"}),
        ({"tax_percent": "0"}, {"tax_percent": "0"}),
        ({"tax_percent": "7.25"}, {"tax_percent": "7.25"}),
        ({"period": "yearly"}, {"period": "yearly"}),
        ({"product_id": "223", "price_point": "1"}, {"product_id": "223", "price_point": "1"}),
        ({"next_date": in_days(9), "next_time": "08:30"}, {"next_payment": f"{in_days(9)} 08:30"}),
    ],
)
@pytest.mark.usefixtures("_at_once")
def test_only_what_is_filled_in_is_sent(
    at_desk: AtDesk, sandbox: Sandbox, typed: dict[str, str], asked: dict[str, str]
) -> None:
    answer = confirm(at_desk("manager"), f"{URL}edit/", **typed)
    assert answer.status_code == 200, words(answer)
    operation = Operation.objects.get()
    assert operation.outcome == Outcome.SUCCEEDED
    step = operation.steps.get()
    assert {name: value for name, value in step.asked.items() if value} == {"subscription_id": "14833", **asked}
    assert writes(sandbox) == [("edit_subscription",)]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"amount": "0.99"}, "amount"),
        ({"amount": "10,000.00"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1" + "0" * 30}, "amount"),
        ({"amount": "5.005"}, "amount"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "10000"}, "quantity"),
        ({"quantity": "1.5"}, "quantity"),
        ({"installments_left": "0"}, "installments_left"),
        ({"installments_left": "for ever"}, "installments_left"),
        ({"installments_left": "٦"}, "installments_left"),
        ({"tax_percent": "100.01"}, "tax_percent"),
        ({"tax_percent": "-1"}, "tax_percent"),
        ({"tax_percent": "NaN"}, "tax_percent"),
        ({"period": "daily"}, "period"),
        ({"second_period": "yearly"}, "period"),
        ({"period": "quarterly", "second_period": "yearly"}, "period"),
        ({"period": "yearly", "second_period": "every 2 years"}, "period"),
        ({"product_id": "0", "price_point": "1"}, "product_id"),
        ({"product_id": "223", "price_point": "0"}, "price_point"),
        ({"product_id": "223"}, "price_point"),
        ({"price_point": "1"}, "product_id"),
        ({"product_id": "<b>", "price_point": "1"}, "product_id"),
        ({"next_date": in_days(9)}, "next_time"),
        ({"next_time": "08:30"}, "next_date"),
        ({"next_date": in_days(-2), "next_time": "08:30"}, "next_date"),
        ({"next_date": "soon", "next_time": "08:30"}, "next_date"),
    ],
)
def test_what_kartra_would_refuse_is_refused_first(
    at_desk: AtDesk, sandbox: Sandbox, typed: dict[str, str], field: str
) -> None:
    answer = confirm(at_desk("manager"), f"{URL}edit/", **typed)
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    for name, value in typed.items():
        if name not in ("period", "second_period"):
            assert posted_again(answer, name) == [value]
    assert writes(sandbox) == []


def test_nothing_filled_in_is_nothing_sent(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = confirm(at_desk("manager"), f"{URL}edit/")
    assert answer.status_code == 422
    assert "Nothing was filled in" in words(answer)
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    ("role", "denied"),
    [
        ("agent", {"pause", "resume", "edit", "cancel"}),
        ("auditor", {"pause", "resume", "edit", "cancel"}),
        ("support", {"edit"}),
        ("manager", set()),
    ],
)
def test_the_role_decides(at_desk: AtDesk, role: str, denied: set[str]) -> None:
    client = at_desk(role)
    refused = {act for act in ("pause", "resume", "edit", "cancel") if client.get(f"{URL}{act}/").status_code == 403}
    assert refused == denied


def test_taking_back_is_offered_to_who_may_do_the_act(at_desk: AtDesk) -> None:
    confirm(at_desk("manager"), f"{URL}edit/", amount="15.00")
    operation = Operation.objects.get()
    assert operation.outcome == Outcome.HELD
    address = f"/operations/{operation.pk}/"
    for role, is_offered in (("manager", True), ("support", False)):
        for page in (URL, f"/leads/{ADA.id}/money/", address):
            assert (f"{address}withdraw/" in at_desk(role).get(page).content.decode()) is is_offered, (role, page)
    assert at_desk("support").post(f"{address}withdraw/").status_code == 403
