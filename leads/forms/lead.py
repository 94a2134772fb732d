"""The form of a lead: profile, custom fields, tags, lists, and a sequence to add to. Used to create and to edit."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import QueryDict

from leads.forms.fields import AddressField, OperationForm, PickMany, PickOne, StepField, TextField
from leads.labels import FIELD_LABELS
from leads.providers.base import PROFILE_FIELDS, FieldDefinition, Lead
from leads.providers.changes import AssignTag, Change, SubscribeToList, SubscribeToSequence
from leads.selectors.catalogues import Catalogues, with_options_of
from leads.services.leads import Clash, Snapshot, Values

_SALT = "leads.edit.seen"


class LeadForm(OperationForm):
    """``seen`` carries the lead as it was when the form was opened, signed, so that stale edits are noticed."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, catalogues: Catalogues, lead: Lead | None = None, email: str = "") -> None:
        snapshot = Snapshot.of(lead) if lead else None
        initial = {**_values(snapshot), "seen": _token(lead)} if lead and snapshot else {"email": email}
        super().__init__(data, initial=initial)
        self.lead = lead
        self.fields["email"] = AddressField(FIELD_LABELS["email"], max_length=320, held=lead.email if lead else None)
        self.definitions = with_options_of(lead, catalogues.fields) if lead else [*catalogues.fields]
        for key in PROFILE_FIELDS:
            held = lead.profile.get(key, "") if lead else ""
            self.fields[key] = TextField(FIELD_LABELS[key], max_length=500, held=held)
        for definition in self.definitions:
            self.fields[f"custom.{definition.identifier}"] = _custom_field(definition, lead)
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
        if self.lead is None:
            return None
        try:
            return Snapshot(**signing.loads(self.cleaned_data["seen"], salt=f"{_SALT}.{self.lead.id}"))
        except (signing.BadSignature, TypeError):
            raise ValidationError("This form is damaged. Open the lead again.") from None

    def refuse_stale(self, sentence: str, lead: Lead, clashes: Sequence[Clash] = ()) -> None:
        """The same, on the lead as it is now: what was not edited here shows what somebody else made of it."""
        seen, now = self.cleaned_data["seen"], Snapshot.of(lead)
        rebased = _values(self.wanted().rebased(seen=seen, now=now))
        self.refuse(sentence)
        for key, value in {**rebased, "seen": _token(lead)}.items():
            cast(QueryDict, self.data).setlist(key, value if isinstance(value, list) else [value])
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


def _token(lead: Lead) -> str:
    return signing.dumps(Snapshot.of(lead).as_json(), salt=f"{_SALT}.{lead.id}", compress=True)


def _values(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot by the names of the form's fields."""
    return {**snapshot.fields(), "tags": [*snapshot.tags], "lists": [*snapshot.lists]}


def _custom_field(definition: FieldDefinition, lead: Lead | None) -> forms.Field:
    label, options = definition.identifier, [(option.id, option.label) for option in definition.options]
    match definition.kind:
        case "choice":
            return forms.ChoiceField(label=label, required=False, choices=[("", "None"), *options])
        case "radio":
            radios = forms.RadioSelect
            return forms.ChoiceField(label=label, required=False, choices=[("", "None"), *options], widget=radios)
        case "choices":
            boxes = forms.CheckboxSelectMultiple
            return forms.MultipleChoiceField(label=label, required=False, choices=options, widget=boxes)
    value = lead.custom_field(definition.identifier) if lead else None
    is_long = definition.kind == "long_text"
    return TextField(label, max_length=10_000 if is_long else 1_000, held=value.text if value else "", is_long=is_long)
