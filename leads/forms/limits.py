"""How much a role or a person may refund."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from kartra_admin.lib.money import AmountUnclear, parse_amount
from leads.models import Limit
from leads.selectors import limits

_ROLE, _PERSON = "role:", "person:"


class LimitAmountField(forms.CharField):
    """Blank is no limit, zero allows nothing."""

    def __init__(self, label: str) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(label=label, required=False, max_length=20, widget=forms.TextInput(attrs))

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        if text.strip("0.,") == "" and text[0] == "0":
            return Decimal("0.00")
        try:
            return parse_amount(text)
        except AmountUnclear as error:
            raise ValidationError(error.sentence) from None


class LimitForm(forms.Form):
    """``limit`` is changed; for a new one ``whose`` is asked too."""

    whose = forms.ChoiceField(label="For")
    per_transaction = LimitAmountField("Per payment")
    per_day = LimitAmountField("Per day")
    per_lead = LimitAmountField("Per lead in 30 days, by anybody")
    count_per_day = forms.IntegerField(label="Refunds per day", required=False, min_value=0, max_value=100_000)

    def __init__(self, data: Any = None, *, limit: Limit) -> None:
        super().__init__(data)
        self.limit = limit
        if limit.pk:
            del self.fields["whose"]
            for name in self.fields:
                self.initial[name] = getattr(limit, name)
            return
        roles, people = limits.without()
        self.fields["whose"].choices = [  # type: ignore[attr-defined]
            ("", "Choose a role or a person"),
            ("Roles", [(f"{_ROLE}{role}", label) for role, label in roles]),
            ("People", [(f"{_PERSON}{person.pk}", str(person)) for person in people]),
        ]

    def filled(self) -> Limit:
        """The limit as it was typed, not saved."""
        values = dict(self.cleaned_data)
        whose = values.pop("whose", "")
        if whose.startswith(_ROLE):
            self.limit.role = whose.removeprefix(_ROLE)
        elif whose:
            self.limit.person = User.objects.get(pk=whose.removeprefix(_PERSON))
        for name, value in values.items():
            setattr(self.limit, name, value)
        return self.limit
