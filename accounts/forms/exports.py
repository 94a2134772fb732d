"""What the filters of the log say, in words that may be kept for ever."""

from django import forms

# Those whose value may be told. What a lead can be found by is not.
_TOLD = ("person", "action", "account", "outcome", "amount_from", "amount_to", "ip", "since", "until", "operation")


def describe(form: forms.Form) -> str:
    """The filters of a form that is valid, such as 'Outcome: Failed, Lead or person: not told here'."""
    said = [_say(form, name) for name, value in form.cleaned_data.items() if value not in (None, "")]
    return ", ".join(said) or "everything"


def _say(form: forms.Form, name: str) -> str:
    field, value = form.fields[name], form.cleaned_data[name]
    text = "not told here"
    if name in _TOLD:
        text = str(value)
        if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField):
            text = _label(field, value)
    return f"{field.label or name.capitalize()}: {text}"


def _label(field: forms.ChoiceField, wanted: str) -> str:
    for value, label in field.choices:
        inner = label if isinstance(label, list | tuple) else [(value, label)]
        for key, text in inner:
            if key == wanted:
                return str(text)
    return wanted
