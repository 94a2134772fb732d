"""What the columns of a file are: guessed from their names, said by a person; and what a line of it then tells."""

import re
from collections.abc import Mapping, Sequence

from kartra_admin.lib import spreadsheet
from kartra_admin.lib.tables import ID
from leads.services.directory import Met
from leads.wiring import export_headings

# In the order in which they are offered.
FIELDS = {
    "lead_id": "Lead id",
    "email": "Email",
    "name": "Full name",
    "first_name": "First name",
    "last_name": "Last name",
    "phone": "Phone",
    "phone_code": "Phone, country code",
    "company": "Company",
    "city": "City",
    "state": "State",
    "country": "Country",
    "tags": "Tags",
    "lists": "Lists",
    "sequences": "Sequences",
    "memberships": "Memberships",
    "products": "Products bought",
}

_WORDS = {
    "lead_id": ("contact id", "customer id", "lead number"),
    "email": ("e mail", "email address", "mail", "contact email"),
    "name": ("name", "full name", "customer", "contact", "lead name"),
    "first_name": ("firstname", "given name", "forename"),
    "last_name": ("lastname", "surname", "family name"),
    "phone": ("telephone", "tel", "mobile", "cell", "mobile phone", "cell phone"),
    "phone_code": ("country code", "dial code"),
    "company": ("company name", "organisation", "organization", "business"),
    "city": ("town",),
    "state": ("province", "region", "state province"),
    "country": ("country name",),
    "tags": ("tag", "labels"),
    "lists": ("list", "mailing lists", "subscriptions"),
    "sequences": ("sequence",),
    "memberships": ("membership", "access levels"),
    "products": ("product", "products bought", "purchases"),
}

_EMAIL = re.compile(r"[^\s@<>,;\"]{1,200}@[^\s@<>,;\"]{1,119}")
_SHOWN = 60
_NAMES_AT_MOST = 1000


class BadLine(ValueError):
    """The line names no lead, or not as one is named. The text says so, after 'This line'."""


def guess(header: Sequence[str]) -> dict[str, int]:
    """Which column is which field, as their names suggest; each field and each column once at most."""
    found: dict[str, int] = {}
    headings = export_headings()
    for position, name in enumerate(header):
        for field in FIELDS:
            if field not in found and _plain(name) in (*headings.get(field, ()), *_WORDS[field]):
                found[field] = position
                break
    if "email" not in found:  # a column of addresses without a header
        found |= {"email": 0} if len(header) == 1 else {}
    return found


def read_line(cells: Sequence[str], matched: Mapping[str, int]) -> Met:
    """What a line tells; what we wrote ourselves, as it was. A blank cell tells nothing. Raises `BadLine`."""
    found = {field: cells[position].strip() for field, position in matched.items() if position < len(cells)}
    cell = {field: spreadsheet.original(text) for field, text in found.items()}
    lead_id, email = read_id(cell.get("lead_id", "")), _email(cell.get("email", ""))
    if not (lead_id or email):
        raise BadLine("names no lead: it has neither an id nor an email.")
    parts = (cell.get("first_name", ""), cell.get("last_name", ""))
    phone = " ".join(filter(None, (cell.get("phone_code"), cell["phone"]))) if cell.get("phone") else ""
    return Met(
        lead_id=lead_id,
        email=email or None,
        name=cell.get("name") or " ".join(filter(None, parts)) or None,
        phone=phone or None,
        company=cell.get("company") or None,
        city=cell.get("city") or None,
        state=cell.get("state") or None,
        country=cell.get("country") or None,
        tags=_names(cell.get("tags", "")) or None,
        lists=_names(cell.get("lists", "")) or None,
        sequences=_names(cell.get("sequences", "")) or None,
        memberships=_names(cell.get("memberships", "")) or None,
        products=_names(cell.get("products", "")) or None,
    )


def read_id(text: str) -> str:
    """The id in a cell, also as a spreadsheet writes it; "" for none. Raises `BadLine`."""
    if not text or text == "0":
        return ""
    found = ID.fullmatch(text)
    if found is None:
        raise BadLine(f"has no lead id where one should be: ‘{text[:_SHOWN]}’.")
    return found[1].lstrip("0")


def _email(text: str) -> str:
    if text and not _EMAIL.fullmatch(text):
        raise BadLine(f"has no email where one should be: ‘{text[:_SHOWN]}’.")
    return text.lower()


def _names(text: str) -> tuple[str, ...]:
    """Names parted by semicolons or bars, or else by commas. Raises `BadLine` for too many."""
    mark = next((mark for mark in ";|" if mark in text), ",")
    found = tuple(dict.fromkeys(name for part in text.split(mark) if (name := part.strip())))
    if len(found) > _NAMES_AT_MOST:
        raise BadLine(f"has {len(found):,} names in one cell, more than the {_NAMES_AT_MOST:,} that are taken.")
    return found


def _plain(name: str) -> str:
    """'First_Name ' and 'first name' are one."""
    return " ".join(re.sub(r"[\W_]+", " ", name.casefold()).split())
