"""One's own sessions: which there are, and ending them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.decorators import StaffRequest, require_sign_in, require_sudo
from accounts.services import sessions


@require_GET
@require_sign_in
def index(request: StaffRequest) -> HttpResponse:
    context = {"sessions": sessions.list_of(request.user), "own_key": request.session.session_key}
    return render(request, "accounts/sessions/list.html", context)


@require_POST
@require_sign_in
@require_sudo
def end(request: StaffRequest, session_id: int) -> HttpResponse:
    """Not this very one: that is signing out."""
    if sessions.end(actor=request.user, session_id=session_id, key=request.session.session_key or ""):
        messages.success(request, "Session ended.")
    else:
        messages.info(request, "That session had already ended.")
    return redirect("accounts:sessions")


@require_POST
@require_sign_in
@require_sudo
def end_others(request: StaffRequest) -> HttpResponse:
    count = sessions.end_others(actor=request.user, key=request.session.session_key or "")
    messages.success(request, f"Ended {count} other {'session' if count == 1 else 'sessions'}.")
    return redirect("accounts:sessions")
