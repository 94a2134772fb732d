"""What each kind of change does to a lead, as a person reads it: state before, state after, and what would undo it.

A state is a map of label to text, such as ``{"City": "Austin"}`` or ``{"Tag vip": "no"}``. The same words are kept with
an operation, shown in the log, compared by a reading that settles it, and compared again before it is undone.
"""

from collections.abc import Mapping, Sequence

from leads.labels import FIELD_LABELS
from leads.providers import changes
from leads.providers.base import FieldDefinition, Lead, Subscription
from leads.providers.changes import Change

State = dict[str, str]

YES, NO = "yes", "no"
ON, OFF = "subscribed", "not subscribed"


def state_of(change: Change, thing: Lead | Subscription) -> State:
    """The part that the change touches, without what the reading does not tell; of calendars none ever does."""
    return _of_subscription(change, thing) if isinstance(thing, Subscription) else _of_lead(change, thing)


def figures_of(subscription: Subscription) -> State:
    """Everything of a subscription that can be read and may change, as a person reads it."""
    price, next_payment = subscription.next_amount, subscription.next_payment
    return {
        "Status": subscription.status,
        "Price": "" if price is None else f"{price:.2f}",
        "Next payment": next_payment.text[:16] if next_payment else "",
        "Recurrence": subscription.period,
        "Instalments left": subscription.installments_left.lower(),
        "Product": subscription.product_id,
        "Price point": subscription.price_point,
    }


def _of_subscription(change: Change, subscription: Subscription) -> State:
    wanted = _asked(change) if isinstance(change, changes.EditSubscription) else ("Status",)
    return {label: value for label, value in figures_of(subscription).items() if label in wanted and value}


def _asked(change: changes.EditSubscription) -> State:
    """The settings that are to be changed, as they should read. Quantity and tax can't be read back."""
    wanted = {
        "Price": change.amount,
        "Next payment": change.next_payment[:16],
        "Recurrence": change.period,
        "Then recurrence": change.second_period,
        "Instalments left": change.installments_left.lower(),
        "Product": change.product_id,
        "Price point": change.price_point,
        "Quantity": change.quantity,
        "Tax percent": change.tax_percent,
    }
    return {label: value for label, value in wanted.items() if value}


def _of_lead(change: Change, lead: Lead) -> State:
    match change:
        case changes.EditLead() | changes.CreateLead():
            state = {FIELD_LABELS[key]: lead.profile.get(key, "") for key in change.profile if key not in lead.untold}
            for identifier in change.custom_fields if "custom_fields" not in lead.untold else ():
                value = lead.custom_field(identifier)
                state[identifier] = value.display if value else ""
            has_email = isinstance(change, changes.CreateLead) or change.new_email
            return state | ({FIELD_LABELS["email"]: lead.email} if has_email and "email" not in lead.untold else {})
        case changes.AssignTag(tag) | changes.UnassignTag(tag) if "tags" not in lead.untold:
            return {f"Tag {tag}": YES if tag in lead.tags else NO}
        case changes.SubscribeToList(name) | changes.UnsubscribeFromList(name) if "lists" not in lead.untold:
            return {f"List {name}": ON if any(row.active for row in lead.lists if row.name == name) else OFF}
        case changes.SubscribeToSequence(name) | changes.UnsubscribeFromSequence(name):
            return {f"Sequence {name}": _step(lead, name) or OFF} if "sequences" not in lead.untold else {}
        case changes.GivePoints() | changes.RemovePoints() if lead.score is not None:
            return {"Points": str(lead.score)}
    return {}


def expected(change: Change, before: State, definitions: Sequence[FieldDefinition] = ()) -> State:
    """The state after the change, if it does what was asked."""
    match change:
        case changes.EditLead() | changes.CreateLead():
            state = {FIELD_LABELS[key]: value for key, value in change.profile.items()}
            by_identifier = {definition.identifier: definition for definition in definitions}
            for identifier, value in change.custom_fields.items():
                state[identifier] = _labels(by_identifier.get(identifier), value)
            email = change.email if isinstance(change, changes.CreateLead) else change.new_email
            return state | ({FIELD_LABELS["email"]: email} if email else {})
        case changes.AssignTag(tag):
            return {f"Tag {tag}": YES}
        case changes.UnassignTag(tag):
            return {f"Tag {tag}": NO}
        case changes.SubscribeToList(name):
            return {f"List {name}": ON}
        case changes.UnsubscribeFromList(name):
            return {f"List {name}": OFF}
        case changes.SubscribeToSequence(name, step):
            return {f"Sequence {name}": f"step {step}"}
        case changes.UnsubscribeFromSequence(name):
            return {f"Sequence {name}": OFF}
        case changes.GivePoints(points):
            return {"Points": _plus(before, points)}
        case changes.RemovePoints(points):
            return {"Points": _plus(before, -points)}
        case changes.SubscribeToCalendar():
            return {f"Class {change.class_name} of {change.calendar}": f"booked {change.starts}".strip()}
        case changes.CancelCalendar():
            return {f"Class {change.class_name} of {change.calendar}": "cancelled"}
        case changes.CreateField():
            return {f"Field {change.identifier}": change.field_kind}
        case changes.CancelSubscription():
            return {"Status": "cancelled"}
        case changes.PauseSubscription():
            return {"Status": "paused"}
        case changes.ResumeSubscription():
            return {"Status": "active"}
        case changes.EditSubscription():
            return _asked(change)
    return {}


