"""What narrows the directory, and under which name a view of it is kept. All of it stands in the address."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from django import forms
from django.http import QueryDict

from leads.forms.fields import PickOne
from leads.models import MarkKind
from leads.selectors.directory import DAYS, Filters
from leads.selectors.search.query import LONGEST

# column -> its heading; the name is always shown, and so is how fresh it all is
COLUMNS = {
    "email": "Email",
    "id": "Id",
    "phone": "Phone",
    "company": "Company",
    "place": "Place",
    "tags": "Tags",
    "lists": "Lists",
    "sequences": "Sequences",
    "memberships": "Memberships",
    "products": "Products",
    "standing": "Status",
    "seen": "Last met",
    "changed": "Changed",
    "read": "Last read",
    "money": "Payments read",
}
SHOWN = ("email", "place", "tags", "standing", "read")
ALWAYS = "read"

_KINDS: dict[str, str] = {str(kind.value): str(kind.label) for kind in MarkKind}
_STANDINGS = {
    "": "Any status",
    "usable": "Not gone, deleted or blacklisted",
    "blacklisted": "Blacklisted",
    "deleted": "Deleted",
    "gone": "Gone from Kartra",
    "unread": "Never read from Kartra",
}
_ORDERS = {
    "": "Best first",
    "seen": "Last met first",
    "name": "Name",
    "email": "Email",
    "changed": "Last changed first",
}


def _times(verb: str) -> list[tuple[str, str]]:
    def days(count: int) -> str:
        return "day" if count == 1 else f"{count} days"

    return [
        ("", "Any time"),
        *((str(count), f"{verb} in the last {days(count)}") for count in DAYS),
        *((f"-{count}", f"Not {verb.lower()} for {days(count) if count > 1 else 'a day'}") for count in DAYS),
    ]


class DirectoryForm(forms.Form):
    """All optional. ``names`` are those of each kind of mark, to choose from; one that is none of them is kept, and
    finds none."""

    q = forms.CharField(
        max_length=LONGEST,
        required=False,
        label="Words",
        widget=forms.TextInput(
            {"type": "search", "placeholder": "Name, email, phone, company, place", "autocomplete": "off"}
        ),
    )
    standing = forms.ChoiceField(choices=[*_STANDINGS.items()], required=False, label="Status")
    seen = forms.ChoiceField(choices=_times("Met"), required=False, label="Met here")
    changed = forms.ChoiceField(choices=_times("Changed"), required=False)
    order = forms.ChoiceField(choices=[*_ORDERS.items()], required=False)
    columns = forms.MultipleChoiceField(choices=[*COLUMNS.items()], required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: QueryDict, *, names: Mapping[str, Sequence[str]] | None = None) -> None:
        if "columns" not in data:
            data = data.copy()
            data.setlist("columns", [*SHOWN])
        super().__init__(data)
        for kind, label in _KINDS.items():
            chosen = str(data.get(kind) or "")[:255]
            known = (names or {}).get(kind, ())
            offered = [*known, *([chosen] if chosen and chosen not in known else [])]
            self.fields[kind] = PickOne(offered, label, "Any")
        self.order_fields(["q", *_KINDS, "standing", "seen", "changed", "order", "columns"])

    @property
    def narrowing(self) -> list[Any]:
        """The fields that stand open above the list."""
        return [self[name] for name in self.fields if name not in ("order", "columns")]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but words narrows the list, or something is wrong with it: then all is to be seen."""
        return bool(self.errors) or any(field.value() for field in self.narrowing if field.name != "q")

    def filters(self) -> Filters:
        """What is asked for; only where the form is valid."""
        return filters_of(self.cleaned_data)

    def shown(self) -> list[str]:
        """The columns, in their own order."""
        return [name for name in COLUMNS if name in (*self.cleaned_data["columns"], ALWAYS)]

    @property
    def columns_to_choose(self) -> list[Any]:
        return [choice for choice in self["columns"] if choice.data["value"] != ALWAYS]

    def query(self) -> str:
        """The address again, without what says nothing and without the page."""
        kept = QueryDict(mutable=True)
        for name, value in self.cleaned_data.items():
            if name == "columns" and self.shown() == [*SHOWN]:
                continue
            kept.setlist(name, value if isinstance(value, list) else [value] if value else [])
        return kept.urlencode()


def filters_of(cleaned: Mapping[str, Any]) -> Filters:
    return Filters(**{field.name: cleaned.get(field.name) or "" for field in fields(Filters)})


def read_view(query: str) -> Filters | None:
    """The filters that a view's query string asks for, None where it is none of ours."""
    form = DirectoryForm(QueryDict(query[:2000]))
    return form.filters() if form.is_valid() else None


def describe(form: DirectoryForm) -> str:
    """The filters in words, for the log. It keeps that somebody searched, not for which words: they may be a name."""
    named = {name: dict(getattr(form.fields[name], "choices", [])) for name in form.fields}
    said = ["some words"] if form.cleaned_data["q"] else []
    said += [
        f"{form.fields[name].label or name.capitalize()}: {named[name].get(value, value)}"
        for name, value in form.cleaned_data.items()
        if value and name not in ("q", "columns")
    ]
    return "; ".join(said) or "everybody"


class SavedViewForm(forms.Form):
    """``query`` is the address of the view as it stands."""

    name = forms.CharField(max_length=80, label="Name of the view")
    is_shared = forms.BooleanField(required=False, label="Share with everybody in this account")
    query = forms.CharField(max_length=2000, required=False, widget=forms.HiddenInput)
