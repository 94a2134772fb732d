"""The reasons that staff choose from when money goes back."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import StaffRequest, require_perm, require_sudo, require_sudo_to_post
from kartra_admin.lib.errors import Conflict
from leads.forms.reasons import ReasonForm
from leads.models import Reason
from leads.services.reasons import move_reason, remove_reason, save_reason


@require_http_methods(["GET", "POST"])
@require_perm("limit.manage")
@require_sudo_to_post
def index(request: StaffRequest) -> HttpResponse:
    """The list, and a form to add one."""
    return _edit(request, Reason(), "leads/reasons/list.html")


@require_http_methods(["GET", "POST"])
@require_perm("limit.manage")
@require_sudo
def edit(request: StaffRequest, reason_id: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Reason, pk=reason_id), "leads/reasons/edit.html")


def _edit(request: StaffRequest, reason: Reason, template: str) -> HttpResponse:
    form = ReasonForm(request.POST if request.method == "POST" else None, initial={"text": reason.text})
    if form.is_valid():
        try:
            save_reason(actor=request.user, reason=reason, text=form.cleaned_data["text"])
        except Conflict as error:
            form.add_error("text", error.sentence)
        else:
            messages.success(request, f"Reason ‘{reason.text}’ saved.")
            return redirect("leads:reasons")
    context = {"form": form, "reason": reason, "reasons": Reason.objects.all()}
    return render(request, template, context, status=422 if form.errors else 200)


@require_POST
@require_perm("limit.manage")
@require_sudo
def move(request: StaffRequest, reason_id: int) -> HttpResponse:
    reason = get_object_or_404(Reason, pk=reason_id)
    move_reason(actor=request.user, reason=reason, up=request.POST.get("to") == "up")
    return redirect("leads:reasons")


@require_POST
@require_perm("limit.manage")
@require_sudo
def remove(request: StaffRequest, reason_id: int) -> HttpResponse:
    reason = get_object_or_404(Reason, pk=reason_id)
    remove_reason(actor=request.user, reason=reason)
    messages.success(request, f"Reason ‘{reason.text}’ removed. Past refunds and changes keep it.")
    return redirect("leads:reasons")
