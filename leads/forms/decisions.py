"""What a person decides: about somebody else's request, and about an outcome that no reading could settle."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class RequestDecisionForm(forms.Form):
    """``do`` is the button that was pressed; the note is what the person who asked will read."""

    do = forms.ChoiceField(choices=[("approve", "Approve"), ("decline", "Decline")])
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=500,
        widget=forms.Textarea({"rows": 2}),
        help_text="Required to decline.",
    )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("do") == "decline" and "note" in values and not values["note"]:
            self.add_error("note", "Say why. The requester will read it.")
        return values


class OutcomeForm(forms.Form):
    """A person says what became of an operation that no reading could settle."""

    happened = forms.ChoiceField(
        label="What does Kartra show?",
        choices=[("yes", "It was done"), ("no", "It was not done")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label="How do you know?", max_length=500, widget=forms.Textarea({"rows": 2}))

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if len(reason) < 5:
            raise ValidationError("Say in a few words where you looked.")
        return reason
