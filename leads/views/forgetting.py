"""People who are to be forgotten: asking for it, taking it back, and what waits."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.decorators import StaffRequest, require_perm, require_sudo
from kartra_admin.lib.errors import Conflict
from leads.access import desk_for
from leads.forms.forgetting import ForgetForm
from leads.models import Forgetting
from leads.selectors import desk as desk_selectors
from leads.selectors import forgetting as selectors
from leads.services import forgetting


@require_GET
@require_perm("lead.forget")
def index(request: StaffRequest) -> HttpResponse:
    account = desk_for(request.user).account
    context = {"waiting": selectors.list_waiting(account), "over": selectors.list_over(account)}
    return render(request, "leads/forgetting/list.html", context)


@require_http_methods(["GET", "POST"])
@require_perm("lead.forget")
@require_sudo
def ask(request: StaffRequest, lead_id: str) -> HttpResponse:
    """Say what will go and what will stay, then have the person forgotten."""
    account = desk_for(request.user).account
    form = ForgetForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            asked = forgetting.ask(
                actor=request.user, account=account, lead_id=lead_id, reason=form.cleaned_data["reason"]
            )
        except Conflict as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, _said(asked))
            return redirect("leads:forgettings")
    context = {
        "form": form,
        "lead_id": lead_id,
        "lead_name": desk_selectors.find_name(account, request.user, lead_id),
        "days": settings.FORGET_AFTER_DAYS,
        "waiting": selectors.find_waiting(account, lead_id),
        "mentions": selectors.mentions(account, lead_id),
    }
    return render(request, "leads/forgetting/ask.html", context, status=422 if form.errors else 200)


def _said(asked: Forgetting) -> str:
    if asked.state == Forgetting.State.DONE:
        return f"Lead #{asked.lead_id} is forgotten."
    if asked.waits_for:
        return f"Lead #{asked.lead_id} will be forgotten as soon as this is over: {asked.waits_for}"
    return (
        f"Lead #{asked.lead_id} will be forgotten in {settings.FORGET_AFTER_DAYS} days. Until then take it back here."
    )


@require_POST
@require_perm("lead.forget")
@require_sudo
def take_back(request: StaffRequest, forgetting_id: int) -> HttpResponse:
    asked = selectors.find(desk_for(request.user).account, forgetting_id)
    if asked is None:
        raise Http404
    forgetting.take_back(actor=request.user, asked=asked)
    messages.success(request, f"Lead #{asked.lead_id} stays.")
    return redirect("leads:forgettings")
