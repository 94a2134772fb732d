"""Sealing of secrets at rest, and keyed digests, under a list of keys: the newest first, older ones still open.

Fernet authenticates but knows no associated data, so what a seal is bound to (whose it is, which field) travels inside
it and is compared on opening. A seal copied to another row, or a key swapped with a password, does not open.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from kartra_admin.lib.errors import AppError


class SealBroken(AppError):
    """No present key opens the seal, or it was made for another place."""

    def __init__(self) -> None:
        super().__init__(
            "These credentials cannot be opened with the current keys. Enter them again in Settings, "
            "Kartra connection, or put the key that sealed them back into CREDENTIAL_KEYS."
        )


class Made(NamedTuple):
    """``key``: its place in the ring, 0 for the newest; ``at``: seconds since 1970."""

    key: int
    at: int


class Keyring:
    """``keys`` are Fernet keys (32 bytes, base64), newest first. Raises ValueError where one is malformed.

    With ``named`` each seal begins with the mark of its key, eight hex digits of its time and a dot, so that a database
    can count by key. Nothing is believed of that when a seal is opened, or asked whether it is current.
    """

    def __init__(self, keys: Sequence[str], *, named: bool = False) -> None:
        keys = [key.strip() for key in keys]
        self._fernets = [Fernet(key) for key in keys]
        self._all = MultiFernet(self._fernets)
        self._raw = [base64.urlsafe_b64decode(key) for key in keys]
        self._mark = self.marks[0] if named else ""

    def seal(self, value: str, *, bound_to: str) -> str:
        """The value sealed under the newest key, to be opened with the same ``bound_to`` only."""
        at = int(time.time())
        token = self._fernets[0].encrypt_at_time(json.dumps([bound_to, value]).encode(), at).decode()
        return f"{self._mark}{at:08x}.{token}" if self._mark else token

    def open(self, token: str, *, bound_to: str) -> str:
        """The value. Raises `SealBroken`; never returns anything of a seal that was made for another place."""
        try:
            inside = json.loads(self._all.decrypt(_bare(token)))
        except InvalidToken:
            raise SealBroken from None
        if not (isinstance(inside, list) and len(inside) == 2 and inside[0] == bound_to):
            raise SealBroken
        return str(inside[1])

    def is_current(self, token: str) -> bool:
        """Whether the newest key sealed it, and its name says so, so that rotation may pass it by."""
        try:
            self._fernets[0].decrypt(_bare(token))
        except InvalidToken:
            return False
        return token.startswith(self._mark)

    @property
    def marks(self) -> list[str]:
        """What each key is called where it must not be shown: eight hex digits that tell nothing of it."""
        return [hmac.digest(raw, b"mark", hashlib.sha256).hex()[:8] for raw in self._raw]

    def made_by(self, token: str) -> Made | None:
        """Which key sealed it, and when; None where no present key did. The seal is checked, not opened."""
        for index, fernet in enumerate(self._fernets):
            with suppress(InvalidToken):
                return Made(index, fernet.extract_timestamp(_bare(token)))
        return None

    def digest(self, text: str, *, purpose: str) -> list[str]:
        """Keyed digests of ``text`` in hex, one for each key, newest first. Equal texts are found by them, not read."""
        subkeys = (hmac.digest(raw, f"digest:{purpose}".encode(), hashlib.sha256) for raw in self._raw)
        return [hmac.digest(subkey, text.encode(), hashlib.sha256).hex() for subkey in subkeys]


def _bare(token: str) -> bytes:
    """Without its name; no Fernet token holds a dot."""
    return token.rpartition(".")[2].encode()
