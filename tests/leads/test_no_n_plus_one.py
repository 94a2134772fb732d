"""A page asks the database as often for many rows as for few."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, User
from leads.access import Desk
from leads.models import Note, Operation, OperationStep, Outcome, Recent, Recipe
from tests.leads.conftest import ADA

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]


def fill(account: Account, people: list[User], rows: int) -> None:
    """Operations of all outcomes, some undone, with several steps; recents, notes and recipes."""
    now = timezone.now()
    for number in range(rows):
        actor = people[number % len(people)]
        made = Operation.objects.create(
            account=account,
            actor=actor,
            lead_id=ADA.id,
            lead_name="Ada",
            request_digest="x",
            outcome=list(Outcome)[number % 4],
            undoes=Operation.objects.filter(undone_by=None, undoes=None).first() if number % 3 == 2 else None,
        )
        for position in range(3):
            OperationStep.objects.create(
                operation=made,
                position=position,
                kind="lead.edit" if position else "tag.assign",
                subject="" if position else "vip",
                asked={"tag": "vip"} if not position else {"profile": {"city": "x"}},
                before={"City": "a"},
                after={"City": "b"},
                inverse={"kind": "tag.unassign", "asked": {"tag": "vip"}},
                outcome=made.outcome,
            )
        Note.objects.create(account=account, lead_id=ADA.id, author=actor, text=f"note {number}")
        Recipe.objects.create(account=account, name=f"recipe {uuid4()}", give_tag="vip")
        for person in people:
            Recent.objects.create(
                account=account,
                user=person,
                lead_id=str(number + 1000 + rows * 1000),
                email="x@example.com",
                opened_at=now + timedelta(seconds=number),
            )


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/leads/",
        f"/leads/{ADA.id}/",
        f"/leads/{ADA.id}/activity/",
        f"/leads/{ADA.id}/edit/",
        "/recipes/",
        "/settings/catalogues/",
    ],
)
def test_as_many_queries_for_many_rows_as_for_few(at_desk: AtDesk, desk_of: Callable[..., Desk], url: str) -> None:
    client, desk = at_desk("manager"), desk_of("manager")
    people = [desk.user, desk_of("agent").user, desk_of("support").user]

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        return len([query for query in captured if "RELEASE" not in query["sql"] and "SAVEPOINT" not in query["sql"]])

    fill(desk.account, people, 3)
    client.get(url)
    few = queries()
    fill(desk.account, people, 30)
    assert queries() == few
    assert few <= 20
