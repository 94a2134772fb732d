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
from django.utils import timezone

from accounts.models import AuditEntry
from leads.access import Desk
from leads.models import Approval, Limit, Operation, Outcome
from leads.providers.base import LeadRef
from leads.providers.changes import EditLead, RefundTransaction
from leads.services import held
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, posted_again, send, words, writes

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


def presses(answer: HttpResponse) -> list[tuple[str, str, str]]:
    """Each button that says by its name what it was: name, value, and what stands on it."""
    button = r'<button[^>]*type="submit" name="(\w+)" value="(\w+)"[^>]*>(.*?)</button>'
    found = re.findall(button, answer.content.decode(), re.DOTALL)
    return [(name, value, " ".join(re.sub("<[^>]+>", " ", inside).split())) for name, value, inside in found]


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
    assert re.search("no such payment|does not find this lead|no lead", words(answer))


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
        "Refund Sale of Kiln Club", "Paid 19.95", "Refunded 9.95", "Left 10.00", "Refund part", "Refund all 10.00",
        "For a part of the 10.00 that is left.", "stays active", "cannot be reversed", "take it back for 10 s",
        "refund period",
    ):  # fmt: skip
        assert piece in text, piece
    assert "<html" not in answer.content.decode()
    assert len(sandbox.calls()) <= 3  # money in two, and who it is
    assert fields(answer)["amount"] == ""
    assert "Refunds the amount you type, or all 10.00 that is left, to the card ending 4242." in text


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["dialog", "page"])
def test_a_part_or_all_is_what_is_pressed_and_enter_presses_a_part(at_desk: AtDesk, headers: dict[str, str]) -> None:
    """Nothing is chosen beforehand. Enter in a field presses the first button of a form."""
    answer = at_desk("support").get(REFUND, headers=headers)
    assert fields(answer)["amount"] == ""
    assert presses(answer) == [("much", "partial", "Refund part"), ("much", "full", "Refund all 19.95")]
    assert posted_again(answer, "much") == []


@pytest.mark.parametrize(
    ("url", "at_most"), [(REFUND, 3), (f"/leads/{ADA.id}/subscriptions/14833/cancel/", 3)], ids=["refund", "cancel"]
)
def test_the_dialog_names_the_lead_as_he_is_called_now(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox, url: str, at_most: int
) -> None:
    """Somebody renamed him since this person opened his page; what is recorded bears the new name, too."""
    client, desk = at_desk("support"), desk_of("manager")
    assert client.get(f"/leads/{ADA.id}/").status_code == 200
    send(desk, EditLead({"first_name": "Adele"}))
    sandbox.calls()
    answer = client.get(url, headers=HTMX)
    assert "Adele Moreno" in words(answer)
    assert "Ada Moreno" not in words(answer)
    assert len(sandbox.calls()) <= at_most
    visits = AuditEntry.objects.filter(action="lead.view.viewed").count()
    posted = {**fields(answer), "amount": "5", "much": "partial", "reason": "Goodwill"}
    assert client.post(url, posted, headers=HTMX).status_code == 200
    assert Operation.objects.get().lead_name == "Adele Moreno"
    assert AuditEntry.objects.filter(action="lead.view.viewed").count() == visits


def test_the_same_as_a_page(at_desk: AtDesk) -> None:
    answer = at_desk("support").get(REFUND)
    assert "<html" in answer.content.decode()
    assert "Left 19.95" in words(answer)
    assert "Refunds the amount you type, or all 19.95, to the card ending 4242." in words(answer)


def test_where_no_script_follows_what_is_typed_no_words_run_ahead_of_it(at_desk: AtDesk) -> None:
    typed = {"amount": "5", "reason": ""}
    assert presses(confirm(at_desk("support"), **typed))[0] == ("much", "partial", "Refund 5.00")
    page = confirm(at_desk("support"), htmx=False, **typed)
    assert (page.status_code, fields(page)["amount"]) == (422, "5")
    assert presses(page)[0] == ("much", "partial", "Refund part")
    assert "Refunds the amount you type" in words(page)


def test_a_refunded_sale_says_why_not(at_desk: AtDesk) -> None:
    answer = at_desk("support").get(f"/leads/{NOTABLE['jon'].id}/transactions/99602/refund/", headers=HTMX)
    assert "It has already been refunded." in words(answer)
    assert presses(answer) == []


