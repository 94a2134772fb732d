"""The keys that seal credentials, what each seal is bound to, and who else has seals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet

from kartra_admin.lib.crypto import Keyring


def keyring() -> Keyring:
    """The keys of ``CREDENTIAL_KEYS``."""
    return _keyring(tuple(settings.CREDENTIAL_KEYS))


@lru_cache(maxsize=4)
def _keyring(keys: tuple[str, ...]) -> Keyring:
    return Keyring(keys, named=True)


def of_connection(user_id: int, provider: str, field: str) -> str:
    """Whose credentials, for which provider, and which of the two: ``key`` or ``password``."""
    return f"connection:{user_id}:{provider}:{field}"


def of_factor(user_id: int | None) -> str:
    """Whose authenticator app's secret, or whose recovery codes' seed."""
    return f"second factor:{user_id}"


def of_account(fingerprint: str) -> str:
    """The account's own digest, under the fingerprint that was made of it."""
    return f"account:{fingerprint}"


def of_subject() -> str:
    """A person's own key. It is found by its row alone, whose number is not known when it is sealed."""
    return "subject"


def of_index() -> str:
    """The key of all keyed digests."""
    return "index"


def of_typed() -> str:
    """What somebody typed that waits in the queue: for minutes, and for no row of its own."""
    return "typed"


def of_form(user_id: int | str) -> str:
    """A form that waits in the session for the person who filled it in, and opens to nobody else."""
    return f"form:{user_id}"


def of_messages() -> str:
    """What the next page says, which waits in the session."""
    return "messages"


def fingerprints(digest: str) -> list[str]:
    """All fingerprints an account with this digest can have under the present keys, newest first."""
    return keyring().digest(digest, purpose="account")


@dataclass(frozen=True)
class Sealed:
    """Rows that hold seals. ``fields`` maps each sealed field to what its seal is bound to; "" in a field is no seal.

    ``within`` names the JSON field, a map, that holds them instead of fields of their own.
    """

    label: str
    rows: Callable[[], QuerySet[Any]]
    fields: Mapping[str, Callable[[Any], str]]
    within: str = ""

    def tokens(self, row: Model) -> dict[str, str]:
        """The seals of a row by field."""
        if self.within:
            held = {field: getattr(row, self.within).get(field, "") for field in self.fields}
        else:
            held = {field: getattr(row, field) for field in self.fields}
        return {field: token for field, token in held.items() if token}


_kinds: list[Sealed] = []


def register(sealed: Sealed) -> None:
    """Have these rows counted and rotated too. Called once, when the app that owns them is ready."""
    _kinds.append(sealed)


def kinds() -> Sequence[Sealed]:
    """All that were registered; credentials and accounts are apart, see `services/rotation.py`."""
    return _kinds
