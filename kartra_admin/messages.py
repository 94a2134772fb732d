"""What the next page says, such as whose lead was changed: it waits in the session, sealed."""

from collections.abc import Sequence
from typing import Any

from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage

from accounts import seals
from kartra_admin.lib.crypto import SealBroken


class SealedStorage(SessionStorage):
    """In the session, and so in no cookie, which others who use the browser could read."""

    def serialize_messages(self, messages: Sequence[Message]) -> str:
        return seals.keyring().seal(super().serialize_messages(messages), bound_to=seals.of_messages())

    def deserialize_messages(self, data: Any) -> list[Message]:
        """None at all where they were sealed under a key that is no more."""
        try:
            text = seals.keyring().open(data, bound_to=seals.of_messages()) if data else ""
        except SealBroken:
            return []
        return super().deserialize_messages(text) or []
