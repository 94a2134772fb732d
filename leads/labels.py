"""How fields and changes are called on the screen and in the log."""

from collections.abc import Mapping
from decimal import Decimal

FIELD_LABELS = {
    "email": "Email",
    "first_name": "First name",
    "middle_name": "Middle name",
    "last_name": "Last name",
    "last_name2": "Second last name",
    "phone_country_code": "Phone country code",
    "phone": "Phone",
    "company": "Company",
    "address": "Address",
    "city": "City",
    "state": "State",
    "zip": "Zip",
    "country": "Country",
    "website": "Website",
    "facebook": "Facebook",
    "twitter": "Twitter",
    "linkedin": "LinkedIn",
    "time_zone": "Time zone",
    "sales_tax_id": "Sales tax id",
    "picture_url": "Picture address",
}

# kind -> (what is being done, what was done); ``{}`` is the subject
CHANGE_WORDS = {
    "lead.create": ("Create lead {}", "created lead {}"),
    "lead.edit": ("Edit fields", "edited fields"),
    "tag.assign": ("Add tag {}", "added tag {}"),
    "tag.unassign": ("Remove tag {}", "removed tag {}"),
    "list.subscribe": ("Subscribe to {}", "subscribed to {}"),
    "list.unsubscribe": ("Unsubscribe from {}", "unsubscribed from {}"),
    "sequence.subscribe": ("Add to sequence {}", "added to sequence {}"),
    "sequence.unsubscribe": ("Remove from sequence {}", "removed from sequence {}"),
    "points.give": ("Give points", "gave points"),
    "points.remove": ("Remove points", "removed points"),
    "calendar.subscribe": ("Book into calendar {}", "booked into calendar {}"),
    "calendar.cancel": ("Cancel calendar {}", "cancelled calendar {}"),
    "field.create": ("Create custom field {}", "created custom field {}"),
    "transaction.refund": ("Refund payment #{}", "refunded payment #{}"),
    "subscription.cancel": ("Cancel subscription #{}", "cancelled subscription #{}"),
    "subscription.pause": ("Pause subscription #{}", "paused subscription #{}"),
    "subscription.resume": ("Resume subscription #{}", "resumed subscription #{}"),
    "subscription.edit": ("Edit subscription #{}", "edited subscription #{}"),
}


def person(name: str, email: str) -> str:
    """A lead as the log names it: 'Ada Moreno <ada@example.com>', so that it is found by either."""
    return f"{name} <{email}>" if name and name != email else email or name


def phone_of(profile: Mapping[str, str]) -> str:
    """The number of a profile with its country code, as people dial it; "" where there is none."""
    return " ".join(filter(None, (profile.get("phone_country_code"), profile.get("phone"))))


def to_do(kind: str, subject: str, amount: Decimal | None = None) -> str:
    """The change as an order: 'Add tag vip', 'Refund 20.00 of payment #99432'."""
    if amount is not None:
        return f"Refund {amount:.2f} of payment #{subject}"
    return CHANGE_WORDS[kind][0].format(subject).strip()


def done(kind: str, subject: str, amount: Decimal | None = None) -> str:
    """The change as a deed: 'added tag vip', 'refunded 20.00 of payment #99432'."""
    if amount is not None:
        return f"refunded {amount:.2f} of payment #{subject}"
    return CHANGE_WORDS[kind][1].format(subject).strip()
