"""How allauth behaves here: staff are added by an admin, never by themselves."""

import unicodedata
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts import throttling
from accounts.models import User
from accounts.receivers import record_failed_sign_in
from accounts.services import addresses, audit, users
from kartra_admin.lib.context import current
from kartra_admin.views import error_response

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  (what stands in the list of sessions where no address is known)


class StaffAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": "Too many attempts. Wait up to five minutes, then try again.",
        "rate_limited": "Too many attempts. Wait a few minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:profile")

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address the audit log shows too, so that the limit on failed sign-ins counts the same person."""
        return current.get().ip or UNKNOWN_ADDRESS

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Too many tries are turned away before the password is looked at; the log counts those too."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            record_failed_sign_in(credentials)
            key = self._get_login_attempts_cache_key(request, **credentials)
            raise ValidationError(throttling.wait_sentence(request, "login_failed", key)) from None

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """One count for an email, by whatever host name and in whatever letters it was typed."""
        return unicodedata.normalize("NFKC", str(credentials.get("email", ""))).casefold().strip()

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Somebody whose role is bound to other addresses gets no further than his password."""
        try:
            addresses.require(user, current.get().ip)
        except addresses.WrongAddress as error:
            clear_login(request)
            return error_response(request, error, 403)
        answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return answer

    def get_reauthentication_methods(self, user: User) -> list[dict[str, str]]:
        """With the second factor where there is one, and then nothing less; the handiest first."""
        methods: list[dict[str, str]] = super().get_reauthentication_methods(user)
        factors = [method for method in methods if method["id"] != "reauthenticate"]
        has_app = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists()
        return (factors if has_app else factors[::-1]) or methods

    def set_password(self, user: User, password: str) -> None:
        """Whoever is signed in may have used a link all the same."""
        by_link = self.request.resolver_match.url_name == "account_reset_password_from_key"
        users.set_password(user, password, by_link=by_link)

    def reauthenticate(self, user: User, password: str) -> bool:
        """The person's own password, asked for again; allauth counts the tries. A wrong one is not a failed sign-in."""
        if user.check_password(password):
            return True
        audit.record(action="session.confirm.failed", outcome="failed", actor=user, detail={"by": "password"})
        return False
