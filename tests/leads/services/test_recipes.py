"""Recipes: what an admin named, staff run; each run is one operation of tags."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from kartra_admin.lib.errors import Denied
from leads.access import Desk
from leads.models import Operation, Recipe
from leads.providers.errors import AlreadyDone
from leads.services.recipes import delete_recipe, run_recipe, save_recipe
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import read, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
BEN = NOTABLE["ben"].id


@pytest.fixture
def recipe(desk_of: DeskOf) -> Recipe:
    made = Recipe(
        account=desk_of("agent").account,
        name="Kiln Club Gold",
        give_tag="kiln-club-gold",
        take_tag="kiln-club-revoke",
    )
    return save_recipe(actor=desk_of("admin").user, recipe=made)


def run(desk: Desk, recipe: Recipe, *, grant: bool = True, lead_id: str = BEN, **changed: object) -> Operation:
    wanted = {"operation_id": uuid4(), **changed}
    return run_recipe(
        actor=desk.user,
        connection=desk.connection,
        recipe=recipe,
        lead_id=lead_id,
        grant=grant,
        **wanted,  # type: ignore[arg-type]
    )


def test_granting_opens_the_membership_by_kartras_automation(desk_of: DeskOf, sandbox: Sandbox, recipe: Recipe) -> None:
    desk = desk_of("agent")
    operation = run(desk, recipe)
    assert writes(sandbox) == [("assign_tag",)], "the tag to take was not there"
    assert (operation.outcome, operation.label) == ("succeeded", "Grant Kiln Club Gold")
    lead = read(desk, BEN)
    assert ("Kiln Club", "Gold", True) in [(row.name, row.level, row.active) for row in lead.memberships]


def test_revoking_does_the_reverse_in_one_call(desk_of: DeskOf, sandbox: Sandbox, recipe: Recipe) -> None:
    desk = desk_of("agent")
    run(desk, recipe)
    sandbox.calls()
    operation = run(desk, recipe, grant=False)
    assert writes(sandbox) == [("unassign_tag", "assign_tag")]
    assert operation.label == "Revoke Kiln Club Gold"
    lead = read(desk, BEN)
    assert "kiln-club-revoke" in lead.tags
    assert not [row for row in lead.memberships if row.active]


def test_granting_twice_sends_nothing(desk_of: DeskOf, sandbox: Sandbox, recipe: Recipe) -> None:
    desk = desk_of("agent")
    run(desk, recipe)
    sandbox.calls()
    with pytest.raises(AlreadyDone):
        run(desk, recipe)
    assert writes(sandbox) == []


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_not_run_recipes_is_refused(desk_of: DeskOf, sandbox: Sandbox, recipe: Recipe, role: str) -> None:
    with pytest.raises(Denied):
        run(desk_of(role), recipe, lead_id=ADA.id)
    assert writes(sandbox) == []


def test_the_log_says_by_which_recipe(desk_of: DeskOf, recipe: Recipe) -> None:
    operation = run(desk_of("agent"), recipe)
    entry = AuditEntry.objects.get(operation_id=operation.pk, outcome="succeeded")
    assert (entry.action, entry.detail["label"]) == ("tag.assign.succeeded", "Grant Kiln Club Gold")


def test_saving_and_deleting_are_logged_with_before_and_after(desk_of: DeskOf, recipe: Recipe) -> None:
    admin = desk_of("admin").user
    recipe.give_tag = "vip"
    save_recipe(actor=admin, recipe=recipe)
    delete_recipe(actor=admin, recipe=recipe)
    made, changed, deleted = AuditEntry.objects.filter(target_kind="recipe").order_by("id")
    assert made.before is None
    assert (changed.before["Gives tag"], changed.after["Gives tag"]) == ("kiln-club-gold", "vip")
    assert (deleted.action, deleted.before["Gives tag"], deleted.target_name) == (
        "recipe.delete.succeeded",
        "vip",
        "Kiln Club Gold",
    )
    assert not Recipe.objects.exists()
