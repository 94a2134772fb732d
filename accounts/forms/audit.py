"""The filters of the audit page, and the name under which they are kept."""

import datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict

from accounts import audit_actions, audit_terms, subjects
from accounts.models import Account, User
from accounts.selectors import audit


def _actions() -> list[tuple[str, Any]]:
    return [("", "Any action"), *audit_actions.grouped_choices()]


class DayField(forms.DateField):
    """A day within the years that a log can be about."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    default_validators = [MinValueValidator(datetime.date(2000, 1, 1)), MaxValueValidator(datetime.date(2200, 1, 1))]


class AuditFilterForm(forms.Form):
    """All optional, all from the address of the page, which the server takes up to 4,094 bytes of: a letter may be
    nine. ``operation`` comes by a link from an entry."""

    text = forms.CharField(
        max_length=100,
        required=False,
        label="Words",
        widget=forms.TextInput(
            {"type": "search", "placeholder": "Staff, action, reason, value", "autocomplete": "off"}
        ),
    )
    person = forms.ModelChoiceField(User.objects.order_by("name", "email"), required=False, empty_label="Anyone")
    action = forms.ChoiceField(choices=_actions, required=False)
    lead = forms.CharField(
        max_length=254,
        required=False,
        label="Lead or person",
        widget=forms.TextInput(attrs={"placeholder": "id, email or name", "autocomplete": "off"}),
    )
    account = forms.ModelChoiceField(Account.objects.order_by("name", "pk"), required=False, empty_label="Any account")
    outcome = forms.ChoiceField(choices=[("", "Any outcome"), *audit_actions.OUTCOMES.items()], required=False)
    amount_from = forms.DecimalField(max_digits=12, decimal_places=2, required=False, label="Amount from")
    amount_to = forms.DecimalField(max_digits=12, decimal_places=2, required=False, label="Amount to")
    ip = forms.GenericIPAddressField(
        required=False, label="Address", widget=forms.TextInput({"placeholder": "192.0.2.7", "autocomplete": "off"})
    )
    since = DayField(required=False, label="From")
    until = DayField(required=False, label="To")
    operation = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        words = audit_terms.digests(text)
        if text and not words:
            raise forms.ValidationError("Type a more specific word.")
        if len(words) > audit_terms.MOST_SOUGHT:
            raise forms.ValidationError(f"Search for at most {audit_terms.MOST_SOUGHT} words at once.")
        return text

    def clean_lead(self) -> str:
        """Entries of some of those who are called so would look like all there are."""
        text: str = self.cleaned_data["lead"]
        if not text.isdecimal() and len(subjects.find(text)) > subjects.MOST:
            raise forms.ValidationError(f"More than {subjects.MOST} people match. Type more of the name.")
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "This day is before the first one.")
        least, most = cleaned.get("amount_from"), cleaned.get("amount_to")
        if least is not None and most is not None and most < least:
            self.add_error("amount_to", "This amount is less than the first one.")
        return cleaned

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but words narrows the log, or something is wrong with it: then all is to be seen."""
        return bool(self.errors) or any(field.value() for field in self if field.name != "text")

    def query(self) -> str:
        """The address again, without what says nothing and without the page; only where the form is valid."""
        kept = QueryDict(mutable=True)
        kept.update({name: self.data[name] for name in self.fields if self.data.get(name)})
        return kept.urlencode()


class SavedFilterForm(forms.Form):
    """``query`` is the address of the log as it stands. Nothing that names a lead is kept outside the log."""

    name = forms.CharField(max_length=80, label="Name of the filter")
    is_shared = forms.BooleanField(required=False, label="Share with everybody who can read the log")
    query = forms.CharField(max_length=2000, required=False, widget=forms.HiddenInput)

    def clean_query(self) -> str:
        filters = AuditFilterForm(QueryDict(self.cleaned_data["query"]))
        if not filters.is_valid():
            raise forms.ValidationError("These filters cannot be used.")
        if filters.cleaned_data["lead"] or audit.names_somebody(filters.cleaned_data["text"]):
            raise forms.ValidationError("A filter that names a lead cannot be saved: the lead may ask to be forgotten.")
        return filters.query()
