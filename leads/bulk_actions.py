"""What a bulk job does to each of its leads: changes, some of them under the name of a recipe. Never money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leads import effects, labels
from leads.change_permissions import PERMISSIONS
from leads.providers import changes
from leads.providers.base import FieldDefinition, Lead
from leads.providers.changes import Change, CreateLead, EditLead

# The first parts of the kinds that a job may hold.
_NOUNS = ("lead", "tag", "list", "sequence", "points")
_STARTS = (changes.AssignTag, changes.SubscribeToList, changes.SubscribeToSequence)
# What is so already for a lead that is only being made.
_TAKES = (
    changes.UnassignTag,
    changes.UnsubscribeFromList,
    changes.UnsubscribeFromSequence,
    changes.RemovePoints,
    EditLead,
)


@dataclass(frozen=True)
class Action:
    """One change, and the recipe it belongs to ('Grant Gold'), if any."""

    change: Change
    recipe: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for what is no bulk action, such as money."""
        if self.change.kind.partition(".")[0] not in _NOUNS:
            raise ValueError(f"{self.change.kind} is not done in bulk")

    @property
    def permission(self) -> str:
        """What is needed to do it to one lead."""
        return "recipe.run" if self.recipe else PERMISSIONS[self.change.kind]

    @property
    def may_start_automations(self) -> bool:
        return isinstance(self.change, _STARTS)

    @property
    def words(self) -> str:
        """'Add tag vip', 'Give 5 points', 'Set City to Austin, clear Phone'."""
        match self.change:
            case changes.GivePoints(points, days):
                return f"Give {points} point{'s' if points != 1 else ''}" + (f", for {days} days" if days else "")
            case changes.RemovePoints(points):
                return f"Remove {points} point{'s' if points != 1 else ''}"
            case changes.SubscribeToSequence(name, step):
                return f"Add to sequence {name} at step {step}"
            case EditLead(profile, custom):
                parts = [_setting(labels.FIELD_LABELS[key], value) for key, value in profile.items()]
                text = ", ".join(parts + [_setting(key, value) for key, value in custom.items()])
                return text[0].upper() + text[1:]
        words = labels.to_do(self.change.kind, self.change.subject)
        return f"{words} ({self.recipe})" if self.recipe else words

    def as_json(self) -> dict[str, Any]:
        kept = {"kind": self.change.kind, "asked": self.change.as_json()}
        return {**kept, "recipe": self.recipe} if self.recipe else kept


def actions_of(kept: Sequence[Mapping[str, Any]]) -> list[Action]:
    return [Action(changes.from_json(row["kind"], row["asked"]), row.get("recipe", "")) for row in kept]


def places_to_do(actions: Sequence[Action], lead: Lead, definitions: Sequence[FieldDefinition]) -> list[int]:
    """The places of the actions that would change something of this lead."""
    return [
        place for place, action in enumerate(actions) if not effects.is_already_so(action.change, lead, definitions)
    ]


def places_for_new(actions: Sequence[Action]) -> list[int]:
    """The places of the actions that a lead gets that is made: what takes something off is so already."""
    return [place for place, action in enumerate(actions) if not isinstance(action.change, _TAKES[:-1])]


def creation(email: str, actions: Sequence[Action]) -> tuple[CreateLead, list[Change]]:
    """The lead with the fields that are set, and what travels beside it in the same call."""
    edit = next((action.change for action in actions if isinstance(action.change, EditLead)), EditLead())
    profile = {key: value for key, value in edit.profile.items() if value}
    custom = {key: value for key, value in edit.custom_fields.items() if value}
    also = [action.change for action in actions if not isinstance(action.change, _TAKES)]
    return CreateLead(email, profile, custom), also


def _setting(label: str, value: str | Sequence[str]) -> str:
    text = value if isinstance(value, str) else ", ".join(value)
    return f"set {label} to {text}" if text else f"clear {label}"
