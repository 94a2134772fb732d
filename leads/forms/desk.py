"""Forms of the desk's own things: notes, recipes, fields, credentials, decisions."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from accounts.models import Account
from leads.forms.fields import OperationForm, PickOne
from leads.models import Recipe
from leads.selectors.catalogues import Catalogues


class NoteForm(forms.Form):
    text = forms.CharField(label="New note", max_length=5000, widget=forms.Textarea({"rows": 2}))


class RecipeForm(forms.ModelForm):  # type: ignore[type-arg]
    """``account`` bounds the name's uniqueness."""

    class Meta:
        model = Recipe
        fields = ["name", "description", "give_tag", "take_tag"]

    def __init__(self, data: Any = None, *, catalogues: Catalogues, instance: Recipe) -> None:
        super().__init__(data, instance=instance)
        tags = [*dict.fromkeys([*filter(None, (instance.give_tag, instance.take_tag)), *catalogues.tags])]
        self.fields["name"].help_text = "What staff see on the buttons, such as 'Gold course access'."
        self.fields["give_tag"] = PickOne(tags, "Granting adds this tag", "Choose a tag")
        self.fields["give_tag"].required = True
        self.fields["take_tag"] = PickOne(tags, "and removes this tag (optional)", "No tag")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("give_tag") and values.get("give_tag") == values.get("take_tag"):
            self.add_error("take_tag", "Choose another tag than the one that is given.")
        account: Account = self.instance.account
        others = Recipe.objects.filter(account=account, name=values.get("name")).exclude(pk=self.instance.pk)
        if values.get("name") and others.exists():
            self.add_error("name", "There is a recipe with this name already.")
        return values


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
        help_text="For choices: one a line, at least two.",
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


class ConnectionForm(forms.Form):
    """Credentials as the account's owner finds them in Kartra. Never filled in again from what is stored."""

    account_name = forms.CharField(
        label="Name of the account",
        required=False,
        max_length=100,
        help_text="What the team calls it. Everybody who works in this account sees it.",
    )
    api_key = forms.CharField(label="API key", max_length=500, widget=forms.PasswordInput({"autocomplete": "off"}))
    api_password = forms.CharField(
        label="API password", max_length=500, widget=forms.PasswordInput({"autocomplete": "off"})
    )

    def __init__(self, data: Any = None, *, may_rename: bool, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if not may_rename:
            del self.fields["account_name"]


class DecisionForm(forms.Form):
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
