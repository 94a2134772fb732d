"""A Kartra that reads leads by email alone, as its page has it: the desk works there as everywhere."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from leads.access import Desk
from leads.models import Operation, Recent
from leads.providers.changes import AssignTag
from leads.services import settling
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import do, grow_old, read, see, typed, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
PAGE = f"/leads/{ADA.id}/"


@pytest.fixture(autouse=True)
def nothing_found_before() -> None:
    cache.clear()


def test_a_lead_that_was_found_by_email_opens(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    sandbox.configure(email_only=True)
    answer = client.get("/leads/", {"q": ADA.email}, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "Ada Moreno" in words(answer)
    cache.clear()
    assert "Ada Moreno" in words(see(client))  # from the recents by now


def test_a_lead_that_nobody_here_ever_found_is_said_not_to_open(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    sandbox.configure(email_only=True)
    assert "neither the id nor the email" in words(client.get(PAGE))


def test_a_lead_that_was_changed_here_opens_for_a_colleague(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    do(desk_of("manager"), AssignTag("advanced"))
    client = at_desk("agent")
    sandbox.configure(email_only=True)
    assert "Ada Moreno" in words(see(client))


def test_another_lead_that_has_the_email_by_now_is_not_shown(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    see(client)
    recent = Recent.objects.get()
    recent.email = NOTABLE["ben"].email
    recent.save()
    sandbox.configure(email_only=True)
    answer = client.get(PAGE)
    assert "Ben Osei" not in words(answer)
    assert "neither the id nor the email" in words(answer)


def test_everything_that_is_done_to_a_lead_works(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk, client = desk_of("agent"), at_desk("agent")
    lead = read(desk)
    see(client)
    sandbox.configure(email_only=True)
    posted = typed(desk, lead, city="Dallas", email="ada.new@example.com")
    assert "Dallas" in words(client.post(f"{PAGE}edit/", posted, follow=True))
    assert Operation.objects.latest("created_at").outcome == "succeeded"
    client.post(f"{PAGE}tags/change/", {"operation_id": str(uuid4()), "add": "advanced"})
    tagged = Operation.objects.latest("created_at")
    assert tagged.outcome == "succeeded"
    client.post(f"/operations/{tagged.pk}/undo/", {"operation_id": str(uuid4())})
    assert Operation.objects.latest("created_at").undoes == tagged
    text = words(see(client))
    assert "ada.new@example.com" in text
    assert "advanced" not in text.partition("Activity")[0]


def test_what_is_in_doubt_is_settled(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("assign_tag", "lost")
    operation = do(desk, AssignTag("advanced"))
    sandbox.configure(email_only=True)
    grow_old(operation)
    assert settling.settle(operation, connection=desk.connection).outcome == "succeeded"


def test_in_the_ordinary_a_lead_is_read_once(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    client.get("/leads/", {"q": ADA.email})
    sandbox.calls()
    see(client)
    assert sandbox.calls() == [("get_lead",)]
