"""How much each role and person may refund without asking."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.decorators import StaffRequest, require_perm, require_sudo
from kartra_admin.lib.errors import Conflict
from leads.forms.limits import LimitForm
from leads.models import Limit
from leads.selectors import limits
from leads.services.limits import remove_limit, save_limit


@require_GET
@require_perm("limit.manage")
def index(request: StaffRequest) -> HttpResponse:
    return render(request, "leads/limits/list.html", {"roles": limits.of_roles(), "people": limits.of_people()})


@require_http_methods(["GET", "POST"])
@require_perm("limit.manage")
@require_sudo
def create(request: StaffRequest) -> HttpResponse:
    return _edit(request, Limit())


@require_http_methods(["GET", "POST"])
@require_perm("limit.manage")
@require_sudo
def edit(request: StaffRequest, limit_id: int) -> HttpResponse:
    return _edit(request, _limit(limit_id))


def _edit(request: StaffRequest, limit: Limit) -> HttpResponse:
    form = LimitForm(request.POST if request.method == "POST" else None, limit=limit)
    if form.is_valid():
        try:
            save_limit(actor=request.user, limit=form.filled())
        except Conflict as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, f"Limits of {limit.whose} saved.")
            return redirect("leads:limits")
    return render(request, "leads/limits/edit.html", {"form": form, "limit": limit}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@require_perm("limit.manage")
@require_sudo
def remove(request: StaffRequest, limit_id: int) -> HttpResponse:
    """Ask first, then remove."""
    limit = _limit(limit_id)
    if request.method == "POST":
        remove_limit(actor=request.user, limit=limit)
        messages.success(request, f"Limits of {limit.whose} removed.")
        return redirect("leads:limits")
    return render(request, "leads/limits/remove.html", {"limit": limit})


def _limit(limit_id: int) -> Limit:
    return get_object_or_404(Limit.objects.select_related("person"), pk=limit_id)
