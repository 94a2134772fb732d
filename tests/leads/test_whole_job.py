"""The whole job as a newcomer does it, on the sandbox in the box and on another server that speaks the same wire."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from leads.models import Operation
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.server import running
from leads.providers.kartra.sandbox.traffic import calls
from tests.conftest import PASSWORD
from tests.entries import entries_about
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import posted_again, values_of, words

pytestmark = pytest.mark.django_db
KEYS = {"api_key": ACCOUNTS[0].api_key, "api_password": ACCOUNTS[0].api_password, "account_name": "The Studio"}


def sign_in(role: str) -> Client:
    client = Client()
    answer = client.post("/sign-in/", {"login": f"{role}@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    return client


@pytest.fixture(params=["in the box", "another server"])
def kartra(request: pytest.FixtureRequest, sandbox: Sandbox, settings: object, tmp_path: Path) -> Iterator[Path]:
    """The state of the Kartra that is spoken to."""
    if request.param == "in the box":
        yield sandbox.path
        return
    sandbox.let_go()
    elsewhere = tmp_path / "elsewhere.sqlite3"
    shutil.copy(sandbox.path, elsewhere)
    sandbox.path.unlink()
    with running(elsewhere) as url:
        settings.KARTRA_API_URL = url  # type: ignore[attr-defined]
        yield elsewhere


def test_an_agent_works_and_the_auditor_sees_each_of_it(kartra: Path, user_of: Callable[[str], User]) -> None:
    for role in ("agent", "auditor"):
        user_of(role)

    # The agent signs in, is told to connect, and does.
    agent = sign_in("agent")
    assert "You have no Kartra credentials yet" in words(agent.get("/"))
    connected = agent.post("/settings/connection/", KEYS, follow=True)
    assert "Kartra accepted these credentials." in words(connected)

    # Finds a lead, and sees all of it.
    page = agent.get("/leads/", {"q": f"mailto:{ADA.email.upper()}"}, follow=True)
    assert page.redirect_chain == [(f"/leads/{ADA.id}/", 302)]
    assert "Kiln Club level Gold" in words(page)
    money = agent.get(f"/leads/{ADA.id}/money/", headers={"HX-Request": "true"})
    assert "#99432" in words(money)

    # Changes a field, adds two tags and a list, in one save.
    before = len(calls(kartra))
    form = agent.get(f"/leads/{ADA.id}/edit/").context["form"]
    posted = values_of(form)
    posted |= {
        "city": "Dallas",
        "tags": [*posted["tags"], "advanced", "beginner"],
        "lists": [*posted["lists"], "Podcast listeners"],
    }
    saved = agent.post(f"/leads/{ADA.id}/edit/", posted, follow=True)
    said = "Edited fields, added tag advanced, added tag beginner, subscribed to Podcast listeners."
    assert said in words(saved)
    commands = [call.commands for call in calls(kartra)[before:]]
    assert ("edit_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list") in commands

    # Gives points, and undoes that one.
    points = agent.get(f"/leads/{ADA.id}/points/change/")
    own_id = posted_again(points, "operation_id")[0]
    given = agent.post(
        f"/leads/{ADA.id}/points/change/", {"operation_id": own_id, "direction": "give", "points": "20"}, follow=True
    )
    assert "Gave points." in words(given)
    undone = agent.post(f"/operations/{own_id}/undo/", {"operation_id": "1" * 32}, follow=True)
    assert "Undo: removed points." in words(undone)

    # One of the two tags, from the page of the save, and then the rest of it.
    save = Operation.objects.get(steps__kind="lead.edit")
    one = agent.get(f"/operations/{save.pk}/")
    assert f"/operations/{save.pk}/undo/2/" in one.content.decode()
    undone = agent.post(f"/operations/{save.pk}/undo/2/", {"operation_id": "3" * 32}, follow=True)
    assert "Undo: removed tag beginner." in words(undone)
    agent.post(f"/operations/{save.pk}/undo/", {"operation_id": "2" * 32}, follow=True)
    lead = agent.get(f"/leads/{ADA.id}/")
    assert "Boston, MA" in words(lead)
    assert "Podcast listeners Unsubscribed" in words(lead)

    # The auditor sees each of it: before and after, who, when.
    auditor = sign_in("auditor")
    log = auditor.get("/audit/", {"lead": ADA.id})
    assert log.status_code == 200
    text = words(log)
    for piece in ("Agent Person", "Edited fields", "Boston", "Dallas", "Added tag advanced", "Added tag beginner",
                  "Subscribed to Podcast listeners", "Gave points", "35", "55", "Viewed the lead"):  # fmt: skip
        assert piece in text, piece
    for kind, fields in {
        "lead.edit": [("City", "Boston", "Dallas"), ("City", "Dallas", "Boston")],
        "tag.assign": [("Tag advanced", "no", "yes"), ("Tag beginner", "no", "yes")],
        "list.subscribe": [("List Podcast listeners", "not subscribed", "subscribed")],
        "points.give": [("Points", "35", "55")],
        "points.remove": [("Points", "55", "35")],
        "tag.unassign": [("Tag beginner", "yes", "no"), ("Tag advanced", "yes", "no")],
    }.items():
        entries = entries_about(ADA.id).filter(action=f"{kind}.succeeded")
        seen = [(key, entry.before[key], entry.after[key]) for entry in entries for key in entry.after]
        assert sorted(seen) == sorted(fields)
        for entry in entries:
            one = words(auditor.get(f"/audit/{entry.pk}/"))
            when = timezone.localtime(entry.at)
            for piece in (
                "Agent Person",
                "Ada Moreno",
                f"{when:%H:%M:%S}",
                *entry.before.values(),
                *entry.after.values(),
            ):
                assert piece in one
    assert auditor.post(f"/leads/{ADA.id}/edit/", posted).status_code == 403
