"""Laying a bulk job down: who, and what is to be done to each. Deciding on one that somebody else laid down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.http import QueryDict

from kartra_admin.lib.errors import AppError
from leads.bulk_actions import Action
from leads.forms.fields import OperationForm, PickMany, PickOne, StepField
from leads.labels import FIELD_LABELS
from leads.models import Recipe
from leads.pasting import Pasted, numbers_of, read_pasted
from leads.providers.base import PROFILE_FIELDS, FieldDefinition
from leads.providers.changes import (
    AssignTag,
    Change,
    EditLead,
    GivePoints,
    RemovePoints,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
    UnsubscribeFromList,
    UnsubscribeFromSequence,
)
from leads.selectors.catalogues import Catalogues
from leads.services.bulk.naming import read_file
from leads.services.bulk.steering import PACES
from leads.services.recipes import changes_of

FIELD_ROWS = 4
_WHO = {"who", "file"}
_SHOWN_LINES = 20
_LONGEST_PASTE = 2_000_000
_CUSTOM = "custom."
_PER_SECOND = "{} lead{} a second"


@dataclass(frozen=True)
class FieldRow:
    """One field to set, and its value."""

    name: BoundField
    value: BoundField


class PaceField(forms.TypedChoiceField):
    def __init__(self) -> None:
        choices = [(pace, _PER_SECOND.format(pace, "s" if pace > 1 else "")) for pace in PACES]
        super().__init__(label="Pace, at most", choices=choices, coerce=int, initial=10)


class PaceForm(forms.Form):
    pace = PaceField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pace"].label = "At most"


class JobForm(OperationForm):
    """``operation_id`` becomes the id of the job. What was read is in ``pasted`` and ``actions`` once it is valid."""

    name = forms.CharField(
        label="Name", max_length=120, help_text="Recorded in the log for each lead, such as ‘Spring sale’."
    )
    who = forms.CharField(
        label="Emails or ids",
        required=False,
        max_length=_LONGEST_PASTE,
        strip=False,  # or the numbers of the lines would not be theirs
        widget=forms.Textarea({"rows": 8, "spellcheck": "false"}),
        help_text="One or more per line, in any form: ada@example.com, Ada <ada@example.com>, 4174086.",
    )
    file = forms.FileField(
        label="Or a CSV file with a column named Email or Id",
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput({"accept": ".csv,.txt,.tsv,text/csv"}),
    )
    leave_out = forms.BooleanField(label="Leave out the lines that cannot be read", required=False)
    creates_missing = forms.BooleanField(
        label="Create a lead for each email that is not in Kartra",
        required=False,
        help_text="A lead created this way has not agreed to the account’s terms; Kartra limits what it may be sent.",
    )
    points = forms.IntegerField(label="Points", required=False, min_value=1, max_value=1_000_000)
    direction = forms.ChoiceField(
        label="Give or remove", choices=[("give", "Give"), ("take", "Remove")], required=False
    )
    pace = PaceField()

    def __init__(
        self,
        data: Any = None,
        files: Any = None,
        *,
        catalogues: Catalogues,
        recipes: Sequence[Recipe],
        who: str = "",
    ) -> None:
        super().__init__(data, files, initial={"who": who})
        self.fields["file"].widget.attrs["data-max-mb"] = settings.IMPORT_MAX_MB
        self.catalogues = catalogues
        self.recipes = {str(recipe.pk): recipe for recipe in recipes}
        self.definitions = {definition.identifier: definition for definition in catalogues.fields}
        self.pasted = Pasted()
        self.actions: list[Action] = []
        self.fields["give_tags"] = PickMany(catalogues.tags, "Add tags", "Search tags")
        self.fields["take_tags"] = PickMany(catalogues.tags, "Remove tags", "Search tags")
        self.fields["join_lists"] = PickMany(catalogues.lists, "Subscribe to lists", "Search lists")
        self.fields["leave_lists"] = PickMany(catalogues.lists, "Unsubscribe from lists", "Search lists")
        self.fields["join_sequence"] = PickOne(catalogues.sequences, "Add to sequence", "No sequence")
        self.fields["step"] = StepField()
        self.fields["leave_sequences"] = PickMany(catalogues.sequences, "Remove from sequences", "Search sequences")
        self.fields["recipe"] = forms.ChoiceField(
            label="Recipe",
            required=False,
            choices=[
                ("", "No recipe"),
                *((f"grant:{pk}", f"Grant {recipe.name}") for pk, recipe in self.recipes.items()),
                *((f"revoke:{pk}", f"Revoke {recipe.name}") for pk, recipe in self.recipes.items()),
            ],
        )
        names = [("", "No field"), ("Profile", [(key, FIELD_LABELS[key]) for key in PROFILE_FIELDS])]
        custom = [(_CUSTOM + identifier, identifier) for identifier in self.definitions]
        for number in range(1, FIELD_ROWS + 1):
            self.fields[f"field_{number}"] = forms.ChoiceField(
                label=f"Field {number}", required=False, choices=[*names, ("Custom fields", custom)]
            )
            self.fields[f"value_{number}"] = forms.CharField(
                label=f"Value of field {number}", required=False, max_length=500
            )

    @property
    def field_rows(self) -> Iterator[FieldRow]:
        for number in range(1, FIELD_ROWS + 1):
            yield FieldRow(self[f"field_{number}"], self[f"value_{number}"])

    @property
    def bad_lines(self) -> list[Any]:
        return list(self.pasted.bad[:_SHOWN_LINES])

    @property
    def more_bad_lines(self) -> str:
        """The numbers of those that are not shown."""
        return numbers_of(self.pasted.bad[_SHOWN_LINES:])

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not self.errors.keys() - _WHO:
            self.actions = self._actions(values)
            self._require_clear()
        return values

    def full_clean(self) -> None:
        """Who is named is read last, so that a file is shown as a paste where anything is wrong: a browser does not
        send it twice. Its lines stay where they are, those that cannot be read among them."""
        super().full_clean()
        if not self.is_bound or _WHO & self.errors.keys():
            return
        try:
            self.pasted = self._read_who()
        except AppError as error:
            self.add_error("file" if self.cleaned_data.get("file") else "who", error.sentence)
            return
        count = len(self.pasted.bad)
        if not self.pasted.leads and not count:
            self.add_error("who", "Name at least one lead.")
        elif count and not self.cleaned_data.get("leave_out"):
            self.add_error(
                "who", f"{count} line{'s' if count > 1 else ''} cannot be read. Correct them or leave them out."
            )
        if self.errors and self.cleaned_data.get("file"):
            self.data = cast(QueryDict, self.data).copy()
            self.data["who"] = self.pasted.text if len(self.pasted.text) <= _LONGEST_PASTE else ""

    def _read_who(self) -> Pasted:
        """Raises AppError."""
        file, text = self.cleaned_data.get("file"), self.cleaned_data.get("who", "")
        if file and text.strip():
            raise AppError("Paste leads or choose a file, not both.")
        return read_file(file) if file else read_pasted(text)

    def _require_clear(self) -> None:
        """The same tag, list or sequence may not be given and taken."""
        touched = [(action.change.kind.partition(".")[0], action.change.subject) for action in self.actions]
        twice = {subject for kind, subject in touched if touched.count((kind, subject)) > 1}
        if not self.actions and not self.errors.keys() - _WHO:
            raise ValidationError("Choose at least one change.")
        if twice:
            raise ValidationError(f"This is chosen twice, or both to add and to remove: {', '.join(sorted(twice))}.")

    def _actions(self, values: dict[str, Any]) -> list[Action]:
        edit = self._edit(values)
        found: list[Change] = [edit] if edit.profile or edit.custom_fields else []
        found += [AssignTag(name) for name in values["give_tags"]]
        found += [UnassignTag(name) for name in values["take_tags"]]
        found += [SubscribeToList(name) for name in values["join_lists"]]
        found += [UnsubscribeFromList(name) for name in values["leave_lists"]]
        if values["join_sequence"]:
            found.append(SubscribeToSequence(values["join_sequence"], values["step"] or "1"))
        found += [UnsubscribeFromSequence(name) for name in values["leave_sequences"]]
        if values["points"]:
            found.append((RemovePoints if values["direction"] == "take" else GivePoints)(values["points"]))
        return [*(Action(change) for change in found), *self._of_recipe(values["recipe"])]

    def _of_recipe(self, chosen: str) -> list[Action]:
        how, _, pk = chosen.partition(":")
        if not pk:
            return []
        recipe = self.recipes[pk]
        label = f"{how.capitalize()} {recipe.name}"
        return [Action(change, label) for change in changes_of(recipe, grant=how == "grant")]

    def _edit(self, values: dict[str, Any]) -> EditLead:
        profile: dict[str, str] = {}
        custom: dict[str, str | list[str]] = {}
        for number in range(1, FIELD_ROWS + 1):
            key, value = values[f"field_{number}"], values[f"value_{number}"]
            identifier = key.removeprefix(_CUSTOM)
            if key in profile or (key and identifier in custom):
                self.add_error(f"field_{number}", "This field is already set above.")
            elif key.startswith(_CUSTOM):
                custom[identifier] = self._options(number, self.definitions[identifier], value)
            elif key:
                profile[key] = value
            elif value:
                self.add_error(f"field_{number}", "Choose the field.")
        return EditLead(profile, custom)

    def _options(self, number: int, definition: FieldDefinition, value: str) -> str | list[str]:
        """The value as it is written: ids of options for choices, which people name by their labels."""
        if not definition.options:
            return value
        by_label = {option.label.casefold(): option.id for option in definition.options}
        wanted = [
            part.strip() for part in (value.split(",") if definition.kind == "choices" else [value]) if part.strip()
        ]
        if any(part.casefold() not in by_label for part in wanted):
            labels = ", ".join(option.label for option in definition.options)
            self.add_error(f"value_{number}", f"{definition.identifier} is one of: {labels}.")
            return ""
        ids = [by_label[part.casefold()] for part in wanted]
        return ids if definition.kind == "choices" else "".join(ids)
