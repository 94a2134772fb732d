"""Using the log: words, amounts, addresses and days together, filters that people keep, the way between entries."""

import datetime
import itertools
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import audit_actions, audit_terms, subjects
from accounts.models import Account, AuditEntry, AuditTerm, SavedFilter, User
from accounts.selectors import audit as selectors
from accounts.services import audit
from kartra_admin.lib.context import asking
from tests.conftest import SignIn
from tests.entries import append, forget

UserOf = Callable[[str], User]
AUDIT = reverse("accounts:audit")
SAVE = reverse("accounts:audit-filter-save")


@pytest.fixture
def auditor(client_of: SignIn) -> Client:
    return client_of("auditor")


def studio(name: str = "The Studio") -> Account:
    return Account.objects.get_or_create(name=name, defaults={"fingerprint": name.ljust(64, "f")})[0]


def refund(**given: Any) -> AuditEntry:
    """Of Jane Smith, 97.00, as a duplicate charge."""
    defaults: dict[str, Any] = {
        "action": "transaction.refund.succeeded", "outcome": "succeeded", "account": studio(), "target_kind": "lead",
        "target_id": "4174091", "target_name": "Jane Smith <jane@example.com>",
        "detail": {"subject": "99432", "amount": "97.00", "reason": "Duplicate charge"},
    }  # fmt: skip
    return audit.record(**defaults | given)


def tag(**given: Any) -> AuditEntry:
    defaults = {
        "action": "tag.assign.succeeded",
        "detail": {"subject": "VIP"},
        "target_id": "7",
        "target_name": "Zoë Oé",
    }
    return refund(**defaults | given)


def shown(client: Client, **query: object) -> list[int]:
    answer = client.get(f"{AUDIT}?{urlencode(query)}")
    assert answer.status_code == 200, answer.context["form"].errors
    return [entry.pk for entry in answer.context["page"].rows]


# Words


@pytest.mark.parametrize(
    "typed",
    [
        "bob refund", "refund BOB", "duplicate charge", "charge smith", "jane@example.com", "4174091 jane", "99432",
        "97.00", "Bób réfund", "jane, the duplicate", "succeeded duplicate",
    ],
)  # fmt: skip
def test_an_entry_is_found_by_all_its_words_in_any_order(auditor: Client, user_of: UserOf, typed: str) -> None:
    bob = user_of("support")
    User.objects.filter(pk=bob.pk).update(name="Bob Ross")
    bob.refresh_from_db()
    wanted = refund(actor=bob)
    tag(actor=user_of("agent"))
    assert shown(auditor, text=typed) == [wanted.pk]


@pytest.mark.parametrize("typed", ["bob refund vip", "refun", "duplicat", "jane example", "%", "charged twice", "smit"])
def test_parts_of_words_and_words_of_two_entries_find_nothing(auditor: Client, user_of: UserOf, typed: str) -> None:
    refund(actor=user_of("support"))
    tag(actor=user_of("support"))
    answer = auditor.get(AUDIT, {"text": typed})
    assert answer.context["page"].rows == []


def test_accents_do_not_matter_and_tags_are_words(auditor: Client) -> None:
    wanted = tag()
    refund()
    assert shown(auditor, text="tag vip") == shown(auditor, text="zoe") == shown(auditor, text="ZOË oe") == [wanted.pk]


def test_a_program_a_former_name_and_who_has_left_are_found(auditor: Client, user_of: UserOf) -> None:
    by_program = refund(actor_name="manage.py rotatekeys")
    by_agent = refund(actor=user_of("agent"))
    User.objects.filter(pk=user_of("agent").pk).update(name="Somebody Else", is_active=False)
    assert shown(auditor, text="rotatekeys") == [by_program.pk]
    assert shown(auditor, text="agent refund") == [by_agent.pk]


@pytest.mark.parametrize(("name", "read"), audit_actions.PROGRAMS.items())
def test_a_program_is_called_by_a_plain_name_and_found_by_it_on_new_and_old_entries(
    auditor: Client, user_of: UserOf, name: str, read: str
) -> None:
    person = user_of("support")
    User.objects.filter(pk=person.pk).update(name=name)
    person.refresh_from_db()
    entry, by_person = refund(actor_name=name), refund(actor=person)
    assert (entry.actor_name, entry.who, by_person.who) == (name, read, name)
    assert read in auditor.get(AUDIT).content.decode()
    assert read in auditor.get(reverse("accounts:audit-entry", args=[entry.pk])).content.decode()
    assert shown(auditor, text=read) == [entry.pk]
    kartra_admin = audit_terms.digests("Kartra Admin")
    AuditTerm.objects.filter(digest__in=kartra_admin).delete()  # as of an entry from before it had that name
    assert shown(auditor, text=name) == [by_person.pk, entry.pk]
    assert name in read.replace(",", "").split()


