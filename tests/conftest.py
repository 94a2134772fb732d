"""What every test may ask for: people by role, clients signed in as them, and tables that can be emptied."""

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts import append_only
from accounts.models import User

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
def _fresh_cache() -> Iterator[None]:
    """Counts of failed sign-ins live in the cache."""
    yield
    cache.clear()


@pytest.fixture
def user_of(db: None) -> Callable[[str], User]:
    """``user_of("agent")``: the one person with this role, named after it, who signs in with `PASSWORD`."""

    def find_or_make(role: str) -> User:
        found = User.objects.filter(email=f"{role}@example.com").first()
        return found or User.objects.create_user(
            email=f"{role}@example.com", name=f"{role.capitalize()} Person", role=role, password=PASSWORD
        )

    return find_or_make


@pytest.fixture
def client_of(user_of: Callable[[str], User]) -> Callable[[str], Client]:
    """``client_of("agent")``: a new browser, signed in as that person."""

    def sign_in(role: str) -> Client:
        client = Client()
        client.force_login(user_of(role))
        return client

    return sign_in
