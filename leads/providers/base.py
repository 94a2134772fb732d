"""What every provider speaks: neutral types that cross the layers, and the interface itself.

All types are frozen. Texts are never None: a text that is absent is ``""``. Numbers, amounts and times that are absent
are None. A provider keeps what has no neutral name in ``extra`` (its own name to text), for display only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from leads.providers.changes import Change
from leads.providers.errors import ProviderError, RateLimited, Unavailable

# Fields of a lead that staff may write, in the order of the forms. Providers map them to their own names.
PROFILE_FIELDS = (
    "first_name", "middle_name", "last_name", "last_name2", "phone_country_code", "phone", "company", "address", "city",
    "state", "zip", "country", "website", "facebook", "twitter", "linkedin", "time_zone", "sales_tax_id", "picture_url",
)  # fmt: skip

FieldKind = Literal["text", "long_text", "choice", "radio", "choices"]
CatalogueKind = Literal["tags", "lists", "sequences", "fields", "pages"]


@dataclass(frozen=True)
class LeadRef:
    """Names one lead: by id, or by exact email where no id is known. With both, the id decides."""

    id: str = ""
    email: str = ""


@dataclass(frozen=True)
class Stamp:
    """A time as the provider wrote it. ``at`` is aware, or None where ``text`` could not be read as a time."""

    text: str
    zone: str
    at: datetime | None


@dataclass(frozen=True)
class Option:
    """One choice of a custom field. ``id`` is unique within its field only."""

    id: str
    label: str


@dataclass(frozen=True)
class FieldDefinition:
    """A custom field of the account."""

    identifier: str
    kind: FieldKind
    id: str = ""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class FieldValue:
    """A custom field as one lead holds it: ``text`` for text kinds, ``chosen`` for choices."""

    identifier: str
    kind: FieldKind
    text: str = ""
    chosen: tuple[Option, ...] = ()
    id: str = ""

    @property
    def writable(self) -> str | tuple[str, ...]:
        """The value in the form in which it is written: text, an option id, or option ids."""
        if self.kind == "choices":
            return tuple(option.id for option in self.chosen)
        if self.kind in ("choice", "radio"):
            return self.chosen[0].id if self.chosen else ""
        return self.text

    @property
    def display(self) -> str:
        """The value as a person reads it."""
        return ", ".join(option.label for option in self.chosen) if self.chosen else self.text


@dataclass(frozen=True)
class ListSubscription:
    """A lead on a list. A row stays, inactive, after unsubscribing."""

    name: str
    active: bool


@dataclass(frozen=True)
class SequenceSubscription:
    """A lead in a sequence, at a step (text, as the provider numbers it)."""

    name: str
    step: str
    active: bool


@dataclass(frozen=True)
class Membership:
    """Access to one level of a membership."""

    name: str
    level: str
    active: bool
    since: Stamp | None = None


@dataclass(frozen=True)
class Consent:
    """What the person agreed to. ``words`` says the status in plain English, or the provider's number."""

    words: str
    at: Stamp | None = None
    ip: str = ""
    agreed_to_contact: bool | None = None


@dataclass(frozen=True)
class Lead:
    """One person, as the provider holds them at ``read_at``.

    ``untold`` names what reads as empty because the answer did not hold it: profile fields by their neutral names,
    ``email``, ``custom_fields``, ``tags``, ``lists``, ``sequences``.
    """

    id: str
    email: str
    profile: Mapping[str, str]
    custom_fields: tuple[FieldValue, ...] = ()
    tags: tuple[str, ...] = ()
    lists: tuple[ListSubscription, ...] = ()
    sequences: tuple[SequenceSubscription, ...] = ()
    memberships: tuple[Membership, ...] = ()
    surveys: tuple[Mapping[str, str], ...] = ()
    score: int | None = None
    source: str = ""
    joined: Stamp | None = None
    blacklisted: bool | None = None
    deleted: bool = False
    deleted_at: Stamp | None = None
    consent: Consent | None = None
    ip: str = ""
    ip_country: str = ""
    notes: str = ""
    username: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()
    read_at: datetime | None = None

    @property
    def name(self) -> str:
        """First, middle and last names, or "" where the lead has none."""
        parts = (self.profile.get(key, "") for key in ("first_name", "middle_name", "last_name", "last_name2"))
        return " ".join(part for part in parts if part)

    @property
    def ref(self) -> LeadRef:
        return LeadRef(id=self.id)

    def custom_field(self, identifier: str) -> FieldValue | None:
        return next((value for value in self.custom_fields if value.identifier == identifier), None)