def test_no_word_of_a_lead_can_be_read_in_the_table(auditor: Client) -> None:
    entry = refund()
    kept = list(entry.terms.values_list("digest", "subject_id"))
    assert len(kept) > 10
    for word in ("jane", "smith", "jane@example.com", "duplicate"):
        assert (audit_terms.digests(word)[0], entry.subject_id) in kept
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_auditterm")
        assert {type(value) for row in cursor.fetchall() for value in row} == {int, type(None)}


def test_words_of_a_forgotten_person_find_nothing_and_the_act_is_still_found(auditor: Client, user_of: UserOf) -> None:
    entry, other = refund(actor=user_of("support")), tag()
    assert entry.subject
    forget(entry.subject)
    for typed in ("jane", "smith refund", "jane@example.com", "duplicate", "4174091", "99432"):
        assert shown(auditor, text=typed) == []
    assert shown(auditor, text="support refund") == [entry.pk]
    assert shown(auditor, text="zoe vip") == [other.pk]


def test_an_entry_keeps_so_many_words_and_no_more(auditor: Client) -> None:
    entry = tag(before={"Note": " ".join(f"word{n}" for n in range(500))}, after={"Note": "changed"})
    assert entry.terms.filter(subject_id=entry.subject_id).count() == audit_terms.MOST_KEPT
    assert shown(auditor, text="changed vip") == [entry.pk]


def test_the_words_of_an_entry_are_one_insert(user_of: UserOf) -> None:
    refund()
    with CaptureQueriesContext(connection) as seen:
        refund()
    assert len([query for query in seen if AuditTerm._meta.db_table in query["sql"]]) == 1


def test_entries_from_before_words_were_kept_get_theirs_once(auditor: Client) -> None:
    entries = [refund(), tag(), refund(target_id="8", target_name="Gone Girl", detail={})]
    assert entries[2].subject
    models.QuerySet.delete(AuditTerm.objects.all())
    forget(entries[2].subject)
    assert shown(auditor, text="jane") == []
    for _ in range(2):
        audit_terms.fill(using="default")
        assert shown(auditor, text="jane refund") == [entries[0].pk]
        assert shown(auditor, text="gone") == shown(auditor, text="forgotten") == []
        assert shown(auditor, text="refund") == [entries[2].pk, entries[0].pk]


