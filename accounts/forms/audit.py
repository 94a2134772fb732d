"""The filters of the audit page."""

import datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from accounts import audit_actions
from accounts.models import User


def _actions() -> list[tuple[str, Any]]:
    return [("", "Any action"), *audit_actions.grouped_choices()]


class DayField(forms.DateField):
    """A day within the years that a log can be about."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    default_validators = [MinValueValidator(datetime.date(2000, 1, 1)), MaxValueValidator(datetime.date(2200, 1, 1))]


class AuditFilterForm(forms.Form):
    """All optional, all from the address of the page. ``operation`` comes by a link from an entry."""

    person = forms.ModelChoiceField(User.objects.order_by("name", "email"), required=False, empty_label="Anyone")
    action = forms.ChoiceField(choices=_actions, required=False)
    lead = forms.CharField(
        max_length=254,
        required=False,
        label="Lead or person",
        widget=forms.TextInput(attrs={"placeholder": "id, email or name", "autocomplete": "off"}),
    )
    outcome = forms.ChoiceField(choices=[("", "Any outcome"), *audit_actions.OUTCOMES.items()], required=False)
    since = DayField(required=False, label="From")
    until = DayField(required=False, label="To")
    operation = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "This day is before the first.")
        return cleaned
