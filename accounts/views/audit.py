"""The audit log: the list with its filters, and one entry."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts import marks
from accounts.decorators import StaffRequest, require_perm
from accounts.forms.audit import AuditFilterForm, SavedFilterForm
from accounts.models import AuditEntry
from accounts.selectors import audit, checkpoints
from accounts.services import checkpoints as services
from kartra_admin.lib.htmx import is_fragment
from kartra_admin.lib.pagination import Page, urls_beside

# So many entries of one operation stand beside an entry.
_SHOWN = 50


@require_GET
@require_perm("audit.view")
def index(request: StaffRequest) -> HttpResponse:
    """Filters that cannot be used say why, at their fields, above an empty list."""
    form = AuditFilterForm(request.GET)
    usable = form.is_valid()
    page: Page[AuditEntry] = Page([], "", "")
    query = form.query() if usable else ""
    if usable:
        page = audit.entry_page(**form.cleaned_data, cursor=request.GET.get("cursor", ""))
        marks.put_on(page.rows)
    context = {
        "form": form,
        "page": page,
        "query": query,
        **urls_beside(page, reverse("accounts:audit"), query),
        "kept_filters": audit.list_filters(request.user),
        "filter_form": SavedFilterForm(initial={"query": query}),
        "signed": checkpoints.standing(),
    }
    fragment = "#table" if is_fragment(request.htmx) else ""
    return render(request, f"accounts/audit/list.html{fragment}", context, status=200 if usable else 400)


@require_GET
@require_perm("audit.view")
def detail(request: StaffRequest, entry_id: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry.objects.readable(), pk=entry_id)
    marks.put_on([entry])
    same = audit.list_for_operation(entry.operation_id) if entry.operation_id else AuditEntry.objects.none()
    shown, count = list(same[: _SHOWN + 1]), 0
    if len(shown) > _SHOWN:
        shown, count = shown[:_SHOWN], same.count()
    context = {"entry": entry, "same_operation": shown, "of_operation": count, "beside": audit.list_beside(entry)}
    return render(request, "accounts/audit/detail.html", context)


@require_POST
@require_perm("audit.view")
def sign(request: StaffRequest) -> HttpResponse:
    checkpoint, is_sent = services.sign_now(actor=request.user)
    later = "" if is_sent else " A worker is sending at the moment and will include it within a few minutes."
    messages.success(request, f"Checkpoint {checkpoint.pk} is signed, up to entry {checkpoint.number}.{later}")
    return redirect("accounts:audit")
