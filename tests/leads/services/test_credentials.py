"""Whose credentials serve where nobody waits: the asker's own, then anybody's that still work."""

from collections.abc import Callable

import pytest

from accounts.models import Connection, User
from accounts.services import connections
from leads.access import Desk
from leads.providers.errors import Misconfigured, Unavailable
from leads.services import _credentials

pytestmark = pytest.mark.django_db


def test_the_askers_own_come_first_and_broken_ones_last(desk_of: Callable[..., Desk]) -> None:
    agent, support, manager = desk_of("agent"), desk_of("support"), desk_of("manager")
    connections.note_failed(agent.connection, "refused")
    found = [row.user for row in _credentials.usable(agent.account, first=manager.user)]
    assert found == [manager.user, support.user, agent.user]


def test_those_of_people_who_left_or_of_another_account_are_never_used(desk_of: Callable[..., Desk]) -> None:
    agent, _ = desk_of("agent"), desk_of("manager", 1)
    User.objects.filter(pk=agent.user.pk).update(is_active=False)
    with pytest.raises(Misconfigured):
        _credentials.with_any(agent.account, lambda connection: connection)


def test_the_next_are_tried_only_where_credentials_are_refused(desk_of: Callable[..., Desk]) -> None:
    agent, support = desk_of("agent"), desk_of("support")
    tried: list[User] = []

    def work(connection: Connection) -> str:
        tried.append(connection.user)
        if connection.user == agent.user:
            raise Misconfigured("refused")
        return "done"

    assert _credentials.with_any(agent.account, work, first=agent.user) == "done"
    assert tried == [agent.user, support.user]

    def fail(connection: Connection) -> str:
        tried.append(connection.user)
        raise Unavailable("away")

    tried.clear()
    with pytest.raises(Unavailable):
        _credentials.with_any(agent.account, fail)
    assert len(tried) == 1
