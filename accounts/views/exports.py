"""The log on its way out: a file of what the filters show, evidence packs, and what verifies both."""

from functools import partial
from typing import cast
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm, require_sudo
from accounts.evidence import script
from accounts.forms.audit import AuditFilterForm
from accounts.forms.exports import describe
from accounts.selectors import audit
from accounts.services import exports, packs

_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


@require_GET
@require_perm("audit.export")
@require_sudo
def export(request: StaffRequest, form: str) -> HttpResponse:
    """What the filters show, oldest first, line by line."""
    filters = AuditFilterForm(request.GET)
    if form not in _TYPES or not filters.is_valid():
        exports.refuse(request.user, "These filters cannot be used, so nothing was exported. Start from the audit log.")
    entries = audit.find(**filters.cleaned_data)
    lines = exports.export(actor=request.user, entries=entries, words=describe(filters), form=form)
    name = f"audit-{timezone.localtime():%Y-%m-%d-%H%M}.{form}"
    return _file(cast(HttpResponse, StreamingHttpResponse(lines, content_type=_TYPES[form])), name)


@require_GET
@require_perm("audit.export")
@require_sudo
def pack_of_operation(request: StaffRequest, operation_id: UUID) -> HttpResponse:
    return answer_pack(request, packs.about_operation(operation_id))


@require_GET
@require_perm("audit.export")
@require_sudo
def pack_of_entry(request: StaffRequest, entry_id: int) -> HttpResponse:
    """Everything about the lead that this entry is about, or else the entry alone."""
    return answer_pack(request, packs.about_same_lead(entry_id))


@require_GET
@require_perm("audit.view")
def verifier(request: StaffRequest) -> HttpResponse:
    """The script that verifies exports and packs."""
    return _file(HttpResponse(script.source(), content_type="text/x-python; charset=utf-8"), "verify.py")


@require_GET
@require_perm("audit.view")
def keys(request: StaffRequest) -> HttpResponse:
    return _file(HttpResponse(packs.keys_text(), content_type="text/plain"), "public-keys.txt")


def answer_pack(request: StaffRequest, about: packs.About) -> HttpResponse:
    page = partial(render_to_string, "accounts/audit/report.html")
    pack = packs.make(actor=request.user, about=about, page=page)
    name = f"evidence-{timezone.localtime():%Y-%m-%d-%H%M}.zip"
    return _file(HttpResponse(pack, content_type="application/zip"), name)


def _file(answer: HttpResponse, name: str) -> HttpResponse:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer
