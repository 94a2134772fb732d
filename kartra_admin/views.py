"""Pages that belong to no app: what is said when something went wrong."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kartra_admin.lib.errors import AppError, Denied


def error_response(
    request: HttpRequest, error: AppError, status: int, *, mend: tuple[str, str] | None = None
) -> HttpResponse:
    """The sentence as a page, or as a toast for a request of htmx. ``mend`` is a link (text, address) to what helps."""
    context: dict[str, Any] = {
        "sentence": error.sentence,
        "status": status,
        "title": HTTPStatus(status).phrase if status in (403, 404) else "This did not work",
        "next_label": mend[0] if mend else "",
        "next_url": mend[1] if mend else "",
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
    return render(request, "403_csrf.html", status=403)
