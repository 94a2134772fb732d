"""Requests for what is above a limit: for me to decide, made by me, and what became of the earlier ones."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.decorators import StaffRequest, is_confirmed, require_perm, require_sudo
from kartra_admin.lib.errors import AppError
from leads.access import Desk, desk_for, get_approval_for, get_sale_for
from leads.forms.decisions import RequestDecisionForm
from leads.models import Approval
from leads.selectors import approvals as selectors
from leads.services import approvals, limits
from leads.views._answers import refusals_told, tell

_HISTORY = 25
_SAID = {
    Approval.Status.DECLINED: "Declined. Nothing was sent.",
    Approval.Status.COOLING: "Approved. It is sent when the cooling time is over; until then you can take it back.",
}


@require_GET
@require_perm("transaction.refund")
def index(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    context = {
        "to_decide": selectors.list_to_decide(desk.account, request.user),
        "mine": selectors.list_mine(desk.account, request.user),
        "page": selectors.history(desk.account, request.user, cursor=request.GET.get("page", ""), size=_HISTORY),
        "allowance": limits.allowance_of(request.user),
        "is_alone": selectors.is_alone(request.user, desk.account),
    }
    return render(request, "leads/approvals/list.html", context)


@require_GET
@require_perm("transaction.refund")
def detail(request: StaffRequest, approval_id: UUID) -> HttpResponse:
    """What is asked for; with the figures as they read now while it may still be decided."""
    desk = desk_for(request.user)
    return _detail(request, desk, get_approval_for(desk, approval_id), RequestDecisionForm())


def _detail(request: StaffRequest, desk: Desk, approval: Approval, form: RequestDecisionForm) -> HttpResponse:
    now: dict[str, str] = {}
    context = {
        "approval": approval,
        "form": form,
        "others": selectors.others_who_decide(approval.requester, approval.account),
        "is_confirmed": is_confirmed(request),
        "cooling": settings.LONE_APPROVER_COOLING,
        **_may(desk, approval),
    }
    if approval.is_open:
        try:
            sale = get_sale_for(desk, approval.lead_id, approval.change.subject)
        except AppError as error:
            context["unread"] = error.sentence
        else:
            now = sale.figures
            context |= {"now": now, "has_changed": sale.digest != approval.figures_digest}
    then = approval.figures
    context["figures"] = [{"label": label, "then": then[label], "now": now.get(label, "")} for label in then]
    return render(request, "leads/approvals/detail.html", context, status=422 if form.errors else 200)


def _may(desk: Desk, approval: Approval) -> dict[str, bool]:
    """What this person may do with the request as it stands; the service decides."""
    own = approval.requester_id == desk.user.pk
    if not approval.is_open or not desk.user.has_permission("approval.decide"):
        return {"can_decide": False, "can_approve": False}
    is_waiting = approval.status == Approval.Status.WAITING
    if own:
        return dict.fromkeys(("can_decide", "can_approve"), is_waiting and selectors.is_alone(desk.user, desk.account))
    return {"can_decide": True, "can_approve": is_waiting}


@require_POST
@require_perm("approval.decide")
@require_sudo
def decide(request: StaffRequest, approval_id: UUID) -> HttpResponse:
    """Approve, or decline with a note."""
    desk = desk_for(request.user)
    approval = get_approval_for(desk, approval_id)
    form = RequestDecisionForm(request.POST)
    if not form.is_valid():
        return _detail(request, desk, approval, form)
    decide_so = approvals.approve if form.cleaned_data["do"] == "approve" else approvals.decline
    with refusals_told(request):
        done = decide_so(
            actor=request.user, connection=desk.connection, approval=approval, note=form.cleaned_data["note"]
        )
        if isinstance(done, Approval):
            messages.success(request, _SAID[Approval.Status(done.status)])
        else:
            tell(request, done)
    return redirect("leads:approval", approval_id=approval.pk)


@require_POST
@require_perm("transaction.refund")
def withdraw(request: StaffRequest, approval_id: UUID) -> HttpResponse:
    approval = get_approval_for(desk_for(request.user), approval_id)
    with refusals_told(request):
        approvals.withdraw(actor=request.user, approval=approval)
        messages.success(request, "Taken back. Nothing was sent.")
    return redirect("leads:approval", approval_id=approval.pk)
