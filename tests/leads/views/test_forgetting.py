"""The pages on which an admin has a person forgotten."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from leads.access import Desk
from leads.models import Entry, Forgetting, SavedView
from leads.services import forgetting
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import see, words

pytestmark = pytest.mark.django_db
PAGE, LIST = f"/leads/{ADA.id}/forget/", "/settings/forgotten/"
AtDesk = Callable[..., Client]


@pytest.fixture
def client(at_desk: AtDesk, settings: Any, sandbox: Sandbox) -> Client:
    settings.FORGET_AFTER_DAYS = 7
    return at_desk("admin")


def test_the_page_says_what_goes_what_stays_and_when(client: Client, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("admin")
    SavedView.objects.create(account=desk.account, owner=desk.user, name="Her", query=f"q={ADA.email}")
    assert "Forget this person" in words(see(client))
    told = words(client.get(PAGE))
    for part in ("What goes:", "What stays:", "7 days", "cannot be undone", "Rename or delete these yourself", "Her"):
        assert part in told


def test_asked_for_listed_everywhere_and_taken_back(client: Client) -> None:
    see(client)
    assert "Nobody is to be forgotten" in words(client.get(LIST))
    assert client.post(PAGE, {"reason": "asked"})["Location"] == LIST
    assert "will be forgotten in 7 days" in words(client.get(LIST))
    for page in (LIST, "/"):
        told = words(client.get(page))
        assert f"Ada Moreno #{ADA.id}" in told
        assert "The person asked for it" in told
    assert "asked for this already" in words(client.get(PAGE))
    assert client.post(PAGE, {"reason": "asked"}).status_code == 422
    asked = Forgetting.objects.get()
    assert client.post(f"{LIST}{asked.pk}/take-back/")["Location"] == LIST
    told = words(client.get(LIST))
    assert f"Lead #{ADA.id} stays." in told
    assert "Taken back by Admin Person" in told
    assert "To be forgotten" not in words(client.get("/"))


def test_done_it_is_listed_by_number(client: Client) -> None:
    see(client)
    client.post(PAGE, {"reason": "duty"})
    Forgetting.objects.update(due_at=timezone.now(), waits_for="A file of leads is being imported.")
    assert "It is due and waits: A file of leads is being imported." in words(client.get(LIST))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leads.search_index.wipe", lambda connection: None)  # not within the test's transaction
        assert forgetting.forget_due() == 1
    told = words(client.get(LIST))
    assert f"Lead #{ADA.id}" in told
    assert "Ada" not in told
    assert not Entry.objects.exists()
    client.post(f"{LIST}{Forgetting.objects.get().pk}/take-back/")
    assert Forgetting.objects.get().state == "done"


def test_without_a_reason_nothing_is_asked_for(client: Client) -> None:
    for reason in ("", "because"):
        assert client.post(PAGE, {"reason": reason}).status_code == 422
    assert not Forgetting.objects.exists()


def test_it_needs_an_admin_who_has_shown_who_he_is(client: Client, client_of: Callable[..., Client]) -> None:
    stale = client_of("admin", stale=True)
    for answer in (stale.get(PAGE), stale.post(PAGE, {"reason": "asked"}), stale.post(f"{LIST}1/take-back/")):
        assert answer.status_code == 302
        assert "/sign-in/again/" in answer["Location"]
    manager = client_of("manager")
    assert manager.post(PAGE, {"reason": "asked"}).status_code == 403
    assert "Forget this person" not in words(see(client_of("viewer")))
    assert not Forgetting.objects.exists()
