"""A sandbox of its own for each test, people with credentials in it, and browsers signed in as them."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from sqlite3 import Connection

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services import connections
from leads.access import Desk, desk_for
from leads.models import Catalogue, Limit, Reason
from leads.providers.base import CatalogueKind
from leads.providers.kartra import client
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.faults import arm
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.providers.kartra.sandbox.seed import seed
from leads.providers.kartra.sandbox.state import configure, connect, writing
from leads.providers.kartra.sandbox.traffic import calls
from leads.services.catalogues import KINDS, list_items
from leads.wiring import provider_with, sandbox_path

ADA = NOTABLE["ada"]


class Sandbox:
    """The Kartra of one test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = 0
        self._held: Connection | None = None

    def put_back(self, seeded: Path) -> None:
        """As it was before the first call. Held open from then on: else each call closes it last, which makes SQLite
        tidy its log up."""
        self.let_go()
        shutil.copy(seeded, self.path)
        self._held = connect(self.path)
        self._held.execute("SELECT 1 FROM leads LIMIT 1").fetchone()
        self._seen = 0

    def let_go(self) -> None:
        if self._held:
            self._held.close()

    def arm(self, command: str, mode: str, times: int = 1) -> None:
        arm(self.path, command, mode, times)

    def disarm(self) -> None:
        """Let nothing fail any more."""
        with closing(connect(self.path)) as db, writing(db):
            db.execute("DELETE FROM faults")

    def configure(self, **switches: object) -> None:
        configure(self.path, **switches)

    def facts(self, lead_id: str) -> dict[str, str]:
        """What Kartra has of a lead."""
        with closing(connect(self.path)) as db:
            return json.loads(db.execute("SELECT facts FROM leads WHERE id = ?", (lead_id,)).fetchone()[0])  # type: ignore[no-any-return]

    def set_facts(self, lead_id: str, facts: dict[str, str]) -> None:
        """Let these facts of a lead be what Kartra has."""
        with closing(connect(self.path)) as db, writing(db):
            db.execute("UPDATE leads SET facts = ? WHERE id = ?", (json.dumps(facts), lead_id))

    def calls(self) -> list[tuple[str, ...]]:
        """The commands of each call that arrived since this was last asked."""
        found = calls(self.path)[self._seen :]
        self._seen += len(found)
        return [call.commands for call in found]


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "seeded.sqlite3"
    seed(path, leads=60)
    configure(path, calls_per_second=0)
    return path


@pytest.fixture
def sandbox(seeded: Path, tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Nobody waits for real where it takes no calls: how long one waits is for the tests of the client."""
    monkeypatch.setattr(client, "_PAUSE_AFTER_429", 0.01)
    monkeypatch.setattr(client, "_PAUSES", (0.01, 0.01))
    settings.DATA_DIR = tmp_path  # type: ignore[attr-defined]
    sandbox = Sandbox(sandbox_path())
    sandbox.put_back(seeded)
    yield sandbox
    sandbox.let_go()


@cache
def catalogues_as_seeded() -> dict[str, dict[CatalogueKind, list[object]]]:
    """The catalogues of the accounts by API key, read from the first test's sandbox before anything changes it there,
    and not anew for each test."""
    found = {}
    for keys in ACCOUNTS:
        provider = provider_with(connections.Credentials(keys.api_key, keys.api_password))
        found[keys.api_key] = {kind: list_items(provider, kind) for kind in KINDS}
    return found


@pytest.fixture
def desk_of(user_of: Callable[[str], User], sandbox: Sandbox) -> Callable[..., Desk]:
    """``desk_of("agent")``: that person with credentials of the first account; ``account=1`` of the second.

    Nobody has limits: a test that wants some makes them. Those of the migrations would be there by chance only, until
    some test empties the tables; so are the reasons, of which all find one.
    """
    Limit.objects.all().delete()
    Reason.objects.get_or_create(text="Goodwill")
    catalogues = catalogues_as_seeded()

    def furnish(role: str, account: int = 0) -> Desk:
        person = user_of(role)
        keys = ACCOUNTS[account]
        if not hasattr(person, "connection"):
            connections.place(actor=person, owner=person, api_key=keys.api_key, api_password=keys.api_password)
        desk = desk_for(User.objects.get(pk=person.pk))
        if not desk.account.catalogues.exists():
            read = [
                Catalogue(account=desk.account, kind=kind, items=items, read_at=timezone.now())
                for kind, items in catalogues[keys.api_key].items()
            ]
            Catalogue.objects.bulk_create(read)
        sandbox.calls()
        return desk

    return furnish


@pytest.fixture
def at_desk(desk_of: Callable[..., Desk], client_of: Callable[[str], Client]) -> Callable[..., Client]:
    """``at_desk("agent")``: a browser of somebody with credentials."""

    def sit_down(role: str, account: int = 0) -> Client:
        desk_of(role, account)
        return client_of(role)

    return sit_down
