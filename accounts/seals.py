"""The keys that seal credentials, and what each seal is bound to."""

from functools import lru_cache

from django.conf import settings

from kartra_admin.lib.crypto import Keyring


def keyring() -> Keyring:
    """The keys of ``CREDENTIAL_KEYS``."""
    return _keyring(tuple(settings.CREDENTIAL_KEYS))


@lru_cache(maxsize=4)
def _keyring(keys: tuple[str, ...]) -> Keyring:
    return Keyring(keys)


def of_connection(user_id: int, provider: str, field: str) -> str:
    """Whose credentials, for which provider, and which of the two: ``key`` or ``password``."""
    return f"connection:{user_id}:{provider}:{field}"


def of_account(fingerprint: str) -> str:
    """The account's own digest, under the fingerprint that was made of it."""
    return f"account:{fingerprint}"


def fingerprints(digest: str) -> list[str]:
    """All fingerprints an account with this digest can have under the present keys, newest first."""
    return keyring().digest(digest, purpose="account")