def test_what_will_happen_is_told_while_one_types(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    seen = fields(client.get(REFUND, headers=HTMX))["seen"]
    sandbox.calls()

    def told(**typed: str) -> str:
        return words(client.get(f"{REFUND}outlook/", {"seen": seen, **typed}, headers=HTMX))

    assert "Refunds 5.00 of 19.95 to the card ending 4242, leaving 14.95." in told(amount="5")
    assert told(amount="5").endswith("Refund 5.00")
    assert "Refunds the amount you type" in told(amount="")
    assert "Only 19.95 is left" in told(amount="20")
    assert "read in two ways" in told(amount="1.000")
    assert told(amount="1.000").endswith("Refund part")
    assert client.get(f"{REFUND}outlook/").status_code == 200
    assert sandbox.calls() == []


def test_the_limit_is_told_before(at_desk: AtDesk) -> None:
    client = at_desk("support")
    Limit.objects.create(role="support", per_day=Decimal(100), per_transaction=Decimal(8))
    answer = client.get(REFUND, headers=HTMX)
    assert "All of it is above your limit of 8.00 per payment, and needs approval." in words(answer)
    assert "or asks for approval to refund all 19.95" in words(answer)
    assert [text for _, _, text in presses(answer)] == ["Refund part", "Ask to refund all 19.95"]
    seen = fields(answer)["seen"]
    told = words(client.get(f"{REFUND}outlook/", {"seen": seen, "amount": "9"}))
    assert "Above your limit of 8.00 per payment" in told
    assert "Ask to refund 9.00" in told
    Limit.objects.update(per_transaction=20)
    assert "Your daily limit: 100.00 of 100.00 left" in words(client.get(REFUND))


# Confirming


def test_a_refund_is_held_and_can_be_taken_back(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("support")
    answer = confirm(client, amount="5")
    assert answer.status_code == 200
    assert set(re.findall(r"[a-z]+-[a-z]+", answer["HX-Trigger"])) == {"close-dialog", "money-changed"}
    assert re.search(r"Refund of 5\.00 will be sent in (10|9) s", words(answer))
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
    for typed in ({"amount": ""}, {"amount": " "}, {"much": ""}, {"much": "all"}):
        for htmx in (True, False):
            assert confirm(client, htmx=htmx, **typed).status_code == 422
    assert writes(sandbox) == []
    assert not Operation.objects.exists()
    assert confirm(client, much="full", amount="").status_code == 200
    assert Operation.objects.get().steps.get().amount == Decimal("19.95")
    assert writes(sandbox) == [("refund_transaction",)]


@pytest.mark.parametrize("htmx", [True, False], ids=["dialog", "page"])
def test_all_pressed_with_another_amount_typed_asks_which_is_meant(
    at_desk: AtDesk, sandbox: Sandbox, *, htmx: bool
) -> None:
    client = at_desk("support")
    answer = confirm(client, htmx=htmx, much="full", amount="5")
    assert answer.status_code == 422
    asked = "You entered 5.00 but chose to refund all. Refund 5.00, or clear the amount to refund all."
    assert asked in words(answer)
    assert 'aria-describedby="id_much_error"' in answer.content.decode()
    assert 'id="id_much_error"' in answer.content.decode()
    assert posted_again(answer, "amount") == ["5"]
    for odd in ("1.000", "20", "-5", "five"):
        assert 'id="id_amount_error"' in confirm(client, htmx=htmx, much="full", amount=odd).content.decode()
    assert writes(sandbox) == []
    assert not Operation.objects.exists()


def test_all_typed_and_all_pressed_is_the_same(at_desk: AtDesk) -> None:
    assert confirm(at_desk("support"), much="full", amount="19,95").status_code == 200
    assert Operation.objects.get().steps.get().amount == Decimal("19.95")


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
    assert "For a part of the 19.95 that is left." in text
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
        ({"reason": "Other"}, "Say why in a few words."),
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
    for piece in ("Approval requested", "5.00 of payment #99488", "4.00 per payment", "Manager Person"):
        assert piece in text, piece
    assert writes(sandbox) == []
    assert Approval.objects.get().amount == Decimal("5.00")
    assert "Waiting for approval" in words(client.get(REBILL))


def entries(*outcomes: str) -> list[tuple[str, str, str, str]]:
    """Who did what in which request, and from where."""
    found = AuditEntry.objects.filter(outcome__in=outcomes, target_kind="lead").order_by("pk")
    return [(entry.action, entry.actor_name, entry.ip, entry.request_id) for entry in found]


def test_what_an_approval_sends_puts_the_requester_at_nobodys_address(
    at_desk: AtDesk, desk_of: DeskOf, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    support, manager = at_desk("support"), at_desk("manager")
    support.defaults["REMOTE_ADDR"], manager.defaults["REMOTE_ADDR"] = "10.0.4.7", "10.0.9.1"
    Limit.objects.create(role="support", per_transaction=Decimal(4))
    asked = confirm(support, amount="5")["X-Request-ID"]
    url = f"/approvals/{Approval.objects.get().pk}/decide/"
    approved = manager.post(url, {"do": "approve", "note": ""})["X-Request-ID"]
    assert entries("requested", "approved", "sent", "succeeded") == [
        ("approval.request.requested", "Support Person", "10.0.4.7", asked),
        ("approval.decide.approved", "Manager Person", "10.0.9.1", approved),
        ("transaction.refund.requested", "Support Person", "", approved),
        ("transaction.refund.sent", "Support Person", "", approved),
        ("transaction.refund.succeeded", "Support Person", "", approved),
    ]


def test_what_the_worker_sends_is_from_nowhere_and_ones_own_from_where_one_is(at_desk: AtDesk) -> None:
    support = at_desk("support")
    support.defaults["REMOTE_ADDR"] = "10.0.4.7"
    asked = confirm(support, amount="5")["X-Request-ID"]
    Operation.objects.update(send_at=timezone.now())
    held.send_due_operations()
    assert entries("requested", "sent", "succeeded") == [
        ("transaction.refund.requested", "Support Person", "10.0.4.7", asked),
        ("transaction.refund.sent", "Support Person", "", ""),
        ("transaction.refund.succeeded", "Support Person", "", ""),
    ]


def test_all_of_it_above_the_limit_is_a_request(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    client = at_desk("support")
    desk_of("manager")
    Limit.objects.create(role="support", per_transaction=Decimal(4))
    assert "19.95 of payment #99488" in words(confirm(client, much="full", amount=""))
    assert writes(sandbox) == []
    assert Approval.objects.get().amount == Decimal("19.95")


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
    assert presses(again) == []


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
    assert "Kartra did not return its amount." in words(client.get(f"/leads/{ADA.id}/money/", headers=HTMX))


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
