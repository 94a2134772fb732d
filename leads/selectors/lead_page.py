"""What the home page and the lead page show beside the lead itself."""

from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.models import Account, User
from leads.labels import person
from leads.models import Entry, Note, Playbook, Recent, Recipe
from leads.providers.base import Lead

RECENTS = 8


@dataclass(frozen=True)
class RecipeState:
    """A recipe as it stands for one lead."""

    recipe: Recipe
    is_granted: bool


def list_recents(account: Account, user: User) -> QuerySet[Recent]:
    return Recent.objects.filter(account=account, user=user).order_by("-opened_at")[:RECENTS]


def list_notes(account: Account, lead_id: str) -> QuerySet[Note]:
    return Note.objects.filter(account=account, lead_id=lead_id).prefetch_related("author").order_by("-created_at")


def list_recipes(account: Account) -> QuerySet[Recipe]:
    return Recipe.objects.filter(account=account)


def list_recipe_states(account: Account, lead: Lead) -> list[RecipeState]:
    return [RecipeState(recipe, recipe.give_tag in lead.tags) for recipe in list_recipes(account)]


def of_lead(account: Account, lead: Lead) -> dict[str, object]:
    """The lead as it was just read, for its page."""
    playbooks = Playbook.objects.filter(account=account)
    return {"lead": lead, "recipes": list_recipe_states(account, lead), "playbooks": playbooks}


def find_label(account: Account, user: User, lead_id: str) -> str:
    """The lead as the log names it, as this person last saw it, or ""."""
    recent = Recent.objects.filter(account=account, user=user, lead_id=lead_id).first()
    return person(recent.name, recent.email) if recent else ""


def find_name(account: Account, user: User, lead_id: str) -> str:
    """The lead's name as this person last saw it, else as the directory has it, or ""."""
    recent = Recent.objects.filter(account=account, user=user, lead_id=lead_id).first()
    return str(recent or Entry.objects.filter(account=account, lead_id=lead_id).first() or "")
