"""The audit log: the list with its filters, and one entry."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts import marks
from accounts.decorators import StaffRequest, require_perm
from accounts.forms.audit import AuditFilterForm
from accounts.models import AuditEntry
from accounts.selectors import audit, checkpoints
from accounts.services import checkpoints as services
from kartra_admin.lib.htmx import is_fragment
from kartra_admin.lib.pagination import Page


@require_GET
@require_perm("audit.view")
def index(request: StaffRequest) -> HttpResponse:
    """Filters that cannot be used say why, at their fields, above an empty list."""
    form = AuditFilterForm(request.GET)
    usable = form.is_valid()
    page: Page[AuditEntry] = Page([], "", "")
    if usable:
        page = audit.entry_page(**form.cleaned_data, cursor=request.GET.get("cursor", ""))
        marks.put_on(page.rows)
    context = {
        "form": form,
        "page": page,
        "newer_url": _page_url(request, page.newer),
        "older_url": _page_url(request, page.older),
        "signed": checkpoints.standing(),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    fragment = "#table" if is_fragment(request.htmx) else ""
    return render(request, f"accounts/audit/list.html{fragment}", context, status=200 if usable else 400)


@require_GET
@require_perm("audit.view")
def detail(request: StaffRequest, entry_id: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry.objects.readable(), pk=entry_id)
    marks.put_on([entry])
    same = audit.list_for_operation(entry.operation_id)[:50] if entry.operation_id else []
    return render(request, "accounts/audit/detail.html", {"entry": entry, "same_operation": same})


@require_POST
@require_perm("audit.view")
def sign(request: StaffRequest) -> HttpResponse:
    checkpoint = services.sign_now(actor=request.user)
    messages.success(request, f"Checkpoint {checkpoint.pk} is signed, up to entry {checkpoint.number}.")
    return redirect("accounts:audit")


def _page_url(request: StaffRequest, cursor: str) -> str:
    if not cursor:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"{reverse('accounts:audit')}?{query.urlencode()}"
