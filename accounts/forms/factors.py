"""allauth's forms for second factors, stricter: a code counts once anywhere, a passkey at this very address only."""

import json
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from fido2.utils import websafe_decode

from accounts.factors import StaffMFAAdapter
from accounts.receivers import record_failed_passkey
from accounts.services import audit, second_factor
from kartra_admin.lib.crypto import SealBroken

_LONGEST_CODE = 40
_PASSKEY = second_factor.KINDS[Authenticator.Type.WEBAUTHN]


class _OnceOnly:
    """A code of an authenticator app is spent by being used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        code = self.fields["code"]  # type: ignore[attr-defined]
        code.max_length = _LONGEST_CODE
        code.widget.attrs |= {"inputmode": "numeric", "maxlength": _LONGEST_CODE}
        next(iter(self.fields.values())).widget.attrs["autofocus"] = True  # type: ignore[attr-defined]
        code.widget.attrs.pop("placeholder", None)

    def clean_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        used = self.authenticator  # type: ignore[attr-defined]
        if used.type == Authenticator.Type.TOTP and not second_factor.spend_code(used):
            self._emit_authentication_failed(used)  # type: ignore[attr-defined]
            raise StaffMFAAdapter().validation_error("incorrect_code")
        return code


class CodeForm(_OnceOnly, AuthenticateForm):  # type: ignore[misc]
    """At sign-in."""


class ConfirmCodeForm(_OnceOnly, ReauthenticateForm):  # type: ignore[misc]
    """At step-up: the password and a code, judged together. Neither the page, the log nor the count of tries tells
    which of them was wrong, or each could be guessed alone."""

    password = forms.CharField(strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
    field_order = ("password", "code")

    def clean_code(self) -> str:
        """It is looked at, and spent, only beside the right password: in `clean`."""
        return str(self.cleaned_data["code"])

    def clean(self) -> dict[str, Any]:
        given = dict(super().clean())
        if self.errors:
            return given
        if not self.user.check_password(given["password"]):
            check_rate_limit(self.user)
            self._emit_authentication_failed(None)
            raise StaffMFAAdapter().validation_error("incorrect_password_or_code")
        try:
            super().clean_code()
        except ValidationError as error:
            if error.code != "incorrect_code":
                raise
            raise StaffMFAAdapter().validation_error("incorrect_password_or_code") from None
        return given

    def _emit_authentication_failed(self, authenticator: Authenticator | None) -> None:
        audit.record(
            action="session.confirm.failed", outcome="failed", actor=self.user, detail={"by": "password and code"}
        )

    def save(self) -> None:
        record_authentication(context.request, self.user, "password")
        super().save()


class ActivateForm(ActivateTOTPForm):  # type: ignore[misc]
    """The secret waits in the session until the code is typed, and so in the database: sealed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        session, seal = context.request.session, StaffMFAAdapter()
        try:
            if SECRET_SESSION_KEY in session:
                session[SECRET_SESSION_KEY] = seal.decrypt(session[SECRET_SESSION_KEY])
        except SealBroken:  # the keys were changed meanwhile: begin anew
            del session[SECRET_SESSION_KEY]
        super().__init__(*args, **kwargs)
        session[SECRET_SESSION_KEY] = seal.encrypt(self.secret)
        self.fields["code"].label = "Code from the app"
        self.fields["code"].widget.attrs |= {"inputmode": "numeric", "maxlength": _LONGEST_CODE}
        self.fields["code"].widget.attrs.pop("placeholder", None)


class _Answer:
    """What a browser says for a passkey. Whatever is wrong with it is refused in one sentence, and logged."""

    def log_failure(self) -> None:
        second_factor.record("factor.check.failed", user=self.user, kind=_PASSKEY)  # type: ignore[attr-defined]

    def clean_credential(self) -> Authenticator:
        try:
            require_our_origin(context.request, self.cleaned_data["credential"])  # type: ignore[attr-defined]
            used: Authenticator = super().clean_credential()  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001  (a forged answer can fail anywhere in the library)
            self.log_failure()
            raise _refusal(error) from None
        return used


class PasskeyForm(_Answer, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """At sign-in, after the password."""


class PasskeyAloneForm(_Answer, LoginWebAuthnForm):  # type: ignore[misc]
    """At sign-in, instead of the password."""

    def log_failure(self) -> None:
        record_failed_passkey()


class ConfirmPasskeyForm(_Answer, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """At step-up."""

    def log_failure(self) -> None:
        audit.record(action="session.confirm.failed", outcome="failed", actor=self.user, detail={"by": _PASSKEY})


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """Every passkey asks for the finger or PIN, so each can sign in alone; there is nothing to choose."""

    name = forms.CharField(required=False, max_length=60, help_text="To recognize it later, such as ‘Phone’.")
    passwordless = None

    def clean(self) -> dict[str, Any]:
        try:
            if credential := self.cleaned_data.get("credential"):
                require_our_origin(context.request, credential)
            return dict(super().clean())
        except Exception as error:  # noqa: BLE001
            raise _refusal(error) from None


def require_our_origin(request: HttpRequest, credential: Any) -> None:
    """Raise unless the browser was at this very origin; the library would take every host below ours as well."""
    said = json.loads(websafe_decode(credential["response"]["clientDataJSON"]))
    if said["origin"] != f"{request.scheme}://{request.get_host()}":
        raise ValueError("a passkey of another origin")


def _refusal(error: Exception) -> ValidationError:
    """A limit on tries keeps its words; all else, which a forged answer may set off anywhere, is one sentence."""
    if isinstance(error, ValidationError):
        return error
    refused: ValidationError = StaffMFAAdapter().validation_error("incorrect_code")
    return refused