@dataclass(frozen=True)
class Transaction:
    """A movement of money. Without ``has_details`` only id, kind, lead id and lead email are known: ``is_beyond`` says
    that one reading does not go so far, ``is_refused`` that the provider does not give them, so that no other reading
    helps; else it did not tell them this time.

    ``kind``: sale, rebill, refund, partial_refund, failed, cancellation, chargeback, or the provider's own word.
    Amounts are in a currency the provider does not tell.
    """

    id: str
    kind: str
    lead_id: str = ""
    lead_email: str = ""
    has_details: bool = False
    is_beyond: bool = False
    is_refused: bool = False
    product: str = ""
    product_id: str = ""
    price_point: str = ""
    amount: Decimal | None = None
    base_amount: Decimal | None = None
    discount: Decimal | None = None
    shipping: Decimal | None = None
    tax: Decimal | None = None
    quantity: str = ""
    at: Stamp | None = None
    parent_id: str = ""
    original_id: str = ""
    subscription_id: str = ""
    gateway_subscription_id: str = ""
    pay_number: str = ""
    last_four: str = ""
    processor: str = ""
    affiliate: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subscription:
    """A recurring payment. ``status``: active, paused, cancelled, terminated, or the provider's own word in lower case.

    ``installments_left`` is a count or words. ``has_details`` and what follows are a transaction's.
    """

    id: str
    status: str
    lead_id: str = ""
    lead_email: str = ""
    has_details: bool = False
    is_beyond: bool = False
    is_refused: bool = False
    product_id: str = ""
    price_point: str = ""
    started: Stamp | None = None
    ended: Stamp | None = None
    next_payment: Stamp | None = None
    next_amount: Decimal | None = None
    current_installment: str = ""
    installments_left: str = ""
    period: str = ""
    affiliate: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Money:
    """All of a lead's money in one reading."""

    transactions: tuple[Transaction, ...]
    subscriptions: tuple[Subscription, ...]

    @property
    def unread(self) -> int:
        """How many rows came without details."""
        return sum(not row.has_details for row in self._rows)

    @property
    def beyond(self) -> int:
        """How many of them lie further back than one reading goes."""
        return sum(row.is_beyond for row in self._rows)

    @property
    def refused(self) -> int:
        """How many of them the provider does not give."""
        return sum(row.is_refused for row in self._rows)

    @property
    def untold(self) -> int:
        """How many of them the provider was asked for in vain, and may tell another time."""
        return self.unread - self.beyond - self.refused

    @property
    def _rows(self) -> tuple[Transaction | Subscription, ...]:
        return (*self.transactions, *self.subscriptions)


@dataclass(frozen=True)
class Outcome:
    """What became of one change that was sent. ``error`` is set unless it succeeded.

    ``failed`` means surely not done; an outcome nobody can read is ``unknown``. ``data`` holds what the answer gave,
    such as ``{"lead_id": "4174091"}``. ``code`` and ``words`` are the provider's own.
    """

    state: Literal["succeeded", "failed", "unknown"]
    error: ProviderError | None = None
    code: str = ""
    words: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_not_taken(self) -> bool:
        """Whether the call surely never came to be carried out, for no reason of the change's own."""
        return self.state == "failed" and isinstance(self.error, RateLimited | Unavailable)


class Provider(Protocol):
    """One account of one provider, for one holder of credentials.

    Reads raise a `ProviderError`: `Misconfigured`, `NotFound`, `Deleted`, `RateLimited`, `Unavailable`, or `Refused`.
    ``send`` is the only write and never raises a `ProviderError`: it returns an `Outcome` for each change. All official
    reads are here, those of single rows too that the desk does without because it reads a lead's money as a whole.
    """

    def check_credentials(self) -> None:
        """Make the cheapest harmless read. Raises `Misconfigured` where the credentials are refused."""

    def get_lead(self, ref: LeadRef) -> Lead:
        """The whole lead, in one call. Where both are given and the id finds nothing, a second one goes by email, and
        counts only if it brings the lead of that id."""

    def find_lead_id(self, ref: LeadRef) -> str:
        """The id of the lead, by exact email or id. Raises `NotFound`."""

    def other_addresses_of_new(self, email: str) -> tuple[str, ...]:
        """Every other address under which a lead may be kept that was created with this email. Asks nobody."""

    def list_tags(self) -> tuple[str, ...]: ...

    def list_lists(self) -> tuple[str, ...]: ...

    def list_sequences(self) -> tuple[str, ...]: ...

    def list_pages(self) -> tuple[str, ...]: ...

    def list_fields(self) -> tuple[FieldDefinition, ...]: ...

    def has_transaction(self, transaction_id: str) -> bool: ...

    def get_transaction(self, transaction_id: str) -> Transaction: ...

    def list_transactions(self, ref: LeadRef) -> tuple[Transaction, ...]: ...

    def has_subscription(self, subscription_id: str) -> bool: ...

    def get_subscription(self, subscription_id: str) -> Subscription: ...

    def list_subscriptions(self, ref: LeadRef) -> tuple[Subscription, ...]: ...

    def get_money(self, ref: LeadRef) -> Money:
        """Transactions and subscriptions with details, in two calls however long the history.

        Details are read for the newest rows up to what one call can carry; the rest come without details. A detail
        that the chained answer lacks is read alone.
        """

    def add_details(self, money: Money, rows: Sequence[Transaction | Subscription]) -> Money:
        """The same money with the details of these of its rows, in one more call for hundreds of them. What the
        provider refuses to tell stays without. Raises `RateLimited` or `Unavailable` where it did not answer for all.
        """

    def send(self, ref: LeadRef, changes: Sequence[Change]) -> tuple[Outcome, ...]:
        """Send the changes in one call, once. One outcome for each, in order. Raises Unsendable before sending."""
