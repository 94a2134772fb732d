"""Forms of the pages before sign-in."""

from typing import Any

from allauth.account.forms import ResetPasswordForm
from django.http import HttpRequest

from accounts import seals
from accounts.tasks import send_password_link


class ForgottenForm(ResetPasswordForm):  # type: ignore[misc]
    """Does the same for every address, known or not: whether it is anybody's is looked up later, elsewhere."""

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email = str(self.cleaned_data["email"])
        send_password_link.enqueue(seals.keyring().seal(email, bound_to=seals.of_typed()))
        return email
