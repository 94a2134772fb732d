"""Forms that move money. Each is bound to the figures it was shown with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError

from kartra_admin.lib.money import AmountUnclear, parse_amount
from leads import effects
from leads.forms.fields import OperationForm
from leads.selectors import reasons
from leads.services.money import Plan, Sale, Terms

FULL, PARTIAL = "full", "partial"


@dataclass(frozen=True)
class Seen:
    """What a dialog showed: the digest that the services compare, and the figures to tell a person what changed."""

    digest: str
    figures: Mapping[str, str]

    @classmethod
    def of_sale(cls, sale: Sale) -> Self:
        row, plan = sale.payment.transaction, sale.group.subscription
        more = {"Card": row.last_four, "Subscription": plan.status if plan else ""}
        return cls(sale.digest, {**sale.figures, **more})

    @classmethod
    def of_plan(cls, plan: Plan) -> Self:
        return cls(plan.digest, effects.figures_of(plan.group.the_subscription))

    @property
    def left(self) -> Decimal | None:
        """What is left of a payment, where it is known."""
        return Decimal(self.figures["Left"]) if self.figures.get("Left") else None

    def differences(self, now: Self) -> list[dict[str, str]]:
        """Rows for ``components/_diff.html``."""
        return [
            {"label": label, "before": self.figures.get(label, ""), "after": text}
            for label, text in now.figures.items()
            if text != self.figures.get(label, "")
        ]


class SeenField(forms.CharField):
    """A `Seen`, signed, so that nobody confirms figures that were never shown."""

    def __init__(self, about: str) -> None:
        super().__init__(widget=forms.HiddenInput, max_length=5000)
        self.salt = f"leads.seen.{about}"

    def seal(self, seen: Seen) -> str:
        return signing.dumps([seen.digest, dict(seen.figures)], salt=self.salt, compress=True)

    def clean(self, value: Any) -> Seen:
        try:
            digest, figures = signing.loads(super().clean(value), salt=self.salt)
        except (signing.BadSignature, ValueError, json.JSONDecodeError):
            raise ValidationError("This form is damaged. Nothing was sent: go back and open it again.") from None
        return Seen(digest, figures)


class AmountField(forms.CharField):
    """An amount as people type it, understood or refused."""

    def __init__(self, **options: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(max_length=40, widget=forms.TextInput(attrs), **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_amount(text)
        except AmountUnclear as error:
            raise ValidationError(error.sentence) from None


class MoneyForm(OperationForm):
    """A reason, a note where the reason needs one, and what was shown. ``about`` names the row it belongs to."""

    reason = forms.ChoiceField(label="Reason")
    note = forms.CharField(label="Note", required=False, max_length=500, widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: Any = None, *, about: str) -> None:
        super().__init__(data)
        self.fields["seen"] = SeenField(about)
        self.fields["reason"].choices = [("", "Choose a reason"), *((text, text) for text in reasons.choices())]  # type: ignore[attr-defined]
        self.fields["note"].help_text = f"Required if the reason is {reasons.OTHER}."

    def show(self, seen: Seen) -> None:
        """Bind the form to what it is shown with."""
        self.set_hidden(seen=self.fields["seen"].seal(seen))  # type: ignore[attr-defined]

    def set_hidden(self, **values: str) -> None:
        """Values that the form carries for itself, whatever was posted in their place."""
        self.initial = {**self.initial, **values}
        if self.is_bound:
            self.data = {**{name: self.data[name] for name in self.data}, **values}

    def clean_note(self) -> str:
        note: str = self.cleaned_data["note"]
        if self.cleaned_data.get("reason") == reasons.OTHER and not note:
            raise ValidationError("Say why in a few words.")
        return note

    @property
    def terms(self) -> Terms:
        values = self.cleaned_data
        return Terms(values["reason"], values["note"], values["seen"].digest)


class RefundForm(MoneyForm):
    """``much`` is the button that was pressed; an amount that is blank or odd is an error and never a full refund.

    The amount comes last, so that Enter in it sends off what is chosen by then: that presses the first button, a part.
    """

    much = forms.ChoiceField(
        label="How much",
        choices=[(PARTIAL, "A part"), (FULL, "All that is left")],
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose what to refund: a part, or all of it."),
    )
    amount = AmountField(label="Amount", required=False)
    field_order = ["reason", "note", "amount", "much"]

    def __init__(self, data: Any = None, *, about: str) -> None:
        super().__init__(data, about=about)
        self.fields["reason"].widget.attrs["autofocus"] = True
        self.fields["amount"].widget.attrs["placeholder"] = (
            "0.00"  # while it shows, the button for all is the filled one
        )

    def show(self, seen: Seen) -> None:
        super().show(seen)
        if seen.left is not None:
            self["amount"].help_text = f"For a part of the {seen.left:.2f} that is left."

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        seen: Seen | None = values.get("seen")
        typed, left = values.get("amount"), seen.left if seen else None
        if typed is not None and left is not None and typed > left:
            self.add_error("amount", f"Only {left} is left of this payment.")
        elif typed is not None and typed != left and values.get("much") == FULL:
            self.add_error(
                "much",
                f"You entered {typed:.2f} but chose to refund all. Refund {typed:.2f}, or clear the amount to refund "
                "all.",
            )
        elif values.get("much") == PARTIAL and "amount" in values and typed is None:
            self.add_error("amount", "Type how much to refund. An empty amount refunds nothing.")
        return values

    @property
    def wanted(self) -> Decimal | None:
        """The amount, or None for all that is left."""
        return self.cleaned_data["amount"] if self.cleaned_data["much"] == PARTIAL else None

    def outlook(self, now: Seen | None = None) -> "Outlook":
        """What would become of the amount as it stands, with the figures ``now`` or else those it was shown with."""
        if not self.is_bound:
            return Outlook(now)
        errors, values = self.errors, self.cleaned_data  # in this order: the first makes the second
        problems = errors.get("amount") if self["amount"].value() else None
        return Outlook(now or values.get("seen"), values.get("amount"), str(problems[0]) if problems else "")


@dataclass(frozen=True)
class Outlook:
    """``amount`` is the part that is typed, None where it is not clear yet, and ``problem`` says why."""

    seen: Seen | None
    amount: Decimal | None = None
    problem: str = ""

    @property
    def leaving(self) -> Decimal:
        """What stays paid."""
        left = self.seen.left if self.seen else None
        return (left or Decimal(0)) - (self.amount or Decimal(0))


def about_sale(account_id: int, lead_id: str, transaction_id: str) -> str:
    return f"{account_id}.{lead_id}.transaction.{transaction_id}"