def inverse(change: Change, lead: Lead) -> Change | None:
    """What would bring ``lead``, as it was before, back; None where nothing can."""
    match change:
        case changes.EditLead():
            custom: dict[str, str | list[str]] = {}
            for identifier in change.custom_fields:
                value = lead.custom_field(identifier)
                writable = value.writable if value else ""
                custom[identifier] = writable if isinstance(writable, str) else list(writable)
            profile = {key: lead.profile.get(key, "") for key in change.profile}
            return changes.EditLead(profile, custom, lead.email if change.new_email else "")
        case changes.AssignTag(tag):
            return changes.UnassignTag(tag)
        case changes.UnassignTag(tag):
            return changes.AssignTag(tag)
        case changes.SubscribeToList(name):
            return changes.UnsubscribeFromList(name)
        case changes.UnsubscribeFromList(name):
            return changes.SubscribeToList(name)
        case changes.SubscribeToSequence(name) | changes.UnsubscribeFromSequence(name):
            step = _step(lead, name).removeprefix("step ")
            return changes.SubscribeToSequence(name, step) if step else changes.UnsubscribeFromSequence(name)
        case changes.GivePoints(points, 0):
            return changes.RemovePoints(points)
        case changes.RemovePoints(points):
            return changes.GivePoints(points)
    return None


def is_told(change: Change, lead: Lead) -> bool:
    """Whether the reading tells all that the change touches."""
    return state_of(change, lead).keys() >= expected(change, {}).keys()


def agrees(change: Change, state: Mapping[str, str], thing: Lead | Subscription) -> bool:
    """Whether it is in that state now, as far as it can be read. A sequence moves on by itself, so only being in it
    counts."""
    now = state_of(change, thing)
    if isinstance(change, changes.SubscribeToSequence | changes.UnsubscribeFromSequence):
        return {key: value == OFF for key, value in now.items()} == {key: value == OFF for key, value in state.items()}
    return all(alike(value) == alike(state.get(key, "")) for key, value in now.items())


def is_untouched(change: Change, state: State, lead: Lead) -> bool:
    """Whether the lead still reads just as ``state`` says. Stricter than `agrees`: another case, or words in another
    order, are somebody's edit. Choices and the email have no case and no order of their own."""
    if not isinstance(change, changes.EditLead):
        return agrees(change, state, lead)
    loose = {FIELD_LABELS["email"]} | {key for key, value in change.custom_fields.items() if not isinstance(value, str)}
    return all(
        alike(value) == alike(state.get(label, "")) if label in loose else value.split() == state.get(label, "").split()
        for label, value in state_of(change, lead).items()
    )


def alike(value: str) -> list[str]:
    """A value for comparing: case, white space and the order of several choices are the provider's own affair."""
    return sorted(" ".join(part.split()) for part in value.casefold().split(","))


def is_already_so(change: Change, lead: Lead, definitions: Sequence[FieldDefinition] = ()) -> bool:
    """Whether sending the change would change nothing. Points and calendars always count as a change."""
    if isinstance(change, changes.GivePoints | changes.RemovePoints):
        return False
    now = state_of(change, lead)
    return bool(now) and now == expected(change, now, definitions)


def _step(lead: Lead, name: str) -> str:
    return next((f"step {row.step}" for row in lead.sequences if row.name == name and row.active), "")


def _plus(before: State, points: int) -> str:
    score = before.get("Points", "")
    return str(int(score) + points) if score else ""


def _labels(definition: FieldDefinition | None, value: str | Sequence[str]) -> str:
    if definition is None or not definition.options:
        return value if isinstance(value, str) else ", ".join(value)
    chosen = [value] if isinstance(value, str) else value
    return ", ".join(option.label for option in definition.options if option.id in chosen)
