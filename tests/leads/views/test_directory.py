"""The directory: filtered, in order, page by page, kept as views, taken out as CSV."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from leads.access import Desk
from leads.forms.directory import read_view
from leads.models import Entry, SavedView
from leads.providers.base import LeadRef, Money, Transaction
from leads.selectors import directory as selectors
from leads.services import directory
from leads.services.directory import Met
from tests.leads.helpers import HTMX, words
from tests.leads.selectors.test_patience import slow

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
NOW = timezone.now()


@pytest.fixture
def filled(desk_of: DeskOf) -> Desk:
    """Sixty leads numbered from 1, the last met first; odd ones have a tag, every tenth a product, the first ones a
    list, a sequence and a membership, two of them of one name. Some are blacklisted, deleted or gone."""
    desk = desk_of("manager")
    rows = [
        Met(
            str(number),
            name=f"Person {number:02}",
            email=f"p{number:02}@example.com",
            city="Leeds" if number <= 5 else "",
            tags=["odd, tag"] if number % 2 else [],
            lists=["Welcome"] if number <= 7 else [],
            sequences=["Welcome"] if number <= 8 else [],
            memberships=["Club Gold"] if number <= 9 else [],
            products=["Course"] if number % 10 == 0 else [],
            blacklisted=number == 3,
            deleted=number in (11, 12),
        )
        for number in range(1, 61)
    ]
    directory.remember_rows(desk.account, rows, at=NOW)
    for entry in Entry.objects.all():
        met = NOW - timedelta(days=int(entry.lead_id or 0))
        Entry.objects.filter(pk=entry.pk).update(seen_at=met, changed_at=met)
    Entry.objects.filter(lead_id__in=["21", "22", "23"]).update(gone_at=NOW)
    return desk


def names(answer: object) -> list[str]:
    return [row.name for row in answer.context["found"].page.rows]  # type: ignore[attr-defined]


def test_the_last_met_come_first_page_by_page(at_desk: AtDesk, filled: Desk) -> None:
    client = at_desk("manager")
    first = client.get("/directory/")
    assert names(first) == [f"Person {number:02}" for number in range(1, 51)]
    assert "60 leads, 50 on this page" in words(first)
    second = client.get(first.context["older_url"])
    assert names(second) == [f"Person {number:02}" for number in range(51, 61)]
    assert second.context["older_url"] == ""
    assert names(client.get(second.context["newer_url"])) == names(first)


@pytest.mark.parametrize("order", ["name", "email", "seen", "changed"])
def test_every_order_can_be_walked_to_its_end_and_back(at_desk: AtDesk, filled: Desk, order: str) -> None:
    client = at_desk("manager")
    Entry.objects.filter(lead_id__in=["1", "2", "3", "49", "50", "51"]).update(
        name_key="same", email="same@example.com", seen_at=NOW, changed_at=NOW
    )
    pages = [client.get("/directory/", {"order": order})]
    while url := pages[-1].context["older_url"]:
        pages.append(client.get(url))
    found = [name for page in pages for name in names(page)]
    assert len(found) == len(set(found)) == 60
    back = pages[-1]
    while url := back.context["newer_url"]:
        back = client.get(url)
    assert names(back) == names(pages[0])


@pytest.mark.parametrize("text", ["", "example"])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("name", "Ann ben Cy Dora"),
        ("email", "Dora ben Cy Ann"),
        ("seen", "Cy Ann Dora ben"),
        ("changed", "ben Dora Ann Cy"),
    ],
)
def test_each_order_goes_by_its_own_field(
    at_desk: AtDesk, desk_of: DeskOf, order: str, expected: str, text: str
) -> None:
    people = [("ben", "b", 4, 1), ("Dora", "a", 3, 2), ("Cy", "c", 1, 4), ("Ann", "d", 2, 3)]
    rows = [Met(str(number), name, f"{letter}@example.com") for number, (name, letter, *_) in enumerate(people, 1)]
    directory.remember_rows(desk_of("manager").account, rows, at=NOW)
    for name, _, seen, changed in people:
        met, otherwise = NOW - timedelta(days=seen), NOW - timedelta(days=changed)
        Entry.objects.filter(name=name).update(seen_at=met, changed_at=otherwise)
    page = at_desk("manager").get("/directory/", {"order": order, "q": text})
    assert " ".join(names(page)) == expected


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"tag": "odd, tag"}, 30),
        ({"tag": "nobody has it"}, 0),
        ({"list": "Welcome"}, 7),
        ({"sequence": "Welcome"}, 8),
        ({"membership": "Club Gold"}, 9),
        ({"product": "Course"}, 6),
        ({"product": "Welcome"}, 0),
        ({"tag": "odd, tag", "q": "leeds"}, 3),
        ({"tag": "odd, tag", "list": "Welcome", "standing": "usable"}, 3),
        ({"standing": "blacklisted"}, 1),
        ({"standing": "deleted"}, 2),
        ({"standing": "gone"}, 3),
        ({"standing": "usable"}, 54),
        ({"standing": "unread"}, 60),
        ({"seen": "7"}, 6),
        ({"seen": "-30"}, 31),
        ({"changed": "30"}, 29),
        ({"q": "erson 1"}, 10),
        ({"q": "p07@"}, 1),
    ],
)
def test_filters_let_through_who_meets_them_all(
    at_desk: AtDesk, filled: Desk, query: dict[str, str], count: int
) -> None:
    answer = at_desk("viewer").get("/directory/", query)
    assert answer.context["found"].count == count
    assert len(names(answer)) == min(count, 50)


def test_what_was_typed_is_answered_best_first_and_near_misses_say_so(at_desk: AtDesk, filled: Desk) -> None:
    client = at_desk("manager")
    Entry.objects.filter(lead_id="60").update(name="Zoe Leeds", words=f" ~{filled.account.pk} zoe leeds ")
    assert names(client.get("/directory/", {"q": "leeds"}))[0] == "Zoe Leeds"
    near = client.get("/directory/", {"q": "leds"})
    assert len(names(near)) == 6
    assert near.context["found"].is_near
    assert "No exact matches" in words(near)
    assert "Change all in this view" not in words(near)
    assert "Export as CSV" not in words(near)


def test_near_misses_are_left_out_where_anybody_matches(at_desk: AtDesk, filled: Desk) -> None:
    people = [Met("99", "Eve Smith"), *(Met(str(100 + number), "Ann Smyth") for number in range(6))]
    people += [Met(str(200 + number), "Ben Smit") for number in range(6)]
    directory.remember_rows(filled.account, people, at=NOW)
    client = at_desk("manager")
    page = client.get("/directory/", {"q": "smith"})
    assert names(page) == ["Eve Smith"]
    assert (page.context["found"].count, page.context["found"].is_near) == (1, False)
    assert "1 lead " in f"{words(page)} "
    Entry.objects.filter(lead_id="99").delete()
    near = client.get("/directory/", {"q": "smith"})
    assert len(names(near)) == 12
    assert near.context["found"].is_near


@pytest.mark.parametrize("text", ["60", "#60", "77123", "4242 1,299.00"])
def test_who_is_named_by_a_number_matches_exactly_and_belongs_to_the_view(
    at_desk: AtDesk, filled: Desk, text: str
) -> None:
    paid = Transaction("77123", "sale", has_details=True, amount=Decimal(1299), last_four="4242")
    directory.remember_money(filled.account, "60", Money((paid,), ()), at=NOW)
    for order in ("", "name"):
        page = at_desk("manager").get("/directory/", {"q": text, "order": order})
        assert names(page) == ["Person 60"]
        assert page.context["found"].count == 1
        assert "No exact matches" not in words(page)
    assert selectors.of_view(filled.account, selectors.Filters(q=text)).get().lead_id == "60"


@pytest.mark.parametrize(
    "typed", ["%", "%_%", "***", "-", "_", "'", '"', "!!!", "()", "#", "\\", "😀", "❤️", "@", "\u200b"], ids=ascii
)
@pytest.mark.parametrize("order", ["", "name"], ids=["best", "name"])
def test_signs_alone_are_nobody_and_never_everybody(at_desk: AtDesk, filled: Desk, typed: str, order: str) -> None:
    client = at_desk("manager")
    query = {"q": typed, "order": order}
    page = client.get("/directory/", query)
    assert (page.context["found"].count, names(page)) == (0, [])
    assert " 0 leads " in words(page)
    assert not selectors.of_view(filled.account, selectors.Filters(**query)).exists()
    file = b"".join(client.get("/directory/csv/", query).streaming_content).decode()  # type: ignore[attr-defined]
    assert len(file.splitlines()) == 1
    assert AuditEntry.objects.get(action="directory.export.succeeded").detail["rows"] == 0
    client.post("/directory/views/save/", {"name": "Signs", "query": urlencode(query)})
    bulk = client.get("/bulk/new/", {"view": SavedView.objects.get().query})
    assert bulk.context["form"]["who"].value() == ""


def test_another_accounts_people_are_never_shown(at_desk: AtDesk, filled: Desk) -> None:
    other = at_desk("admin", 1)
    assert "No leads yet" in words(other.get("/directory/"))
    assert names(other.get("/directory/", {"q": "person"})) == []


def test_columns_are_chosen(at_desk: AtDesk, filled: Desk) -> None:
    client = at_desk("manager")
    heads = words(client.get("/directory/")).split("Name Email")
    assert "Place Tags" in heads[-1]
    table = client.get("/directory/", {"columns": ["products", "phone"]}, headers=HTMX)
    assert "Name Phone Products Last read" in words(table)  # how fresh it is stands there whatever was chosen
    assert "p01@example.com" not in words(table)


def test_the_columns_shown_are_ticked_so_that_one_is_added_to_them(at_desk: AtDesk, filled: Desk) -> None:
    page = at_desk("manager").get("/directory/", {"seen": "7"})
    choices = page.context["form"].columns_to_choose
    assert [choice.choice_label for choice in choices if choice.data["selected"]] == [
        "Email",
        "Place",
        "Tags",
        "Status",
    ]
    assert "Last read" not in [choice.choice_label for choice in choices]
    assert page.context["query"] == "seen=7"


def test_a_view_that_finds_nobody_now_can_be_kept(at_desk: AtDesk, filled: Desk) -> None:
    page = words(at_desk("manager").get("/directory/", {"standing": "gone", "product": "Course"}))
    assert " 0 leads " in page
    assert "Save as a view" in page


def test_a_fragment_is_the_table_alone(at_desk: AtDesk, filled: Desk) -> None:
    answer = at_desk("manager").get("/directory/", {"q": "leeds"}, headers=HTMX)
    assert answer.content.decode().strip().startswith('<div id="directory-table">')


def test_filters_that_cannot_be_used_show_nobody(at_desk: AtDesk, filled: Desk) -> None:
    answer = at_desk("manager").get("/directory/", {"seen": "soon"})
    assert answer.status_code == 400
    assert "Person 01" not in words(answer)
    assert at_desk("manager").get("/directory/?cursor=bxxxx").status_code == 400


def test_as_many_queries_for_many_rows_as_for_few(at_desk: AtDesk, filled: Desk) -> None:
    client = at_desk("manager")
    client.get("/directory/")

    def queries(query: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/directory/", query)
        return len(captured)

    client.get("/directory/", {"q": "person"})  # learns how many accounts there are
    assert queries({"q": "person leeds", "order": "name"}) == queries({"q": "person", "order": "name"}) <= 25


def test_a_filter_that_many_pass_and_one_that_few_pass_let_the_same_people_through(
    at_desk: AtDesk, filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = at_desk("manager")
    queries = [{"tag": "odd, tag", "q": "leeds"}, {"standing": "blacklisted"}, {"q": "person 1", "order": "name"}]
    few = [names(client.get("/directory/", query)) for query in queries]
    monkeypatch.setattr(selectors, "_FEW", 0)
    assert [names(client.get("/directory/", query)) for query in queries] == few
    assert all(few)


def test_counts_are_exact_up_to_a_bound(at_desk: AtDesk, filled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "COUNTED", 59)
    assert "59+ leads" in words(at_desk("manager").get("/directory/"))


def test_a_count_that_the_database_gives_up_is_said_to_be_many(
    at_desk: AtDesk, filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = selectors.count_quickly
    monkeypatch.setattr(selectors, "_SECONDS", 0.05)
    monkeypatch.setattr(selectors, "count_quickly", lambda entries: count(slow(entries)))
    page = at_desk("manager").get("/directory/")
    assert "Many leads" in words(page)
    assert names(page) == [f"Person {number:02}" for number in range(1, 51)]


def test_a_tag_among_very_many_can_be_chosen(at_desk: AtDesk, filled: Desk) -> None:
    directory.remember_rows(filled.account, [Met("1", tags=[f"tag {number:04}" for number in range(1500)])], at=NOW)
    page = at_desk("manager").get("/directory/").content.decode()
    assert 'value="tag 1499"' in page
    table = at_desk("manager").get("/directory/", {"tag": "tag 1499"}, headers=HTMX)
    assert names(table) == ["Person 01"]


def test_names_to_filter_by_are_those_that_leads_have(filled: Desk) -> None:
    found = selectors.mark_names(filled.account)
    assert found == {
        "tag": ["odd, tag"],
        "list": ["Welcome"],
        "sequence": ["Welcome"],
        "membership": ["Club Gold"],
        "product": ["Course"],
    }


def test_the_csv_holds_everybody_of_the_view_and_is_safe_and_logged(at_desk: AtDesk, filled: Desk) -> None:
    Entry.objects.filter(lead_id="1").update(name='=HYPERLINK("http://x")')
    client = at_desk("manager")
    answer = client.get("/directory/csv/", {"tag": "odd, tag"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0][:3] == ["Lead id", "Name", "Email"]
    assert len(rows) == 31
    assert rows[1][1].startswith("'=")
    assert rows[1][8] == "odd, tag"
    assert {len(row) for row in rows} == {len(rows[0])}
    third = next(dict(zip(rows[0], row, strict=True)) for row in rows if row[0] == "3")
    assert (third["Name"], third["Blacklisted"], third["Deleted"]) == ("Person 03", "yes", "")
    assert third["Last changed"].startswith(f"{NOW - timedelta(days=3):%Y-%m-%d}")
    entry = AuditEntry.objects.filter(action="directory.export.succeeded").get()
    assert entry.actor_name == filled.user.name
    assert entry.detail == {"filters": "Tag: odd, tag", "rows": 30}


def test_the_csv_needs_a_fresh_password_and_the_permission(
    client_of: Callable[..., Client], at_desk: AtDesk, filled: Desk
) -> None:
    assert client_of("manager", stale=True).get("/directory/csv/").status_code == 302
    assert at_desk("support").get("/directory/csv/").status_code == 403
    assert "Export as CSV" not in words(at_desk("support").get("/directory/"))
    assert at_desk("manager").get("/directory/csv/", {"seen": "soon"}).status_code == 400
    assert not AuditEntry.objects.filter(action__startswith="directory.export").exists()


def test_a_view_is_kept_opened_replaced_and_deleted(at_desk: AtDesk, filled: Desk) -> None:
    client = at_desk("agent")
    posted = {"name": "Odd", "query": "tag=odd%2C+tag&order=name"}
    answer = client.post("/directory/views/save/", posted, follow=True)
    assert "View Odd saved." in words(answer)
    assert len(names(answer)) == 30
    client.post("/directory/views/save/", {**posted, "query": "seen=7"})
    view = SavedView.objects.get()
    assert (view.query, view.is_shared) == ("seen=7", False)
    client.post(f"/directory/views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_views_of_others_are_seen_only_where_they_are_shared(at_desk: AtDesk, filled: Desk) -> None:
    agent, support = at_desk("agent"), at_desk("support")
    agent.post("/directory/views/save/", {"name": "Mine", "query": "seen=7"})
    agent.post("/directory/views/save/", {"name": "Ours", "query": "seen=1", "is_shared": "on"})
    page = words(support.get("/directory/"))
    assert "Ours by Agent Person" in page
    assert "Mine" not in page
    pages = [client.get("/directory/").content.decode() for client in (agent, support, at_desk("viewer"))]
    assert ['aria-label="Delete view Ours"' in shown for shown in pages] == [True, True, False]
    assert ['name="is_shared"' in shown for shown in pages] == [True, True, False]
    mine, ours = SavedView.objects.get(name="Mine"), SavedView.objects.get(name="Ours")
    assert support.post(f"/directory/views/{mine.pk}/delete/").status_code == 404
    assert at_desk("viewer").post(f"/directory/views/{ours.pk}/delete/").status_code == 403
    assert support.post(f"/directory/views/{ours.pk}/delete/").status_code == 302
    assert at_desk("admin", 1).post(f"/directory/views/{mine.pk}/delete/").status_code == 404
    assert SavedView.objects.get() == mine


def test_who_may_not_share_may_keep_for_himself(at_desk: AtDesk, filled: Desk) -> None:
    viewer = at_desk("viewer")
    assert viewer.post("/directory/views/save/", {"name": "V", "query": "", "is_shared": "on"}).status_code == 403
    assert viewer.post("/directory/views/save/", {"name": "V", "query": ""}).status_code == 302
    assert viewer.post("/directory/views/save/", {"name": ""}).status_code == 400


def test_a_view_is_handed_to_a_bulk_change_as_its_query(at_desk: AtDesk, filled: Desk) -> None:
    page = at_desk("manager").get("/directory/", {"tag": "odd, tag"}).content.decode()
    assert '/bulk/new/?view=tag%3Dodd%252C%2Btag"' in page
    filters = read_view("tag=odd%2C+tag")
    assert filters is not None
    assert selectors.of_view(filled.account, filters).count() == 30
    assert read_view("seen=soon") is None
    assert "Change selected leads" not in words(at_desk("agent").get("/directory/"))


def test_who_is_gone_or_was_never_read_says_so(at_desk: AtDesk, filled: Desk) -> None:
    directory.mark_gone(filled.account, LeadRef(id="1"), at=NOW)
    page = words(at_desk("agent").get("/directory/", {"q": "leeds"}))
    assert "gone since" in page
    assert "never read" in page
