"""Our changes as Kartra's commands: names, parameters, and what travels in ``lead`` beside them.

Source: the page 'Lead: Searching, Creating, Editing' and the 'Action: ...' page of each command.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from leads.providers import changes as c
from leads.providers.base import LeadRef
from leads.providers.errors import Unsendable

Params = dict[str, Any]

PROFILE_NAMES = {"time_zone": "lead_preferred_time_zone", "picture_url": "lead_picture"}
FIELD_TYPES = {
    "text": "input_field",
    "long_text": "text_area",
    "choice": "drop_down",
    "radio": "radio_button",
    "choices": "checkbox",
}

READS = frozenset(
    (
        "get_lead", "search_lead", "retrieve_account_lists", "retrieve_account_tags", "retrieve_account_sequences",
        "retrieve_account_pages", "retrieve_custom_fields", "search_transaction", "get_transaction_details",
        "retrieve_transactions_from_lead", "search_subscription", "get_subscription_details",
        "retrieve_subscriptions_from_lead",
    )
)  # fmt: skip
WRITES_ON_A_LEAD = frozenset(
    (
        "create_lead", "edit_lead", "subscribe_lead_to_list", "unsubscribe_lead_from_list", "assign_tag",
        "unassign_tag", "give_points_to_lead", "remove_points_from_lead", "subscribe_lead_to_sequence_at_step",
        "unsubscribe_lead_from_sequence", "calendar_subscribe", "calendar_cancel",
    )
)  # fmt: skip
OTHER_WRITES = frozenset(
    (
        "create_custom_field", "refund_transaction", "edit_subscription", "modify_subscription_status",
        "cancel_transaction",
    )
)  # fmt: skip
MONEY = OTHER_WRITES - {"create_custom_field"}
ALL = READS | WRITES_ON_A_LEAD | OTHER_WRITES

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def lead_named(ref: LeadRef) -> Params:
    """``lead`` of a call: the id where it is known, for Kartra prefers it. Raises Unsendable for neither."""
    if ref.id:
        return {"id": ref.id}
    if ref.email:
        return {"email": ref.email}
    raise Unsendable("a lead is named by id or email")


def call_for(ref: LeadRef, changes: Sequence[c.Change]) -> Params:
    """The call that makes the changes. Raises Unsendable for what must not be sent: see the functions below.

    A lead is named only where a change needs one: the commands on payments are documented without.
    """
    call: Params = {}
    if any(change.needs_lead for change in changes):
        call["lead"] = _lead(ref, changes[0])
    call["actions"] = [action_for(change) for change in changes]
    return call


def action_for(change: c.Change) -> Params:
    """One entry of ``actions``. Raises Unsendable for what Kartra could misread, TypeError for an unknown change."""
    if type(change) not in _ACTIONS:
        raise TypeError(f"{type(change).__name__} is no change that Kartra can make")
    return {key: value for key, value in _ACTIONS[type(change)](change).items() if value != ""}


def _lead(ref: LeadRef, first: c.Change) -> Params:
    match first:
        case c.CreateLead():
            given = {key: value for key, value in first.profile.items() if value}
            fields = {key: value for key, value in first.custom_fields.items() if value}
            return {"email": first.email, **_profile(given), **_custom_fields(fields)}
        case c.EditLead(new_email=new_email) if new_email:
            if not ref.id:
                raise Unsendable("an email address is changed on a lead named by id")
            changed = {**_profile(first.profile), **_custom_fields(first.custom_fields)}
            return {"id": ref.id, "new_email": new_email, **changed}
        case c.EditLead():
            return {**lead_named(ref), **_profile(first.profile), **_custom_fields(first.custom_fields)}
    return lead_named(ref)


def _profile(profile: Mapping[str, str]) -> Params:
    return {PROFILE_NAMES.get(name, name): value for name, value in profile.items()}


def _custom_fields(fields: Mapping[str, str | list[str]]) -> Params:
    """A list of option ids for several choices. Empty is sent as empty text, for an empty list would vanish."""
    if not fields:
        return {}
    rows = [{"field_identifier": name, "field_value": value or ""} for name, value in fields.items()]
    return {"custom_fields": rows}


def _subscribe_to_calendar(change: c.SubscribeToCalendar) -> Params:
    params = {"cmd": "calendar_subscribe", "calendar_name": change.calendar, "class_name": change.class_name}
    if change.starts:
        at = _naive(change.starts)
        params["starting_date"] = f"{at:%d} {_MONTHS[at.month - 1]} {at:%Y}"
        params["starting_hour"] = f"{at:%H:%M}"
    return params


def _create_field(change: c.CreateField) -> Params:
    if change.field_kind not in FIELD_TYPES:
        raise Unsendable(f"{change.field_kind} is no kind of custom field")
    return {
        "cmd": "create_custom_field",
        "custom_field_identifier": change.identifier,
        "custom_field_type": FIELD_TYPES[change.field_kind],
        "custom_field_options": [{"option_name": label} for label in change.options],
    }


def _refund(change: c.RefundTransaction) -> Params:
    """Kartra takes a blank amount for all of it, and PHP takes "0" for blank: neither may ever be sent."""
    params = {"cmd": "refund_transaction", "transaction_id": change.transaction_id}
    if not change.everything:
        if not re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", change.amount) or not change.amount.strip("0."):
            raise Unsendable("a refund is an amount above zero, in digits with a dot and at most two places")
        params["refund_amount"] = change.amount
    return params


def _status(change: Any, verb: str) -> Params:
    return {
        "cmd": "modify_subscription_status",
        "subscription_id": change.subscription_id,
        "subscription_status_modification": verb,
    }


def _edit_subscription(change: c.EditSubscription) -> Params:
    edits: Params = {
        "subscription_product_id": change.product_id,
        "subscription_price_point": change.price_point,
        "subscription_next_payment_date": f"{_naive(change.next_payment):%Y-%m-%d %H:%M}"
        if change.next_payment
        else "",
        "subscription_amount": change.amount,
        "subscription_recurrence": {
            key: period
            for key, period in (("recurring_period_1", change.period), ("recurring_period_2", change.second_period))
            if period
        },
        "subscription_product_quantity": change.quantity,
        "subscription_installments_left": change.installments_left,
        "subscription_tax_percent": change.tax_percent,
    }
    if not any(edits.values()):
        raise Unsendable("an edit changes at least one value")
    if bool(change.product_id) != bool(change.price_point):
        raise Unsendable("a product and a price point of it go together")
    return {"cmd": "edit_subscription", "subscription_id": change.subscription_id, **edits}


def with_seconds(action: Params) -> Params:
    """The same edit with the payment date as the page's sample writes it; its table has no seconds."""
    return {**action, "subscription_next_payment_date": f"{action['subscription_next_payment_date']}:00"}


