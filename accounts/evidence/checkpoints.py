"""Checkpoints: the head of the log, signed with Ed25519, each with the hash of the checkpoint before it.

A checkpoint as a mapping: ``id`` counts from 1; ``number`` and ``hash`` are those of the last entry; ``at`` is UTC with
microseconds; ``count`` and ``root`` are the number of entries since the checkpoint before and the Merkle root over
their hashes; ``previous`` is the hash of the checkpoint before, `START` for the first; ``key`` is the public key in
hex, ``signature`` what it signed: all but itself.

A voucher as a mapping: the key ``by`` says with its ``signature`` that the key ``older`` signed here before it. So
whoever is given the present public key alone knows the older ones too.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNED = ("id", "number", "hash", "at", "count", "root", "previous", "key")
_VOUCHER = "audit signing key"  # so that nothing else that is signed can be taken for one


def private_key(text: str) -> Ed25519PrivateKey:
    """The first of those named: 32 bytes in URL-safe base64 each, between commas. Raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(text.split(",")[0].strip().encode()))


def public_keys(text: str) -> list[str]:
    """Of all that are named, in their order. Those after the first may be public keys themselves. Raises ValueError."""
    older = [part.strip() for part in text.split(",")[1:]]
    return [public_key(private_key(text)), *(_as_public(part) for part in older if part)]


def public_key(key: Ed25519PrivateKey) -> str:
    """64 hex digits."""
    return key.public_key().public_bytes_raw().hex()


def _as_public(text: str) -> str:
    if len(text) != 64:
        return public_key(private_key(text))
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    return text.lower()


def vouch(key: Ed25519PrivateKey, older: str) -> dict[str, Any]:
    """The voucher of this key for an older public key."""
    by = public_key(key)
    return {"older": older, "by": by, "signature": key.sign(_vouched(older, by)).hex()}


def with_older(keys: Iterable[str], vouchers: Collection[Mapping[str, str]]) -> frozenset[str]:
    """These public keys, and those that vouchers lead to from them, over as many turns as there were."""
    known = set(keys)
    while found := {
        one["older"] for one in vouchers if one["by"] in known and one["older"] not in known and _is_vouched(one)
    }:
        known |= found
    return frozenset(known)


def _is_vouched(voucher: Mapping[str, str]) -> bool:
    try:
        by = Ed25519PublicKey.from_public_bytes(bytes.fromhex(voucher["by"]))
        by.verify(bytes.fromhex(voucher["signature"]), _vouched(voucher["older"], voucher["by"]))
    except (InvalidSignature, ValueError):
        return False
    return True


def _vouched(older: str, by: str) -> bytes:
    return json.dumps({"of": _VOUCHER, "older": older, "by": by}, sort_keys=True, separators=(",", ":")).encode()


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
