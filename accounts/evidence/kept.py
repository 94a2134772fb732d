"""Checkpoints that were kept outside: a folder of files, or one file of what mails and POSTs held."""

import json
import os
from collections.abc import Iterator
from typing import Any

from accounts.evidence import checkpoints

# What `read` raises for what holds anything else, beside OSError.
UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)


def read(path: str) -> dict[int, dict[str, Any]]:
    """By id. A folder holds ``checkpoint-*.json``; a file has one in each line that begins with ``{``, or a list of
    them in one that begins with ``[``, and other lines are words of the mail.

    Whose key signed them is for the caller to know. Raises `UNREADABLE` for what is not signed, and for two of one id.
    """
    found: dict[int, dict[str, Any]] = {}
    for checkpoint in _all(path):
        is_plain = all(type(checkpoint[name]) is int and checkpoint[name] >= 0 for name in ("id", "number", "count"))
        if not is_plain or not checkpoints.is_signed(checkpoint):
            raise ValueError("no checkpoint")
        if found.setdefault(checkpoint["id"], checkpoint) != checkpoint:
            raise ValueError("two of one number")
    return found


def _all(path: str) -> Iterator[dict[str, Any]]:
    names = [path]
    if os.path.isdir(path):
        files = (name for name in os.listdir(path) if name.startswith("checkpoint-") and name.endswith(".json"))
        names = [os.path.join(path, name) for name in sorted(files)]
    for name in names:
        with open(name, encoding="utf-8") as file:
            lines = [line for line in map(str.strip, file) if line.startswith(("{", "["))]
        if not lines and name != path:
            raise ValueError("a file without a checkpoint")
        for line in lines:
            value = json.loads(line)
            yield from value if isinstance(value, list) else [value]
