"""Whatever reads or changes a lead leaves it in the directory of its account."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account
from leads.access import Absent, Desk, find_lead_for
from leads.models import Entry, Mark, Payment
from leads.providers.base import LeadRef
from leads.providers.changes import AssignTag, CreateLead, EditLead, SubscribeToList, UnassignTag
from leads.providers.errors import NotFound
from leads.services.directory import Met, remember_rows
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import do, read, see, send

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
NOW = timezone.now()


def ada() -> Entry:
    return Entry.objects.get(lead_id=ADA.id)


def tags() -> set[str]:
    return set(Mark.objects.filter(entry__lead_id=ADA.id, kind="tag").values_list("name", flat=True))


def test_opening_a_lead_puts_it_into_the_directory(at_desk: Callable[..., Client], desk_of: DeskOf) -> None:
    see(at_desk("agent"))
    entry = ada()
    assert entry.account == desk_of("agent").account
    assert (entry.email, entry.gone_at) == (ADA.email, None)
    assert entry.lead_read_at is not None
    assert tags()


def test_its_money_makes_it_found_by_its_payments(at_desk: Callable[..., Client]) -> None:
    client = at_desk("agent")
    see(client)
    client.get(f"/leads/{ADA.id}/money/")
    assert ada().money_read_at is not None
    assert Payment.objects.filter(entry=ada()).exclude(last_four="").exists()


def test_what_was_changed_is_known_at_once(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    read(desk)
    do(desk, AssignTag("teacher"), SubscribeToList("Workshop alerts"))
    assert "teacher" in tags()
    send(desk, UnassignTag("teacher"), EditLead({"city": "Rome"}))
    assert "teacher" not in tags()
    assert (ada().city, "rome" in ada().words) == ("Rome", True)
    read(desk)
    assert ada().city == "Rome"


def test_what_was_changed_behind_the_desk_is_known_when_it_is_read(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    read(desk)
    do(desk, AssignTag("teacher"))
    Mark.objects.filter(name="teacher").delete()
    read(desk)
    assert "teacher" in tags()


def test_a_lead_that_was_created_is_known_at_once(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    send(desk, CreateLead("new@example.com", {"first_name": "New", "last_name": "Person"}), lead_id="")
    entry = Entry.objects.get(email="new@example.com")
    assert (entry.name, entry.lead_read_at) == ("New Person", None)


def test_a_lead_that_is_gone_is_marked_and_stays(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    read(desk)
    Entry.objects.filter(lead_id=ADA.id).update(lead_id="99999999")
    with pytest.raises(NotFound):
        read(desk, "99999999")
    entry = Entry.objects.get(lead_id="99999999")
    assert entry.gone_at is not None
    assert entry.gone_at <= timezone.now()


def test_an_email_that_kartra_does_not_know_any_more_is_marked_and_stays(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    remember_rows(desk.account, [Met("7", email="left@example.com")], at=NOW)
    Entry.objects.create(account=desk.account, email="left@example.com", seen_at=NOW, changed_at=NOW)
    assert find_lead_for(desk, LeadRef(email="left@example.com")) is Absent.UNKNOWN
    with pytest.raises(NotFound):
        provider_for(desk.connection).get_lead(LeadRef(email="left@example.com"))
    gone = Entry.objects.exclude(gone_at=None).get()
    assert (gone.lead_id, gone.email) == (None, "left@example.com")


def test_whoever_comes_back_under_the_email_is_no_longer_gone(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    remember_rows(desk.account, [Met("", email="new@example.com")], at=NOW)
    find_lead_for(desk, LeadRef(email="new@example.com"))
    send(desk, CreateLead("new@example.com", {"first_name": "New"}), lead_id="")
    entry = Entry.objects.get()
    assert (entry.name, entry.gone_at, entry.lead_read_at) == ("New", None, None)
    assert entry.lead_id


def test_a_reading_by_email_leaves_no_second_entry_without_an_id(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    read(desk)
    Entry.objects.create(account=desk.account, email=ADA.email, seen_at=NOW, changed_at=NOW)
    provider_for(desk.connection).get_lead(LeadRef(email=ADA.email))
    assert ada() == Entry.objects.get()


def test_a_kartra_that_knows_emails_alone_is_asked_by_the_email_of_the_directory(
    at_desk: Callable[..., Client], sandbox: Sandbox
) -> None:
    client = at_desk("agent")
    sandbox.configure(email_only=True)
    account = Account.objects.get()
    remember_rows(account, [Met(ADA.id, email=ADA.email)], at=NOW)
    assert see(client).status_code == 200
    assert ada().gone_at is None


def test_a_reading_that_failed_says_nothing_of_the_lead(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    read(desk)
    sandbox.arm("get_lead", "junk", 5)
    with pytest.raises(Exception, match="Kartra"):
        read(desk)
    assert ada().gone_at is None


def test_accounts_keep_their_own(desk_of: DeskOf) -> None:
    mine, other = desk_of("agent"), desk_of("manager", 1)
    read(mine)
    assert not Entry.objects.filter(account=other.account).exists()
