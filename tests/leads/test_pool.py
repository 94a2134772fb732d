"""Nobody holds one of PostgreSQL's connections while Kartra is waited for."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections, transaction

from accounts.models import User
from leads import wiring
from leads.access import Desk
from leads.providers.base import LeadRef
from tests.leads.conftest import ADA

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one_connection(desk_of: Callable[..., Desk]) -> Iterator[Desk]:
    """A desk whose threads share a pool of one connection, and wait three seconds for it at most."""
    desk = desk_of("agent")
    options = connection.settings_dict["OPTIONS"]
    connection.close()
    options["pool"] = {"min_size": 1, "max_size": 1, "timeout": 3}
    yield desk
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    del options["pool"]


class SlowKartra:
    """Answers as the sandbox does, when it is let go on."""

    def __init__(self, path: Any) -> None:
        self._app = _app_for(path)
        self.called, self.may_answer = called, may_answer

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.called.set()
        assert self.may_answer.wait(10)
        return self._app(environ, start_response)


_app_for = wiring.app_for
called, may_answer = threading.Event(), threading.Event()


def test_who_waits_for_kartra_keeps_nobody_from_the_database(
    one_connection: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "app_for", SlowKartra)
    found: list[str] = []

    def read() -> None:
        try:
            assert User.objects.count() == 1  # takes the connection, before it waits
            lead = wiring.provider_for(one_connection.connection).get_lead(LeadRef(id=ADA.id))
            found.append(lead.email)
        finally:
            connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    assert called.wait(10)
    assert User.objects.count() == 1
    connection.close()
    may_answer.set()
    reader.join(20)
    assert found == [ADA.email]


def test_a_transaction_is_not_broken_off(one_connection: Desk) -> None:
    provider = wiring.provider_for(one_connection.connection)
    with transaction.atomic():
        User.objects.update(name="Half done")
        provider.get_lead(LeadRef(id=ADA.id))
    assert User.objects.get().name == "Half done"
