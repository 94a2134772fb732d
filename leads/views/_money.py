"""How the money views show their dialogs, and what they answer once something was confirmed."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django_htmx.http import trigger_client_event

from accounts.decorators import StaffRequest
from leads.models import Approval, Operation
from leads.selectors import approvals
from leads.summaries import can_still_be_withdrawn
from leads.views._answers import tell


def dialog(request: StaffRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """A form in the dialog, or on a page of its own."""
    form = context.get("form")
    status = 422 if form is not None and form.errors else 200
    context = {**context, "dialog": template, "withdrawing": can_still_be_withdrawn()}
    return render(request, template if request.htmx else "leads/transactions/dialog.html", context, status=status)


def after_money(request: StaffRequest, *operations: Operation) -> HttpResponse:
    """Tell what becomes of each, close the dialog, and let what shows money read it again."""
    for operation in operations:
        tell(request, operation)
    if not request.htmx:
        return to_subject(operations[0])
    answer = render(request, "leads/transactions/_told.html")
    return trigger_client_event(trigger_client_event(answer, "close-dialog"), "money-changed")


def to_subject(operation: Operation) -> HttpResponse:
    """The page of the transaction or subscription that it was about."""
    step = operation.steps.all()[0]
    noun = step.kind.partition(".")[0]
    return redirect(f"leads:{noun}", operation.lead_id, step.subject)


def after_request(request: StaffRequest, request_made: Approval) -> HttpResponse:
    """Say that approval was asked for, and from whom."""
    context = {
        "approval": request_made,
        "approvers": approvals.others_who_decide(request_made.requester, request_made.account),
    }
    if not request.htmx:
        messages.info(request, "Asked for approval. Nothing was sent yet.")
        return redirect("leads:transaction", request_made.lead_id, request_made.change.subject)
    return dialog(request, "leads/transactions/_requested.html", context)
