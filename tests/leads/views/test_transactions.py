"""A transaction's page and its refund: as a fragment, as a page, and with anything typed into it."""

import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from leads.access import Desk
from leads.models import Approval, Limit, Operation, Outcome
from leads.providers.base import LeadRef
from leads.providers.changes import RefundTransaction
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, posted_again, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
REBILL = f"/leads/{ADA.id}/transactions/99488/"
REFUND = f"{REBILL}refund/"


def fields(answer: HttpResponse) -> dict[str, str]:
    """What the form of a dialog would post by itself."""
    names = ("operation_id", "seen", "amount", "last_id", "last_seen", "refund_id")
    return {name: found[0] for name in names if (found := posted_again(answer, name))}


def confirm(client: Client, url: str = REFUND, *, htmx: bool = True, **typed: str) -> HttpResponse:
    """Open the dialog, type, confirm."""
    headers = HTMX if htmx else {}
    shown = fields(client.get(url, headers=headers))
    return client.post(url, {**shown, "much": "partial", "reason": "Goodwill", **typed}, headers=headers)


# The page


def test_the_page_tells_all_that_is_known(at_desk: AtDesk) -> None:
    text = words(at_desk("viewer").get(f"/leads/{ADA.id}/transactions/99432/"))
    for piece in (
        "Sale #99432",
        "Part refunded",
        "Kiln Club",
        "#14833",
        "19.95",
        "9.95",
        "10.00",
        "card ·· 4242",
        "EST",
    ):
        assert piece in text, piece


@pytest.mark.parametrize("who", [("viewer", 0), ("support", 1)])
@pytest.mark.parametrize("number", ["99601", "1", "9" * 20])
def test_a_transaction_of_somebody_else_is_not_found(at_desk: AtDesk, who: tuple[str, int], number: str) -> None:
    """Another lead's, another account's, or none."""
    answer = at_desk(*who).get(f"/leads/{ADA.id}/transactions/{number}/")
    assert answer.status_code == 404
    assert re.search("no such transaction|does not find this lead|no lead", words(answer))


@pytest.mark.parametrize("odd", ["99488%3Cb%3E", "10^30", "NaN", "-99488", "99488.0", "9" * 21])
def test_an_address_that_is_none(at_desk: AtDesk, sandbox: Sandbox, odd: str) -> None:
    client = at_desk("support")
    for end in ("", "refund/"):
        assert client.get(f"/leads/{ADA.id}/transactions/{odd}/{end}").status_code == 404
    assert sandbox.calls() == []


# The dialog


