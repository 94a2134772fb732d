"""The money card where Kartra's answer to several reads lacks one: that one is read alone, and every row is there."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.leads.conftest import NOTABLE, Sandbox
from tests.leads.helpers import HTMX, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
LISTS = ("retrieve_transactions_from_lead", "retrieve_subscriptions_from_lead")


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
@pytest.mark.parametrize("command", [*LISTS, "get_transaction_details", "get_subscription_details"])
@pytest.mark.parametrize("key", ["ada", "long_history"])
def test_what_a_chained_answer_lacks_is_read_alone(
    at_desk: AtDesk, sandbox: Sandbox, key: str, command: str, headers: dict[str, str]
) -> None:
    client, url = at_desk("manager"), f"/leads/{NOTABLE[key].id}/money/"
    whole = words(client.get(url, headers=headers))
    usual = sandbox.calls()
    sandbox.arm(command, "short")
    answer = client.get(url, headers=headers)
    assert words(answer) == whole
    calls = sandbox.calls()
    assert [call for call in calls if call not in usual] == [(command,)]
    assert len(calls) == len(usual) + 1
