"""Kartra's objects as our neutral types.

Every field is optional, for the pages list more than some accounts send; what has no neutral name is kept in ``extra``
as text, and so is an amount that is no number. A list is whole or `Unreadable`: what is no list, and a row that tells
nobody what it is a row of, raise, for a shorter list would say that something is not there.

Sources: 'Lead: Retrieving data', 'Action: Get payment transaction details', 'Action: Get recurring payment subscription
details', the pages of the retrieve commands, and for names that differ between them what clients have seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from leads.providers.base import (
    PROFILE_FIELDS,
    Consent,
    FieldDefinition,
    FieldKind,
    FieldValue,
    Lead,
    ListSubscription,
    Membership,
    Option,
    SequenceSubscription,
    Subscription,
    Transaction,
)
from leads.providers.errors import Unreadable
from leads.providers.kartra.commands import PROFILE_NAMES
from leads.providers.kartra.values import (
    Fields,
    as_items,
    as_list,
    as_map,
    as_text,
    decoded,
    flag,
    id_of,
    is_nothing,
    shown,
    stamp,
    whole,
    word,
)

_KINDS: dict[str, FieldKind] = {
    "input_field": "text",
    "text_area": "long_text",
    "drop_down": "choice",
    "radio_button": "radio",
    "checkbox": "choices",
}

_TEXTS = ("text", "long_text")

# What a lead is in, and under which key a row says of what.
_MEMBER_OF = {"tags": "tag_name", "lists": "list_name", "sequences": "sequence_name"}

# gdpr_lead_status
_CONSENT = {
    "0": "GDPR is switched off for the account",
    "1": "Not subject to GDPR",
    "2": "Accepted",
    "3": "Not accepted",
    "4": "Location unknown",
    "5": "Pending",
}


# Leads


def lead(details: Mapping[str, Any], *, read_at: datetime) -> Lead | None:
    """``lead_details`` of get_lead; None for a lead without an id."""
    fields = Fields(details)
    lead_id = id_of(fields.take("id"))
    if not lead_id.isdecimal():
        return None
    return Lead(
        id=lead_id,
        email=word(fields.take("email")),
        profile={name: as_text(fields.take(PROFILE_NAMES.get(name, name))) for name in PROFILE_FIELDS},
        custom_fields=tuple(_field_values(fields.take("custom_fields"))),
        tags=names(fields.take("tags"), "tag_name"),
        lists=_lists(fields.take("lists")),
        sequences=_sequences(fields.take("sequences")),
        memberships=_memberships(fields.take("memberships")),
        surveys=tuple(rest for row in _rows(fields.take("surveys"), "survey_name") if (rest := row.rest())),
        score=whole(fields.take("score")),
        source=word(fields.take("source")),
        joined=stamp(fields.take("date_joined")),
        blacklisted=flag(fields.take("blacklisted")),
        deleted=flag(fields.take("lead_deleted")) or False,
        deleted_at=stamp(fields.take("lead_deleted_date")),
        consent=_consent(fields),
        ip=word(fields.take("ip")),
        ip_country=word(fields.take("ip_country")),
        notes=as_text(fields.take("notes")),
        username=word(fields.take("username")),
        extra={name: text for name, text in fields.rest().items() if text != "0"},
        untold=_untold(details),
        read_at=read_at,
    )


def _untold(details: Mapping[str, Any]) -> frozenset[str]:
    """What the answer lacks, and lists or sequences of which one does not say whether the lead is still on it."""
    known = {name: PROFILE_NAMES.get(name, name) for name in (*PROFILE_FIELDS, "email", "custom_fields", *_MEMBER_OF)}
    lacking = {name for name, theirs in known.items() if theirs not in details}
    vague = {
        name
        for name, row_name in _MEMBER_OF.items()
        if name != "tags" and any(row.take("active", "status") is None for row in _rows(details.get(name), row_name))
    }
    return frozenset(lacking | vague)


def lead_id(details: Any) -> str:
    """The id in ``lead_details`` of search_lead, create_lead and edit_lead, or ""."""
    found = id_of(as_map(details).get("id"))
    return found if found.isdecimal() else ""


def names(items: Any, *keys: str) -> tuple[str, ...]:
    """Names from a list of texts, or of maps that hold them under one of the keys; no repeats."""
    return tuple(dict.fromkeys(_named(row.take(*keys, "name", "title")) for row in _rows(items, keys[0])))


def _lists(items: Any) -> tuple[ListSubscription, ...]:
    """A row stays after unsubscribing, with active 0; a row that does not say counts as active."""
    return tuple(
        ListSubscription(_named(row.take("list_name", "name")), active=flag(row.take("active")) is not False)
        for row in _rows(items, "list_name")
    )


def _sequences(items: Any) -> tuple[SequenceSubscription, ...]:
    return tuple(
        SequenceSubscription(
            _named(row.take("sequence_name", "name")),
            step=word(row.take("step")),
            active=(word(row.take("status")) or "active").casefold() == "active"
            and flag(row.take("active")) is not False,
        )
        for row in _rows(items, "sequence_name")
    )


def _memberships(items: Any) -> tuple[Membership, ...]:
    return tuple(
        Membership(
            name=_named(row.take("membership_name", "name", "membership_id", "id")),
            level=as_text(row.take("level_name")) or word(row.take("level_id")),
            active=flag(row.take("active")) is not False,
            since=stamp(row.take("granted_at")),
        )
        for row in _rows(items, "membership_name")
    )


def _rows(items: Any, name: str) -> list[Fields]:
    """Rows of a list; one may be a bare text, which is the name then. Raises `Unreadable`."""
    return [Fields(_row(item) or {name: _named(item)}) for item in as_list(items)]


def _row(item: Any) -> dict[str, Any]:
    """A row, also from text that holds one; empty for what is no map. Raises `Unreadable` for a row that was cut."""
    row = as_map(item)
    if not row and isinstance(item, str) and item.lstrip().startswith('{"'):
        raise Unreadable
    return row


def _named(value: Any) -> str:
    """A name as it came. Raises `Unreadable` for what is none."""
    if not isinstance(value, str) or not value.strip():
        raise Unreadable
    return value


def _consent(fields: Fields) -> Consent | None:
    """An account without GDPR may send none of it. Of the two readings of gdpr_lead_communications, the majority's."""
    status = word(fields.take("gdpr_lead_status"))
    at = stamp(fields.take("gdpr_lead_status_date"))
    ip = word(fields.take("gdpr_lead_status_ip"))
    agreed = flag(fields.take("gdpr_lead_communications"))
    if not status and agreed is None:
        return None
    return Consent(_CONSENT.get(status, f"Status {status}" if status else "Not returned"), at, ip, agreed)


