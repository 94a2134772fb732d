"""How allauth behaves here: staff are added by an admin, never by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from accounts.services import audit
from kartra_admin.lib.context import current


class StaffAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:profile")

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address the audit log shows too, so that the limit on failed sign-ins counts the same person."""
        return current.get().ip or "unknown"

    def reauthenticate(self, user: User, password: str) -> bool:
        """The person's own password, asked for again; allauth counts the tries. A wrong one is not a failed sign-in."""
        if user.check_password(password):
            return True
        audit.record(action="session.confirm.failed", outcome="failed", actor=user)
        return False
