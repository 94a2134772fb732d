"""What every signed-in request must be: young enough, from an address of its role's, and with the factor it needs."""

from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import User
from accounts.services import addresses, audit, second_factor, sessions
from kartra_admin.lib.context import current
from kartra_admin.views import error_response

# Where somebody gets who needs a second factor and has not shown one.
SETTING_UP = {
    "mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_view_recovery_codes", "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn", "account_reauthenticate", "account_logout", "csp-report",
}  # fmt: skip


# And who may not set one up by now: there he is told whom to ask.
_TURNED_AWAY = {"mfa_index", "account_logout", "csp-report"}


class SessionGuardMiddleware:
    """Ends what is over, turns away who is elsewhere, and leads to the second factor who needs one.

    Every address is guarded, also one that nobody thought of; it takes no query but once a minute, when the use of the
    session is noted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Whose session it is, also where it ends with this request: `typed.keep` has to know.
        request.came_as = request.session.get(SESSION_KEY)  # type: ignore[attr-defined]
        user = request.user
        if user.is_authenticated:
            if why := sessions.over(request.session):
                audit.record(action="session.expire.succeeded", outcome="succeeded", actor=user, detail={"why": why})
                _forget(request)
                messages.warning(request, f"You were signed out because {why}.")
            else:
                try:
                    addresses.require(user, current.get().ip)
                except addresses.WrongAddress as error:
                    _forget(request)
                    return error_response(request, error, 403)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        if not request.user.is_authenticated:
            return None
        lacks_factor = second_factor.is_required(request.user) and not _has_shown_factor(request)
        if lacks_factor and (to := _leads_to(request, request.user)):
            return HttpResponseClientRedirect(to) if getattr(request, "htmx", False) else redirect(to)
        # What a page asks by itself, while nobody may be looking, keeps no session alive.
        if not getattr(view, "asked_by_page", False) and sessions.note_use(request.session):
            UserSession.objects.create_from_request(request)
        return None


def _has_shown_factor(request: HttpRequest) -> bool:
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))


def _leads_to(request: HttpRequest, user: User) -> str:
    """Where somebody goes instead who needs a factor and has not shown one; "" where this address is open to him."""
    has_one = second_factor.is_set(user)
    is_open = SETTING_UP if has_one or second_factor.may_set_up(user) else _TURNED_AWAY
    if request.resolver_match is None or request.resolver_match.view_name in is_open:
        return ""
    return reverse("account_reauthenticate" if has_one else "mfa_index")


def _forget(request: HttpRequest) -> None:
    request.session.flush()
    request.user = AnonymousUser()
