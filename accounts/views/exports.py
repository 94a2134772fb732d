"""The log on its way out: a file of what the filters show, evidence packs, and what verifies both."""

from functools import partial
from uuid import UUID

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm, require_sudo
from accounts.evidence import script
from accounts.forms.audit import AuditFilterForm
from accounts.forms.exports import describe
from accounts.selectors import audit
from accounts.services import exports, packs
from kartra_admin.downloads import as_file

_FORMS = ("ndjson", "csv")


@require_GET
@require_perm("audit.export")
@require_sudo
def export(request: StaffRequest, form: str) -> HttpResponse:
    """What the filters show, oldest first, line by line."""
    filters = AuditFilterForm(request.GET)
    if form not in _FORMS or not filters.is_valid():
        exports.refuse(request.user, "These filters cannot be used, so nothing was exported. Start from the audit log.")
    entries = audit.find(**filters.cleaned_data)
    lines = exports.export(actor=request.user, entries=entries, words=describe(filters), form=form)
    name = f"audit-{timezone.localtime():%Y-%m-%d-%H%M}.{form}"
    return as_file(name, lines)


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
    return as_file("verify.py", script.source())


@require_GET
@require_perm("audit.view")
def keys(request: StaffRequest) -> HttpResponse:
    return as_file("public-keys.txt", packs.keys_text())


def answer_pack(request: StaffRequest, about: packs.About) -> HttpResponse:
    page = partial(render_to_string, "accounts/audit/report.html")
    pack = packs.make(actor=request.user, about=about, page=page)
    name = f"evidence-{timezone.localtime():%Y-%m-%d-%H%M}.zip"
    return as_file(name, pack)
