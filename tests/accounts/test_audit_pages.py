"""The audit page: filters, pages, one entry, and what junk gets."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from accounts import append_only
from accounts.models import Account, AuditEntry, User
from accounts.services import audit
from kartra_admin.lib.context import asking
from tests.entries import append, forget

UserOf = Callable[[str], User]
ClientOf = Callable[[str], Client]
AUDIT = reverse("accounts:audit")


@pytest.fixture
def auditor(client_of: ClientOf) -> Client:
    return client_of("auditor")


def tell(**given: Any) -> AuditEntry:
    defaults: dict[str, Any] = {"action": "staff.edit.succeeded", "outcome": "succeeded", "target_name": "Jane Smith"}
    if given.get("target_kind") == "lead":
        defaults["account"], _ = Account.objects.get_or_create(name="The Studio", fingerprint="f" * 64)
    return audit.record(**{**defaults, **given})


def shown(client: Client, **query: object) -> list[int]:
    answer = client.get(f"{AUDIT}?{urlencode(query)}")
    assert answer.status_code == 200
    return [entry.pk for entry in answer.context["page"].rows]


def test_filter_by_person(auditor: Client, user_of: UserOf) -> None:
    by_agent = tell(actor=user_of("agent"))
    tell(actor=user_of("viewer"))
    assert shown(auditor, person=user_of("agent").pk) == [by_agent.pk]


def test_filter_by_action_takes_all_outcomes_of_it(auditor: Client) -> None:
    failed = tell(action="session.start.failed", outcome="failed")
    tell()
    started = shown(auditor, action="session.start")
    assert started[0] == failed.pk
    assert len(started) == 2  # the auditor's own sign-in is the other
    assert shown(auditor, action="session.start", outcome="failed") == [failed.pk]


@pytest.mark.parametrize("typed", ["4174091", "Jane Smith", "smith", "SMITH jane", "jane@example.com", " Smith "])
def test_filter_by_lead_takes_id_whole_email_and_words_of_the_name(auditor: Client, typed: str) -> None:
    jane = tell(target_kind="lead", target_id="4174091", target_name="Jane Smith <jane@example.com>")
    tell(target_kind="lead", target_id="41740910", target_name="Mary Jane <mary@example.com>")
    assert shown(auditor, lead=typed) == [jane.pk]


def test_filter_by_lead_takes_the_beginning_of_a_colleague(auditor: Client, user_of: UserOf) -> None:
    about = tell(target_kind="user", target_id=str(user_of("agent").pk))
    tell(target_kind="user", target_id=str(user_of("viewer").pk))
    assert shown(auditor, lead="agent per") == shown(auditor, lead="agent@") == [about.pk]


def test_what_was_told_of_a_forgotten_person_is_withheld_and_the_kind_of_act_is_not(auditor: Client) -> None:
    entry = tell(
        action="tag.assign.succeeded", target_kind="lead", target_id="4174091", target_name="Jane Smith",
        before={"Tags": "gold"}, detail={"subject": "gold"},
    )  # fmt: skip
    assert "gold" in auditor.get(reverse("accounts:audit-entry", args=[entry.pk])).content.decode()
    assert entry.subject
    forget(entry.subject)
    assert shown(auditor, lead="4174091") == shown(auditor, lead="Jane") == []
    for url in (AUDIT, reverse("accounts:audit-entry", args=[entry.pk])):
        page = auditor.get(url).content.decode()
        assert "Add tag: succeeded" in page
        assert "a forgotten person" in page
        assert not any(value in page for value in ("gold", "Jane", "4174091"))


def test_a_seal_that_does_not_open_is_said_and_the_page_is_whole(auditor: Client) -> None:
    jane = tell(target_kind="lead", target_id="1", target_name="Jane Smith")
    mary = tell(target_kind="lead", target_id="2", target_name="Mary Jones")
    append_only.lift(connection)
    models.QuerySet.update(AuditEntry.objects.filter(pk=jane.pk), body=mary.body)
    append_only.install(connection)
    page = auditor.get(AUDIT).content.decode()
    assert "somebody whose seal does not open" in page
    assert "Mary Jones" in page


@pytest.mark.parametrize("typed", ["%", "_", "Ja%", "\\", "' OR 1=1 --"])
def test_filter_by_lead_takes_signs_as_they_are(auditor: Client, typed: str) -> None:
    tell()
    assert shown(auditor, lead=typed) == []


def test_filter_by_day_takes_whole_days(auditor: Client) -> None:
    def at(text: str) -> int:
        moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
        return append(at=moment, action="staff.edit.succeeded").pk

    before, first, last, after = map(
        at, ("2024-02-28T23:59:59", "2024-02-29T00:00:00", "2024-02-29T23:59:59", "2024-03-01T00:00:00")
    )
    assert shown(auditor, since="2024-02-29", until="2024-02-29") == [last, first]
    assert shown(auditor, until="2024-02-29") == [last, first, before]
    assert shown(auditor, since="2024-02-29")[:3] == [after, last, first]


def test_fifty_a_page_forward_and_back_with_the_filters_kept(auditor: Client, user_of: UserOf) -> None:
    made = [tell(actor=user_of("agent")).pk for _ in range(120)][::-1]
    tell(actor=user_of("viewer"))
    url, seen = f"{AUDIT}?person={user_of('agent').pk}", []
    answer = None
    while url:
        answer = auditor.get(url)
        rows = [entry.pk for entry in answer.context["page"].rows]
        assert len(rows) <= 50
        seen += rows
        url = answer.context["older_url"]
    assert seen == made
    assert answer is not None
    newer = auditor.get(answer.context["newer_url"])
    assert [entry.pk for entry in newer.context["page"].rows] == made[50:100]


def test_what_changed_stands_in_the_row(auditor: Client) -> None:
    tell(before={"city": "Austin", "tags": ["a", "b"], "zip": "1"}, after={"city": "Dallas", "tags": ["a"], "zip": "1"})
    page = auditor.get(AUDIT).content.decode()
    assert '<del class="was"><span class="sr-only">was </span>Austin</del>' in page
    assert '<ins class="now"><span class="sr-only">now </span>Dallas</ins>' in page
    assert "a, b" in page
    assert "zip:" not in page


def test_what_failed_is_not_shown_as_changed(auditor: Client) -> None:
    entry = tell(outcome="failed", before={"city": "Austin"}, after={})
    assert entry.changes == []
    assert "Austin" in auditor.get(reverse("accounts:audit-entry", args=[entry.pk])).content.decode()


def test_a_lead_is_linked(auditor: Client) -> None:
    tell(target_kind="lead", target_id="4174091", target_name="<b>Jane</b>")
    tell(target_kind="lead", target_id="no number", target_name="Odd")
    page = auditor.get(AUDIT).content.decode()
    assert f'<a href="{reverse("leads:detail", args=["4174091"])}"><bdi>&lt;b&gt;Jane&lt;/b&gt;</bdi></a>' in page
    assert "Odd" in page


def test_htmx_gets_the_table_alone_and_a_boosted_link_the_page(auditor: Client) -> None:
    fragment = auditor.get(AUDIT, headers={"HX-Request": "true"}).content.decode()
    boosted = auditor.get(AUDIT, headers={"HX-Request": "true", "HX-Boosted": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="audit-table">')
    assert "<html" not in fragment
    assert "<html" in boosted
    back = auditor.get(AUDIT, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}).content.decode()
    assert "<html" in back


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"person": "999999"}, "person"),
        ({"person": "9" * 40}, "person"),
        ({"person": "x"}, "person"),
        ({"action": "nothing.such"}, "action"),
        ({"outcome": "maybe"}, "outcome"),
        ({"since": "yesterday"}, "since"),
        ({"since": "9999-12-31"}, "since"),
        ({"until": "0001-01-01"}, "until"),
        ({"until": "2024-02-30"}, "until"),
        ({"since": "2024-02-02", "until": "2024-02-01"}, "until"),
        ({"lead": "x" * 255}, "lead"),
        ({"operation": "x"}, "operation"),
        ({"account": "999999"}, "account"),
        ({"amount_from": "ten"}, "amount_from"),
        ({"amount_from": "NaN"}, "amount_from"),
        ({"amount_to": "1.234"}, "amount_to"),
        ({"amount_from": "20", "amount_to": "10"}, "amount_to"),
        ({"ip": "10.0.0"}, "ip"),
        ({"text": "to the %"}, "text"),
        ({"text": "one two three four five six seven eight nine ten eleven"}, "text"),
    ],
)
def test_junk_in_a_filter_is_said_and_the_page_is_whole(auditor: Client, query: dict[str, str], field: str) -> None:
    tell()
    page = auditor.get(f"{AUDIT}?{urlencode(query)}")
    fragment = auditor.get(f"{AUDIT}?{urlencode(query)}", headers={"HX-Request": "true"})
    assert (page.status_code, fragment.status_code) == (400, 400)
    assert list(page.context["form"].errors) == [field]
    said = escape(page.context["form"].errors[field][0])
    assert said in page.content.decode()
    assert said in fragment.content.decode()
    assert page.context["page"].rows == []


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=b-1", "cursor=" + "9" * 40, "lead=%00", "person=%00", "x=%00&%00=x"]
)
def test_junk_elsewhere_in_the_address_is_a_bad_request(auditor: Client, query: str) -> None:
    assert auditor.get(f"{AUDIT}?{query}").status_code == 400


@pytest.mark.parametrize("number", ["0", "99999999", "9" * 30])
def test_no_entry_of_that_number_is_not_found(auditor: Client, number: str) -> None:
    assert auditor.get(f"{AUDIT}{number}/").status_code == 404


def test_an_entry_shows_everything_and_its_whole_operation(auditor: Client, user_of: UserOf) -> None:
    operation = uuid.uuid4()
    with asking("10.0.4.7", "f" * 32):
        asked = tell(actor=user_of("agent"), outcome="requested", operation_id=operation)
        done = tell(
            actor=user_of("agent"), operation_id=operation, before={"city": "Austin"}, after={"city": "Dallas"},
            target_kind="lead", target_id="77",
        )  # fmt: skip
    after, other = tell(), tell()
    page = auditor.get(reverse("accounts:audit-entry", args=[done.pk])).content.decode()
    for text in (
        "Agent Person",
        "10.0.4.7",
        "f" * 32,
        "Austin",
        "Dallas",
        str(operation),
        "Jane Smith",
        ">77<",
        after.hash,
    ):
        assert text in page
    assert reverse("accounts:audit-entry", args=[asked.pk]) in page
    assert reverse("accounts:audit-entry", args=[other.pk]) not in page
    assert shown(auditor, operation=operation) == [done.pk, asked.pk]


def test_an_action_that_is_no_longer_known_is_still_shown(auditor: Client) -> None:
    entry = append(action="old.thing.succeeded")
    assert "old.thing.succeeded" in auditor.get(AUDIT).content.decode()
    assert auditor.get(reverse("accounts:audit-entry", args=[entry.pk])).status_code == 200


def test_the_page_takes_as_many_queries_for_fifty_as_for_three(auditor: Client, user_of: UserOf) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert auditor.get(AUDIT).status_code == 200
        return len(seen)

    def grow(count: int) -> None:
        for n in range(count):
            tell(actor=user_of("agent"), target_kind="lead", target_id=str(n), before={"a": n}, after={"a": n + 1})

    grow(3)
    few = queries()
    grow(60)
    assert queries() == few
    assert few <= 9
