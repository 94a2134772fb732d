"""Kartra's events: the address to paste there, what came, and whether an open lead has changed meanwhile."""

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.decorators import StaffRequest, asked_by_page, require_perm, require_sudo
from kartra_admin.lib.errors import BadRequest
from kartra_admin.lib.pagination import urls_beside
from leads.access import desk_for, get_object_or_404
from leads.forms.inbound import KeyForm
from leads.models import Event, Hook
from leads.selectors import events as selectors
from leads.services import events as services


@require_GET
@require_perm("hook.manage")
def index(request: StaffRequest) -> HttpResponse:
    """What came and what was dropped."""
    account = desk_for(request.user).account
    hook, page = selectors.hook_of(account), selectors.event_page(account, cursor=request.GET.get("cursor", ""))
    context = {
        "hook": hook,
        "not_kept": services.not_kept(hook) if hook else {},
        "page": page,
        "kinds": selectors.list_kinds(account),
        "days": settings.EVENT_DAYS,
        **urls_beside(page, reverse("leads:events")),
    }
    return render(request, "leads/events/list.html", context)


@require_GET
@require_perm("hook.manage")
@require_sudo
def detail(request: StaffRequest, event_id: int) -> HttpResponse:
    """One post as it came, without its key."""
    event = get_object_or_404(desk_for(request.user), Event, pk=event_id)
    return render(request, "leads/events/detail.html", {"event": event, "body": services.body_of(event)})


@require_http_methods(["GET", "POST"])
@require_perm("hook.manage")
@require_sudo
def address(request: StaffRequest) -> HttpResponse:
    """The secret address with what to do in Kartra; posted, a new one takes its place."""
    account = desk_for(request.user).account
    if request.method == "POST":
        services.make_hook(actor=request.user, account=account)
        messages.success(request, "This is the new address. Paste it in Kartra: the old address no longer works.")
        return redirect("leads:hook")
    hook = selectors.hook_of(account)
    return _address_page(request, hook, KeyForm())


@sensitive_post_parameters("key")
@require_POST
@require_perm("hook.manage")
@require_sudo
def key(request: StaffRequest) -> HttpResponse:
    """Set or remove the key that payment notifications must carry."""
    hook = get_object_or_404(desk_for(request.user), Hook)
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _address_page(request, hook, form)
    typed = form.cleaned_data["key"]
    services.set_key(actor=request.user, hook=hook, key=typed)
    messages.success(request, "The key is set." if typed else "Payment notifications no longer need a key.")
    return redirect("leads:hook")


@asked_by_page
@require_GET
@require_perm("lead.view")
def changed(request: StaffRequest, lead_id: str) -> HttpResponse:
    """A notice, where a reading has found something new since the page was made; else 204. Asked by an open page."""
    try:
        since = datetime.fromisoformat(request.GET.get("since", "")[:40])
    except ValueError:
        since = None
    if since is None or since.tzinfo is None:
        raise BadRequest("This page does not say when it was read. Reload it.")
    if not selectors.has_changed(desk_for(request.user).account, lead_id, since):
        return HttpResponse(status=204)
    return render(request, "leads/leads/_stale.html", {"lead_id": lead_id})


def _address_page(request: StaffRequest, hook: Hook | None, form: KeyForm) -> HttpResponse:
    url = _address_of(hook) if hook else ""
    context = {"hook": hook, "address": url, "by_hand": services.by_hand(url), "form": form}
    return render(request, "leads/events/address.html", context, status=422 if form.errors else 200)


def _address_of(hook: Hook) -> str:
    return f"{settings.SITE_URL.rstrip('/')}{reverse('leads:hook-post', args=[services.secret_of(hook)])}"