def test_common_words_and_rare_ones_find_the_same(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [refund().pk for _ in range(4)]
    tag()
    few = shown(auditor, text="duplicate jane")
    monkeypatch.setattr(selectors, "_FEW", 2)
    assert shown(auditor, text="duplicate jane") == few == made[::-1]
    assert shown(auditor, text="duplicate vip") == []


# Filters


def test_amounts_are_taken_with_both_bounds(auditor: Client) -> None:
    made = {amount: refund(detail={"amount": amount}).pk for amount in ("9.99", "10", "50.00", "100.01")}
    tag()
    assert shown(auditor, amount_from="10") == [made["100.01"], made["50.00"], made["10"]]
    assert shown(auditor, amount_to="50") == [made["50.00"], made["10"], made["9.99"]]
    assert shown(auditor, amount_from="10.00", amount_to="50") == [made["50.00"], made["10"]]
    assert shown(auditor, amount_from="200") == []


def test_an_account_and_an_address(auditor: Client) -> None:
    with asking("10.0.4.7"):
        first = refund()
    with asking("2001:db8::7"):
        second = refund(account=studio("Another"))
    assert shown(auditor, account=studio().pk) == shown(auditor, ip="10.0.4.7") == [first.pk]
    assert shown(auditor, account=studio("Another").pk) == shown(auditor, ip=" 2001:DB8:0::7") == [second.pk]
    assert shown(auditor, ip="10.0.4.8") == []


def test_the_same_id_in_another_account_is_another_lead(auditor: Client) -> None:
    first, second = refund(), refund(account=studio("Another"))
    assert shown(auditor, lead="4174091") == [second.pk, first.pk]
    assert shown(auditor, lead="4174091", account=studio().pk) == [first.pk]


def test_every_pair_of_filters_takes_what_both_take(auditor: Client, user_of: UserOf) -> None:
    operation = uuid.uuid4()
    with asking("10.0.4.7"):
        refund(actor=user_of("support"), operation_id=operation)
        tag(actor=user_of("support"))
        refund(actor=user_of("agent"), account=studio("Another"), outcome="failed", action="transaction.refund.failed")
    with asking("10.0.4.8"):
        tag(actor=user_of("agent"), operation_id=operation, account=studio("Another"))
        refund(target_id="5", target_name="Mary Jones", detail={"amount": "500", "reason": "Jane"})
    today = datetime.datetime.now(datetime.UTC).date()
    filters: dict[str, object] = {
        "text": "refund", "person": user_of("support").pk, "action": "transaction.refund", "lead": "jane smith",
        "account": studio().pk, "outcome": "succeeded", "amount_from": "90", "amount_to": "400", "ip": "10.0.4.7",
        "since": today - datetime.timedelta(days=1), "until": today + datetime.timedelta(days=1),
        "operation": operation,
    }  # fmt: skip
    alone = {name: shown(auditor, **{name: value}) for name, value in filters.items()}
    assert all(alone.values())
    for one, other in itertools.combinations(filters, 2):
        both = shown(auditor, **{one: filters[one], other: filters[other]})
        assert both == [pk for pk in alone[one] if pk in alone[other]], (one, other)
    assert shown(auditor, **filters) == sorted(set.intersection(*map(set, alone.values())))
    assert len(shown(auditor, **filters)) == 1


def test_an_act_with_several_actions_is_paged_forward_and_back(auditor: Client) -> None:
    outcomes = ("requested", "succeeded", "failed")
    made = [refund(action=f"transaction.refund.{way}", outcome=way).pk for _ in range(40) for way in outcomes][::-1]
    tag()
    pages, url = [], f"{AUDIT}?action=transaction.refund"
    while url:
        answer = auditor.get(url)
        pages.append([entry.pk for entry in answer.context["page"].rows])
        url, newer = answer.context["older_url"], answer.context["newer_url"]
    assert pages == [made[:50], made[50:100], made[100:]]
    assert [entry.pk for entry in auditor.get(newer).context["page"].rows] == made[50:100]


def test_entries_whose_clocks_ran_apart_are_found_by_their_day(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "_WAITING", 0)
    moments = (
        "2024-02-29T01:00:00", "2024-03-01T00:00:03", "2024-02-29T23:59:58", "2024-03-01T00:00:01",
        "2024-02-29T23:59:59", "2024-03-01T20:00:00", "2024-03-09T20:00:00",
    )  # fmt: skip
    first, late, early, later, earlier, last, after = (
        append(at=datetime.datetime.fromisoformat(f"{text}+00:00"), action="staff.edit.succeeded").pk
        for text in moments
    )
    assert shown(auditor, since="2024-03-01", until="2024-03-01") == [last, later, late]
    assert shown(auditor, since="2024-02-29", until="2024-02-29") == [earlier, early, first]
    assert shown(auditor, since="2024-03-09") == [after]
    assert shown(auditor, since="2031-01-01") == shown(auditor, until="2020-01-01") == []


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"person": 1}, "accounts_audit_actor"),
        ({"account": 1}, "accounts_audit_account"),
        ({"ip": "10.0.4.7"}, "accounts_audit_ip"),
        ({"outcome": "failed"}, "accounts_audit_outcome"),
        ({"amount_from": Decimal(5)}, "accounts_audit_amount"),
        ({"operation": uuid.UUID(int=1)}, "accounts_audit_operation"),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_a_filter_is_walked_backwards_along_its_own_index(filters: dict[str, Any], index: str) -> None:
    if "person" in filters:
        filters = {"person": User(pk=1)}
    if "account" in filters:
        filters = {"account": Account(pk=1)}
    entries = selectors.find(**filters).filter(pk__lt=10**6).order_by("-pk")[:51]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # the table is empty, and the planner would rather read it all
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    plan = entries.explain()
    assert index in plan
    assert "B-TREE" not in plan
    assert "Sort" not in plan


