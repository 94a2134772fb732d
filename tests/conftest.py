"""What every test may ask for: people by role, clients signed in as them, and tables that can be emptied."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import environ
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test import client as test_client
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from accounts import append_only
from accounts.models import User
from leads.wiring import database_slots
from tests import template
from tests.entries import entries_written_last

PASSWORD = "correct horse battery"

# Fixtures after which pytest-django empties all tables instead of rolling back.
_EMPTYING = {"transactional_db", "live_server", "django_db_reset_sequences"}


@pytest.fixture(autouse=True)
def _empty_audit_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lift the append-only triggers just before the tables are emptied; emptying ends with ``post_migrate``, which
    makes them again. The fixture that empties is asked for here, so that it is torn down after this one."""
    marker = request.node.get_closest_marker("django_db")
    empties = bool(_EMPTYING & set(request.fixturenames)) or bool(marker and marker.kwargs.get("transaction"))
    if empties:
        request.getfixturevalue("transactional_db")
    yield
    if empties:
        append_only.lift(connection)


@pytest.fixture(autouse=True)
def _entries_are_written_last() -> Iterator[None]:
    with entries_written_last():
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """Migrations run once for all workers, of which each starts from a copy."""
    own = tmp_path_factory.getbasetemp()
    with django_db_blocker.unblock():
        template.make(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)
        template.start_from()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Whether the database is there before it is set up: on SQLite the copy is a file."""
    return connection.vendor == "sqlite"


def pytest_configure() -> None:
    """Of a page a test may ask for its own context; Django's client copies that of everything it includes, too."""
    store = test_client.store_rendered_templates

    def store_first(kept: dict[str, Any], **rendered: Any) -> None:
        if "context" not in kept:
            store(kept, **rendered)

    test_client.store_rendered_templates = store_first


def pytest_collection_finish() -> None:
    """What is there by now stays: collecting garbage is not to go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ and not session.config.option.collectonly:
        with session.config.stash[blocking_manager_key].unblock():
            template.drop()


def _delete_all(style: Any, tables: list[str], *, reset_sequences: bool = False, **_: Any) -> list[str]:
    """What empties PostgreSQL's tables: TRUNCATE makes each a new file, which lasts longer than most tests."""
    assert not reset_sequences, "no test asks for it"
    quote = connection.ops.quote_name
    return [f"DELETE FROM {quote(table)};" for table in tables]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The limiter has a connection of its own, which would keep PostgreSQL from dropping the database of the tests."""
    if connection.vendor == "postgresql":
        connection.ops.sql_flush = _delete_all  # type: ignore[method-assign]
    yield
    if connection.vendor == "postgresql":
        database_slots().close()


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """Counts of failed sign-ins live in the cache."""
    yield
    cache.clear()


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[str]:
    """The address of one, of the kind that the tests run on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'db.sqlite3'}"
        return
    name = f"{connection.settings_dict['NAME']}_upgrade"
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(f"CREATE DATABASE {name}")
    yield f"{os.environ['TEST_DATABASE_URL'].rpartition('/')[0]}/{name}"
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def user_of(db: None) -> Callable[[str], User]:
    """``user_of("agent")``: the one person with this role, named after it, who signs in with `PASSWORD`."""

    def find_or_make(role: str) -> User:
        found = User.objects.filter(email=f"{role}@example.com").first()
        return found or User.objects.create_user(
            email=f"{role}@example.com", name=f"{role.capitalize()} Person", role=role, password=PASSWORD
        )

    return find_or_make


def redis_cache() -> dict[str, Any]:
    """The shared cache of the tests, as `CACHE_URL` would set it up."""
    shared: dict[str, Any] = environ.Env.cache_url_config(os.environ["TEST_REDIS_URL"])
    return {**shared, "OPTIONS": {"serializer": "kartra_admin.lib.cached.JSONSerializer"}}


class SignIn(Protocol):
    def __call__(self, role: str, *, stale: bool = False) -> Client: ...


def confirm(client: Client, *, stale: bool = False) -> None:
    """As if the person signed in to this browser had given the password just now; with ``stale`` an hour ago."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 3600 * stale}]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()


@pytest.fixture
def client_of(user_of: Callable[[str], User]) -> SignIn:
    """``client_of("agent")``: a new browser, signed in as that person just now; with ``stale`` an hour ago."""

    def sign_in(role: str, *, stale: bool = False) -> Client:
        client = Client()
        client.force_login(user_of(role))
        confirm(client, stale=stale)
        return client

    return sign_in