def test_the_dialog_shows_what_is_and_what_will_be(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = at_desk("support").get(f"/leads/{ADA.id}/transactions/99432/refund/", headers=HTMX)
    text = words(answer)
    for piece in (
        "Refund Sale of Kiln Club", "Paid 19.95", "Refunded 9.95", "Left 10.00", "Full refund 10.00", "Partial",
        "stays active", "cannot be reversed", "take it back for 10 s", "refund period",
    ):  # fmt: skip
        assert piece in text, piece
    assert "<html" not in answer.content.decode()
    assert len(sandbox.calls()) <= 3  # money in two, and who it is


def test_the_same_as_a_page(at_desk: AtDesk) -> None:
    answer = at_desk("support").get(REFUND)
    assert "<html" in answer.content.decode()
    assert "Left 19.95" in words(answer)


def test_a_refunded_sale_says_why_not(at_desk: AtDesk) -> None:
    answer = at_desk("support").get(f"/leads/{NOTABLE['jon'].id}/transactions/99602/refund/", headers=HTMX)
    assert "It is refunded already." in words(answer)
    assert "refund-button" not in answer.content.decode()


def test_what_will_happen_is_told_while_one_types(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    seen = fields(client.get(REFUND, headers=HTMX))["seen"]
    sandbox.calls()

    def told(**typed: str) -> str:
        return words(client.get(f"{REFUND}outlook/", {"seen": seen, **typed}, headers=HTMX))

    assert "Refunds 5.00 of 19.95 to the card ending 4242, leaving 14.95." in told(much="partial", amount="5")
    assert "Refund 19.95" in told(much="full")
    assert "Refunds the amount you type" in told(much="partial", amount="")
    assert "Only 19.95 is left" in told(much="partial", amount="20")
    assert "read in two ways" in told(much="partial", amount="1.000")
    assert "is not one of the available choices" in told(much="<b>", amount="5")
    assert client.get(f"{REFUND}outlook/").status_code == 200
    assert sandbox.calls() == []


def test_the_limit_is_told_before(at_desk: AtDesk) -> None:
    client = at_desk("support")
    Limit.objects.create(role="support", per_day=Decimal(100), per_transaction=Decimal(8))
    answer = client.get(REFUND, headers=HTMX)
    assert "Your daily limit: 100.00 of 100.00 left" in words(answer)
    seen = fields(answer)["seen"]
    told = words(client.get(f"{REFUND}outlook/", {"seen": seen, "much": "partial", "amount": "9"}))
    assert "Above your limit of 8.00 for one refund" in told
    assert "Ask to refund 9.00" in told


# Confirming


def test_a_refund_is_held_and_can_be_taken_back(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    answer = confirm(client, amount="5")
    assert answer.status_code == 200
    assert set(re.findall(r"[a-z]+-[a-z]+", answer["HX-Trigger"])) == {"close-dialog", "money-changed"}
    assert re.search(r"Refund of 5\.00 leaves in (10|9) s", words(answer))
    operation = Operation.objects.get()
    url = f"/operations/{operation.pk}/withdraw/"
    assert url in answer.content.decode()
    back = client.post(url, headers=HTMX)
    assert "Taken back. Nothing was sent." in words(back)
    assert client.post(url, headers=HTMX).status_code == 200
    assert writes(sandbox) == []
    operation.refresh_from_db()
    assert operation.outcome == Outcome.WITHDRAWN


def test_without_javascript(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    answer = confirm(client, htmx=False, amount="5")
    assert (answer.status_code, answer["Location"]) == (302, REBILL)
    page = client.get(REBILL)
    assert "Held back" in words(page)
    operation = Operation.objects.get()
    assert client.post(f"/operations/{operation.pk}/withdraw/")["Location"] == REBILL
    assert "Taken back" in words(client.get(REBILL))
    assert writes(sandbox) == []


def test_full_is_chosen_and_never_falls_out_of_a_blank(at_desk: AtDesk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    client = at_desk("support")
    for typed in ({"amount": ""}, {"much": ""}, {"much": "all"}, {"much": "full", "amount": "5"}):
        assert confirm(client, **typed).status_code == 422
    assert writes(sandbox) == []
    assert confirm(client, much="full", amount="").status_code == 200
    assert Operation.objects.get().steps.get().amount == Decimal("19.95")
    assert writes(sandbox) == [("refund_transaction",)]


@pytest.mark.parametrize(
    "odd",
    [
        "<b>5</b>", "1" + "0" * 30, "1e30", "NaN", "-5", "5.001", "0", "1.000", "1,000", "19.96", "five", " ", "5 5",
        "٥", "Infinity", "5" * 41,
    ],
)  # fmt: skip
def test_an_odd_amount_is_a_sentence_and_nothing_is_sent(at_desk: AtDesk, sandbox: Sandbox, odd: str) -> None:
    answer = confirm(at_desk("support"), amount=odd, note="kept as it was")
    assert answer.status_code == 422
    text = words(answer)
    assert "Nothing was sent. Nothing you typed is lost." in text
    assert "kept as it was" in text
    assert [value.strip() for value in posted_again(answer, "amount")] == [odd.strip()]
    assert 'id="id_amount_error"' in answer.content.decode()
    assert "<b>5" not in answer.content.decode()
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("amount", "sent"), [("19,95", "19.95"), ("5", "5.00"), ("0,5", "0.50"), ("0.01", "0.01"), (" 7.10 ", "7.10")]
)
def test_what_is_understood_is_not_misread(at_desk: AtDesk, amount: str, sent: str) -> None:
    assert confirm(at_desk("support"), amount=amount).status_code == 200
    assert str(Operation.objects.get().steps.get().amount) == sent


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"reason": ""}, "Reason"),
        ({"reason": "because"}, "because"),
        ({"reason": "Other"}, "Say in a few words why."),
        ({"note": "x" * 501}, "500"),
        ({"seen": "x"}, "This form is damaged"),
        ({"seen": ""}, "required"),
        ({"operation_id": "x"}, "UUID"),
    ],
)
def test_what_else_may_be_wrong(at_desk: AtDesk, sandbox: Sandbox, typed: dict[str, str], says: str) -> None:
    answer = confirm(at_desk("support"), **{"amount": "5", **typed})
    assert answer.status_code == 422
    assert says in words(answer)
    assert posted_again(answer, "amount") == ["5"]
    assert writes(sandbox) == []


