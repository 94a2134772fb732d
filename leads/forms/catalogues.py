"""What is added to the catalogues of an account."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from leads.forms.fields import OperationForm


class FieldForm(OperationForm):
    """A new custom field. It can be neither renamed nor deleted through Kartra's API."""

    identifier = forms.CharField(
        label="Identifier",
        max_length=100,
        help_text="Letters, digits, dashes and underscores.",
        validators=[RegexValidator(r"^[A-Za-z0-9_-]+\Z", "Use letters, digits, dashes and underscores only.")],
    )
    kind = forms.ChoiceField(
        label="Kind",
        choices=[
            ("text", "Text"),
            ("long_text", "Long text"),
            ("choice", "One choice, from a menu"),
            ("radio", "One choice, by radio buttons"),
            ("choices", "Several choices"),
        ],
    )
    options = forms.CharField(
        label="Options",
        required=False,
        max_length=5000,
        widget=forms.Textarea({"rows": 4}),
        help_text="For choice fields: one per line, at least two.",
    )

    def clean_options(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["options"].splitlines() if line.strip()]

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        is_choice = values.get("kind") in ("choice", "radio", "choices")
        if is_choice and "options" in values and len(set(values["options"])) < 2:
            self.add_error("options", "A choice needs at least two different options.")
        if not is_choice and values.get("options"):
            self.add_error("options", "A text field has no options. Leave this empty, or choose another kind.")
        return values
