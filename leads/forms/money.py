"""Forms that move money or change billing. Each is bound to the figures it was shown with."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils import timezone

from kartra_admin.lib.money import AmountUnclear, parse_amount, plain
from leads import effects, rules
from leads.forms.fields import OperationForm, OperationIdField
from leads.providers import changes
from leads.selectors import reasons
from leads.services.cancelling import LastPayment
from leads.services.money import Plan, Sale, Terms

FULL, PARTIAL = "full", "partial"
UNTIL_CANCELLED = "until cancelled"
EVERY = ("monthly", "every 2 months", "quarterly", "yearly", "every 2 years", "weekly", "every 2 weeks")
EVERY_LONG = ("yearly", "every 2 years")
# Kartra's clock. It may run an hour ahead of this in summer; what is past there, it refuses itself.
_EST = ZoneInfo("Etc/GMT+5")


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
        self.fields["note"].help_text = f"Needed where the reason is {reasons.OTHER}."

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
            raise ValidationError("Say in a few words why.")
        return note

    @property
    def terms(self) -> Terms:
        values = self.cleaned_data
        return Terms(values["reason"], values["note"], values["seen"].digest)


class RefundForm(MoneyForm):
    """``much`` is chosen; an amount that is blank or odd is an error and never a full refund."""

    much = forms.ChoiceField(
        label="How much",
        choices=[(FULL, "Full refund"), (PARTIAL, "Partial")],
        widget=forms.RadioSelect,
        initial=PARTIAL,
    )
    amount = AmountField(label="Amount", required=False)
    field_order = ["much", "amount", "reason", "note"]

    def __init__(self, data: Any = None, *, about: str) -> None:
        super().__init__(data, about=about)
        self.fields["amount"].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("much") == PARTIAL and "amount" in values and values["amount"] is None:
            self.add_error("amount", "Type how much to refund. An empty amount refunds nothing.")
        if values.get("much") == FULL and values.get("amount") is not None:
            self.add_error(
                "much", "A full refund was chosen, and an amount was typed. Choose Partial, or empty the amount."
            )
        seen: Seen | None = values.get("seen")
        if seen and seen.left is not None and values.get("amount") and values["amount"] > seen.left:
            self.add_error("amount", f"Only {seen.left} is left of this payment.")
        return values

    @property
    def wanted(self) -> Decimal | None:
        """The amount, or None for all that is left."""
        return self.cleaned_data["amount"] if self.cleaned_data["much"] == PARTIAL else None

    def outlook(self, now: Seen | None = None) -> "Outlook":
        """What would happen if it were confirmed as it stands, with the figures ``now`` or else those it was shown
        with."""
        if not self.is_bound:
            return Outlook(now)
        errors, values = self.errors, self.cleaned_data  # in this order: the first makes the second
        problems = [*errors.get("much", []), *errors.get("amount", [])] if self["amount"].value() else []
        seen: Seen | None = now or values.get("seen")
        amount = values.get("amount") if values.get("much") == PARTIAL else None
        if values.get("much") == FULL and seen:
            amount = seen.left
        return Outlook(seen, None if problems else amount, str(problems[0]) if problems else "")


@dataclass(frozen=True)
class Outlook:
    """``amount`` is None where it is not clear yet, and ``problem`` says why."""

    seen: Seen | None
    amount: Decimal | None = None
    problem: str = ""

    @property
    def leaving(self) -> Decimal:
        """What stays paid."""
        left = self.seen.left if self.seen else None
        return (left or Decimal(0)) - (self.amount or Decimal(0))


class SubscriptionForm(MoneyForm):
    """Pause and resume."""

    CHANGES: ClassVar[Mapping[str, type[changes.Change]]] = {
        "subscription.pause": changes.PauseSubscription,
        "subscription.resume": changes.ResumeSubscription,
        "subscription.cancel": changes.CancelSubscription,
    }

    def __init__(self, data: Any = None, *, about: str, kind: str, subscription_id: str) -> None:
        super().__init__(data, about=about)
        self.kind, self.subscription_id = kind, subscription_id

    def change(self) -> changes.Change:
        return self.CHANGES[self.kind](self.subscription_id)  # type: ignore[call-arg]


class CancelForm(SubscriptionForm):
    """Cancel, and where it is wanted refund the last payment after that, as an operation of its own."""

    refund_last = forms.BooleanField(required=False)
    refund_id = OperationIdField()
    last_id = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20)
    last_seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    field_order = ["reason", "note", "refund_last"]

    def offer_refund(self, sale: Sale | None) -> None:
        """Offer to refund this payment, or nothing."""
        if sale is None:
            del self.fields["refund_last"]
            return
        row = sale.payment.transaction
        self.fields["refund_last"].label = f"Refund the last payment too: {sale.figures['Left']} of #{row.id}"
        self.set_hidden(last_id=row.id, last_seen=sale.digest)

    @property
    def last_payment(self) -> LastPayment | None:
        """What is to be refunded after the cancellation, if anything."""
        values = self.cleaned_data
        if not values["refund_last"]:
            return None
        return LastPayment(values["last_id"], values["last_seen"], values["refund_id"])

    def refuse(self, sentence: str) -> None:
        super().refuse(sentence)
        self.set_hidden(refund_id=str(uuid.uuid4()))


class EditSubscriptionForm(SubscriptionForm):
    """Only what is filled in is sent. The limits are Kartra's."""

    amount = AmountField(label="Price", required=False)
    next_date = forms.DateField(
        label="Next payment, day (EST)", required=False, widget=forms.DateInput({"type": "date"})
    )
    next_time = forms.TimeField(
        label="Next payment, time (EST)", required=False, widget=forms.TimeInput({"type": "time"})
    )
    period = forms.ChoiceField(
        label="Recurrence", required=False, choices=[("", "Leave as it is"), *((word, word) for word in EVERY)]
    )
    second_period = forms.ChoiceField(
        label="Then", required=False, choices=[("", "Leave as it is"), *((word, word) for word in EVERY_LONG)]
    )
    installments_left = forms.CharField(label="Instalments left", required=False, max_length=20)
    quantity = forms.IntegerField(label="Quantity", required=False, min_value=1, max_value=rules.HIGHEST_QUANTITY)
    tax_percent = forms.DecimalField(
        label="Tax percent", required=False, min_value=0, max_value=100, max_digits=6, decimal_places=2
    )
    product_id = forms.CharField(label="Product id", required=False, max_length=12)
    price_point = forms.CharField(label="Price point", required=False, max_length=6)
    SETTINGS: ClassVar[Sequence[str]] = (
        "amount", "next_date", "next_time", "period", "second_period", "installments_left", "quantity", "tax_percent",
        "product_id", "price_point",
    )  # fmt: skip
    # Beside which field the present value is shown.
    NOW: ClassVar[Mapping[str, str]] = {
        "amount": "Price",
        "next_date": "Next payment",
        "period": "Recurrence",
        "installments_left": "Instalments left",
        "product_id": "Product",
        "price_point": "Price point",
    }
    field_order = [*SETTINGS, "reason", "note"]

    def show(self, seen: Seen) -> None:
        super().show(seen)
        more = {
            "amount": f"{rules.LOWEST_PRICE} to {rules.HIGHEST_PRICE:,}.",
            "next_date": "Moves the whole billing schedule.",
            "second_period": "For recurring instalments only.",
            "installments_left": f"A number, or ‘{UNTIL_CANCELLED}’.",
            "quantity": f"1 to {rules.HIGHEST_QUANTITY:,}. Kartra does not tell what it is now.",
            "tax_percent": "0 to 100. Kartra does not tell what it is now.",
            "product_id": "Only together with a price point.",
        }
        for name in self.SETTINGS:
            now = seen.figures.get(self.NOW.get(name, ""), "")
            words = [f"Now {now}." if now else "", more.get(name, "")]
            self.fields[name].help_text = " ".join(filter(None, words))

    def clean_amount(self) -> Decimal | None:
        amount: Decimal | None = self.cleaned_data["amount"]
        if amount is not None and not rules.LOWEST_PRICE <= amount <= rules.HIGHEST_PRICE:
            raise ValidationError(f"A price is {rules.LOWEST_PRICE} to {rules.HIGHEST_PRICE:,}.")
        return amount

    def clean_installments_left(self) -> str:
        text = " ".join(self.cleaned_data["installments_left"].casefold().split())
        if text and text != UNTIL_CANCELLED and not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 9999):
            raise ValidationError(f"Type a number from 1 to 9,999, or ‘{UNTIL_CANCELLED}’.")
        return text

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        self._check_next_payment(values)
        for name in ("product_id", "price_point"):
            if values.get(name) and not (values[name].isascii() and values[name].isdecimal()):
                self.add_error(name, "This is a number.")
        for name, other in (("product_id", "price_point"), ("price_point", "product_id")):
            if values.get(name) and not values.get(other) and other not in self.errors:
                self.add_error(other, "Product and price point go together: fill in both, or neither.")
        if values.get("second_period") and not values.get("period") and "period" not in self.errors:
            self.add_error("period", "Choose the first recurrence as well.")
        if not self.errors and not any(values[name] not in (None, "") for name in self.SETTINGS):
            raise ValidationError("Nothing was filled in, so nothing was sent.")
        return values

    def _check_next_payment(self, values: dict[str, Any]) -> None:
        day, time = values.get("next_date"), values.get("next_time")
        if {"next_date", "next_time"} & self.errors.keys():
            return
        if (day is None) != (time is None):
            self.add_error("next_date" if day is None else "next_time", "Give both a day and a time, or neither.")
        elif day and time is not None and datetime.combine(day, time, _EST) < timezone.now() - timedelta(minutes=1):
            self.add_error("next_date", "This lies in the past.")

    def change(self) -> changes.Change:
        values = self.cleaned_data
        day, time, tax = values["next_date"], values["next_time"], values["tax_percent"]
        return changes.EditSubscription(
            self.subscription_id,
            product_id=values["product_id"],
            price_point=values["price_point"],
            next_payment=f"{day.isoformat()} {time:%H:%M}" if day else "",
            amount=plain(values["amount"]) if values["amount"] is not None else "",
            period=values["period"],
            second_period=values["second_period"],
            quantity=str(values["quantity"] or ""),
            installments_left=values["installments_left"],
            tax_percent="" if tax is None else f"{tax:f}",
        )


def about_sale(account_id: int, lead_id: str, transaction_id: str) -> str:
    return f"{account_id}.{lead_id}.transaction.{transaction_id}"


def about_plan(account_id: int, lead_id: str, subscription_id: str) -> str:
    return f"{account_id}.{lead_id}.subscription.{subscription_id}"
