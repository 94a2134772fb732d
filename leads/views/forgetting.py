"""People who are to be forgotten: asking for it, taking it back, and what waits."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.decorators import StaffRequest, require_perm, require_sudo
from accounts.models import Account
from kartra_admin.lib.errors import Conflict
from leads.access import desk_for, get_object_or_404
from leads.forms.forgetting import ForgetForm
from leads.models import Entry, Forgetting
from leads.selectors import forgetting as selectors
from leads.selectors import lead_page
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
    name = lead_page.find_name(account, request.user, lead_id)
    return _ask(request, account, lead_id, name, reverse("leads:detail", args=[lead_id]))


@require_http_methods(["GET", "POST"])
@require_perm("lead.forget")
@require_sudo
def ask_imported(request: StaffRequest, imported_id: int) -> HttpResponse:
    """The same of somebody who is known by email alone; by now perhaps by a number, too."""
    desk = desk_for(request.user)
    entry = get_object_or_404(desk, Entry, pk=imported_id)
    if entry.lead_id:
        return redirect("leads:forget", lead_id=entry.lead_id)
    return _ask(request, desk.account, entry.handle, str(entry), reverse("leads:directory"))


def _ask(request: StaffRequest, account: Account, lead_id: str, name: str, back: str) -> HttpResponse:
    form = ForgetForm(request.POST if request.method == "POST" else None)
    person = selectors.person_of(account, lead_id)
    elsewhere = selectors.find_elsewhere(person)
    if form.is_valid():
        whom = [selectors.Known(account, lead_id), *(elsewhere if form.cleaned_data["elsewhere"] else [])]
        try:
            asked = forgetting.ask(actor=request.user, whom=whom, reason=form.cleaned_data["reason"])
        except Conflict as error:
            form.add_error(None, error.sentence)
        else:
            _tell(request, asked, [known for known in elsewhere if known not in whom])
            return redirect("leads:forgettings")
    context = {
        "form": form,
        "lead_name": name,
        "number": f"#{lead_id}" if lead_id.isdecimal() else "",
        "back": back,
        "days": settings.FORGET_AFTER_DAYS,
        "waiting": selectors.find_waiting(account, lead_id),
        "mentions": selectors.mentions(person),
        "elsewhere": elsewhere,
    }
    return render(request, "leads/forgetting/ask.html", context, status=422 if form.errors else 200)


def _tell(request: StaffRequest, asked: list[Forgetting], left_out: list[selectors.Known]) -> None:
    here, *there = asked
    messages.success(request, _said(here))
    for other in there:
        messages.success(request, _said_of_another_account(other))
    for known in left_out:
        messages.warning(request, f"This email can still be found through {known.account}: {known.called}.")


def _said_of_another_account(asked: Forgetting) -> str:
    """Without what it waits for: that is for who works there."""
    who = f"{asked.called} of {asked.account}"
    if asked.state == Forgetting.State.DONE:
        return f"{who} is forgotten."
    if asked.waits_for:
        return f"{who} will be forgotten as soon as something there is finished."
    return f"{who} will be forgotten in {settings.FORGET_AFTER_DAYS} days. Until then an admin there can take it back."


def _said(asked: Forgetting) -> str:
    if asked.state == Forgetting.State.DONE:
        return f"{asked.called} is forgotten."
    if asked.waits_for:
        return f"{asked.called} will be forgotten as soon as this is finished: {asked.waits_for}"
    return (
        f"{asked.called} will be forgotten in {settings.FORGET_AFTER_DAYS} days. Until then you can take it back here."
    )


@require_POST
@require_perm("lead.forget")
@require_sudo
def withdraw(request: StaffRequest, forgetting_id: int) -> HttpResponse:
    asked = get_object_or_404(desk_for(request.user), Forgetting, pk=forgetting_id)
    forgetting.withdraw(actor=request.user, asked=asked)
    messages.success(request, f"{asked.called} will not be forgotten.")
    return redirect("leads:forgettings")