def test_figures_of_another_sale_do_not_count(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    other = fields(client.get(f"/leads/{ADA.id}/transactions/99432/refund/", headers=HTMX))["seen"]
    assert confirm(client, amount="5", seen=other).status_code == 422
    assert writes(sandbox) == []


def test_a_sale_that_changed_is_shown_anew_with_what_changed(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    client, desk = at_desk("support"), desk_of("support")
    shown = fields(client.get(REFUND, headers=HTMX))
    provider_for(desk.connection).send(LeadRef(id=ADA.id), [RefundTransaction("99488", amount="1.00")])
    sandbox.calls()
    typed = {"much": "partial", "amount": "5", "reason": "Goodwill"}
    answer = client.post(REFUND, {**shown, **typed}, headers=HTMX)
    assert answer.status_code == 422
    text = words(answer)
    assert "has changed in Kartra since it was shown" in text
    assert re.search(r"Refunded was 0\.00 now 1\.00 Left was 19\.95 now 18\.95", text)
    assert writes(sandbox) == []
    again = client.post(REFUND, {**fields(answer), **typed}, headers=HTMX)
    assert again.status_code == 200
    assert Operation.objects.get().outcome == Outcome.HELD


def test_a_double_click_and_back_are_one_refund(at_desk: AtDesk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    client = at_desk("support")
    posted = {**fields(client.get(REFUND, headers=HTMX)), "much": "partial", "amount": "5", "reason": "Goodwill"}
    for _ in range(3):
        assert client.post(REFUND, posted, headers=HTMX).status_code == 200
    changed = client.post(REFUND, {**posted, "amount": "6"}, headers=HTMX)
    assert changed.status_code == 422
    assert "already sent once" in words(changed)
    assert writes(sandbox) == [("refund_transaction",)]


def test_above_the_limit_it_is_a_request(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    client = at_desk("support")
    desk_of("manager")
    Limit.objects.create(role="support", per_transaction=Decimal(4))
    answer = confirm(client, amount="5")
    assert answer.status_code == 200
    text = words(answer)
    for piece in ("Approval is asked for", "5.00 of transaction #99488", "4.00 for one refund", "Manager Person"):
        assert piece in text, piece
    assert writes(sandbox) == []
    assert Approval.objects.get().amount == Decimal("5.00")
    assert "Waits for approval" in words(client.get(REBILL))


def test_kartras_refusal_is_shown_in_the_dialog(at_desk: AtDesk, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    answer = confirm(
        at_desk("support"), f"/leads/{NOTABLE['jon'].id}/transactions/99604/refund/", much="full", amount=""
    )
    assert answer.status_code == 422
    assert "Nothing was changed." in words(answer)


def test_no_clear_answer_locks_and_tells(at_desk: AtDesk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    client = at_desk("support")
    sandbox.arm("refund_transaction", "500")
    answer = confirm(client, amount="5")
    assert "No clear answer from Kartra" in words(answer)
    assert "Being checked" in words(client.get(REBILL))
    again = client.get(REFUND, headers=HTMX)
    assert "A refund of it is being checked" in words(again)
    assert "refund-button" not in again.content.decode()


def test_what_was_never_paid_has_an_amount_and_says_why_it_is_not_refunded(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client, desk, lead_id = at_desk("manager"), desk_of("manager"), NOTABLE["failing"].id
    rows = provider_for(desk.connection).get_money(LeadRef(id=lead_id)).transactions
    failed = next(row for row in rows if row.kind == "failed")
    page = client.get(f"/leads/{lead_id}/transactions/{failed.id}/").content.decode()
    assert "<dt>Amount</dt>" in page
    assert not {"<dt>Paid</dt>", "<dt>Left</dt>"} & set(re.findall(r"<dt>\w+</dt>", page))
    why = "Only sales and rebills can be refunded."
    assert why in page
    card = words(client.get(f"/leads/{lead_id}/money/", headers=HTMX))
    assert card.count(why) == sum(row.kind not in ("sale", "rebill") for row in rows)


def test_a_payment_whose_details_were_not_read_says_so(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("manager")
    sandbox.arm("get_transaction_details", "500", times=3)
    assert "Kartra did not tell its amount." in words(client.get(f"/leads/{ADA.id}/money/", headers=HTMX))


def test_a_chargeback_stands_under_its_sale(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client, desk, lead_id = at_desk("manager"), desk_of("manager"), NOTABLE["chargeback"].id
    rows = provider_for(desk.connection).get_money(LeadRef(id=lead_id)).transactions
    sale = next(row for row in rows if row.kind == "sale")
    for url in (f"/leads/{lead_id}/money/", f"/leads/{lead_id}/transactions/{sale.id}/"):
        text = words(client.get(url))
        for piece in ("Charged back", "Chargeback 590.00", "#99607", "It was charged back"):
            assert piece in text, piece


@pytest.mark.parametrize("role", ["viewer", "agent", "auditor"])
def test_who_may_not_refund_gets_nowhere(at_desk: AtDesk, sandbox: Sandbox, role: str) -> None:
    client = at_desk(role)
    for answer in (
        client.get(REFUND),
        client.get(f"{REFUND}outlook/"),
        client.post(REFUND, {"operation_id": str(uuid4()), "much": "full", "reason": "Goodwill"}),
    ):
        assert answer.status_code == 403
    assert writes(sandbox) == []
    page = client.get(REBILL)
    assert "does not let you refund" in unescape(words(page))
    assert 'aria-disabled="true"' in page.content.decode()


def test_money_asks_for_the_password_again(desk_of: DeskOf, client_of: Any, sandbox: Sandbox) -> None:
    desk_of("support")
    client = client_of("support", stale=True)
    assert "/sign-in/again/" in client.get(REFUND)["Location"]
    assert "/sign-in/again/" in client.post(REFUND, {}, headers=HTMX)["HX-Redirect"]
    assert writes(sandbox) == []
