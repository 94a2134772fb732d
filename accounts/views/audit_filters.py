"""Filters of the audit log that people keep."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.decorators import StaffRequest, require_perm
from accounts.forms.audit import SavedFilterForm
from accounts.selectors import audit
from accounts.services import audit_filters
from kartra_admin.lib.errors import BadRequest


@require_POST
@require_perm("audit.view")
def save(request: StaffRequest) -> HttpResponse:
    form = SavedFilterForm(request.POST)
    if not form.is_valid():
        said = form.errors.get("query", ["It needs a name of at most 80 characters."])[0]
        raise BadRequest(f"The filter was not saved. {said}")
    kept = audit_filters.save(actor=request.user, **form.cleaned_data)
    messages.success(request, f"Filter {kept.name} saved.")
    return redirect(f"{reverse('accounts:audit')}?{kept.query}")


@require_POST
@require_perm("audit.view")
def delete(request: StaffRequest, filter_id: int) -> HttpResponse:
    kept = get_object_or_404(audit.list_filters(request.user), pk=filter_id)
    audit_filters.delete(actor=request.user, kept=kept)
    messages.success(request, f"Filter {kept.name} deleted.")
    return redirect("accounts:audit")
