"""Money: two calls however long the history, as a card and as a page."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]


def test_transactions_and_subscriptions_come_with_details(at_desk: AtDesk) -> None:
    text = words(at_desk("viewer").get(f"/leads/{ADA.id}/money/", headers=HTMX))
    for piece in (
        "2 subscriptions", "Kiln Club", "#14833", "Active", "#99432", "·· 4242", "19.95", "10.00",
        "Partial refund 9.95", "#99517", "Part refunded", "Cancelled", "EST", "Single purchases",
    ):  # fmt: skip
        assert piece in text, piece


def test_a_card_for_htmx_and_a_page_without(at_desk: AtDesk) -> None:
    client = at_desk("viewer")
    card = client.get(f"/leads/{ADA.id}/money/", headers=HTMX).content.decode()
    page = client.get(f"/leads/{ADA.id}/money/").content.decode()
    assert "<html" not in card
    assert 'id="money-card"' in card
    assert "<html" in page
    assert "#99432" in page


@pytest.mark.parametrize("key", ["ada", "jon", "long_history", "trouble", "installments", "chargeback", "failing"])
def test_two_calls_are_enough(at_desk: AtDesk, sandbox: Sandbox, key: str) -> None:
    client = at_desk("viewer")
    assert client.get(f"/leads/{NOTABLE[key].id}/money/", headers=HTMX).status_code == 200
    assert len(sandbox.calls()) == 2


def test_a_long_history_says_what_it_left_out(at_desk: AtDesk) -> None:
    text = words(at_desk("viewer").get(f"/leads/{NOTABLE['long_history'].id}/money/", headers=HTMX))
    assert "older rows without details: one Kartra call returns no more. Open one to see" in text
    assert "Open it to see what was paid and what was refunded." in text
    assert "Details not read" in text
    assert "Kartra did not return" not in text


def test_beside_other_cards_a_long_history_shows_its_newest_and_leads_to_the_others(at_desk: AtDesk) -> None:
    """Or it would stand between whoever looks for a tag, and the tags."""
    client, url = at_desk("viewer"), f"/leads/{NOTABLE['long_history'].id}/money/"
    card, page = client.get(url, headers=HTMX).content.decode(), client.get(url).content.decode()
    left_out = [int(number) for number in re.findall(rf'<a href="{url}">(\d+) older transactions</a>', card)]
    assert left_out
    assert rows_of(card) + sum(left_out) == rows_of(page)
    assert max(map(rows_of, card.split("</table>"))) == 10
    assert "older transactions" not in page


def rows_of(html: str) -> int:
    return html.count('data-label="What"')


def test_a_lead_who_bought_nothing_says_so_in_one_call(at_desk: AtDesk, sandbox: Sandbox) -> None:
    text = words(at_desk("viewer").get(f"/leads/{NOTABLE['empty'].id}/money/", headers=HTMX))
    assert "No transactions and no subscriptions" in text
    assert len(sandbox.calls()) == 1


def test_rows_stay_when_the_details_cannot_be_read(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("viewer")
    sandbox.arm("get_transaction_details", "500", times=3)
    answer = client.get(f"/leads/{ADA.id}/money/", headers=HTMX)
    assert answer.status_code == 200
    assert "#99432" in words(answer)
    assert "Kartra did not return the details of 9 rows. Reload to read them again" in words(answer)
    assert "no more" not in words(answer)
    assert "Single purchases" not in words(answer)
