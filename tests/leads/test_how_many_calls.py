"""Kartra grants twenty calls a second: a page takes few, and a save one write however much it changes."""

from collections.abc import Callable

import pytest
from django.test import Client

from leads.access import Desk
from leads.models import Operation
from leads.selectors.catalogues import for_account
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, read, typed

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]


@pytest.mark.parametrize("key", ["ada", "ben", "jon", "long_history", "installments"])
def test_a_lead_and_his_money_are_three_calls_at_most(at_desk: AtDesk, sandbox: Sandbox, key: str) -> None:
    client, url = at_desk("support"), f"/leads/{NOTABLE[key].id}/"
    assert client.get(url).status_code == 200
    assert sandbox.calls() == [("get_lead",)]
    assert client.get(f"{url}money/", headers=HTMX).status_code == 200
    assert 1 <= len(sandbox.calls()) <= 2


@pytest.mark.parametrize("wanted", [1, 5, 10, 20])
def test_a_save_of_tags_is_a_reading_and_one_write(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox, wanted: int
) -> None:
    client, desk = at_desk("agent"), desk_of("agent")
    lead = read(desk)
    new = [name for name in for_account(desk.account).tags if name not in lead.tags][:wanted]
    posted = typed(desk, lead, tags=[*lead.tags, *new])
    sandbox.calls()
    assert client.post(f"/leads/{ADA.id}/edit/", posted).status_code == 302
    assert sandbox.calls() == [("get_lead",), ("assign_tag",) * wanted]
    assert Operation.objects.get().steps.filter(outcome="succeeded").count() == wanted


def test_fields_that_were_saved_are_read_once_more(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    client, desk = at_desk("agent"), desk_of("agent")
    lead = read(desk)
    posted = typed(desk, lead, city="Dallas", company="Kiln & Co", tags=[*lead.tags, "advanced"])
    sandbox.calls()
    assert client.post(f"/leads/{ADA.id}/edit/", posted).status_code == 302
    assert sandbox.calls() == [("get_lead",), ("edit_lead", "assign_tag"), ("get_lead",)]
