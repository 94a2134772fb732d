"""Everything that can be changed at a provider, as data.

A change knows its ``kind`` (also the stem of its audit actions), and turns to and from JSON, so that what was asked is
kept beside what became of it. Several changes of one lead may travel in one call; `CreateLead` and `EditLead` go first.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

_KINDS: dict[str, type["Change"]] = {}


@dataclass(frozen=True)
class Change:
    """Base of all changes. ``needs_lead`` says whether a lead is named beside it."""

    kind: ClassVar[str] = ""
    needs_lead: ClassVar[bool] = True
    subject_field: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if cls.kind:
            _KINDS[cls.kind] = cls

    @property
    def subject(self) -> str:
        """What is changed: a tag, a list, a transaction id, or "" where it is the lead itself."""
        return str(getattr(self, self.subject_field)) if self.subject_field else ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` with the same kind gives an equal change."""
        return asdict(self)


def from_json(kind: str, asked: Mapping[str, Any]) -> Change:
    """The change that ``as_json`` wrote. Raises KeyError for a kind that does not exist."""
    return _KINDS[kind](**asked)


# Leads


@dataclass(frozen=True)
class CreateLead(Change):
    """Make a lead. ``profile`` by neutral names (`base.PROFILE_FIELDS`), ``custom_fields`` by identifier."""

    kind: ClassVar[str] = "lead.create"
    subject_field: ClassVar[str] = "email"
    email: str
    profile: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class EditLead(Change):
    """Overwrite the fields given, and only those. An empty text, or an empty list of option ids, clears.

    ``new_email`` "" leaves the address alone.
    """

    kind: ClassVar[str] = "lead.edit"
    profile: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, str | list[str]] = field(default_factory=dict)
    new_email: str = ""


# Tags, lists, sequences


@dataclass(frozen=True)
class AssignTag(Change):
    kind: ClassVar[str] = "tag.assign"
    subject_field: ClassVar[str] = "tag"
    tag: str


@dataclass(frozen=True)
class UnassignTag(Change):
    kind: ClassVar[str] = "tag.unassign"
    subject_field: ClassVar[str] = "tag"
    tag: str


@dataclass(frozen=True)
class SubscribeToList(Change):
    kind: ClassVar[str] = "list.subscribe"
    subject_field: ClassVar[str] = "list"
    list: str


@dataclass(frozen=True)
class UnsubscribeFromList(Change):
    kind: ClassVar[str] = "list.unsubscribe"
    subject_field: ClassVar[str] = "list"
    list: str


@dataclass(frozen=True)
class SubscribeToSequence(Change):
    """``step`` is the number of the step's box, letters and digits only."""

    kind: ClassVar[str] = "sequence.subscribe"
    subject_field: ClassVar[str] = "sequence"
    sequence: str
    step: str = "1"


@dataclass(frozen=True)
class UnsubscribeFromSequence(Change):
    kind: ClassVar[str] = "sequence.unsubscribe"
    subject_field: ClassVar[str] = "sequence"
    sequence: str


# Points, calendars


@dataclass(frozen=True)
class GivePoints(Change):
    """``expires_in_days`` 0 means never."""

    kind: ClassVar[str] = "points.give"
    points: int
    expires_in_days: int = 0


@dataclass(frozen=True)
class RemovePoints(Change):
    kind: ClassVar[str] = "points.remove"
    points: int


@dataclass(frozen=True)
class SubscribeToCalendar(Change):
    """``starts`` is naive ISO text ``YYYY-MM-DD HH:MM`` on the provider's clock, or "" for no particular time."""

    kind: ClassVar[str] = "calendar.subscribe"
    subject_field: ClassVar[str] = "calendar"
    calendar: str
    class_name: str
    starts: str = ""


@dataclass(frozen=True)
class CancelCalendar(Change):
    kind: ClassVar[str] = "calendar.cancel"
    subject_field: ClassVar[str] = "calendar"
    calendar: str
    class_name: str


# The account


@dataclass(frozen=True)
class CreateField(Change):
    """Make a custom field for the whole account; it can be neither renamed nor deleted. ``options`` are labels."""

    kind: ClassVar[str] = "field.create"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "identifier"
    identifier: str
    field_kind: str
    options: list[str] = field(default_factory=list)


# Money. Amounts are decimal texts with a dot; ids are texts.


@dataclass(frozen=True)
class RefundTransaction(Change):
    """Refund a sale or rebill: exactly one of ``amount`` and ``everything``, so that a lost amount refunds nothing."""

    kind: ClassVar[str] = "transaction.refund"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "transaction_id"
    transaction_id: str
    amount: str = ""
    everything: bool = False

    def __post_init__(self) -> None:
        if bool(self.amount) == self.everything:
            raise ValueError("a refund names an amount, or everything, and not both")


@dataclass(frozen=True)
class CancelSubscription(Change):
    kind: ClassVar[str] = "subscription.cancel"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "subscription_id"
    subscription_id: str


@dataclass(frozen=True)
class CancelSubscriptionOfTransaction(Change):
    """Cancel the subscription that a payment belongs to, named by the payment or by the subscription's number."""

    kind: ClassVar[str] = "subscription.cancel_by_payment"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "transaction_id"
    transaction_id: str = ""
    subscription_id: str = ""

    def __post_init__(self) -> None:
        if bool(self.transaction_id) == bool(self.subscription_id):
            raise ValueError("name the payment or the subscription, and not both")


@dataclass(frozen=True)
class PauseSubscription(Change):
    kind: ClassVar[str] = "subscription.pause"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "subscription_id"
    subscription_id: str


@dataclass(frozen=True)
class ResumeSubscription(Change):
    kind: ClassVar[str] = "subscription.resume"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "subscription_id"
    subscription_id: str


@dataclass(frozen=True)
class EditSubscription(Change):
    """Change what is given, leave the rest. At least one value beside the id.

    ``next_payment`` is naive ISO text ``YYYY-MM-DD HH:MM`` on the provider's clock; ``installments_left`` a count or
    ``until cancelled``; product and price point go together; ``period`` and ``second_period`` are the provider's words.
    """

    kind: ClassVar[str] = "subscription.edit"
    needs_lead: ClassVar[bool] = False
    subject_field: ClassVar[str] = "subscription_id"
    subscription_id: str
    product_id: str = ""
    price_point: str = ""
    next_payment: str = ""
    amount: str = ""
    period: str = ""
    second_period: str = ""
    quantity: str = ""
    installments_left: str = ""
    tax_percent: str = ""
