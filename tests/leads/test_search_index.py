"""The index over the directory's words stays in step, and comes back when SQLite rebuilds the table."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import Account
from leads import search_index
from leads.models import Entry
from leads.selectors import search
from leads.services import directory
from leads.services.directory import Met

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def account_with_jon() -> Account:
    account = Account.objects.create(provider="kartra", name="One", fingerprint="1" * 64)
    directory.remember_rows(account, [Met("1", name="Jon Smith")], at=AT)
    return account


def finds(account: Account, text: str) -> bool:
    return bool(search.find(account, text).hits)


@pytest.mark.django_db
def test_every_way_of_writing_keeps_it_in_step() -> None:
    account = account_with_jon()
    entry = Entry.objects.get()
    entry.words = " ~1 peter "
    entry.save()
    assert (finds(account, "peter"), finds(account, "eter"), finds(account, "jon")) == (True, True, False)
    Entry.objects.update(words=" ~1 paula ")
    assert (finds(account, "paula"), finds(account, "aul"), finds(account, "peter")) == (True, True, False)
    Entry.objects.all().delete()
    assert not finds(account, "paula")


@pytest.mark.django_db(transaction=True)
def test_it_can_be_taken_away_made_and_filled_again() -> None:
    account = account_with_jon()
    search_index.remove(connection)
    search_index.remove(connection)
    directory_was = Entry.objects.get().words
    Entry.objects.update(words=directory_was.replace("smith", "brown"))
    search_index.install(connection)
    search_index.install(connection)
    search_index.fill(connection)
    assert finds(account, "brown")
    assert finds(account, "row")
    assert not finds(account, "smith")


@pytest.mark.django_db(transaction=True)
def test_a_migrate_brings_back_what_a_rebuilt_table_lost() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for index in (search_index.WORDS, search_index.PARTS):
                for name in ("insert", "update", "delete"):
                    cursor.execute(f"DROP TRIGGER {index}_{name}")
    call_command("migrate", verbosity=0)
    account = account_with_jon()
    assert finds(account, "jon")
    assert finds(account, "mith")
