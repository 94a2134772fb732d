"""Find: one box, exact, and what was not found says what was looked for."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from leads.access import Desk
from leads.services import directory
from leads.services.directory import Met
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, see, words

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


@pytest.mark.parametrize("query", [NOTABLE["deleted"].email, NOTABLE["deleted"].id])
def test_a_deleted_lead_is_told_as_deleted_and_not_to_be_created(at_desk: AtDesk, query: str) -> None:
    answer = at_desk("admin").get("/leads/", {"q": query}, follow=True)
    assert answer.status_code == 404
    text = words(answer)
    assert "This lead was deleted in Kartra" in text
    assert query in text
    for wrong in ("No lead with", "create the lead", "Create a lead for", "Check the"):
        assert wrong not in text


def test_a_deleted_lead_whose_number_a_phone_holds_is_told_beside_whoever_has_that(
    at_desk: AtDesk, desk_of: Callable[..., Desk]
) -> None:
    client, deleted = at_desk("agent"), NOTABLE["deleted"].id
    directory.remember_rows(
        desk_of("agent").account, [Met("31", name="Cy Caller", phone=f"+1 {deleted}")], at=timezone.now()
    )
    answer = client.get("/leads/", {"q": deleted})
    assert "This lead was deleted in Kartra" in words(answer)
    assert 'href="/leads/31/"' in answer.content.decode()


@pytest.mark.parametrize(
    "query", ["Nobody Atall", "a@b.example, c@d.example", "<script>alert(1)</script>", "%", "x" * 9000]
)
def test_who_is_not_found_is_looked_for_nowhere_else(at_desk: AtDesk, sandbox: Sandbox, query: str) -> None:
    answer = at_desk("agent").get("/leads/", {"q": query})
    assert answer.status_code == 200
    assert "Nobody found" in words(answer)
    assert "<script>alert" not in answer.content.decode()
    assert sandbox.calls() == []


@pytest.mark.parametrize("query", ["ada mor", "moreno ADA", "adda moreno", "morneo"])
def test_whoever_was_opened_is_found_by_parts_and_despite_mistakes(
    at_desk: AtDesk, sandbox: Sandbox, query: str
) -> None:
    client = at_desk("agent")
    see(client)
    sandbox.calls()
    answer = client.get("/leads/", {"q": query})
    assert f'href="/leads/{ADA.id}/"' in answer.content.decode().split("Recently opened")[0]
    fragment = client.get("/leads/", {"q": query}, headers=HTMX).content.decode()
    assert f'href="/leads/{ADA.id}/" role="option"' in fragment
    assert "<html" not in fragment
    assert "<mark>" in fragment
    assert re.search(r"read \d+ s ago", fragment)
    assert sandbox.calls() == []


def test_typing_an_exact_email_or_id_asks_kartra_only_when_it_is_sent(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    for query, asked in ((ADA.email, [("search_lead",)]), (ADA.id, [])):
        fragment = client.get("/leads/", {"q": query}, headers=HTMX)
        assert "Press Enter to look up" in words(fragment)
        assert sandbox.calls() == []
        client.get("/leads/", {"q": query})
        assert sandbox.calls() == asked


def test_the_digits_of_a_phone_find_who_has_it_where_kartra_knows_no_such_id(
    at_desk: AtDesk, desk_of: Callable[..., Desk], sandbox: Sandbox
) -> None:
    client, account = at_desk("agent"), desk_of("agent").account
    directory.remember_rows(
        account, [Met("31", name="Cy Caller", phone=f"+1 {ADA.id}000"), Met("32", phone="+1 (555) 010-9988")],
        at=timezone.now(),
    )  # fmt: skip
    fragment = client.get("/leads/", {"q": "5550109988"}, headers=HTMX)
    assert 'href="/leads/32/"' in fragment.content.decode()
    assert "Press Enter to look up #5550109988" in words(fragment)
    answer = client.get("/leads/", {"q": "5550109988"})
    assert answer.status_code == 200
    assert "No lead with the id 5550109988" in words(answer)
    assert 'href="/leads/32/"' in answer.content.decode()
    sandbox.calls()
    assert client.get("/leads/", {"q": ADA.id})["Location"] == f"/leads/{ADA.id}/"  # a part of a phone, but an id
    assert sandbox.calls() == [("search_lead",)]


def test_an_email_with_a_mistake_is_asked_of_kartra_and_shows_who_may_be_meant(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    see(client)
    wrong = ADA.email.replace("ada", "adda")
    assert f"Press Enter to look up {wrong}" in words(client.get("/leads/", {"q": wrong}, headers=HTMX))
    assert "Press Enter" not in words(client.get("/leads/", {"q": ADA.email}, headers=HTMX))
    answer = client.get("/leads/", {"q": wrong})
    assert f"No lead with the email {wrong}" in words(answer)
    assert f'href="/leads/{ADA.id}/"' in answer.content.decode().split("Recently opened")[0]


def test_the_number_of_a_payment_finds_who_paid(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    see(client)
    client.get(f"/leads/{ADA.id}/money/")
    answer = client.get("/leads/", {"q": "99432"})
    assert "payment 99432" in words(answer)
    assert f'href="/leads/{ADA.id}/"' in answer.content.decode()


def test_a_number_that_a_payment_has_can_still_be_opened_as_a_lead(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    see(client)
    client.get(f"/leads/{ADA.id}/money/")
    sandbox.calls()
    for answer in (
        client.get("/leads/", {"q": "99432"}),
        client.get("/leads/", {"q": "99432"}, headers=HTMX),
        client.get("/leads/?palette", {"q": "99432", "palette": ""}, headers=HTMX),
    ):
        page = answer.content.decode().split("Recently opened")[0]
        assert f'href="/leads/{ADA.id}/"' in page  # the payer stays first
        assert page.index(f'href="/leads/{ADA.id}/"') < page.index('href="/leads/99432/"')
        assert "Open lead #99432 in Kartra" in words(answer)
    assert sandbox.calls() == []
    for query in (f"#{ADA.id}", "Moreno"):
        assert "in Kartra" not in words(client.get("/leads/", {"q": query}, headers=HTMX))


def test_a_number_after_a_hash_is_always_a_leads(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    see(client)
    client.get(f"/leads/{ADA.id}/money/")
    fragment = client.get("/leads/", {"q": "#99432"}, headers=HTMX)
    assert "Press Enter to look up #99432" in words(fragment)
    assert "payment 99432" not in words(fragment)
    assert client.get("/leads/", {"q": "#99432"})["Location"] == "/leads/99432/"


def test_the_palette_gets_options_alone(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    see(client)
    fragment = client.get("/leads/?palette", {"q": "ada", "palette": ""}, headers=HTMX).content.decode()
    assert 'id="palette-hit-1"' in fragment
    assert "listbox" not in fragment
    assert client.get("/leads/", {"q": "zzz", "palette": ""}, headers=HTMX).content.strip() == b""


def test_what_is_known_of_another_account_is_not_found(at_desk: AtDesk) -> None:
    see(at_desk("agent"))
    answer = at_desk("manager", 1).get("/leads/", {"q": "moreno"})
    assert "Nobody found" in words(answer)


def test_searching_leaves_no_entry_in_the_log(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    see(client)
    before = AuditEntry.objects.count()
    client.get("/leads/", {"q": "moreno"})
    client.get("/leads/", {"q": "moreno"}, headers=HTMX)
    assert AuditEntry.objects.count() == before


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
