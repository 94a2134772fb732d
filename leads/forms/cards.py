"""The small forms on the cards of the lead page. Each turns what was asked into changes."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from leads.forms.fields import OperationForm, PickMany, PickOne, StepField
from leads.providers.changes import (
    AssignTag,
    CancelCalendar,
    Change,
    GivePoints,
    RemovePoints,
    SubscribeToCalendar,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
    UnsubscribeFromList,
    UnsubscribeFromSequence,
)
from leads.selectors.catalogues import Catalogues


class CardForm(OperationForm):
    """Base of the cards' forms. ``remove`` names what a row's own button takes away."""

    title: ClassVar[str]
    submit: ClassVar[str]
    permission: ClassVar[str] = "lead.subscribe"
    warning: ClassVar[str] = ""
    catalogue: ClassVar[str] = ""
    focus: ClassVar[str] = "add"
    remove = forms.CharField(required=False, max_length=500, strip=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, catalogues: Catalogues) -> None:
        super().__init__(data)
        self.catalogues = catalogues
        self.add_fields()
        self.fields[self.focus].widget.attrs["autofocus"] = True

    def add_fields(self) -> None:
        """Fields that depend on the account's catalogues."""

    @property
    def is_uncatalogued(self) -> bool:
        """Whether there is nothing to choose from."""
        return bool(self.catalogue) and not getattr(self.catalogues, self.catalogue)

    def changes(self) -> list[Change]:
        """The changes asked for; empty where nothing was filled in."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.changes():
            raise ValidationError("Nothing was chosen, so nothing was sent.")
        return self.cleaned_data


class TagsForm(CardForm):
    title, submit, catalogue = "Add tags", "Add tags", "tags"
    permission = "lead.tag"
    warning = "A tag may start automations in Kartra: emails may be sent and access granted."

    def add_fields(self) -> None:
        self.fields["add"] = PickMany(self.catalogues.tags, "Tags", "Search tags")

    def changes(self) -> list[Change]:
        values = self.cleaned_data
        if values["remove"]:
            return [UnassignTag(values["remove"])]
        return [AssignTag(tag) for tag in values["add"]]


class ListsForm(CardForm):
    title, submit, catalogue = "Subscribe to lists", "Subscribe", "lists"
    warning = "A list may start automations in Kartra: emails may be sent and access granted."

    def add_fields(self) -> None:
        self.fields["add"] = PickMany(self.catalogues.lists, "Lists", "Search lists")

    def changes(self) -> list[Change]:
        values = self.cleaned_data
        if values["remove"]:
            return [UnsubscribeFromList(values["remove"])]
        return [SubscribeToList(name) for name in values["add"]]


class SequencesForm(CardForm):
    title, submit, catalogue = "Add to a sequence", "Add to sequence", "sequences"
    warning = "Kartra sends the sequence's emails from this step on."

    def add_fields(self) -> None:
        self.fields["add"] = PickOne(self.catalogues.sequences, "Sequence", "Search sequences")
        self.fields["step"] = StepField()

    def changes(self) -> list[Change]:
        values = self.cleaned_data
        if values["remove"]:
            return [UnsubscribeFromSequence(values["remove"])]
        return [SubscribeToSequence(values["add"], values["step"] or "1")] if values["add"] else []


class PointsForm(CardForm):
    permission = "lead.points"
    focus = "points"
    title, submit = "Give or remove points", "Change points"
    direction = forms.ChoiceField(
        label="What", choices=[("give", "Give"), ("take", "Remove")], widget=forms.RadioSelect, initial="give"
    )
    points = forms.IntegerField(label="Points", min_value=1, max_value=1_000_000)
    expires_in_days = forms.IntegerField(
        label="Expire after",
        required=False,
        min_value=0,
        max_value=3650,
        help_text="Days until Kartra removes given points again. Leave blank for never.",
    )

    def changes(self) -> list[Change]:
        values = self.cleaned_data
        if values["direction"] == "take":
            return [RemovePoints(values["points"])]
        return [GivePoints(values["points"], values["expires_in_days"] or 0)]


class CalendarsForm(CardForm):
    focus = "calendar"
    title, submit = "Book or cancel a class", "Send to Kartra"
    direction = forms.ChoiceField(
        label="What",
        choices=[("book", "Book into a class"), ("cancel", "Cancel a booking")],
        widget=forms.RadioSelect,
        initial="book",
    )
    calendar = forms.CharField(label="Calendar", max_length=255, help_text="Its exact name in Kartra.")
    class_name = forms.CharField(label="Class", max_length=255, help_text="Its exact name in Kartra.")
    date = forms.DateField(label="Date (EST)", required=False, widget=forms.DateInput({"type": "date"}))
    time = forms.TimeField(label="Time (EST)", required=False, widget=forms.TimeInput({"type": "time"}))

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if bool(values.get("date")) != bool(values.get("time")) and not self.errors:
            self.add_error("time" if values.get("date") else "date", "Enter both a date and a time, or neither.")
        return super().clean()

    def changes(self) -> list[Change]:
        values = self.cleaned_data
        if values["direction"] == "cancel":
            return [CancelCalendar(values["calendar"], values["class_name"])]
        starts = f"{values['date'].isoformat()} {values['time']:%H:%M}" if values["date"] else ""
        return [SubscribeToCalendar(values["calendar"], values["class_name"], starts)]


CARD_FORMS: dict[str, type[CardForm]] = {
    "tags": TagsForm,
    "lists": ListsForm,
    "sequences": SequencesForm,
    "points": PointsForm,
    "calendars": CalendarsForm,
}