def _naive(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is not None:
        raise Unsendable("a time on Kartra's clock has no zone")
    return at


_ACTIONS: dict[type[c.Change], Callable[[Any], Params]] = {
    c.CreateLead: lambda change: {"cmd": "create_lead"},
    c.EditLead: lambda change: {"cmd": "edit_lead"},
    c.AssignTag: lambda change: {"cmd": "assign_tag", "tag_name": change.tag},
    c.UnassignTag: lambda change: {"cmd": "unassign_tag", "tag_name": change.tag},
    c.SubscribeToList: lambda change: {"cmd": "subscribe_lead_to_list", "list_name": change.list},
    c.UnsubscribeFromList: lambda change: {"cmd": "unsubscribe_lead_from_list", "list_name": change.list},
    c.SubscribeToSequence: lambda change: {
        "cmd": "subscribe_lead_to_sequence_at_step",
        "sequence_name": change.sequence,
        "step": change.step,
    },
    c.UnsubscribeFromSequence: lambda change: {
        "cmd": "unsubscribe_lead_from_sequence",
        "sequence_name": change.sequence,
    },
    c.GivePoints: lambda change: {
        "cmd": "give_points_to_lead",
        "points": change.points,
        "expiration": change.expires_in_days or "",
    },
    c.RemovePoints: lambda change: {"cmd": "remove_points_from_lead", "points": change.points},
    c.SubscribeToCalendar: _subscribe_to_calendar,
    c.CancelCalendar: lambda change: {
        "cmd": "calendar_cancel",
        "calendar_name": change.calendar,
        "class_name": change.class_name,
    },
    c.CreateField: _create_field,
    c.RefundTransaction: _refund,
    c.CancelSubscription: lambda change: _status(change, "cancel"),
    c.PauseSubscription: lambda change: _status(change, "pause"),
    c.ResumeSubscription: lambda change: _status(change, "unpause"),
    c.CancelSubscriptionOfTransaction: lambda change: {
        "cmd": "cancel_transaction",
        "transaction_id": change.transaction_id,
        "transaction_internal_subscription_id": change.subscription_id,
    },
    c.EditSubscription: _edit_subscription,
}
