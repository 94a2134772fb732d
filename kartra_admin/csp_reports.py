"""What browsers report: something was kept from loading or running by the policy. One line in the log, no more."""

import json
import logging
from typing import Any
from urllib.parse import urlsplit

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from kartra_admin.lib.context import current
from kartra_admin.middleware import body_length

logger = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024
MOST_A_MINUTE = 60  # from everybody together: anybody can post here
_MINUTE = 60


@csrf_exempt
@require_POST
def csp(request: HttpRequest) -> HttpResponse:
    """Takes both forms in which browsers report. Answers 204 to everything that is not too large."""
    if body_length(request) > MOST_BYTES:
        return HttpResponse(status=413)
    if _is_within_limit():
        for said in _reports(request.body)[:5]:
            logger.warning("policy: %s, from %s", said, current.get().ip or "nowhere known")
    return HttpResponse(status=204)


def _is_within_limit() -> bool:
    cache.add("csp-reports", 0, _MINUTE)
    try:
        return cache.incr("csp-reports") <= MOST_A_MINUTE
    except ValueError:  # the minute ended just now
        return True


def _reports(body: bytes) -> list[str]:
    """Each report as directive, what was blocked, and the page; nothing else of what a stranger may have written."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # no JSON, or nested too deeply
        return []
    bodies = [part.get("body") for part in found if isinstance(part, dict)] if isinstance(found, list) else []
    if isinstance(found, dict):
        bodies = [found.get("csp-report")]
    return [_line(part) for part in bodies if isinstance(part, dict)]


def _line(report: dict[str, Any]) -> str:
    directive = (
        report.get("effectiveDirective") or report.get("effective-directive") or report.get("violated-directive")
    )
    blocked = report.get("blockedURL") or report.get("blocked-uri")
    page = report.get("documentURL") or report.get("document-uri")
    return f"{_safe(directive)} blocked {_safe(_without_query(blocked))} on {_safe(_without_query(page, host=False))}"


def _without_query(url: object, *, host: bool = True) -> str:
    """Queries may hold what was searched for; a path of ours is enough to find the page."""
    try:
        parts = urlsplit(str(url or ""))
    except ValueError:
        return "what is no address"
    return f"{parts.scheme}://{parts.netloc}{parts.path}" if host and parts.netloc else parts.path


def _safe(text: object) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(text or "nothing"))[:200]