def test_the_page_takes_as_many_queries_for_many_words_of_many_entries(auditor: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert auditor.get(AUDIT, {"text": "duplicate jane"}).status_code == 200
        return len(seen)

    refund()
    few = queries()
    for _ in range(60):
        refund()
    assert queries() == few


# Filters that are kept


def save(client: Client, **given: object) -> int:
    return client.post(SAVE, {"name": "Refunds", "query": "action=transaction.refund", **given}).status_code


def test_a_filter_is_kept_followed_replaced_and_deleted(auditor: Client) -> None:
    answer = auditor.post(SAVE, {"name": "Refunds", "query": "action=transaction.refund&cursor=b7&x=1"}, follow=True)
    assert answer.redirect_chain[0][0] == f"{AUDIT}?action=transaction.refund"
    assert "Filter Refunds saved." in answer.content.decode()
    assert 'href="/audit/?action=transaction.refund" aria-current="page">Refunds' in answer.content.decode()
    assert save(auditor, query="text=duplicate+charge") == 302
    kept = SavedFilter.objects.get()
    assert kept.query == "text=duplicate+charge"
    assert auditor.post(reverse("accounts:audit-filter-delete", args=[kept.pk])).status_code == 302
    assert not SavedFilter.objects.exists()


def test_others_see_what_is_shared_and_only_an_admin_deletes_it(auditor: Client, client_of: SignIn) -> None:
    save(auditor)
    save(auditor, name="Shared one", is_shared="on")
    manager, admin = client_of("manager"), client_of("admin")
    page = manager.get(AUDIT).content.decode()
    assert "Shared one" in page
    assert "Auditor Person" in page
    assert ">Refunds<" not in page
    button = 'aria-label="Delete filter Shared one"'
    offered = [button in client.get(AUDIT).content.decode() for client in (auditor, manager, admin)]
    assert offered == [True, False, True]
    assert 'name="is_shared"' in page
    own, shared = SavedFilter.objects.order_by("is_shared")
    for client, kept, code in ((manager, own, 404), (manager, shared, 403), (admin, own, 404), (admin, shared, 302)):
        assert client.post(reverse("accounts:audit-filter-delete", args=[kept.pk])).status_code == code
    assert [*SavedFilter.objects.all()] == [own]


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""}, {"name": "x" * 81}, {"query": "since=yesterday"}, {"query": "person=999999"}, {"query": "lead=5"},
        {"query": "lead=jane%40example.com"}, {"query": "text=jane+refund"}, {"query": "text=jane%40example.com"},
        {"query": "x" * 2001}, {"query": "text=%00"}, {"query": "amount_from=9&amount_to=1"},
    ],
)  # fmt: skip
def test_a_filter_that_is_forged_or_names_a_lead_is_refused_with_a_sentence(
    auditor: Client, given: dict[str, str]
) -> None:
    refund()
    answer = auditor.post(SAVE, {"name": "Refunds", "query": "", **given})
    assert answer.status_code == 400
    assert "was not saved" in answer.content.decode()
    assert not SavedFilter.objects.exists()


# One entry, and the way to others


def test_an_entry_stands_between_its_neighbours_in_the_chain(auditor: Client) -> None:
    one, two, three = refund(), tag(), refund()
    page = auditor.get(reverse("accounts:audit-entry", args=[two.pk])).content.decode()
    for entry in (one, two, three):
        assert entry.hash in page
    assert f'href="{reverse("accounts:audit-entry", args=[one.pk])}">Before: no. {one.pk}</a>' in page
    assert f'href="{reverse("accounts:audit-entry", args=[three.pk])}">After: no. {three.pk}</a>' in page
    last = auditor.get(reverse("accounts:audit-entry", args=[three.pk])).content.decode()
    assert "After: no." not in last


def test_an_entry_leads_to_everything_about_the_lead_and_everything_the_person_did(
    auditor: Client, user_of: UserOf
) -> None:
    entry = refund(actor=user_of("support"))
    refund(account=studio("Another"))
    answer = auditor.get(reverse("accounts:audit-entry", args=[entry.pk])).content.decode()
    about, did = f"lead=4174091&amp;account={entry.account_id}", f"person={user_of('support').pk}"
    for query in (about, did):
        assert f'href="{AUDIT}?{query}"' in answer
    assert shown(auditor, lead="4174091", account=entry.account_id) == [entry.pk]
    assert shown(auditor, person=user_of("support").pk)[0] == entry.pk


def test_the_team_page_leads_to_what_each_did(client_of: SignIn, user_of: UserOf) -> None:
    page = client_of("admin").get(reverse("accounts:team")).content.decode()
    assert f'href="{AUDIT}?person={user_of("admin").pk}"' in page


def test_an_operation_of_many_entries_says_how_many_and_leads_to_all(auditor: Client) -> None:
    operation = uuid.uuid4()
    entries = [refund(operation_id=operation) for _ in range(51)]
    page = auditor.get(reverse("accounts:audit-entry", args=[entries[0].pk])).content.decode()
    assert "The first 50 of 51." in page
    assert f'<a href="{AUDIT}?operation={operation}">Show all 51 in the log</a>' in page
    short = uuid.uuid4()
    for _ in range(50):
        last = refund(operation_id=short)
    assert "The first" not in auditor.get(reverse("accounts:audit-entry", args=[last.pk])).content.decode()


def test_a_name_of_too_many_is_refused_and_not_shown_in_part(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "MOST", 2)
    entries = [refund(target_id=str(number), target_name=f"Jo{number} Smith") for number in range(2)]
    assert sorted(shown(auditor, lead="smith")) == [entry.pk for entry in entries]
    refund(target_id="2", target_name="Jo2 Smith")
    answer = auditor.get(AUDIT, {"lead": "smith"})
    assert (answer.status_code, "More than 2 people match" in answer.content.decode()) == (400, True)
    answer = auditor.get(reverse("accounts:audit-export", args=["ndjson"]), {"lead": "smith"})
    assert answer.status_code == 400
    assert AuditEntry.objects.latest("pk").action == "audit.export.denied"
    assert shown(auditor, lead="jo2 smith") == [entries[-1].pk + 1]
