"""The lead page: all that Kartra gives, in one call, whoever the lead is."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import escape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from leads.models import Recent
from leads.providers.changes import AssignTag
from leads.services.leads import VISIT
from tests.entries import entries_about
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, do, see, words
from tests.leads.providers.kartra.script import PAYLOADS

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]

ALIVE = [key for key in NOTABLE if key not in ("deleted", "bindery_ada")]


def test_the_whole_lead_is_on_the_page(at_desk: AtDesk) -> None:
    text = words(see(at_desk("agent")))
    for piece in (
        "Ada Moreno", ADA.email, f"#{ADA.id}", "+1 5550142", "Moreno Pottery", "Boston, MA, United States",
        "12 Sample Street, 02134", "https://pottery.example.com", "customer", "vip", "Newsletter", "Old promo",
        "Welcome series step 3", "Kiln Club level Gold", "shoe_size 38", "celadon, tenmoku", "electric",
        "How was the workshop?", "score 9", "35", "checkout", "EST", "Not blacklisted",
    ):  # fmt: skip
        assert piece in text, piece


# How the page says what Kartra says in numbers; and what is not for people: numbers of things that go by their names
# (to staff and to Kartra alike), and the kind of a field, which its form shows.
IN_WORDS = {
    "date_joined": "Joined 14 Mar 2023 EST",
    "blacklisted": "Not blacklisted",
    "gdpr_lead_status": "Not subject to GDPR",
    "gdpr_lead_status_date": "Not subject to GDPR 15 Mar 2023",
    "gdpr_lead_communications": "agreed to be contacted",
    "lead_deleted": "",
    "lead_deleted_date": "",
    "active": "",
    "status": "",
}
NUMBERS = ("field_id", "option_id", "tag_id", "list_id", "sequence_id", "membership_id", "level_id", "field_type")


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else ((key, item) for item in value)
        for name, item in items:
            yield from leaves(item, name)
    else:
        yield key, str(value)


def test_every_leaf_of_kartras_example_is_on_the_page(at_desk: AtDesk, sandbox: Sandbox) -> None:
    """Each with a text of its own: what the example leaves empty, or says twice, would prove nothing."""
    details = json.loads((PAYLOADS / "get_lead.success.json").read_text())["lead_details"]
    facts = {key: value for key, value in details.items() if isinstance(value, str)}
    facts |= {key: f"some-{key}" for key, value in facts.items() if value == ""}
    facts |= {"gdpr_lead_status_ip": "192.0.2.99", "gdpr_lead_status_date": "2023-03-15 09:26:53", "source_id": "17"}
    facts |= {"ip_country": "Iceland", "referring_id": "18", "business_type": "19"}
    sandbox.set_facts(ADA.id, facts)
    page = see(at_desk("agent"))
    text = words(page)
    lacking = [
        (key, value)
        for key, value in leaves({**details, **facts})
        if key not in NUMBERS and value and IN_WORDS.get(key, value) not in text
    ]
    assert lacking == []
    assert f'title="{facts["date_joined"]} EST"' in page.content.decode()
    assert f'title="{facts["gdpr_lead_status_date"]} EST"' in page.content.decode()
    for name, state in (
        ("Newsletter", "Subscribed"),
        ("Old promo", "Unsubscribed"),
        ("Kiln Club level Gold", "Active"),
    ):
        assert f"{name} {state}" in text
    assert "Welcome series step 3 Running" in text


def test_the_head_makes_one_call_and_does_not_wait_for_money(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = see(at_desk("agent"), NOTABLE["long_history"].id)
    assert sandbox.calls() == [("get_lead",)]
    assert f'hx-get="/leads/{NOTABLE["long_history"].id}/money/" hx-trigger="load"' in answer.content.decode()


@pytest.mark.parametrize("key", ALIVE)
def test_any_lead_takes_at_most_three_calls_and_every_name_is_escaped(
    at_desk: AtDesk, sandbox: Sandbox, key: str
) -> None:
    client, lead = at_desk("agent"), NOTABLE[key]
    page = client.get("/leads/", {"q": lead.id}, follow=True)
    card = client.get(f"/leads/{lead.id}/money/", headers=HTMX)
    form = client.get(f"/leads/{lead.id}/edit/")
    assert (page.status_code, card.status_code, form.status_code) == (200, 200, 200)
    assert len(sandbox.calls()) - 1 <= 3, "without the one of the form"
    for answer in (page, card, form):
        html = answer.content.decode()
        for raw in ("<script>alert", "</title><b>", "<img src=x", "<b>bold</b>", 'onerror="alert', "<i>9</i>"):
            assert raw not in html
        assert 'href="javascript:' not in html
    assert escape(lead.email, quote=False) in words(page) or lead.email in words(page)


def test_markup_is_shown_as_it_was_typed(at_desk: AtDesk) -> None:
    text = words(see(at_desk("agent"), NOTABLE["markup"].id))
    assert "<script>alert(1)</script> </title><b>Bold</b>" in text
    assert "{{ 7*7 }} & Sons" in text


def test_a_lead_without_a_name_has_a_heading(at_desk: AtDesk) -> None:
    answer = see(at_desk("agent"), NOTABLE["no_name"].id)
    assert "No name" in words(answer)
    assert f"<title>{NOTABLE['no_name'].email}" in answer.content.decode()


def test_a_blacklisted_lead_is_marked(at_desk: AtDesk) -> None:
    assert "Blacklisted" in words(see(at_desk("agent"), NOTABLE["blacklisted"].id))


@pytest.mark.parametrize("part", ["", "edit/", "money/"])
@pytest.mark.parametrize("key", ["deleted", None])
def test_a_lead_that_is_gone_is_404_with_a_sentence(at_desk: AtDesk, part: str, key: str | None) -> None:
    number = NOTABLE[key].id if key else "999999999"
    answer = at_desk("agent").get(f"/leads/{number}/{part}")
    assert answer.status_code == 404
    assert "lead" in words(answer)
    assert ("This lead was deleted in Kartra" in words(answer)) is (key == "deleted")
    assert "Check the number" not in words(answer) or key is None
    assert not Recent.objects.exists()


def test_a_view_is_logged_and_remembered_once(at_desk: AtDesk) -> None:
    client = at_desk("viewer")
    see(client)
    see(client)
    assert Recent.objects.count() == 1
    entries = AuditEntry.objects.filter(action="lead.view.viewed")
    assert {(entry.actor_name, entry.about_id, entry.target_name) for entry in entries} == {
        ("Viewer Person", ADA.id, f"Ada Moreno <{ADA.email}>")
    }
    assert entries.count() == 2


def test_who_sees_a_payment_first_is_told_of_by_the_name_that_the_directory_knows(at_desk: AtDesk) -> None:
    see(at_desk("viewer"))
    assert at_desk("manager").get(f"/leads/{ADA.id}/transactions/99432/").status_code == 200
    entry = AuditEntry.objects.get(action="lead.view.viewed", actor_name="Manager Person")
    assert entry.target_name == f"Ada Moreno <{ADA.email}>"


@pytest.mark.parametrize(
    "path",
    ["", "edit/", "activity/", "money/", "transactions/99432/", "transactions/99432/refund/", "subscriptions/14833/",
     "subscriptions/14833/pause/", "subscriptions/14833/cancel/"],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_whatever_is_seen_of_a_lead_is_logged_once_a_visit(at_desk: AtDesk, path: str, headers: dict[str, str]) -> None:
    client = at_desk("manager")

    def entries() -> int:
        return entries_about(ADA.id).filter(action="lead.view.viewed", actor_name="Manager Person").count()

    assert client.get(f"/leads/{ADA.id}/{path}", headers=headers).status_code == 200
    assert entries() == 1
    see(client)
    seen = entries()
    assert client.get(f"/leads/{ADA.id}/{path or 'money/'}", headers=headers).status_code == 200
    assert entries() == seen
    Recent.objects.update(opened_at=timezone.now() - VISIT - timedelta(seconds=1))
    assert client.get(f"/leads/{ADA.id}/{path}", headers=headers).status_code == 200
    assert entries() == seen + 1


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_only_look_sees_no_buttons(at_desk: AtDesk, role: str) -> None:
    html = see(at_desk(role)).content.decode()
    for url in ("/edit/", "/change/", "/notes/", "/recipes/"):
        assert url not in html


def test_activity_is_on_the_page_and_by_itself(at_desk: AtDesk, desk_of: Callable[..., object]) -> None:
    client = at_desk("agent")
    do(desk_of("agent"), AssignTag("advanced"))  # type: ignore[arg-type]
    for path in ("", "activity/"):
        text = words(client.get(f"/leads/{ADA.id}/{path}"))
        assert "Agent Person added tag advanced" in text
        assert "Undo" in text


def test_the_activity_page_calls_nobody(at_desk: AtDesk, sandbox: Sandbox) -> None:
    assert at_desk("agent").get("/leads/999999999/activity/").status_code == 200
    assert sandbox.calls() == []
