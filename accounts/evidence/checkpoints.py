"""Checkpoints: the head of the log, signed with Ed25519, each with the hash of the checkpoint before it.

A checkpoint as a mapping: ``id`` counts from 1; ``number`` and ``hash`` are those of the last entry; ``at`` is UTC with
microseconds; ``count`` and ``root`` are the number of entries since the checkpoint before and the Merkle root over
their hashes; ``previous`` is the hash of the checkpoint before, `START` for the first; ``key`` is the public key in
hex, ``signature`` what it signed: all but itself.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNED = ("id", "number", "hash", "at", "count", "root", "previous", "key")


def private_key(text: str) -> Ed25519PrivateKey:
    """From 32 bytes in URL-safe base64. Raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(text.encode()))


def public_key(key: Ed25519PrivateKey) -> str:
    """64 hex digits."""
    return key.public_key().public_bytes_raw().hex()


def signed_by(key: Ed25519PrivateKey, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint of these fields, with ``key`` and ``signature``."""
    checkpoint = {**fields, "key": public_key(key)}
    return {**checkpoint, "signature": key.sign(_signed(checkpoint)).hex()}


def is_signed(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the key that it names signed it. Whose key that is, is for the caller to know."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint["key"]))
        public.verify(bytes.fromhex(checkpoint["signature"]), _signed(checkpoint))
    except (InvalidSignature, ValueError, TypeError, KeyError):
        return False
    return True


def hash_of(checkpoint: Mapping[str, Any]) -> str:
    """What the next checkpoint carries of it: over all fields, the signature among them."""
    return hashlib.sha256(_signed(checkpoint) + bytes.fromhex(checkpoint["signature"])).hexdigest()


def _signed(checkpoint: Mapping[str, Any]) -> bytes:
    fields = {name: checkpoint[name] for name in SIGNED}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
