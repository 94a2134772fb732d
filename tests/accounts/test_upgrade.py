"""A log from before it was chained: what stands in it after its next `migrate`, and what that takes."""

import gc
import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps

from accounts.models import Subject
from kartra_admin.lib.crypto import Keyring
from kartra_admin.settings import BASE_DIR

pytestmark = pytest.mark.django_db


def test_a_log_from_before_is_chained_and_sealed_as_it_stood(empty_database: str, tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.chaining_script"],
        cwd=BASE_DIR,
        env={**given, "DEMO": "true", "DATA_DIR": str(tmp_path), "DATABASE_URL": empty_database},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "1,105 entries and 1 checkpoints are as they were written.\n"
    assert (done.stdout, done.returncode) == (said, 0), done.stderr[-2000:]


def alive(kind: type) -> int:
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


def test_the_keys_of_all_leads_are_not_held_at_once() -> None:
    """Of a thousand at most, whatever their number."""
    chaining = importlib.import_module("accounts.migrations.0006_chain")
    book, before = chaining.Book(apps), alive(Keyring)
    for number in range(1100):
        book.seal(book.found_or_made(f"lead:2:{number}"), "words", number)
    assert Subject.objects.count() == 1100
    assert alive(Keyring) - before <= 1000
    assert book.found_or_made("lead:2:0") == Subject.objects.earliest("pk").pk


def test_neither_are_those_of_what_is_sealed_later() -> None:
    sealing = importlib.import_module("leads.migrations.0014_seal")
    before = alive(Subject)
    for number in range(1100):
        sealing._subject("Note", SimpleNamespace(pk=number, account_id=1, lead_id=f"{number}"))
    assert Subject.objects.count() == 1100
    assert alive(Subject) - before <= 1000
    sealing._found.cache_clear()
