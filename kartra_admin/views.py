"""Pages that belong to no app: what is said when something went wrong."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string

from kartra_admin.lib.errors import AppError, Denied
from kartra_admin.typed import Typed

_TITLES = {403: "Not allowed", 404: "Nothing here", 405: "Nothing to show"}


def error_response(
    request: HttpRequest, error: AppError, status: int, *, mend: tuple[str, str] | None = None
) -> HttpResponse:
    """The sentence as a page, or as a toast for a request of htmx. ``mend`` is a link (text, address) to what helps."""
    context: dict[str, Any] = {
        "sentence": error.sentence,
        "status": status,
        "title": _TITLES.get(status, "This did not work"),
        "next_label": mend[0] if mend else "",
        "next_url": mend[1] if mend else "",
        "typed": Typed.of(request) if status >= 500 or status == 409 else None,
    }
    if getattr(request, "htmx", False) and not request.headers.get("HX-Boosted"):
        response = render(request, "components/_error_toast.html", context, status=status)
        response["HX-Reswap"] = "none"
        return response
    return render(request, "error.html", context, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a form without its token."""
    if getattr(request, "htmx", False):
        return error_response(request, Denied("This page was open too long: load it again. Nothing was saved."), 403)
    # Only a form of our own pages is offered again: a stranger's page cannot write this header.
    is_ours = request.headers.get("Origin") in settings.CSRF_TRUSTED_ORIGINS and request.user.is_authenticated
    return render(request, "403_csrf.html", {"typed": Typed.of(request) if is_ours else None}, status=403)


def broken(request: HttpRequest) -> HttpResponseServerError:
    """The answer where the desk itself failed: of the person who asked nothing is read, for that may be what fails."""
    nonce = {"csp_nonce": getattr(request, "csp_nonce", "")}
    return HttpResponseServerError(render_to_string("500.html", nonce))


def too_many(request: HttpRequest) -> HttpResponse:
    """The answer to who asks too often. Every limit that leads here is counted over one minute."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = "60"
    return response
