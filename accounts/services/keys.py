"""The keys that seal credentials, and moving everything to the newest of them."""

from functools import lru_cache

from django.conf import settings

from kartra_admin.lib.crypto import Keyring


def keyring() -> Keyring:
    """The keys of ``CREDENTIAL_KEYS``."""
    return _keyring(tuple(settings.CREDENTIAL_KEYS))


@lru_cache(maxsize=4)
def _keyring(keys: tuple[str, ...]) -> Keyring:
    return Keyring(keys)
