"""The chain: each entry's hash covers all its fields, as they are stored, and the hash of the entry before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter

# What an entry consists of, in this order wherever there is one. ``hash`` stands beside it.
FIELDS = (
    "id", "at", "action", "outcome", "actor_id", "actor_name", "actor_role", "account_id", "account_name",
    "target_kind", "target_id", "subject_id", "operation_id", "amount", "ip", "request_id", "body",
)  # fmt: skip

# What stands before the first entry.
START = "0" * 64

_encode = json.JSONEncoder(separators=(",", ":")).encode
_values = itemgetter(*FIELDS)


def hash_of(entry: Mapping[str, object], before: str) -> str:
    """The hash of an entry, 64 hex digits. ``before`` is the hash of the entry before it.

    It is SHA-256 over one JSON array: the hash before, and every one of `FIELDS` in their order, without spaces,
    everything but ASCII escaped. Times are UTC with microseconds (``2026-11-21T09:30:00.000000Z``), amounts texts with
    two places, ids of operations texts with hyphens, and what is absent is null.
    """
    return hashlib.sha256(_encode((before, *_values(entry))).encode()).hexdigest()


def as_text(at: datetime) -> str:
    """A time as it stands in the chain. ``at`` knows its zone."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
