"""What surrounds every request: who asks and from where, and an answer for every error that a person can act on."""

import ipaddress
import logging
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.services.chain import Blocked
from kartra_admin.lib.context import asking, current
from kartra_admin.lib.crypto import SealBroken
from kartra_admin.lib.errors import AppError, BadRequest, Conflict, Denied
from kartra_admin.views import error_response
from leads.providers.errors import Misconfigured, NotFound, RateLimited, Unavailable

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

# The first class that fits says the status; any other AppError is 422.
_STATUS: tuple[tuple[type[AppError], int], ...] = (
    (BadRequest, 400),
    (Denied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Misconfigured, 409),
    (RateLimited, 503),
    (Unavailable, 503),
)

_BLOCKED = (
    "The audit log cannot take an entry, so nothing was done. Ask whoever runs this desk to run auditverify and see "
    "docs/operations.md for how to repair it."
)
_TAKES_FORMS = "This address only accepts forms and has no page to show. Nothing was changed."

# Posted by a machine, and read by its view alone, which bounds what it reads.
_POSTED_FROM_OUTSIDE = ("/hooks/", "/csp-report/")
_BESIDE_A_FILE = 64 * 1024


class RequestContextMiddleware:
    """Sets `lib.context.current` for the time of the request, and keeps pages out of caches.

    A NUL in the address or the form is refused here, once: PostgreSQL cannot take it and no page of ours sends one. So
    is what is larger than any file we take, before it is read.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        with asking(client_ip(request), request_id, request.path[:200], lambda: _signed_in(request)):
            if _is_too_large(request):
                large = BadRequest(f"This is larger than {settings.IMPORT_MAX_MB} MB, so none of it was read.")
                response = error_response(request, large, 413)
            elif _holds_nul(request):
                response = error_response(
                    request, BadRequest("The request contains a character that is not text. Nothing was changed."), 400
                )
            else:
                response = self.get_response(request)
            _note_refusal(request, response)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store, private"
        response["X-Request-ID"] = request_id
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["Reporting-Endpoints"] = 'csp="/csp-report/"'
        return response


class AppErrorMiddleware:
    """Answers an `AppError` with its sentence and the status its class stands for, and a log that takes no entry; and
    who opens an address that only takes forms, as by Reload or from the history, with a page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or request.method != "GET" or _is_from_outside(request):
            return response
        page = error_response(request, BadRequest(_TAKES_FORMS), 405)
        page["Allow"] = response["Allow"]
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Blocked):
            logger.error("%s", exception)
            return error_response(request, AppError(_BLOCKED), 503)
        if not isinstance(exception, AppError):
            return None
        status = next((status for kind, status in _STATUS if isinstance(exception, kind)), 422)
        is_about_credentials = isinstance(exception, Misconfigured | SealBroken)
        mend = ("Open the Kartra connection", reverse("leads:connection")) if is_about_credentials else None
        return error_response(request, exception, status, mend=mend)


def _note_refusal(request: HttpRequest, response: HttpResponse) -> None:
    """Addresses that no page of ours leads to (a forged cursor, filter or id) go to the program's log, one line each,
    and not to the audit log, which junk could fill for good. Nothing of what was sent stands in the line."""
    page = request.resolver_match
    if response.status_code in (400, 404) and page:
        who = getattr(request, "user", None)
        said = (page.view_name, who.pk if who else None, current.get().ip or "nowhere known", current.get().request_id)
        logger.warning("refused: %s, by staff no. %s, from %s, request %s", *said)


def _signed_in(request: HttpRequest) -> int | None:
    user = getattr(request, "user", None)
    return user.pk if user else None


def client_ip(request: HttpRequest) -> str:
    """The client's address, or "" where none is known.

    ``X-Forwarded-For`` is believed only as far as ``TRUSTED_PROXY_COUNT`` proxies of our own have written it.
    """
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    if 0 < settings.TRUSTED_PROXY_COUNT <= len(forwarded):
        address = forwarded[-settings.TRUSTED_PROXY_COUNT]
    try:
        return str(ipaddress.ip_address(address.strip()))
    except ValueError:
        return ""


def body_length(request: HttpRequest) -> int:
    """As the request says; without a word nothing is read of it, and never more than that."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length[:18]) if length.isdecimal() else 0


def _is_too_large(request: HttpRequest) -> bool:
    allowed = settings.IMPORT_MAX_MB * 1024 * 1024 + _BESIDE_A_FILE
    return body_length(request) > allowed and not _is_from_outside(request)


def _is_from_outside(request: HttpRequest) -> bool:
    return request.path.startswith(_POSTED_FROM_OUTSIDE)


def _holds_nul(request: HttpRequest) -> bool:
    texts = [request.path]
    for form in (request.GET,) if _is_from_outside(request) else (request.GET, request.POST):
        for key, values in form.lists():
            texts += [key, *values]
    return any("\x00" in text for text in texts)
