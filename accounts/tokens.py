"""The tokens inside set-password links."""

from typing import Any

from django.contrib.auth.tokens import PasswordResetTokenGenerator


class SetPasswordTokens(PasswordResetTokenGenerator):
    """A link dies when it was used, and also when its owner is deactivated, changes role or is given a newer link."""

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}:{user.session_version}:{user.is_active}"