# Custom fields


def field_definitions(items: Any) -> tuple[FieldDefinition, ...]:
    """``custom_fields`` of retrieve_custom_fields."""
    found = []
    for identifier, row, item in _fields(items):
        if not row and not is_nothing(item):
            raise Unreadable
        kind = _KINDS.get(word(row.get("field_type")), "text")
        options = () if kind in _TEXTS else _options(row.get("field_value"))
        found.append(FieldDefinition(identifier, kind, id=id_of(row.get("field_id")), options=options))
    return tuple(found)


def _field_values(items: Any) -> list[FieldValue]:
    """``custom_fields`` of a lead: rows, or a map by identifier."""
    found = []
    for identifier, row, item in _fields(items):
        value = row.get("field_value") if "field_value" in row or "field_identifier" in row else item
        kind = _KINDS.get(word(row.get("field_type")), "text")
        field_id = id_of(row.get("field_id"))
        if kind in _TEXTS:
            found.append(FieldValue(identifier, kind, text=_text_of(value), id=field_id))
        else:
            found.append(FieldValue(identifier, kind, chosen=_options(value), id=field_id))
    return found


def _fields(items: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Identifier, row and what came for it, from a list of rows or from a map by identifier. Raises `Unreadable`."""
    for key, item in as_items(items):
        row = _row(item)
        name = as_text(row.get("field_identifier"))
        identifier = name if name.strip() else "" if key.isdigit() else key
        if identifier == "field_identifier":  # one row in place of a list
            raise Unreadable
        if identifier.strip():
            yield identifier, row, item
        elif not is_nothing(item):
            raise Unreadable


def _text_of(value: Any) -> str:
    """A text field's value. A kind of field that nobody knows may hold options, or anything."""
    if isinstance(value, str | bool):
        return as_text(value)
    try:
        return ", ".join(option.label for option in _options(value))
    except Unreadable:
        return shown(value)


def _options(value: Any) -> tuple[Option, ...]:
    """Options of a field or of a value: maps, one map, or bare texts, of which an id and its label look the same."""
    held = decoded(value)
    if isinstance(held, dict) and ("option_id" in held or "option_value" in held):
        return _option(held)
    if isinstance(held, dict | list) or is_nothing(held):
        return tuple(option for item in as_list(held) for option in _option(item))
    return _option(value)


def _option(item: Any) -> tuple[Option, ...]:
    """One option, or none where it is blank. Raises `Unreadable`."""
    row = _row(item)
    if not row:
        name = _named(item)
        if name.lstrip()[0] in "[{":
            raise Unreadable
        return (Option(name, name),)
    if "option_id" not in row and "option_value" not in row:
        raise Unreadable
    label = as_text(row.get("option_value"))
    option_id = word(row.get("option_id")) or label
    return (Option(option_id, label or option_id),) if option_id else ()


# Money

# That money went back is told by the kind, so a minus before the amount says nothing more.
_GONE_BACK = ("refund", "partial_refund", "chargeback")


def rows(items: Any, *id_names: str) -> dict[str, dict[str, Any]]:
    """Rows of a list by id, newest first: Kartra states no order, and its ids grow. Raises `Unreadable`."""
    found = {_named(id_of(Fields(row).take(*id_names))): row for row in map(_row, as_list(items))}
    return dict(sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0]), reverse=True))


