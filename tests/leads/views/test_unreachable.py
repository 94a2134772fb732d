"""No credentials, refused ones, and a Kartra that does not answer: each page says what to do next, and none breaks."""

import sqlite3
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from leads.access import Desk
from leads.models import Operation
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import HTMX, read, typed, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
ClientOf = Callable[[str], Client]

NIL = "00000000-0000-4000-8000-000000000000"
GETS = [
    "/", "/leads/", f"/leads/?q={ADA.email}", "/leads/new/", f"/leads/{ADA.id}/", f"/leads/{ADA.id}/edit/",
    f"/leads/{ADA.id}/money/", f"/leads/{ADA.id}/activity/", f"/leads/{ADA.id}/tags/change/", f"/operations/{NIL}/",
    "/recipes/", "/recipes/new/", "/recipes/1/edit/", "/recipes/1/delete/", "/settings/catalogues/",
    "/settings/catalogues/fields/new/",
]  # fmt: skip
POSTS = [
    "/leads/new/", f"/leads/{ADA.id}/edit/", f"/leads/{ADA.id}/tags/change/", f"/leads/{ADA.id}/notes/",
    f"/leads/{ADA.id}/recipes/1/", f"/operations/{NIL}/undo/", f"/operations/{NIL}/settle/",
    f"/operations/{NIL}/decide/", "/recipes/new/", "/settings/catalogues/refresh/",
]  # fmt: skip
READS = [f"/leads/?q={ADA.email}", f"/leads/{ADA.id}/", f"/leads/{ADA.id}/edit/", f"/leads/{ADA.id}/money/"]


def change_password_in_kartra(sandbox: Sandbox, password: str = "another") -> None:
    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute("UPDATE accounts SET api_password = ?", [password])
    kartra.close()


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
@pytest.mark.parametrize(("method", "url"), [*(("get", url) for url in GETS), *(("post", url) for url in POSTS)])
def test_without_credentials_every_page_says_so_and_where_to_add_them(
    client_of: ClientOf, sandbox: Sandbox, method: str, url: str, headers: dict[str, str]
) -> None:
    answer = getattr(client_of("admin"), method)(url, headers=headers)
    assert answer.status_code == (200 if url == "/" else 409)
    assert "You have no Kartra credentials yet" in words(answer)
    assert 'href="/settings/connection/"' in answer.content.decode()
    assert sandbox.calls() == []


# The list below a search box, a fragment, never asks Kartra.
@pytest.mark.parametrize(("url", "headers"), [*((url, {}) for url in READS), *((url, HTMX) for url in READS[1:])])
def test_credentials_that_kartra_refuses_say_so_and_where_to_mend_them(
    at_desk: AtDesk, sandbox: Sandbox, url: str, headers: dict[str, str]
) -> None:
    client = at_desk("agent")
    change_password_in_kartra(sandbox)
    answer = client.get(url, headers=headers)
    assert answer.status_code == 409
    assert "password" in words(answer)
    assert 'href="/settings/connection/"' in answer.content.decode()
    settings = words(client.get("/settings/connection/"))
    assert "Refused by Kartra" in settings
    assert "Last error" in settings


@pytest.mark.parametrize("mode", ["500", "junk", "half", "refused", "lost", "late"])
def test_a_kartra_that_does_not_answer_is_503_with_a_sentence(at_desk: AtDesk, sandbox: Sandbox, mode: str) -> None:
    client = at_desk("agent")
    sandbox.arm("*", mode, times=3)
    answer = client.get(f"/leads/{ADA.id}/", headers=HTMX if mode in ("junk", "lost") else {})
    assert answer.status_code == 503
    assert "Nothing was changed. Try again in a minute." in words(answer)


@pytest.mark.parametrize("url", READS)
def test_every_page_that_reads_survives_it(at_desk: AtDesk, sandbox: Sandbox, url: str) -> None:
    client = at_desk("agent")
    sandbox.arm("*", "junk", times=3)
    assert client.get(url).status_code == 503


def test_too_many_calls_are_waited_for(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    sandbox.arm("*", "429")
    assert client.get(f"/leads/{ADA.id}/").status_code == 200


@pytest.mark.parametrize("url", ["/", f"/leads/{ADA.id}/activity/", "/settings/catalogues/", "/recipes/"])
def test_what_is_kept_of_an_account_is_for_credentials_that_work(at_desk: AtDesk, sandbox: Sandbox, url: str) -> None:
    client = at_desk("agent")
    change_password_in_kartra(sandbox)
    client.get(f"/leads/{ADA.id}/")
    answer = client.get(url)
    assert answer.status_code == 409
    assert 'href="/settings/connection/"' in answer.content.decode()
    change_password_in_kartra(sandbox, ACCOUNTS[0].api_password)
    assert client.get(url).status_code == 200


def test_what_was_typed_is_offered_again_where_it_could_not_be_sent(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    client, desk = at_desk("agent"), desk_of("agent")
    posted = typed(desk, read(desk), city="Dallas & Sons")
    sandbox.arm("*", "500", times=3)
    page = client.post(f"/leads/{ADA.id}/edit/", posted).content.decode()
    assert f'action="/leads/{ADA.id}/edit/"' in page
    assert '<input type="hidden" name="city" value="Dallas &amp; Sons">' in page
    assert '<input type="hidden" name="seen"' in page
    assert client.post(f"/leads/{ADA.id}/edit/", posted).status_code == 302
    assert read(desk).profile["city"] == "Dallas & Sons"


def test_credentials_that_were_typed_are_not_written_into_a_page(client_of: ClientOf, sandbox: Sandbox) -> None:
    client = client_of("agent")
    sandbox.arm("*", "500", times=3)
    answer = client.post("/settings/connection/", {"api_key": "typed-key", "api_password": "typed-password"})
    assert "typed-" not in answer.content.decode()


def test_an_edit_that_cannot_be_read_first_sends_nothing(at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox) -> None:
    client, desk = at_desk("agent"), desk_of("agent")
    posted = typed(desk, read(desk), city="Dallas")
    sandbox.arm("*", "500", times=3)
    assert client.post(f"/leads/{ADA.id}/edit/", posted).status_code == 503
    assert not Operation.objects.exists()
    assert client.post(f"/leads/{ADA.id}/edit/", posted).status_code == 302


def test_a_change_whose_lead_cannot_be_shown_after_it_says_both(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    client = at_desk("agent")
    sandbox.arm("assign_tag", "500")
    answer = client.post(
        f"/leads/{ADA.id}/tags/change/", {"operation_id": str(uuid4()), "add": "advanced"}, headers=HTMX
    )
    assert answer.status_code == 200
    assert "No clear answer from Kartra" in words(answer)
