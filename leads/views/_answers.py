"""How a view answers after an operation: a toast, and the fresh lead, in place or by a redirect."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django_htmx.http import reswap, trigger_client_event

from accounts.decorators import StaffRequest
from kartra_admin.lib.errors import AppError, BadRequest, Denied
from leads.access import Desk, get_lead_for
from leads.forms.notes import NoteForm
from leads.models import Operation, Outcome
from leads.selectors import events, forgetting, lead_page
from leads.services.outcomes import may_withdraw
from leads.services.undo import may_undo
from leads.summaries import summarise

_LEVELS = {"succeeded": messages.SUCCESS, "failed": messages.ERROR, "neutral": messages.INFO}


def kept_here(desk: Desk, lead_id: str) -> dict[str, object]:
    """What the desk itself keeps of a lead, for its page."""
    return {
        "lead_id": lead_id,
        "moments": events.timeline(desk.account, lead_id, viewer=desk.user),
        "notes": lead_page.list_notes(desk.account, lead_id),
        "note_form": NoteForm(),
        "forgetting": forgetting.find_waiting(desk.account, lead_id),
    }


@contextmanager
def refusals_told(request: HttpRequest) -> Iterator[None]:
    """What is refused in the block leaves it, and is told on the next page; what a role may not do is a page itself."""
    try:
        yield
    except Denied:
        raise
    except AppError as error:
        messages.error(request, error.sentence)


def tell(request: StaffRequest, operation: Operation) -> None:
    """Leave a message for the next page, with links to the operation, and to undo or take it back where one may."""
    summary = summarise(operation)
    is_held = operation.outcome == Outcome.HELD and may_withdraw(request.user, operation)
    act = "withdraw" if is_held else "undo" if may_undo(request.user, operation) else ""
    extra = f"{operation.pk} {act}".strip()
    messages.add_message(request, _LEVELS.get(summary.kind, messages.WARNING), summary.text, extra_tags=extra)


def after_save(request: StaffRequest, operation: Operation) -> HttpResponse:
    """To the lead; to the operation itself where no lead is known of it."""
    tell(request, operation)
    return to_lead(operation)


def to_lead(operation: Operation) -> HttpResponseRedirect:
    if operation.lead_id:
        return redirect("leads:detail", lead_id=operation.lead_id)
    return redirect("leads:operation", operation_id=operation.pk)


def operation_id_of(request: HttpRequest) -> UUID:
    """The id that a button's form was made with. Raises `BadRequest` where there is none."""
    try:
        return UUID(request.POST.get("operation_id", ""))
    except ValueError:
        raise BadRequest("This button is damaged. Nothing was sent: reload the page.") from None


def after_change(request: StaffRequest, desk: Desk, operation: Operation) -> HttpResponse:
    """The lead as it reads now, with a toast that tells what became of the operation."""
    tell(request, operation)
    context = kept_here(desk, operation.lead_id)
    if not request.htmx:
        return redirect("leads:detail", lead_id=operation.lead_id)
    try:
        context |= lead_page.of_lead(desk.account, get_lead_for(desk, operation.lead_id))
    except AppError as error:
        messages.warning(request, f"The lead's current data could not be shown: {error.sentence}")
    answer = render(request, "leads/leads/_changed.html", context)
    return trigger_client_event(answer if "lead" in context else reswap(answer, "none"), "close-dialog")
