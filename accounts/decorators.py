"""What a view asks of whoever calls it, stated above it."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts import permissions
from accounts.models import User
from accounts.services import access

P = ParamSpec("P")


class StaffRequest(HttpRequest):
    """A request whose user is known to be signed in."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[StaffRequest, P], HttpResponse]
AnyView = Callable[Concatenate[HttpRequest, P], HttpResponse]


def require_sign_in(view: View[P]) -> AnyView[P]:
    """Send who is not signed in to the sign-in page and back."""

    @wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
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


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Back to the page he was on, or to the one asked for; nothing is sent a second time after signing in."""
    htmx, back = cast(StaffRequest, request).htmx, ""
    if htmx:
        with suppress(ValueError):  # a header that holds no address
            back = htmx.current_url_abs_path or ""
    elif request.method in ("GET", "HEAD"):
        back = request.get_full_path()
    url = resolve_url(settings.LOGIN_URL) + (f"?{urlencode({'next': back})}" if back else "")
    return HttpResponseClientRedirect(url) if htmx else HttpResponseRedirect(url)
