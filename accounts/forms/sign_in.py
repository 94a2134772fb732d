"""Forms about passwords, before sign-in and after."""

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from accounts import seals
from accounts.tasks import send_password_link


class ForgottenForm(allauth_forms.ResetPasswordForm):  # type: ignore[misc]
    """Does the same for every address, known or not: whether it is anybody's is looked up later, elsewhere."""

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email = str(self.cleaned_data["email"])
        send_password_link.enqueue(seals.keyring().seal(email, bound_to=seals.of_typed()))
        return email


class ChangePasswordForm(allauth_forms.ChangePasswordForm):  # type: ignore[misc]
    """A wrong old password is logged as at step-up."""

    def clean_oldpassword(self) -> str:
        typed = str(self.cleaned_data["oldpassword"])
        if not get_adapter().reauthenticate(self.user, typed):
            raise get_adapter().validation_error("enter_current_password")
        return typed
