"""The money card: what can be done with each row, why not, what is under way and who did what."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from leads.access import Desk, get_sale_for, whose_for
from leads.models import Operation
from leads.providers.base import LeadRef
from leads.providers.changes import GivePoints
from leads.selectors import money_rows
from leads.selectors.money import arrange
from leads.services import held, money, outcomes
from leads.services.money import Terms
from leads.services.reconcile import reconcile
from leads.wiring import provider_for
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, come_to_wait, do, grow_old, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
REBILL = "99488"


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("support")


def refund(desk: Desk, amount: str = "5.00", **also: Any) -> Operation:
    sale = get_sale_for(desk, ADA.id, REBILL)
    return money.refund_transaction(
        actor=desk.user,
        connection=desk.connection,
        whose=whose_for(desk, ADA.id),
        transaction_id=REBILL,
        amount=Decimal(amount),
        terms=Terms("Late access", "", sale.digest),
        operation_id=uuid4(),
        **also,
    )


def card(client: Client, lead_id: str = ADA.id) -> str:
    return client.get(f"/leads/{lead_id}/money/", headers=HTMX).content.decode()


def offered(html: str) -> set[str]:
    """What can be pressed."""
    return set(re.findall(r'href="/leads/\d+/((?:transactions|subscriptions)/\d+/[a-z]+/)"', html))


def test_what_can_be_done_is_offered(at_desk: AtDesk) -> None:
    found = offered(card(at_desk("manager")))
    assert {f"subscriptions/14833/{act}/" for act in ("pause", "edit", "cancel")} <= found
    assert {"transactions/99488/refund/", "transactions/99432/refund/"} <= found
    assert not [url for url in found if "14700" in url]


def test_what_cannot_be_done_says_why_and_who_may(at_desk: AtDesk) -> None:
    html = card(at_desk("support"), NOTABLE["jon"].id)
    text = words_of(html)
    assert "PayPal bills this subscription. It can only be cancelled." in text
    assert "It has already been refunded." in text
    assert "Your role" not in text  # what nobody can do has no role to ask for
    denied = "Your role (Support) does not let you edit subscriptions. Manager and Admin may."
    assert denied in words_of(card(at_desk("support")))
    described = re.search(r'<a [^>]*aria-disabled="true"[^>]*aria-label="Pause [^>]*aria-describedby="([^"]+)"', html)
    assert described
    assert f'id="{described[1]}"' in html


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("role", ["viewer", "agent", "auditor"])
def test_a_role_that_may_nothing_sees_who_may(at_desk: AtDesk, role: str) -> None:
    html = card(at_desk(role))
    assert offered(html) == set()
    assert "Support, Manager and Admin may." in words_of(html)
    described = set(re.findall(r'aria-disabled="true"[^>]*aria-describedby="([^"]+)"', html))
    assert described == {"money-denied"}
    assert 'id="money-denied"' in html


def test_a_long_history_costs_no_more_queries(desk: Desk, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    found = []
    for key in ("ada", "long_history"):
        reading = provider_for(desk.connection).get_money(LeadRef(id=NOTABLE[key].id))
        found.append((key, arrange(reading)))
    for key, groups in found:
        with django_assert_num_queries(3):
            money_rows.of_money(groups, account=desk.account, lead_id=NOTABLE[key].id, user=desk.user)


def test_an_old_payment_that_is_not_settled_stays_beside_the_newest(desk: Desk) -> None:
    margit = NOTABLE["long_history"].id
    reading = provider_for(desk.connection).get_money(LeadRef(id=margit))

    def longest() -> money_rows.GroupRow:
        found = money_rows.of_money(arrange(reading), account=desk.account, lead_id=margit, user=desk.user)
        return max(found.groups, key=lambda group: len(group.rows))

    before = longest()
    oldest = next(row for row in reversed(before.rows[10:]) if not row.act.why_not).payment.transaction
    sale = get_sale_for(desk, margit, oldest.id)
    money.refund_transaction(
        actor=desk.user,
        connection=desk.connection,
        whose=whose_for(desk, margit),
        transaction_id=oldest.id,
        amount=Decimal("0.05"),
        terms=Terms("Late access", "", sale.digest),
        operation_id=uuid4(),
    )
    after = longest()
    assert [row.payment.transaction.id for row in after.newest[10:]] == [oldest.id]
    assert (before.older, after.older) == (len(before.rows) - 10, len(before.rows) - 11)


def test_what_is_held_counts_down_and_locks(at_desk: AtDesk, desk: Desk) -> None:
    operation = refund(desk)
    html = card(at_desk("support"))
    assert re.search(r"Held back will be sent in (10|9) s Refund 5\.00 by Support Person", words_of(html))
    assert f"/operations/{operation.pk}/withdraw/" in html
    assert "transactions/99488/refund/" not in offered(html)
    assert f'hx-get="/operations/{operation.pk}/status/?was=held" hx-trigger="every 2s"' in html
    assert "/withdraw/" not in card(at_desk("viewer"))


def test_the_status_stops_asking_by_itself(at_desk: AtDesk, desk: Desk) -> None:
    client, operation = at_desk("support"), refund(desk)
    url = f"/operations/{operation.pk}/status/?was=held"
    waiting = client.get(url, headers=HTMX)
    assert "every 2s" in waiting.content.decode()
    assert "HX-Trigger" not in waiting
    Operation.objects.filter(pk=operation.pk).update(send_at=timezone.now() - timedelta(seconds=1))
    operation.refresh_from_db()
    held.send_held(operation)
    sent = client.get(url, headers=HTMX)
    assert "every" not in sent.content.decode()
    assert "money-changed" in sent["HX-Trigger"]
    assert "Refunded 5.00 of payment #99488." in words(sent)
    assert "every" not in client.get(url.replace("held", "succeeded"), headers=HTMX).content.decode()


def test_nobody_asks_for_ever(at_desk: AtDesk, desk: Desk) -> None:
    operation = refund(desk)
    long_ago = timezone.now() - timedelta(minutes=11)
    Operation.objects.filter(pk=operation.pk).update(send_at=long_ago, created_at=long_ago)
    assert "every" not in client_status(at_desk("support"), operation)


def client_status(client: Client, operation: Operation) -> str:
    return client.get(f"/operations/{operation.pk}/status/?was=held", headers=HTMX).content.decode()


def test_what_is_in_doubt_says_so(at_desk: AtDesk, desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    client = at_desk("support")
    assert "Being checked" in words_of(card(client))
    assert "Locked until it is settled." in words_of(card(client))
    come_to_wait(operation)
    html = card(client)
    assert "Waiting for a person" in words_of(html)
    assert "status/?was" not in html
    assert "transactions/99488/refund/" not in offered(html)


def test_a_refund_made_here_names_who_why_and_who_approved(
    at_desk: AtDesk, desk: Desk, desk_of: DeskOf, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    first = refund(desk, "5.00")
    refund(desk, "5.00")
    Operation.objects.filter(pk=first.pk).update(approved_by=desk_of("manager").user)
    text = words_of(card(at_desk("viewer")))
    who = r"Partial refund 5\.00 on \d+ \w+ \d+ EST by Support Person , “Late access”"
    assert len(re.findall(who, text)) == 2
    assert len(re.findall(f"{who}, approved by Manager Person", text)) == 1
    assert "Partial refund 9.95 on" in text
    assert "not yet listed by Kartra" not in text


def test_what_was_taken_back_leaves_no_trace_on_the_card(at_desk: AtDesk, desk: Desk) -> None:
    operation = refund(desk)
    outcomes.withdraw(actor=desk.user, operation=operation)
    html = card(at_desk("support"))
    assert "Refund 5.00" not in words_of(html)
    assert "transactions/99488/refund/" in offered(html)


# The operation's own page, and home


def test_the_page_of_an_operation_tells_the_whole_story(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    client = at_desk("support")
    come_to_wait(operation)
    text = words(client.get(f"/operations/{operation.pk}/"))
    for piece in (
        "Refund 5.00 of payment #99488", "Left", "19.95", "14.95", "Late access", "Waiting for a person",
        "Checked 3 times so far", "look for a refund of 5.00", "does not prove that it did not", "Decide yourself",
        "Asked to: Refund", "Sending to Kartra", "No clear answer", "Support Person",
    ):  # fmt: skip
        assert piece in text, piece
    agent = words(at_desk("agent").get(f"/operations/{operation.pk}/"))
    assert "Decide yourself" not in agent
    assert "Waiting for a person" in agent


def test_a_decision_on_money_needs_the_right_to_do_it(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    answer = {"happened": "no", "reason": "Stripe shows nothing"}
    assert at_desk("agent").post(f"/operations/{operation.pk}/decide/", answer).status_code == 403
    operation.refresh_from_db()
    assert operation.outcome == "unknown"
    come_to_wait(operation)
    assert at_desk("support").post(f"/operations/{operation.pk}/decide/", answer).status_code == 302
    operation.refresh_from_db()
    assert operation.outcome == "failed"


def test_the_page_offers_a_decision_only_once_it_may_be_made_and_says_from_when(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "lost")
    operation = refund(desk)
    client = at_desk("support")
    page = words(client.get(f"/operations/{operation.pk}/"))
    assert "Decide yourself" not in page
    from_when = timezone.localtime(operation.waits_from)
    assert f"You can decide after 3 checks without a result, and not before {from_when:%H:%M:%S}" in page
    answer = client.post(
        f"/operations/{operation.pk}/decide/", {"happened": "no", "reason": "I think it failed"}, follow=True
    )
    assert "This is still being checked" in words(answer)
    come_to_wait(operation)
    assert "Decide yourself" in words(client.get(f"/operations/{operation.pk}/"))


def test_money_that_could_not_be_read_for_says_so(at_desk: AtDesk, desk: Desk, sandbox: Sandbox, settings: Any) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("refund_transaction", "lost")
    operation = refund(desk)
    grow_old(operation)
    sandbox.arm("*", "500", times=99)
    for _ in range(settings.SETTLE_READINGS):
        reconcile()
    text = words(at_desk("support").get(f"/operations/{operation.pk}/"))
    shown = ("Checked 3 times so far", "Kartra could not be read 3 of those times", "Could not be checked")
    for piece in (*shown, "Decide yourself"):
        assert piece in text, piece


def test_what_no_worker_sends_waits_at_home_and_is_red_after_an_hour(at_desk: AtDesk, desk: Desk) -> None:
    operation = refund(desk)
    client = at_desk("support")

    def after(minutes: int) -> str:
        Operation.objects.update(send_at=timezone.now() - timedelta(minutes=minutes))
        return client.get("/").content.decode()

    assert waiting(client) == []
    assert "Should have been sent" not in after(4)
    assert 'is-unknown">Should have been sent' in after(6)
    assert waiting(client) == [str(operation.pk)]
    assert 'is-failed">Should have been sent' in after(61)


def test_money_that_waits_for_a_person_comes_first_at_home(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, settings: Any
) -> None:
    settings.MONEY_HOLD = 0
    sandbox.arm("give_points_to_lead", "500")
    older = do(desk, GivePoints(5))
    sandbox.arm("refund_transaction", "500")
    operation = refund(desk)
    client = at_desk("support")
    first = [str(older.pk), str(operation.pk)]
    assert waiting(client) == first
    come_to_wait(operation)
    assert waiting(client) == first[::-1]
    assert "more than an hour" not in words(client.get("/"))
    grow_old(operation)
    assert "Unclear for more than an hour" in words(client.get("/"))


def waiting(client: Client) -> list[str]:
    html = client.get("/").content.decode().partition('id="waiting-title"')[2].partition('id="mine-title"')[0]
    return list(dict.fromkeys(re.findall(r"/operations/([0-9a-f-]{36})/", html)))
