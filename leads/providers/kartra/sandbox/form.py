"""Reads an ``application/x-www-form-urlencoded`` body as PHP fills ``$_POST`` from it.

An array is a dict whose keys are int where PHP makes them int. Everything else is text.
"""

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

Value: TypeAlias = "str | Array"
Array: TypeAlias = "dict[int | str, Value]"

MAX_VARIABLES = 1000  # max_input_vars
MAX_DEPTH = 64  # max_input_nesting_level
MAX_BYTES = 8 * 1024 * 1024  # post_max_size

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_C_SPACES = " \t\n\v\f\r"


def decode(body: bytes) -> Array:
    """What ``$_POST`` holds. Never raises: PHP drops what it cannot read, and so does this."""
    post: Array = {}
    if len(body) > MAX_BYTES:
        return post
    # PHP counts after reading, so that one more than the limit arrives, and counts the empty ones too.
    for pair in body.split(b"&")[: MAX_VARIABLES + 1]:
        name, _, value = pair.partition(b"=")
        _register(post, _text(name), _text(value))
    return post


def _text(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


def _register(post: Array, name: str, value: str) -> None:
    """Put one variable in its place, as ``php_register_variable_ex`` does."""
    name = name.lstrip(" ").partition("\0")[0]
    top, bracket, rest = name.partition("[")
    if not top:
        return
    key: str | None = re.sub(r"[ .]", "_", top)
    place = post
    depth = 0
    while bracket:
        depth += 1
        if depth > MAX_DEPTH:
            post.pop(_php_key(re.sub(r"[ .]", "_", top)), None)
            return
        inner = rest[1:] if rest[:1] and rest[0] in _C_SPACES else rest
        if inner.startswith("]"):
            next_key, tail = None, inner[1:]
        elif "]" in inner:
            next_key, _, tail = rest.partition("]")
        else:
            # Not an index after all: the bracket belongs to the name.
            if depth == 1:
                key = re.sub(r"[ .\[]", "_", name)
            break
        place = _descend(place, key)
        key = next_key
        bracket, rest = tail[:1], tail[1:]
        if bracket != "[":
            break
    _put(place, key, value)


def _descend(place: Array, key: str | None) -> Array:
    """The array under the key, made anew where there is none."""
    if key is not None:
        found = place.get(_php_key(key))
        if isinstance(found, dict):
            return found
    fresh: Array = {}
    _put(place, key, fresh)
    return fresh


def _put(place: Array, key: str | None, value: Value) -> None:
    if key is None:
        place[max((k for k in place if isinstance(k, int)), default=-1) + 1] = value
    else:
        place[_php_key(key)] = value


def _php_key(key: str) -> int | str:
    """PHP makes a key int where its text is the decimal writing of a 64-bit number."""
    if _WHOLE_NUMBER.fullmatch(key) and -(2**63) <= int(key) < 2**63:
        return int(key)
    return key
