"""Recipes: what an admin named, staff run. Each run is one operation of tag changes."""

from uuid import UUID

from django.db import transaction

from accounts.models import Connection, User
from accounts.services import access, audit
from leads.models import Operation, Recipe
from leads.providers.changes import AssignTag, Change, UnassignTag
from leads.services.changes import change_lead


def save_recipe(*, actor: User, recipe: Recipe) -> Recipe:
    """Create or change a recipe, with its log entry. Raises `Denied`."""
    access.require(actor, "recipe.manage")
    with transaction.atomic():
        old = Recipe.objects.filter(pk=recipe.pk).first() if recipe.pk else None
        recipe.save()
        audit.record(
            action="recipe.save.succeeded",
            outcome="succeeded",
            actor=actor,
            account=recipe.account,
            target_kind="recipe",
            target_id=str(recipe.pk),
            target_name=recipe.name,
            before=_state(old) if old else None,
            after=_state(recipe),
        )
    return recipe


def delete_recipe(*, actor: User, recipe: Recipe) -> None:
    """Raises `Denied`."""
    access.require(actor, "recipe.manage")
    with transaction.atomic():
        Recipe.objects.filter(pk=recipe.pk).delete()
        audit.record(
            action="recipe.delete.succeeded",
            outcome="succeeded",
            actor=actor,
            account=recipe.account,
            target_kind="recipe",
            target_id=str(recipe.pk),
            target_name=recipe.name,
            before=_state(recipe),
        )


def run_recipe(
    *, actor: User, connection: Connection, recipe: Recipe, lead_id: str, grant: bool, operation_id: UUID
) -> Operation:
    """Grant or revoke in one call. Raises what `change_lead` raises."""
    return change_lead(
        actor=actor,
        connection=connection,
        lead_id=lead_id,
        changes=changes_of(recipe, grant=grant),
        operation_id=operation_id,
        label=f"{'Grant' if grant else 'Revoke'} {recipe.name}",
        permission="recipe.run",
    )


def changes_of(recipe: Recipe, *, grant: bool) -> list[Change]:
    """What granting or revoking it does to one lead."""
    changes: list[Change] = [AssignTag(recipe.give_tag) if grant else UnassignTag(recipe.give_tag)]
    if recipe.take_tag:
        changes.append(UnassignTag(recipe.take_tag) if grant else AssignTag(recipe.take_tag))
    return changes


def _state(recipe: Recipe) -> dict[str, str]:
    return {
        "Name": recipe.name,
        "Description": recipe.description,
        "Gives tag": recipe.give_tag,
        "Takes tag": recipe.take_tag,
    }
