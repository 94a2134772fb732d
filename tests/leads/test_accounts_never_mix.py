"""Two people of two Kartra accounts: nothing of the one is seen, used or changed from the other."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db.models import Model
from django.http import Http404
from django.test import Client
from django.utils import timezone

from leads.access import Desk, get_object_or_404
from leads.models import Catalogue, Entry, Forgetting, Note, Operation, Playbook, Recent, Recipe
from leads.providers.changes import AssignTag, GivePoints
from leads.services.notes import add_note
from leads.services.reconcile import reconcile
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, do, grow_old, read, see, typed, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]

OTHER_ADA = NOTABLE["bindery_ada"]


class Pair:
    """An agent of the studio, who has worked, and an admin of the bindery, who looks around."""

    def __init__(self, desk_of: DeskOf, at_desk: AtDesk) -> None:
        self.studio, self.bindery = desk_of("agent"), desk_of("admin", 1)
        self.agent, self.admin = at_desk("agent"), at_desk("admin", 1)


@pytest.fixture
def pair(desk_of: DeskOf, at_desk: AtDesk) -> Pair:
    return Pair(desk_of, at_desk)


def test_the_same_address_is_another_person_in_each(pair: Pair) -> None:
    assert ADA.email == OTHER_ADA.email
    for client, lead in ((pair.agent, ADA), (pair.admin, OTHER_ADA)):
        answer = client.get("/leads/", {"q": ADA.email}, follow=True)
        assert answer.redirect_chain == [(f"/leads/{lead.id}/", 302)]


def test_the_other_ones_ids_do_not_exist_here(pair: Pair) -> None:
    for path in ("", "edit/", "money/"):
        assert pair.admin.get(f"/leads/{ADA.id}/{path}").status_code == 404
        assert pair.agent.get(f"/leads/{OTHER_ADA.id}/{path}").status_code == 404


def test_a_change_here_changes_nothing_there(pair: Pair) -> None:
    before = read(pair.bindery, OTHER_ADA.id)
    do(pair.studio, AssignTag("advanced"), GivePoints(5))
    after = read(pair.bindery, OTHER_ADA.id)
    assert (after.tags, after.score, after.profile) == (before.tags, before.score, before.profile)


def test_catalogues_and_pickers_hold_only_the_own_names(pair: Pair) -> None:
    for path in ("/settings/catalogues/", f"/leads/{OTHER_ADA.id}/tags/change/", "/leads/new/", "/recipes/new/"):
        html = pair.admin.get(path).content.decode()
        assert "kiln-club-gold" not in html
        assert "paper-club" in html
        assert "paper-club" not in pair.agent.get(path.replace(OTHER_ADA.id, ADA.id)).content.decode()


def test_a_name_of_the_other_account_cannot_be_picked(pair: Pair, sandbox: Sandbox) -> None:
    sandbox.calls()
    answer = pair.admin.post(
        f"/leads/{OTHER_ADA.id}/tags/change/", {"operation_id": str(uuid4()), "add": "kiln-club-gold"}
    )
    assert answer.status_code == 422
    assert sandbox.calls() == []


def test_a_refresh_touches_only_the_own_catalogues(pair: Pair) -> None:
    before = {row.pk: row.read_at for row in Catalogue.objects.filter(account=pair.studio.account)}
    pair.admin.post("/settings/catalogues/refresh/")
    assert {row.pk: row.read_at for row in Catalogue.objects.filter(account=pair.studio.account)} == before


def test_recents_are_of_the_account_even_for_one_who_moves(pair: Pair, desk_of: DeskOf) -> None:
    see(pair.agent)
    see(pair.admin, OTHER_ADA.id)
    assert f"/leads/{ADA.id}/" not in pair.admin.get("/").content.decode()
    Recent.objects.create(
        account=pair.studio.account, user=pair.bindery.user, lead_id=ADA.id, email=ADA.email,
        opened_at=Recent.objects.latest("opened_at").opened_at,
    )  # fmt: skip
    for path in ("/", "/leads/"):
        assert f"/leads/{ADA.id}/" not in pair.admin.get(path).content.decode()


@pytest.mark.parametrize("act", ["", "undo/", "settle/", "decide/"])
def test_an_operation_of_the_other_account_is_not_found(pair: Pair, sandbox: Sandbox, act: str) -> None:
    operation = do(pair.studio, AssignTag("advanced"))
    sandbox.calls()
    url = f"/operations/{operation.pk}/{act}"
    posted = {"operation_id": str(uuid4()), "happened": "yes", "reason": "I think so"}
    answer = pair.admin.post(url, posted) if act else pair.admin.get(url)
    assert answer.status_code == 404
    assert sandbox.calls() == []
    operation.refresh_from_db()
    assert (operation.outcome, operation.is_undone) == ("succeeded", False)


def test_an_operation_id_of_the_other_account_is_not_shown_and_nothing_sent(pair: Pair, sandbox: Sandbox) -> None:
    operation = do(pair.studio, AssignTag("advanced"))
    sandbox.calls()
    answer = pair.admin.post(
        f"/leads/{OTHER_ADA.id}/tags/change/", {"operation_id": str(operation.pk), "add": "paper-club"}, headers=HTMX
    )
    assert answer.status_code == 422
    assert "Ada Moreno" not in words(answer)
    assert sandbox.calls() == []


def test_activity_of_the_same_lead_number_is_not_shared(pair: Pair) -> None:
    do(pair.studio, AssignTag("advanced"))
    for path in (f"/leads/{ADA.id}/activity/", "/"):
        assert "added tag advanced" not in words(pair.admin.get(path))


def test_what_is_in_doubt_there_waits_there(pair: Pair, sandbox: Sandbox) -> None:
    sandbox.arm("give_points_to_lead", "500")
    do(pair.studio, GivePoints(20))
    assert "Check now" in words(pair.agent.get("/"))
    assert "Nothing is in doubt" in words(pair.admin.get("/"))


def test_doubts_are_settled_with_credentials_of_their_own_account(pair: Pair, sandbox: Sandbox) -> None:
    sandbox.arm("assign_tag", "lost")
    operation = do(pair.studio, AssignTag("advanced"))
    grow_old(operation)
    pair.studio.connection.delete()
    sandbox.calls()
    assert reconcile().unread == 1
    assert sandbox.calls() == []


def test_notes_of_the_same_lead_number_are_not_shared(pair: Pair) -> None:
    note = add_note(
        actor=pair.studio.user, account=pair.studio.account, lead_id=OTHER_ADA.id, lead_label="", text="Of the studio"
    )
    assert "Of the studio" not in words(see(pair.admin, OTHER_ADA.id))
    url = f"/leads/{OTHER_ADA.id}/notes/"
    assert pair.admin.post(url, {"delete": str(note.pk)}).status_code == 404
    assert "Of the studio" not in words(pair.admin.post(url, {"text": "Of the bindery"}, headers=HTMX))
    assert Note.objects.count() == 2


def test_recipes_of_the_other_account_are_not_found(pair: Pair, sandbox: Sandbox) -> None:
    recipe = Recipe.objects.create(account=pair.studio.account, name="Gold", give_tag="kiln-club-gold")
    assert "kiln-club-gold" not in words(pair.admin.get("/recipes/"))
    assert "Access by recipe" not in words(see(pair.admin, OTHER_ADA.id))
    sandbox.calls()
    for path in (f"/recipes/{recipe.pk}/edit/", f"/recipes/{recipe.pk}/delete/"):
        assert pair.admin.post(path, {"name": "Mine", "give_tag": "paper-club"}).status_code == 404
    run = pair.admin.post(f"/leads/{OTHER_ADA.id}/recipes/{recipe.pk}/", {"operation_id": str(uuid4())})
    assert run.status_code == 404
    assert sandbox.calls() == []
    assert not Operation.objects.exists()


@pytest.mark.parametrize("make", [
    lambda desk: Playbook.objects.create(account=desk.account, name="Leave", steps=[{"act": "cancel"}]),
    lambda desk: Entry.objects.create(
        account=desk.account, email="ada@example.com", seen_at=timezone.now(), changed_at=timezone.now()
    ),
    lambda desk: Forgetting.objects.create(
        account=desk.account, lead_id=ADA.id, requested_by=desk.user, reason="Asked", due_at=timezone.now()
    ),
])  # fmt: skip
def test_a_row_is_found_from_its_own_account_alone(pair: Pair, make: Callable[[Desk], Model]) -> None:
    row = make(pair.studio)
    assert get_object_or_404(pair.studio, type(row), pk=row.pk) == row
    with pytest.raises(Http404):
        get_object_or_404(pair.bindery, type(row), pk=row.pk)


def test_the_name_of_a_recipe_is_free_in_the_other_account(pair: Pair) -> None:
    Recipe.objects.create(account=pair.studio.account, name="Gold", give_tag="kiln-club-gold")
    assert pair.admin.post("/recipes/new/", {"name": "Gold", "give_tag": "paper-club"}).status_code == 302


def test_a_form_signed_in_one_account_is_not_taken_in_the_other(pair: Pair, sandbox: Sandbox) -> None:
    posted = typed(pair.studio, read(pair.studio), city="Dallas")
    sandbox.calls()
    answer = pair.admin.post(f"/leads/{OTHER_ADA.id}/edit/", posted)
    assert answer.status_code == 422
    assert sandbox.calls() == [("get_lead",)]
