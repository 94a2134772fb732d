"""Forms that change a subscription: what it charges, when, and whether it goes on."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from kartra_admin.lib.money import plain
from leads import rules
from leads.forms.money import AmountField, MoneyForm, Seen
from leads.providers import changes
from leads.services.cancelling import LastPayment
from leads.services.money import Sale

UNTIL_CANCELLED = "until cancelled"
EVERY = ("monthly", "every 2 months", "quarterly", "yearly", "every 2 years", "weekly", "every 2 weeks")
EVERY_LONG = ("yearly", "every 2 years")
# What a recurrence that is followed by another may be.
EVERY_FIRST = ("monthly", "every 2 months", "weekly", "every 2 weeks")
# Kartra's clock. It may run an hour ahead of this in summer; what is past there, it refuses itself.
_EST = ZoneInfo("Etc/GMT+5")


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
    last_id = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20)
    last_seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    field_order = ["reason", "note", "refund_last"]

    def offer_refund(self, sale: Sale | None) -> None:
        """Offer to refund this payment, or nothing."""
        if sale is None:
            del self.fields["refund_last"]
            return
        row = sale.payment.transaction
        self["refund_last"].label = f"Refund the last payment too: {sale.figures['Left']} of #{row.id}"
        self.set_hidden(last_id=row.id, last_seen=sale.digest)

    @property
    def last_payment(self) -> LastPayment | None:
        """What is to be refunded after the cancellation, if anything."""
        values = self.cleaned_data
        if not values["refund_last"]:
            return None
        return LastPayment(values["last_id"], values["last_seen"])


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
            "quantity": f"1 to {rules.HIGHEST_QUANTITY:,}. Kartra does not return the current value.",
            "tax_percent": "0 to 100. Kartra does not return the current value.",
            "product_id": "Only together with a price point.",
        }
        for name in self.SETTINGS:
            now = seen.figures.get(self.NOW.get(name, ""), "")
            words = [f"Now {now}." if now else "", more.get(name, "")]
            self[name].help_text = " ".join(filter(None, words))

    def clean_amount(self) -> Decimal | None:
        amount: Decimal | None = self.cleaned_data["amount"]
        if amount is not None and not rules.LOWEST_PRICE <= amount <= rules.HIGHEST_PRICE:
            raise ValidationError(f"Enter a price from {rules.LOWEST_PRICE} to {rules.HIGHEST_PRICE:,}.")
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
            text = values.get(name)
            if text and not (text.isascii() and text.isdecimal() and int(text)):
                self.add_error(name, "Enter a number of at least 1.")
        for name, other in (("product_id", "price_point"), ("price_point", "product_id")):
            if values.get(name) and not values.get(other) and other not in self.errors:
                self.add_error(other, "Product and price point go together: fill in both, or neither.")
        if values.get("second_period") and not values.get("period") and "period" not in self.errors:
            self.add_error("period", "Choose the first recurrence as well.")
        elif values.get("second_period") and values.get("period") not in ("", None, *EVERY_FIRST):
            self.add_error("period", f"Only these can be followed by another: {', '.join(EVERY_FIRST)}.")
        if not self.errors and not any(values[name] not in (None, "") for name in self.SETTINGS):
            raise ValidationError("Nothing was filled in, so nothing was sent.")
        return values

    def _check_next_payment(self, values: dict[str, Any]) -> None:
        day, time = values.get("next_date"), values.get("next_time")
        if {"next_date", "next_time"} & self.errors.keys():
            return
        if (day is None) != (time is None):
            self.add_error("next_date" if day is None else "next_time", "Enter both a day and a time, or neither.")
        elif day and time is not None and datetime.combine(day, time, _EST) < timezone.now() - timedelta(minutes=1):
            self.add_error("next_date", "This is in the past.")

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


def about_plan(account_id: int, lead_id: str, subscription_id: str) -> str:
    return f"{account_id}.{lead_id}.subscription.{subscription_id}"
