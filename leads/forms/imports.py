"""Forms of an import: the file, and what each of its columns is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from leads.models import Import
from leads.services.imports.columns import FIELDS


class UploadForm(forms.Form):
    file = forms.FileField(
        label="CSV file", allow_empty_file=True, widget=forms.FileInput({"accept": ".csv,.txt,.tsv,text/csv"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = settings.IMPORT_MAX_MB
        field = self.fields["file"]
        field.help_text = f"Separated by commas, semicolons or tabs, in any common encoding, up to {most} MB."
        field.widget.attrs["data-max-mb"] = most

    def clean_file(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.IMPORT_MAX_MB * 1024 * 1024:
            raise ValidationError(f"The file is larger than {settings.IMPORT_MAX_MB} MB. Split it.")
        return file


class Column(NamedTuple):
    """A column of the file: the field that says what it is, and what stands in its first lines."""

    field: forms.BoundField
    samples: list[str]


class MatchForm(forms.Form):
    """What each column is, and whether good lines go in where others are bad."""

    def __init__(self, data: Any = None, *, source: Import) -> None:
        super().__init__(data)
        self._source = source
        is_field = {position: field for field, position in source.matched.items()}
        for position, name in enumerate(source.columns):
            self.fields[_name(position)] = forms.ChoiceField(
                label=name,
                required=False,
                choices=[("", "Do not import"), *FIELDS.items()],
                initial=is_field.get(position, ""),
            )
        self.fields["take"] = forms.ChoiceField(
            label="If some lines are rejected",
            choices=[("good", "Import the good lines and leave out the rejected ones"), ("all", "All or nothing")],
            initial="good",
            widget=forms.RadioSelect,
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        first: dict[str, str] = {}
        for position, name in enumerate(self._source.columns):
            chosen = values.get(_name(position))
            if chosen and chosen in first:
                self.add_error(
                    _name(position), f"Column ‘{first[chosen]}’ is already imported as this. Choose one of the two."
                )
            elif chosen:
                first[chosen] = name
        return values

    def matched(self) -> Mapping[str, int]:
        """Our fields, each with the position of its column; those the file's names suggest until a person chose."""
        if not self.is_bound:
            return dict(self._source.matched)
        chosen = {self.cleaned_data.get(_name(position)): position for position in range(len(self._source.columns))}
        return {field: position for field, position in chosen.items() if field}

    def columns(self, rows: Sequence[Sequence[str]]) -> Iterator[Column]:
        for position in range(len(self._source.columns)):
            samples = [row[position] for row in rows if row[position : position + 1] and row[position].strip()]
            yield Column(self[_name(position)], samples[:3])


def _name(position: int) -> str:
    return f"column-{position}"
