"""Form fields that several forms share."""

import re
import uuid
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email
from django.http import QueryDict
from django.utils.safestring import SafeString

_LINE_BREAK = re.compile(r"\r\n?|\n")
_UNKNOWN_NAME = "“%(value)s” is not among the names read from Kartra. Refresh the catalogues in Settings."


class OperationIdField(forms.UUIDField):
    """Made with the form, sent with it, unique: a second click finds the first operation."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput, initial=uuid.uuid4)


class OperationForm(forms.Form):
    """A form that starts an operation."""

    operation_id = OperationIdField()

    def refuse(self, sentence: str) -> None:
        """Show the form again, with all that was typed and the reason, as a new form: its id is used up."""
        self.data = cast(QueryDict, self.data).copy()
        self.data["operation_id"] = str(uuid.uuid4())
        self.add_error(None, sentence)


class _Lines(forms.TextInput):
    """A single line, unless the value has several: of a single one, browsers drop the line breaks."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        if value and _LINE_BREAK.search(str(value)):
            return forms.Textarea({**self.attrs, "rows": 3}).render(name, value, attrs, renderer)
        return super().render(name, value, attrs, renderer)


class TextField(forms.CharField):
    """A text that the provider holds. Browsers send each line break as CRLF; it is written as those in ``held``, which
    may be longer than what is typed anew."""

    def __init__(self, label: str, *, max_length: int, held: str = "", is_long: bool = False) -> None:
        widget = forms.Textarea({"rows": 3}) if is_long else _Lines()
        super().__init__(label=label, required=False, max_length=max(max_length, len(held)), widget=widget)
        found = _LINE_BREAK.search(held)
        self.line_break = found[0] if found else "\n"

    def to_python(self, value: Any) -> str:
        return _LINE_BREAK.sub(self.line_break, super().to_python(value) or "")


class AddressField(forms.EmailField):
    """An email address. ``held`` is what the provider holds, None for a new lead: it passes as it is, valid or not, and
    comes back unaltered."""

    def __init__(self, label: str, *, max_length: int, held: str | None = None) -> None:
        self.held = held
        # a mere text where a browser, too, would find the held one invalid and send nothing
        widget = forms.EmailInput if held is None or _is_address(held) else forms.TextInput
        longest = max(max_length, len(held or ""))
        super().__init__(label=label, required=held != "", max_length=longest, widget=widget)

    def clean(self, value: Any) -> str:
        if self.held is not None and self.to_python(value) == _LINE_BREAK.sub("", self.held):
            return self.held
        return cast(str, super().clean(value))


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


class PickMany(forms.MultipleChoiceField):
    """Some of the account's names, by a picker that searches while typing."""

    def __init__(self, names: Sequence[str], label: str, placeholder: str) -> None:
        attrs = {"data-picker": "", "data-placeholder": placeholder}
        choices = [(name, name) for name in names]
        super().__init__(
            label=label,
            required=False,
            choices=choices,
            widget=forms.SelectMultiple(attrs),
            error_messages={"invalid_choice": _UNKNOWN_NAME},
        )

    def to_python(self, value: Any) -> list[str]:
        return list(dict.fromkeys(super().to_python(value)))


class PickOne(forms.ChoiceField):
    """One of the account's names, or none."""

    def __init__(self, names: Sequence[str], label: str, placeholder: str) -> None:
        attrs = {"data-picker": "", "data-placeholder": placeholder}
        choices = [("", placeholder), *((name, name) for name in names)]
        super().__init__(
            label=label,
            required=False,
            choices=choices,
            widget=forms.Select(attrs),
            error_messages={"invalid_choice": _UNKNOWN_NAME},
        )


class StepField(forms.CharField):
    """The number of a step's box, as Kartra shows it on the sequence's canvas."""

    def __init__(self) -> None:
        super().__init__(
            label="At step",
            required=False,
            max_length=20,
            initial="1",
            help_text="The number of the step's box in the sequence.",
            validators=[RegexValidator(r"^[A-Za-z0-9]+\Z", "A step is a number or letters, without spaces.")],
        )
