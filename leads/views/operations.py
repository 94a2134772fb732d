"""One operation: what was asked, what came of it, undo, and settling what is in doubt."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from accounts.decorators import StaffRequest, asked_by_page, require_perm, require_sudo
from accounts.selectors.audit import list_for_operation
from leads.access import desk_for, get_operation_for
from leads.forms.decisions import OutcomeForm
from leads.models import Operation, Outcome
from leads.selectors import jobs
from leads.services import outcomes, settling
from leads.services.undo import may_undo, undo_operation
from leads.views._answers import operation_id_of, refusals_told, tell, to_lead
from leads.views._money import after_money


@require_GET
@require_perm("lead.view")
def detail(request: StaffRequest, operation_id: UUID) -> HttpResponse:
    operation = get_operation_for(desk_for(request.user), operation_id)
    return _page(request, operation, OutcomeForm())


def _page(request: StaffRequest, operation: Operation, form: OutcomeForm) -> HttpResponse:
    story = list_for_operation(operation.pk) if operation.is_money else ()
    context = {
        "operation": operation,
        "form": form,
        "job": jobs.of_operation(operation),
        "may_decide": outcomes.may_decide(request.user, operation),
        "undoable": [step for step in operation.steps_to_undo if may_undo(request.user, operation, step)],
        "story": story,
        "to_read": settings.SETTLE_READINGS,
        "unread": sum(entry.outcome == "unread" for entry in story),
    }
    return render(request, "leads/operations/detail.html", context, status=422 if form.errors else 200)


@asked_by_page
@require_GET
@require_perm("lead.view")
def status(request: StaffRequest, operation_id: UUID) -> HttpResponse:
    """Where it is, for a page that waits. ``was`` is what that page shows: once it is another, the page reads anew."""
    operation = get_operation_for(desk_for(request.user), operation_id)
    has_moved = request.GET.get("was") != operation.outcome
    if has_moved and operation.outcome != Outcome.PENDING:
        tell(request, operation)
    answer = render(request, "leads/operations/_status.html", {"operation": operation, "is_last": has_moved})
    return trigger_client_event(answer, "money-changed") if has_moved else answer


@require_POST
@require_perm("lead.view")
def withdraw(request: StaffRequest, operation_id: UUID) -> HttpResponse:
    """Take back what is still held. The service decides whether this person may."""
    operation = get_operation_for(desk_for(request.user), operation_id)
    return after_money(request, outcomes.withdraw(actor=request.user, operation=operation))


@require_POST
@require_perm("lead.view")
def undo(request: StaffRequest, operation_id: UUID, position: int | None = None) -> HttpResponse:
    """Take an operation back, or one change of it, then show the lead. The service decides whether this person may."""
    desk = desk_for(request.user)
    operation = get_operation_for(desk, operation_id)
    own_id = operation_id_of(request)
    with refusals_told(request):
        undone = undo_operation(
            actor=request.user,
            connection=desk.connection,
            operation=operation,
            operation_id=own_id,
            position=position,
        )
        tell(request, undone)
    answer = to_lead(operation)
    return HttpResponseClientRedirect(answer.url) if request.htmx else answer


@require_POST
@require_perm("operation.settle")
def settle(request: StaffRequest, operation_id: UUID) -> HttpResponse:
    """Read now, and settle what the reading proves."""
    desk = desk_for(request.user)
    operation = get_operation_for(desk, operation_id)
    operation = settling.settle(operation, connection=desk.connection, actor=request.user)
    if operation.is_settled:
        tell(request, operation)
    elif operation.outcome == Outcome.PENDING:
        messages.warning(request, "This is still being sent. Check again in five minutes.")
    else:
        messages.warning(request, "The reading does not prove it either way. Check again later, or decide yourself.")
    return redirect("leads:operation", operation_id=operation.pk)


@require_POST
@require_perm("operation.settle")
@require_sudo
def decide(request: StaffRequest, operation_id: UUID) -> HttpResponse:
    """A person says what became of it, with a reason, on the record."""
    desk = desk_for(request.user)
    operation = get_operation_for(desk, operation_id)
    form = OutcomeForm(request.POST)
    if not form.is_valid():
        return _page(request, operation, form)
    with refusals_told(request):
        outcomes.decide(
            operation=operation,
            actor=request.user,
            connection=desk.connection,
            happened=form.cleaned_data["happened"] == "yes",
            reason=form.cleaned_data["reason"],
        )
        messages.success(request, "Settled, with your name and reason in the log.")
    return redirect("leads:operation", operation_id=operation.pk)
