"""Kartra's objects as our neutral types.

Every field is optional, for the pages list more than some accounts send; what has no neutral name is kept in ``extra``
as text, and so is an amount that is no number. Nothing here raises, but a `None` for a thing without an id.

Sources: 'Lead: Retrieving data', 'Action: Get payment transaction details', 'Action: Get recurring payment subscription
details', the pages of the retrieve commands, and for names that differ between them what clients have seen.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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
from leads.providers.kartra.commands import PROFILE_NAMES
from leads.providers.kartra.values import (
    Fields,
    as_items,
    as_list,
    as_map,
    as_text,
    flag,
    id_of,
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
    """``lead_details`` of get_lead."""
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
        surveys=tuple(row for item in as_list(fields.take("surveys")) if (row := Fields(as_map(item)).rest())),
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
        read_at=read_at,
    )


def lead_id(details: Any) -> str:
    """The id in ``lead_details`` of search_lead, create_lead and edit_lead, or ""."""
    found = id_of(as_map(details).get("id"))
    return found if found.isdecimal() else ""


def names(items: Any, *keys: str) -> tuple[str, ...]:
    """Names from a list of texts, or of maps that hold them under one of the keys; no blanks, no repeats."""
    found: dict[str, None] = {}
    for item in as_list(items):
        row = item if isinstance(item, Mapping) else {}
        name = as_text(item) if not row else Fields(row).take(*keys, "name", "title")
        if isinstance(name, str) and name.strip():
            found[name] = None
    return tuple(found)


def _lists(items: Any) -> tuple[ListSubscription, ...]:
    """A row stays after unsubscribing, with active 0; a row that does not say counts as active."""
    rows = (_row(item, "list_name") for item in as_list(items))
    return tuple(
        ListSubscription(name, active=flag(row.take("active")) is not False)
        for row in rows
        if (name := as_text(row.take("list_name", "name")))
    )


def _sequences(items: Any) -> tuple[SequenceSubscription, ...]:
    rows = (_row(item, "sequence_name") for item in as_list(items))
    return tuple(
        SequenceSubscription(
            name,
            step=word(row.take("step")),
            active=(word(row.take("status")) or "active").casefold() == "active"
            and flag(row.take("active")) is not False,
        )
        for row in rows
        if (name := as_text(row.take("sequence_name", "name")))
    )


def _memberships(items: Any) -> tuple[Membership, ...]:
    rows = (_row(item, "membership_name") for item in as_list(items))
    return tuple(
        Membership(
            name=as_text(row.take("membership_name", "name")) or word(row.take("membership_id", "id")),
            level=as_text(row.take("level_name")) or word(row.take("level_id")),
            active=flag(row.take("active")) is not False,
            since=stamp(row.take("granted_at")),
        )
        for row in rows
        if row.take("membership_name", "name", "membership_id", "id") is not None
    )


def _row(item: Any, name: str) -> Fields:
    """A row of a nested list, which may be the bare name."""
    row = as_map(item)
    return Fields(row or {name: as_text(item)})


def _consent(fields: Fields) -> Consent | None:
    """An account without GDPR may send none of it. Of the two readings of gdpr_lead_communications, the majority's."""
    status = word(fields.take("gdpr_lead_status"))
    at = stamp(fields.take("gdpr_lead_status_date"))
    ip = word(fields.take("gdpr_lead_status_ip"))
    agreed = flag(fields.take("gdpr_lead_communications"))
    if not status and agreed is None:
        return None
    return Consent(_CONSENT.get(status, f"Status {status}" if status else "Not told"), at, ip, agreed)


# Custom fields


def field_definitions(items: Any) -> tuple[FieldDefinition, ...]:
    """``custom_fields`` of retrieve_custom_fields."""
    rows = ((key, as_map(item)) for key, item in as_items(items))
    return tuple(
        FieldDefinition(
            identifier,
            kind=_KINDS.get(word(row.get("field_type")), "text"),
            id=id_of(row.get("field_id")),
            options=_options(row.get("field_value")),
        )
        for key, row in rows
        if (identifier := as_text(row.get("field_identifier")) or _as_identifier(key))
    )


def _field_values(items: Any) -> list[FieldValue]:
    """``custom_fields`` of a lead: rows, or a map by identifier."""
    found = []
    for key, item in as_items(items):
        row = as_map(item)
        identifier = as_text(row.get("field_identifier")) or _as_identifier(key)
        if not identifier:
            continue
        value = row.get("field_value") if "field_value" in row or "field_identifier" in row else item
        kind = _KINDS.get(word(row.get("field_type")), "text")
        field_id = id_of(row.get("field_id"))
        if kind in ("text", "long_text"):
            text = as_text(value) or ", ".join(option.label for option in _options(value))
            found.append(FieldValue(identifier, kind, text=text, id=field_id))
        else:
            found.append(FieldValue(identifier, kind, chosen=_options(value), id=field_id))
    return found


def _options(value: Any) -> tuple[Option, ...]:
    """Options of a field or of a value: maps, one map, or bare texts, of which an id and its label look the same."""
    one = as_map(value)
    items = [one] if "option_id" in one or "option_value" in one else as_list(value) or [value]
    found = []
    for item in items:
        row = as_map(item)
        option_id = word(row.get("option_id")) or as_text(row.get("option_value")) or as_text(item)
        if option_id:
            found.append(Option(option_id, as_text(row.get("option_value")) or option_id))
    return tuple(found)


def _as_identifier(key: str) -> str:
    return "" if key.isdigit() else key


# Money


def rows(items: Any, *id_names: str) -> dict[str, dict[str, Any]]:
    """Rows of a list by id, newest first: Kartra states no order, and its ids grow. Rows without an id are left out."""
    found = {row_id: row for item in as_list(items) if (row_id := id_of(Fields(row := as_map(item)).take(*id_names)))}
    return dict(sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0]), reverse=True))


def transaction(transaction_id: str, row: Mapping[str, Any], details: Mapping[str, Any] | None = None) -> Transaction:
    """A row of retrieve_transactions_from_lead with what get_transaction_details told of it, if it did."""
    fields = Fields(_merged(row, details))
    fields.take("transaction_id")
    return Transaction(
        id=transaction_id,
        kind=word(fields.take("transaction_type")).casefold(),
        lead_id=id_of(fields.take("lead_id")),
        lead_email=word(fields.take("lead_email")),
        has_details=details is not None,
        product=word(fields.take("product_name")),
        product_id=id_of(fields.take("product_id")),
        price_point=word(fields.take("product_price_point")),
        amount=fields.amount("transaction_full_amount"),
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
    subscription_id: str, row: Mapping[str, Any], details: Mapping[str, Any] | None = None
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


def _merged(row: Mapping[str, Any], details: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**row, **{name: value for name, value in (details or {}).items() if value not in (None, "")}}
