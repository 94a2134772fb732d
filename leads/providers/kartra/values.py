"""Single values as PHP writes them into JSON: what is nothing, what is a list, what is a map.

Where a list is due, what is neither a list nor nothing is `Unreadable`: read as empty it would say that a lead has no
tags, or an account none. Everything else here takes whatever comes.

`load` keeps numbers as the text that came, so that ids and amounts lose nothing and a huge number costs nothing.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from leads.providers.base import Stamp
from leads.providers.errors import Unreadable

# Kartra says 'EST' and not whether it means -05:00 all year or the clock of New York. The latter is what people and
# payment schedules live by there, and the two differ by one hour in summer only. The text is kept beside.
_KARTRA_CLOCK = ZoneInfo("America/New_York")
_ZONE = "EST"
_DATES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%d %b %Y %H:%M:%S", "%d %b %Y %H:%M", "%d %b %Y")
_AMOUNT = re.compile(r"-?([0-9]{1,12}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.[0-9]{1,10})?", re.ASCII)
_NONE_WORDS = ("", "n/a")


def load(text: str) -> Any:
    """JSON with every number as text. Raises ValueError."""
    try:
        return json.loads(text.strip("\ufeff \t\r\n\0"), parse_float=str, parse_int=str, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def as_text(value: Any) -> str:
    """A scalar as text. What is no scalar, and false, is empty."""
    if value is True:
        return "1"
    return value if isinstance(value, str) else ""


def word(value: Any) -> str:
    """Text without surrounding blanks, and without 'N/A'."""
    text = as_text(value).strip()
    return "" if text.casefold() in _NONE_WORDS else text


def id_of(value: Any) -> str:
    """An id, where "0" is none."""
    text = word(value)
    return "" if text == "0" else text


def as_map(value: Any) -> dict[str, Any]:
    """A map, also from text that holds one; PHP writes an empty one as []. Anything else is an empty map."""
    value = decoded(value)
    return value if isinstance(value, dict) else {}


def is_nothing(value: Any) -> bool:
    """Whether this is how Kartra writes 'none' where a list, a map or a row is due: PHP's ``false`` among it."""
    return value is None or value is False or value in ([], {}) or (isinstance(value, str) and not value.strip())


def as_items(value: Any) -> list[tuple[str, Any]]:
    """A list as (key, item), also from text that holds one. Of a PHP map in its place the numbered come in order.

    Empty for nothing. Raises `Unreadable` for what is no list.
    """
    value = decoded(value)
    if is_nothing(value):
        return []
    if isinstance(value, list):
        return [(str(index), item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return sorted(value.items(), key=lambda pair: (0, int(pair[0])) if is_index(pair[0]) else (1, 0))
    raise Unreadable


def as_list(value: Any) -> list[Any]:
    """The items of a list, without those that are nothing. Raises `Unreadable` also for a map that has other keys than
    numbers, which is one row and no list of them."""
    items = as_items(value)
    if not all(is_index(key) for key, _ in items):
        raise Unreadable
    return [item for _, item in items if not is_nothing(item)]


def is_index(key: str) -> bool:
    """Whether a key is a position of a PHP list."""
    return key.isascii() and key.isdigit() and len(key) < 10


def flag(value: Any) -> bool | None:
    """0 and 1 as numbers, texts or booleans; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"0": False, "1": True, "false": False, "true": True}.get(as_text(value).strip().casefold())


def whole(value: Any) -> int | None:
    text = as_text(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else None


def amount(value: Any) -> Decimal | None:
    """Money. None for 'N/A', for nothing, and for what is no plain number."""
    text = value.strip() if isinstance(value, str) else ""
    return Decimal(text.replace(",", "")) if _AMOUNT.fullmatch(text) else None


def stamp(value: Any) -> Stamp | None:
    """A time on Kartra's clock. None for nothing, and for the date of all zeros."""
    text = word(value)
    if not text or not text.strip("0-: "):
        return None
    for form in _DATES:
        try:
            at = datetime.strptime(text.replace("T", " "), form).replace(tzinfo=_KARTRA_CLOCK)
        except ValueError:
            continue
        return Stamp(text, _ZONE, at if 1970 <= at.year < 2200 else None)
    return Stamp(text, _ZONE, None)


def shown(value: Any) -> str:
    """Anything as text for display; empty for what says nothing."""
    return word(value) if value is None or isinstance(value, str | bool) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def decoded(value: Any) -> Any:
    """Where text came for a list or a map: what it holds, decoded once."""
    if isinstance(value, str):
        try:
            return load(value)
        except ValueError:
            return value
    return value


class Fields:
    """A map that remembers which of its keys were read, so that the rest can be shown."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._read: set[str] = set()

    def take(self, *names: str) -> Any:
        """The value under the first of the names that holds something."""
        self._read.update(names)
        return next((self._raw[name] for name in names if self._raw.get(name) not in (None, "", [], {})), None)

    def amount(self, name: str) -> Decimal | None:
        """An amount; one that cannot be read stays among the rest."""
        found = amount(self._raw.get(name))
        if found is not None:
            self._read.add(name)
        return found

    def rest(self) -> dict[str, str]:
        left = {name: shown(value) for name, value in self._raw.items() if name not in self._read}
        return {name: text for name, text in left.items() if text}
