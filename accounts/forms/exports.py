"""What the filters of the log say, in words that may be kept for ever."""

from typing import Any

from django import forms
from django.utils.choices import flatten_choices

# Those whose value may be told. What a lead can be found by is not.
_TOLD = ("person", "action", "account", "outcome", "amount_from", "amount_to", "ip", "since", "until", "operation")


def describe(form: forms.Form) -> str:
    """The filters of a form that is valid, such as 'Outcome: Failed, Lead or person: not told here'."""
    said = [_say(form, name) for name, value in form.cleaned_data.items() if value not in (None, "")]
    return ", ".join(said) or "everything"


def _say(form: forms.Form, name: str) -> str:
    field, value = form.fields[name], form.cleaned_data[name]
    text = str(value) if name in _TOLD else "not shown here"
    if type(field) is forms.ChoiceField and name in _TOLD:
        choices: Any = field.choices
        text = dict(flatten_choices(choices)).get(value, value)
    return f"{field.label or name.replace('_', ' ').capitalize()}: {text}"
