"""What somebody typed into a search box, taken apart."""

import re
from dataclasses import dataclass
from decimal import Decimal

from kartra_admin.lib import folding
from leads.lookup import read_query
from leads.providers.base import LeadRef

LONGEST = 200  # characters that are looked at; nobody types more, and what is pasted beyond that is no name
MOST_TERMS = 8
LONGEST_TERM = 64  # of each the beginning is enough

_LAST_FOUR = r"[*•·xX\s]*(\d{4})"
_AMOUNT = r"[$€£]?\s*((?:\d{1,3}(?:[.,' ]\d{3}){1,2}|\d{1,9})(?:[.,]\d{1,2})?)\s*[$€£]?"
_CARD = re.compile(rf"{_LAST_FOUR}[\s,;/]+{_AMOUNT}")
_AMOUNT_FIRST = re.compile(rf"{_AMOUNT}[\s,;/]+{_LAST_FOUR}")
_CENTS = re.compile(r"[.,](\d{1,2})$")
_PHONE = re.compile(r"\+?\(?\d[\d\s().\-/]{5,}\d")
_NUMBER = re.compile(r"#?\s*([A-Za-z0-9][A-Za-z0-9_\-]{2,63})")
_SHORTEST_PHONE = 7
_TRUNK = re.compile(r"^(00|0)")
_NATIONAL = 9  # digits at the end of a number that are the same however its beginning is written


@dataclass(frozen=True)
class Term:
    """One thing that must match. ``forms`` are its ways of being written; any one will do."""

    forms: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.forms[0]


@dataclass(frozen=True)
class Query:
    """``ref`` is set where the text is one whole email or id, ``number`` where it may be that of a payment, as ``#123``
    is not: that is a lead's id. ``cards`` are the last four digits of a card with an amount, twice where either number
    may be either."""

    terms: tuple[Term, ...]
    ref: LeadRef | None = None
    number: str = ""
    cards: tuple[tuple[str, Decimal], ...] = ()


def parse(text: str) -> Query:
    """Whatever was typed; nothing raises."""
    text = folding.printable(text)[:LONGEST].strip()
    number = _NUMBER.fullmatch(text)
    has_digit = any(char.isdigit() for char in text)
    ref = read_query(text)
    is_id = text.startswith("#") and ref is not None
    return Query(
        terms=_terms(ref.email if ref and ref.email else text),
        ref=ref,
        number=number[1] if number and has_digit and not is_id else "",
        cards=_cards(text),
    )


def _cards(text: str) -> tuple[tuple[str, Decimal], ...]:
    found = [(match[1], _amount(match[2])) for match in [_CARD.fullmatch(text)] if match]
    found += [(match[2], _amount(match[1])) for match in [_AMOUNT_FIRST.fullmatch(text)] if match]
    return tuple(found)


def _amount(text: str) -> Decimal:
    """A mark before one or two last digits parts the cents; every other one parts thousands."""
    cents = _CENTS.search(text)
    whole = re.sub(r"\D", "", text[: cents.start()] if cents else text)
    return Decimal(f"{whole}.{cents[1] if cents else 0}")


def _terms(text: str) -> tuple[Term, ...]:
    """Words, addresses, and telephone numbers put together from their groups."""
    found: dict[str, Term] = {}
    rest = text
    for match in _PHONE.finditer(text):
        digits = folding.digits(match[0])
        if len(digits) >= _SHORTEST_PHONE:
            found[digits] = Term(_forms_of_number(digits))
            rest = rest.replace(match[0], " ", 1)
    for token in rest.split():
        words = (
            [folding.email_word(token)] if "@" in token.strip("@") or token.startswith("@") else folding.split(token)
        )
        for word in words:
            found.setdefault(word[:LONGEST_TERM], Term((word[:LONGEST_TERM],)))
    found.pop("", None)
    return tuple(found.values())[:MOST_TERMS]


def _forms_of_number(digits: str) -> tuple[str, ...]:
    """As typed, without what is dialled before it, and its end, which is the same at home and abroad."""
    bare = _TRUNK.sub("", digits)
    return tuple(dict.fromkeys((digits, bare, bare[-_NATIONAL:])))
