"""What the directory keeps of readings and of rows, and what it lets go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NoReturn

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from leads.models import Entry, Mark, MarkKind, Payment, Word
from leads.providers.base import (
    Lead,
    LeadRef,
    ListSubscription,
    Membership,
    Money,
    SequenceSubscription,
    Subscription,
    Transaction,
)
from leads.services import directory
from leads.services.directory import Met

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
JON = Lead(
    id="77",
    email="Jon.Smith@Example.com",
    profile={"first_name": "Jón", "last_name": "Smith", "phone_country_code": "+1", "phone": "(555) 123-4567"},
    tags=("vip",),
    lists=(ListSubscription("News", True), ListSubscription("Old", False)),
    sequences=(SequenceSubscription("Welcome", "1", True),),
    memberships=(Membership("Club", "Gold", True),),
)


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(provider="kartra", name="One", fingerprint="1" * 64)


def marks(lead_id: str = "77") -> set[tuple[str, str]]:
    return set(Mark.objects.filter(entry__lead_id=lead_id).values_list("kind", "name"))


def words(account: Account) -> set[str]:
    return set(Word.objects.filter(account=account).values_list("text", flat=True))


def sale(number: str, **more: object) -> Transaction:
    return Transaction(number, "sale", has_details=True, amount=Decimal("19.95"), last_four="4242", **more)  # type: ignore[arg-type]


def remember_lead(account: Account, lead: Lead, *, at: datetime) -> Entry:
    directory.remember_lead(account, lead, at=at)
    return Entry.objects.get(lead_id=lead.id)


def test_a_reading_is_kept_with_all_by_which_a_lead_is_found(account: Account) -> None:
    entry = remember_lead(account, JON, at=AT)
    assert (entry.name, entry.email, entry.phone) == ("Jón Smith", "jon.smith@example.com", "+1 (555) 123-4567")
    assert entry.words == f" ~{account.pk} jon smith jon.smith@example.com 15551234567 "
    assert entry.lead_read_at == entry.changed_at == entry.seen_at == AT
    assert entry.money_read_at is None
    assert marks() == {("tag", "vip"), ("list", "News"), ("sequence", "Welcome"), ("membership", "Club Gold")}
    assert words(account) == {"jon", "smith"}


def test_a_reading_that_brings_nothing_new_costs_one_query_and_changes_nothing(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    with CaptureQueriesContext(connection) as captured:
        directory.remember_lead(account, JON, at=LATER)
    assert len(captured) == 1
    entry = Entry.objects.get()
    assert (entry.changed_at, entry.seen_at, entry.lead_read_at) == (AT, LATER, LATER)


def test_a_reading_replaces_what_was_known(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    profile = {"first_name": "Jon", "last_name": "Brown"}
    entry = remember_lead(account, replace(JON, profile=profile, tags=("new",), lists=()), at=LATER)
    assert (entry.name, entry.phone, entry.changed_at) == ("Jon Brown", "", LATER)
    assert marks() == {("tag", "new"), ("sequence", "Welcome"), ("membership", "Club Gold")}
    assert words(account) == {"jon", "smith", "brown"}  # smith stands in the email still


def test_an_older_reading_that_comes_late_changes_nothing(account: Account) -> None:
    directory.remember_lead(account, JON, at=LATER)
    entry = remember_lead(account, replace(JON, profile={"first_name": "Old"}), at=AT)
    assert (entry.name, entry.lead_read_at) == ("Jón Smith", LATER)


def test_a_lead_that_is_read_is_no_longer_gone(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    directory.mark_gone(account, LeadRef(id="77"), at=AT)
    assert remember_lead(account, JON, at=LATER).gone_at is None


def test_gone_and_back_keep_the_entry(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    directory.mark_gone(account, LeadRef(id="77"), at=LATER)
    directory.mark_gone(account, LeadRef(id="77"), at=LATER + timedelta(hours=1))
    assert Entry.objects.get().gone_at == LATER
    directory.mark_back(account, "77", at=LATER)
    assert Entry.objects.get().gone_at is None
    directory.mark_gone(account, LeadRef(id="78"), at=LATER)
    assert Entry.objects.count() == 1


def test_rows_tell_new_changed_and_same_each_in_its_place(account: Account) -> None:
    directory.remember_rows(account, [Met("1", name="Ann"), Met("2", name="Bob")], at=AT)
    rows = [Met("2", name="Bob", tags=["x"]), Met("3", name="Cy"), Met("1", name="Ann"), Met("3", name="Cyd")]
    assert directory.remember_rows(account, rows, at=LATER) == ["changed", "new", "same", "changed"]
    assert list(Entry.objects.order_by("lead_id").values_list("name", "changed_at", "seen_at")) == [
        ("Ann", AT, LATER),
        ("Bob", LATER, LATER),
        ("Cyd", LATER, LATER),
    ]
    assert directory.remember_rows(account, rows[:1], at=LATER) == ["same"]


def test_what_a_row_does_not_tell_stays(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    assert directory.remember_rows(account, [Met("77", city="Denver")], at=LATER) == ["changed"]
    entry = Entry.objects.get()
    assert (entry.name, entry.city, entry.lead_read_at) == ("Jón Smith", "Denver", AT)
    assert len(marks()) == 4
    directory.remember_rows(account, [Met("77", tags=[], name="")], at=LATER)
    assert ("tag", "vip") not in marks()
    assert Entry.objects.get().name == ""


def test_the_next_reading_corrects_what_an_import_brought(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    directory.remember_rows(account, [Met("77", name="Wrong", tags=["wrong"])], at=AT)
    entry = remember_lead(account, JON, at=LATER)
    assert entry.name == "Jón Smith"
    assert ("tag", "wrong") not in marks()


def test_who_is_known_by_email_alone_becomes_one_with_the_lead_that_is_read(account: Account) -> None:
    assert directory.remember_rows(account, [Met("", email="JON.smith@example.com ", company="Acme")], at=AT) == ["new"]
    assert Entry.objects.get().lead_id is None
    entry = remember_lead(account, JON, at=LATER)
    assert (entry.lead_id, entry.email) == ("77", "jon.smith@example.com")
    assert Entry.objects.count() == 1
    rows = [Met("", email="jon.smith@example.com", city="Rome"), Met("", email="new@example.com")]
    assert directory.remember_rows(account, rows, at=LATER) == ["changed", "new"]
    assert directory.remember_rows(account, rows, at=LATER) == ["same", "same"]
    assert Entry.objects.count() == 2


def test_a_lead_never_takes_the_entry_of_another_with_its_email(account: Account) -> None:
    directory.remember_rows(account, [Met("1", email="a@example.com", name="Ann")], at=AT)
    assert directory.remember_rows(account, [Met("2", email="a@example.com", name="Bob")], at=AT) == ["new"]
    assert list(Entry.objects.order_by("lead_id").values_list("name", flat=True)) == ["Ann", "Bob"]


def test_whoever_has_neither_id_nor_email_is_refused(account: Account) -> None:
    with pytest.raises(ValueError, match="id or its email"):
        directory.remember_rows(account, [Met("", name="Ann")], at=AT)


def test_accounts_keep_their_own(account: Account) -> None:
    other = Account.objects.create(provider="kartra", name="Two", fingerprint="2" * 64)
    directory.remember_lead(account, JON, at=AT)
    directory.remember_lead(other, replace(JON, tags=()), at=AT)
    assert Entry.objects.filter(lead_id="77").count() == 2
    directory.forget(account, LeadRef(id="77"))
    assert Entry.objects.get().account == other
    assert words(other) == {"jon", "smith"}


def test_rows_of_any_text_are_kept(account: Account) -> None:
    odd = "a\0b \" ' % _ \\ \U0001f600 \u202e " * 60
    directory.remember_rows(account, [Met("1", name=odd, email=odd, phone=odd, company=odd, tags=[odd])], at=AT)
    assert Entry.objects.get().name
    assert directory.remember_rows(account, [Met("1", name=odd, email=odd, tags=[odd])], at=AT) == ["same"]


def test_many_rows_cost_few_queries(account: Account) -> None:
    rows = [Met(str(number), name=f"Name{number}", email=f"n{number}@example.com") for number in range(300)]
    directory.remember_rows(account, rows, at=AT)
    with CaptureQueriesContext(connection) as captured:
        assert set(directory.remember_rows(account, rows, at=LATER)) == {"same"}
    assert len(captured) < 12


def test_payments_are_kept_for_finding_and_products_for_filtering(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    money = Money(
        (sale("9001", product="Course", subscription_id="55"),),
        (Subscription("55", "active"), Subscription("56", "active")),
    )
    directory.remember_money(account, "77", money, at=AT)
    directory.remember_money(account, "77", money, at=LATER)
    found = set(Payment.objects.values_list("transaction_id", "subscription_id", "last_four", "amount"))
    assert found == {("9001", "55", "4242", Decimal("19.95")), ("", "56", "", None)}
    assert (MarkKind.PRODUCT.value, "Course") in marks()
    entry = Entry.objects.get()
    assert (entry.money_read_at, entry.changed_at) == (LATER, AT)


def test_a_reading_without_details_takes_none_away(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    directory.remember_money(account, "77", Money((sale("1"), sale("2", product="Course")), ()), at=AT)
    directory.remember_money(
        account, "77", Money((sale("1"), Transaction("2", "sale"), Transaction("3", "sale")), ()), at=LATER
    )
    assert set(Payment.objects.values_list("transaction_id", "last_four")) == {("1", "4242"), ("2", "4242"), ("3", "")}
    assert (MarkKind.PRODUCT.value, "Course") in marks()
    directory.remember_money(account, "77", Money((sale("1"), sale("3")), ()), at=LATER)
    assert set(Payment.objects.values_list("transaction_id", "last_four")) == {("1", "4242"), ("3", "4242")}
    assert (MarkKind.PRODUCT.value, "Course") not in marks()


def test_money_of_a_lead_never_met_is_not_kept(account: Account) -> None:
    directory.remember_money(account, "77", Money((sale("1"),), ()), at=AT)
    assert not Payment.objects.exists()


def test_forgetting_leaves_nothing_of_the_lead(account: Account) -> None:
    directory.remember_lead(account, JON, at=AT)
    directory.remember_money(account, "77", Money((sale("1"),), ()), at=AT)
    directory.remember_rows(account, [Met("78", name="Ann Smith")], at=AT)
    assert directory.forget(account, LeadRef(id="77"))
    assert not directory.forget(account, LeadRef(id="77"))
    assert words(account) == {"ann", "smith"}
    assert not Mark.objects.exists()
    assert not Payment.objects.exists()


def test_who_is_known_by_email_alone_is_marked_and_forgotten_by_it(account: Account) -> None:
    rows = [Met("", name="Cyd Only", email="cy@example.com"), Met("5", name="Cyd Other", email="cy5@example.com")]
    directory.remember_rows(account, rows, at=AT)
    directory.mark_gone(account, LeadRef(email="CY@example.com"), at=LATER)
    assert list(Entry.objects.exclude(gone_at=None).values_list("name", flat=True)) == ["Cyd Only"]
    assert directory.forget(account, LeadRef(email="CY@example.com"))
    assert not directory.forget(account, LeadRef(email="cy5@example.com"))  # of whom more is known
    assert words(account) == {"cyd", "other"}


def test_a_name_that_nobody_has_any_more_is_forgotten_with_the_change(account: Account) -> None:
    directory.remember_rows(account, [Met("1", name="Ann Oldname"), Met("2", name="Bob")], at=AT)
    directory.remember_rows(account, [Met("1", name="Ann Newname")], at=AT)
    assert words(account) == {"ann", "newname", "bob"}


def test_a_failure_to_remember_fails_nothing_else(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise DatabaseError("lead jon.smith@example.com")

    directory.quietly(fail)
    assert "not kept: DatabaseError" in caplog.text
    assert "jon" not in caplog.text
    assert Entry.objects.count() == 0  # the connection still works


def test_not_to_come_to_a_transaction_fails_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked() -> NoReturn:
        raise OperationalError("database is locked")

    monkeypatch.setattr(directory.transaction, "atomic", locked)
    directory.quietly(lambda: None)
