"""How allauth's second factors behave here: sealed at rest, named in our words, kept by roles that need one."""

from typing import Any

from allauth.account.internal.stagekit import unstash_login
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings

from accounts import seals
from accounts.models import User
from accounts.services import second_factor


class StaffMFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "Not accepted. A code works only once, and a passkey works only for this desk's own address.",
        "incorrect_password_or_code": "The password or the code is wrong. A code works only once.",
        "cannot_delete_authenticator": "Your role needs a second factor. Add another one first, then remove this one.",
    }

    def encrypt(self, text: str) -> str:
        return seals.keyring().seal(text, bound_to=seals.of_factor(self._owner()))

    def decrypt(self, encrypted_text: str) -> str:
        """Raises `SealBroken` where it was sealed for anybody else."""
        return seals.keyring().open(encrypted_text, bound_to=seals.of_factor(self._owner()))

    def _owner(self) -> int | None:
        """Who is signed in, or has typed the password and is asked for the code."""
        asking = None if self.request.user.is_authenticated else unstash_login(self.request, peek=True)
        owner: int | None = (asking or self.request).user.pk
        return owner

    def get_totp_issuer(self) -> str:
        return f"Kartra Admin {settings.SITE.hostname}"

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not (second_factor.is_required(authenticator.user) and second_factor.is_last(authenticator))

    def generate_authenticator_name(self, user: User, type: Any) -> str:  # noqa: A002
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {count + 1}" if count else "Passkey"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "Kartra Admin"}


def register_seals() -> None:
    """Called once, when the app is ready."""
    sealed = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk")
    bound_to = {name: lambda row: seals.of_factor(row.user_id) for name in ("secret", "seed")}
    seals.register(seals.Sealed("second factors", sealed.all, bound_to, within="data"))
