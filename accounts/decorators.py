"""What a view asks of whoever calls it, stated above it."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode, urlsplit

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts import permissions
from accounts.models import User
from accounts.services import access, second_factor
from kartra_admin import typed

P = ParamSpec("P")


class StaffRequest(HttpRequest):
    """A request whose user is known to be signed in."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[StaffRequest, P], HttpResponse]
AnyView = Callable[Concatenate[HttpRequest, P], HttpResponse]
_READING = ("GET", "HEAD")


def require_sign_in(view: View[P]) -> AnyView[P]:
    """Send who is not signed in to the sign-in page and back."""

    @wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _go_and_come_back(request, settings.LOGIN_URL)
        return view(cast(StaffRequest, request), *args, **kwargs)

    return inner


def require_perm(permission: str) -> Callable[[View[P]], AnyView[P]]:
    """Let in who has the permission. Others raise `Denied`, and the audit log says so."""
    permissions.PERMISSIONS[permission]  # a misspelt one fails when the view is imported

    def decorate(view: View[P]) -> AnyView[P]:
        @wraps(view)
        def inner(request: StaffRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            access.require(request.user, permission)
            return view(request, *args, **kwargs)

        return require_sign_in(inner)

    return decorate


def require_sudo(view: View[P]) -> View[P]:
    """Ask again who it is, unless that was shown a short while ago: for dialogs and pages that do nothing but act.

    Stands below `require_perm`. Nothing that was posted is sent a second time by itself: the person comes back to what
    he typed, or to the page, and sends it there.
    """

    @wraps(view)
    def inner(request: StaffRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if is_confirmed(request):
            return view(request, *args, **kwargs)
        if request.method not in _READING and typed.Typed.of(request) is None:
            messages.warning(request, "Nothing was done yet. Confirm your identity, then try again.")
        return _go_and_come_back(request, "account_reauthenticate")

    return inner


def require_sudo_to_post(view: View[P]) -> View[P]:
    """The same for a page that shows something too: only what changes asks."""
    guarded = require_sudo(view)

    @wraps(view)
    def inner(request: StaffRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return (view if request.method in _READING else guarded)(request, *args, **kwargs)

    return inner


def is_confirmed(request: StaffRequest) -> bool:
    """Whether this session has seen a short while ago, by signing in or again, who it is: the person's password, and
    of somebody with a second factor both. A passkey is both by itself."""
    since = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    records = [record for record in get_authentication_records(request, request.user) if record["at"] > since]
    if not second_factor.is_set(request.user):
        return bool(records)
    shown = {record.get("type", record["method"]) for record in records}
    return second_factor.is_both(shown)


def asked_by_page(view: AnyView[P]) -> AnyView[P]:
    """Stands on top. What an open page asks by itself from time to time does not count as somebody being there."""
    view.asked_by_page = True  # type: ignore[attr-defined]
    return view


def _go_and_come_back(request: HttpRequest, to: str) -> HttpResponse:
    """Elsewhere, and back: to the page the person is on, to the one asked for, or to what was typed, which is sent only
    when he says so there."""
    htmx, back = cast(StaffRequest, request).htmx, typed.keep(request)
    if htmx and not back:
        with suppress(ValueError):  # a header that holds no address
            back = htmx.current_url_abs_path or ""
        if back and request.method in _READING:  # static/js/dialogs.js opens the dialog there again
            back = urlsplit(back)._replace(fragment=request.path).geturl()
    elif not back:
        back = request.get_full_path() if request.method in _READING else _page_of_form(request)
    url = resolve_url(to) + (f"?{urlencode({'next': back})}" if back else "")
    return HttpResponseClientRedirect(url) if htmx else HttpResponseRedirect(url)


def _page_of_form(request: HttpRequest) -> str:
    """The page of ours that a form was posted from, where the browser tells."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return ""
    return urlsplit(referer)._replace(scheme="", netloc="", fragment="").geturl()
