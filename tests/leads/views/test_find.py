"""Find: one box, exact, and what was not found says what was looked for."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import see, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]


@pytest.mark.parametrize(
    "query",
    [ADA.email, f"  {ADA.email.upper()} ", f"mailto:{ADA.email}", f"Ada <{ADA.email}>", f"#{ADA.id}", f"00{ADA.id}"],
)
def test_whatever_is_pasted_leads_to_the_lead(at_desk: AtDesk, query: str) -> None:
    client = at_desk("viewer")
    answer = client.get("/leads/", {"q": query}, follow=True)
    assert answer.redirect_chain == [(f"/leads/{ADA.id}/", 302)]
    assert "Ada Moreno" in words(answer)


def test_an_id_costs_no_search(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("viewer")
    client.get("/leads/", {"q": ADA.id}, follow=True)
    assert sandbox.calls() == [("get_lead",)]


def test_an_email_that_nobody_has_is_named_and_may_be_created(at_desk: AtDesk) -> None:
    answer = at_desk("agent").get("/leads/", {"q": "nobody+here@example.com"})
    assert answer.status_code == 404
    assert "No lead with the email nobody+here@example.com" in words(answer)
    assert 'href="/leads/new/?email=nobody%2Bhere%40example.com"' in answer.content.decode()
    form = at_desk("agent").get("/leads/new/?email=nobody%2Bhere%40example.com")
    assert 'value="nobody+here@example.com"' in form.content.decode()


def test_who_may_not_create_is_not_offered_it(at_desk: AtDesk) -> None:
    answer = at_desk("viewer").get("/leads/", {"q": "nobody@example.com"})
    assert answer.status_code == 404
    assert "/leads/new/" not in answer.content.decode()


@pytest.mark.parametrize("number", ["999999999", "0", "12345678901234567890"])
def test_an_id_that_nobody_has_is_named(at_desk: AtDesk, number: str) -> None:
    answer = at_desk("agent").get("/leads/", {"q": number}, follow=True)
    assert answer.status_code == 404
    assert f"No lead with the id {number}" in words(answer)


def test_a_deleted_lead_is_not_found(at_desk: AtDesk) -> None:
    for query in (NOTABLE["deleted"].email, NOTABLE["deleted"].id):
        answer = at_desk("agent").get("/leads/", {"q": query}, follow=True)
        assert answer.status_code == 404
        assert "No lead with the" in words(answer)


@pytest.mark.parametrize("query", ["Ada Moreno", "a@b.example, c@d.example", "<script>alert(1)</script>"])
def test_junk_says_what_can_be_looked_for(at_desk: AtDesk, sandbox: Sandbox, query: str) -> None:
    answer = at_desk("agent").get("/leads/", {"q": query})
    assert answer.status_code == 200
    assert "neither one email address nor one id" in words(answer)
    assert "<script>alert" not in answer.content.decode()
    assert sandbox.calls() == []


def test_an_empty_box_asks_kartra_nothing(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = at_desk("agent").get("/leads/", {"q": "   "})
    assert answer.status_code == 200
    assert sandbox.calls() == []


def test_recents_stand_below_the_box_newest_first(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    for key in ("ada", "ben", "jon", "ada"):
        see(client, NOTABLE[key].id)
    page = client.get("/leads/").content.decode()
    places = [page.index(f'href="/leads/{NOTABLE[key].id}/"') for key in ("ada", "jon", "ben")]
    assert places == sorted(places)
    assert page.count(f'href="/leads/{ADA.id}/"') == 1