def transaction(
    transaction_id: str,
    row: Mapping[str, Any],
    details: Mapping[str, Any] | None = None,
    *,
    is_beyond: bool = False,
    is_refused: bool = False,
) -> Transaction:
    """A row of retrieve_transactions_from_lead with what get_transaction_details told of it, if it did."""
    fields = Fields(_merged(row, details))
    fields.take("transaction_id")
    kind, amount = word(fields.take("transaction_type")).casefold(), fields.amount("transaction_full_amount")
    return Transaction(
        id=transaction_id,
        kind=kind,
        lead_id=id_of(fields.take("lead_id")),
        lead_email=word(fields.take("lead_email")),
        has_details=details is not None,
        is_beyond=is_beyond,
        is_refused=is_refused,
        product=word(fields.take("product_name")),
        product_id=id_of(fields.take("product_id")),
        price_point=word(fields.take("product_price_point")),
        amount=abs(amount) if amount is not None and kind in _GONE_BACK else amount,
        base_amount=fields.amount("transaction_base_amount"),
        discount=fields.amount("transaction_discount"),
        shipping=fields.amount("transaction_shipping"),
        tax=fields.amount("transaction_tax"),
        quantity=word(fields.take("transaction_quantity")),
        at=stamp(fields.take("transaction_date")),
        parent_id=id_of(fields.take("transaction_parent_id")),
        original_id=id_of(fields.take("original_id")),
        subscription_id=id_of(fields.take("transaction_internal_subscription_id")),
        gateway_subscription_id=id_of(fields.take("transaction_subscription_id")),
        pay_number=word(fields.take("transaction_subscription_pay_number")),
        last_four=word(fields.take("transaction_last_4_card_digits")),
        processor=word(fields.take("payment_processor_type")),
        affiliate=word(fields.take("transaction_affiliate")),
        extra=fields.rest(),
    )


SUBSCRIPTION_IDS = ("subscription_id", "transaction_internal_subscription_id")


def subscription(
    subscription_id: str,
    row: Mapping[str, Any],
    details: Mapping[str, Any] | None = None,
    *,
    is_beyond: bool = False,
    is_refused: bool = False,
) -> Subscription:
    """A row of retrieve_subscriptions_from_lead, by today's names or those of 2021, with its details if any."""
    fields = Fields(_merged(row, details))
    fields.take(*SUBSCRIPTION_IDS)
    return Subscription(
        id=subscription_id,
        status=word(fields.take("subscription_status", "transaction_subscription_status")).casefold(),
        lead_id=id_of(fields.take("subscription_lead_id", "lead_id", "buyer_id")),
        lead_email=word(fields.take("lead_email", "buyer_email")),
        has_details=details is not None,
        is_beyond=is_beyond,
        is_refused=is_refused,
        product_id=id_of(fields.take("subscription_product_id")),
        price_point=word(fields.take("subscription_price_point")),
        started=stamp(fields.take("subscription_start_date")),
        ended=stamp(fields.take("subscription_end_date")),
        next_payment=stamp(fields.take("subscription_next_payment_date")),
        next_amount=fields.amount("subscription_next_scheduled_payment_amount"),
        current_installment=word(fields.take("subscription_current_installment")),
        installments_left=word(fields.take("subscription_installments_left")),
        period=word(fields.take("subscription_recurring_period")),
        affiliate=word(fields.take("subscription_affiliate")),
        extra=fields.rest(),
    )


_Row = TypeVar("_Row", Transaction, Subscription)


def with_details(row: _Row, details: Mapping[str, Any] | None) -> _Row:
    """A row that came without details, now that they were asked for: with what was told on top. None is a refusal."""
    if details is None:
        return replace(row, is_beyond=False, is_refused=True)
    if isinstance(row, Transaction):
        told: Transaction | Subscription = transaction(row.id, {"transaction_type": row.kind}, details)
    else:
        told = subscription(row.id, {"subscription_status": row.status}, details)
    given = {name: value for name, value in vars(told).items() if value not in (None, "")}
    return replace(row, **{**given, "extra": {**row.extra, **told.extra}})


def _merged(row: Mapping[str, Any], details: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**row, **{name: value for name, value in (details or {}).items() if value not in (None, "")}}
