"""PHP's bracket encoding: a nested value as a form body, byte for byte what ``http_build_query`` writes.

Kartra's own samples are PHP arrays handed to that function (its page 'Connecting to the API'), and its server reads
the body into ``$_POST``.
"""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

# PHP reads no more than max_input_vars (1000 unless configured) values of a body and drops the rest without a word.
MAX_VARIABLES = 900


def encode(params: Mapping[Any, Any]) -> bytes:
    """The body. None, empty lists and empty maps disappear; empty text stays; True is 1, False is 0.

    Raises ValueError for text that UTF-8 cannot hold and for amounts that are no number, TypeError for other objects.
    """
    return "&".join(f"{name}={value}" for name, value in _pairs(params)).encode("ascii")


def count(body: bytes) -> int:
    """How many variables PHP will find in the body."""
    return body.count(b"&") + 1 if body else 0


def _pairs(params: Mapping[Any, Any], prefix: str | None = None) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        name = _quote(str(key)) if prefix is None else f"{prefix}%5B{_quote(str(key))}%5D"
        if isinstance(value, Mapping):
            yield from _pairs(value, name)
        elif isinstance(value, list | tuple):
            yield from _pairs(dict(enumerate(value)), name)
        elif value is not None:
            yield name, _quote(_text(value))


def _text(value: str | int | float | Decimal) -> str:
    """A scalar as PHP turns it into text. Decimals, which PHP has not, are written as plain digits with a dot."""
    match value:
        case str():
            return value
        case bool():
            return "1" if value else "0"
        case int():
            return str(value)
        case float() | Decimal() if not math.isfinite(value):
            raise ValueError("not a number")
        case Decimal():
            return format(value, "f")
        case float():
            return _float(value)
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _float(value: float) -> str:
    """PHP's ``precision`` of 14 digits; its exponents have a dotted mantissa and no leading zero: 1.0E+20, 1.0E-7."""
    mantissa, _, exponent = format(value, ".14G").partition("E")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{exponent[0]}{exponent[1:].lstrip('0')}"


def _quote(text: str) -> str:
    """RFC 1738 as PHP's ``urlencode`` has it: Python leaves ``~`` alone, PHP does not."""
    return quote_plus(text).replace("~", "%7E")
