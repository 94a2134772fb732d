"""The form of a lead: profile, custom fields, tags, lists, and a sequence to add to. Used to create and to edit."""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import QueryDict

from leads.forms.fields import OperationIdField, PickMany, PickOne, StepField
from leads.labels import FIELD_LABELS
from leads.providers.base import PROFILE_FIELDS, FieldDefinition, Lead
from leads.providers.changes import AssignTag, Change, SubscribeToList, SubscribeToSequence
from leads.selectors.catalogues import Catalogues, with_options_of
from leads.services.leads import Clash, Snapshot, Values

_SALT = "leads.edit.seen"


class LeadForm(forms.Form):
    """``seen`` carries the lead as it was when the form was opened, signed, so that stale edits are noticed."""

    operation_id = OperationIdField()
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    email = forms.EmailField(label=FIELD_LABELS["email"], max_length=320)

    def __init__(self, data: Any = None, *, catalogues: Catalogues, lead: Lead | None = None, email: str = "") -> None:
        snapshot = Snapshot.of(lead) if lead else None
        super().__init__(data, initial=_initial(snapshot) if snapshot else {"email": email})
        self.definitions = with_options_of(lead, catalogues.fields) if lead else [*catalogues.fields]
        for key in PROFILE_FIELDS:
            self.fields[key] = forms.CharField(label=FIELD_LABELS[key], required=False, max_length=500)
        for definition in self.definitions:
            self.fields[f"custom.{definition.identifier}"] = _custom_field(definition)
        on_tags, on_lists = (snapshot.tags, snapshot.lists) if snapshot else ((), ())
        self.fields["tags"] = PickMany([*dict.fromkeys([*on_tags, *catalogues.tags])], "Tags", "Add a tag")
        self.fields["lists"] = PickMany(
            [*dict.fromkeys([*on_lists, *catalogues.lists])], "Lists", "Subscribe to a list"
        )
        self.fields["sequence"] = PickOne(catalogues.sequences, "Add to sequence", "No sequence")
        self.fields["step"] = StepField()

    @property
    def profile_fields(self) -> list[forms.BoundField]:
        return [self[key] for key in PROFILE_FIELDS]

    @property
    def custom_fields(self) -> list[forms.BoundField]:
        return [self[f"custom.{definition.identifier}"] for definition in self.definitions]

    def clean_seen(self) -> Snapshot | None:
        token = self.cleaned_data["seen"]
        if not token:
            return None
        try:
            return Snapshot(**signing.loads(token, salt=_SALT))
        except (signing.BadSignature, TypeError):
            raise ValidationError("This form is damaged. Open the lead again.") from None

    def refuse(self, sentence: str, *, clashes: Sequence[Clash] = (), lead: Lead | None = None) -> None:
        """Show the form again, with all that was typed, as a new form: a new id, and the lead as it is now."""
        data = cast(QueryDict, self.data).copy()
        data["operation_id"] = str(uuid.uuid4())
        if lead:
            data["seen"] = _initial(Snapshot.of(lead))["seen"]
        self.data = data
        self.add_error(None, sentence)
        for clash in clashes:
            self.add_error(clash.key, f"Now reads \u201c{clash.now}\u201d in Kartra. Saving again overwrites it.")

    def wanted(self) -> Snapshot:
        """The lead as the person wants it."""
        values = self.cleaned_data
        custom: Values = {
            definition.identifier: values[f"custom.{definition.identifier}"] for definition in self.definitions
        }
        profile = {key: values[key] for key in PROFILE_FIELDS}
        return Snapshot(values["email"], profile, custom, values["tags"], values["lists"])

    def sequence_changes(self) -> list[Change]:
        values = self.cleaned_data
        return [SubscribeToSequence(values["sequence"], values["step"] or "1")] if values["sequence"] else []

    def first_changes(self) -> list[Change]:
        """What goes with creating a lead."""
        values = self.cleaned_data
        return [
            *(AssignTag(tag) for tag in values["tags"]),
            *(SubscribeToList(name) for name in values["lists"]),
            *self.sequence_changes(),
        ]


def _initial(snapshot: Snapshot) -> dict[str, Any]:
    custom = {f"custom.{key}": value for key, value in snapshot.custom_fields.items()}
    seen = signing.dumps(snapshot.as_json(), salt=_SALT, compress=True)
    lists = {"tags": snapshot.tags, "lists": snapshot.lists}
    return {"seen": seen, "email": snapshot.email, **snapshot.profile, **custom, **lists}


def _custom_field(definition: FieldDefinition) -> forms.Field:
    label, options = definition.identifier, [(option.id, option.label) for option in definition.options]
    match definition.kind:
        case "long_text":
            return forms.CharField(label=label, required=False, max_length=10_000, widget=forms.Textarea({"rows": 3}))
        case "choice":
            return forms.ChoiceField(label=label, required=False, choices=[("", "None"), *options])
        case "radio":
            radios = forms.RadioSelect
            return forms.ChoiceField(label=label, required=False, choices=[("", "None"), *options], widget=radios)
        case "choices":
            boxes = forms.CheckboxSelectMultiple
            return forms.MultipleChoiceField(label=label, required=False, choices=options, widget=boxes)
    return forms.CharField(label=label, required=False, max_length=1_000)
