"""The demo begins with a directory that somebody can be found in."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Account
from leads.models import Entry
from leads.selectors import search

pytestmark = pytest.mark.django_db


def test_the_demo_finds_jon_smith_by_jon_smth(
    tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DATA_DIR, settings.DEMO = tmp_path, True
    call_command("demo")
    account = Account.objects.get()
    found = search.find(account, "jon smth").hits
    assert [hit.entry.name for hit in found][:1] == ["Jon Smith"]
    count = Entry.objects.count()
    assert count > 1900
    assert not Entry.objects.filter(deleted=True).exists()
    call_command("demo")
    assert Entry.objects.count() == count
