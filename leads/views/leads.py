"""Find, see, create and edit a lead."""

from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import reswap, retarget

from accounts.decorators import StaffRequest, require_perm
from accounts.services import access
from kartra_admin.lib.errors import AppError, FormReused
from kartra_admin.lib.htmx import is_fragment
from leads.access import (
    Absent,
    Desk,
    desk_for,
    find_lead_for,
    get_lead_for,
    get_money_for,
    get_object_or_404,
    look_up_lead_for,
)
from leads.forms.cards import CARD_FORMS, CardForm
from leads.forms.lead import LeadForm
from leads.forms.notes import NoteForm
from leads.models import Note, Operation, Outcome, Recent
from leads.selectors import events, forgetting, lead_page, money_rows, operations, search
from leads.selectors.catalogues import for_account
from leads.selectors.money import arrange
from leads.services import changes
from leads.services import leads as lead_services
from leads.services import notes as note_services
from leads.services.catalogues import fields_for_editing
from leads.services.leads import EditConflict, LeadExists
from leads.summaries import summarise
from leads.views._answers import after_change, after_save, kept_here

if TYPE_CHECKING:
    from leads.providers.base import Lead

_FOUND = 20  # on the page; the list below a box shows fewer


@require_GET
@require_perm("lead.view")
def find(request: StaffRequest) -> HttpResponse:
    """Who is meant, as found in the directory; one exact email or id goes to the lead, which is read from Kartra.

    The search boxes ask here while somebody types; those answers never ask Kartra.
    """
    desk = desk_for(request.user)
    query = request.GET.get("q", "")[:1000].strip()
    if is_fragment(request.htmx):
        context = {"found": search.find(desk.account, query), "box": "palette"}
        template = "_options" if "palette" in request.GET else "_hits"
        return render(request, f"leads/directory/{template}.html", context)
    found = search.find(desk.account, query, wanted=_FOUND)
    ref = found.query.ref
    if ref is None or found.names_a_payment:
        context = {"query": query, "found": found, "is_missing": bool(query), "recents": _recents(desk)}
        return render(request, "leads/leads/find.html", context)
    # An id needs no search, reading the lead finds out whether there is one; but digits may be a phone's.
    is_phone = bool(ref.id and found.hits and found.asks_kartra)
    lead_id = find_lead_for(desk, ref) if ref.email or is_phone else ref.id
    if isinstance(lead_id, Absent):
        return _missing(request, desk, lead_id, {"id": ref.id, "email": ref.email}, found)
    return redirect("leads:detail", lead_id=lead_id)


def _missing(
    request: StaffRequest, desk: Desk, why: Absent, ref: dict[str, str], found: search.Found | None = None
) -> HttpResponse:
    """Say what was looked for, and whether it ever was there; offer what may help: the people of whom it is a part."""
    context = {
        "query": request.GET.get("q", ref["id"])[:1000].strip(),
        "ref": ref,
        "found": found,
        "is_missing": True,
        "is_deleted": why is Absent.DELETED,
        "recents": _recents(desk),
        "imported": forgetting.find_imported(desk.account, ref.get("email", "")),
        "is_kept_here": bool(ref.get("id")) and forgetting.is_known(desk.account, ref["id"]),
    }
    return render(request, "leads/leads/find.html", context, status=200 if found and found.hits else 404)


def _recents(desk: Desk) -> QuerySet[Recent]:
    return lead_page.list_recents(desk.account, desk.user)


@require_GET
@require_perm("lead.view")
def detail(request: StaffRequest, lead_id: str) -> HttpResponse:
    """One lead, read now: one call. Money loads beside it."""
    desk = desk_for(request.user)
    lead = look_up_lead_for(desk, lead_id)
    if isinstance(lead, Absent):
        return _missing(request, desk, lead, {"id": lead_id})
    lead_services.record_view(actor=request.user, account=desk.account, lead=lead)
    return render(request, "leads/leads/detail.html", lead_page.of_lead(desk.account, lead) | kept_here(desk, lead_id))


@require_GET
@require_perm("money.view")
def money(request: StaffRequest, lead_id: str) -> HttpResponse:
    """Transactions and subscriptions: two calls. As a card for HTMX, else as a page."""
    desk = desk_for(request.user)
    reading = get_money_for(desk, lead_id)
    found = money_rows.of_money(arrange(reading), account=desk.account, lead_id=lead_id, user=request.user)
    is_page = not request.htmx or "page" in request.GET
    context = {
        "lead_id": lead_id,
        "money": reading,
        "standing": found,
        "is_page": is_page,
        "read_at": timezone.now(),
    }
    if request.htmx:
        return render(request, "leads/leads/_money.html", context)
    context["lead_name"] = lead_page.find_name(desk.account, request.user, lead_id)
    return render(request, "leads/leads/money.html", context)


@require_GET
@require_perm("lead.view")
def activity(request: StaffRequest, lead_id: str) -> HttpResponse:
    desk = desk_for(request.user)
    lead_services.record_visit(actor=request.user, account=desk.account, lead_id=lead_id)
    context = {
        "lead_id": lead_id,
        "lead_name": lead_page.find_name(desk.account, request.user, lead_id),
        "moments": events.timeline(desk.account, lead_id, viewer=desk.user, limit=operations.SHOWN_AT_MOST),
        "limit": operations.SHOWN_AT_MOST,
    }
    if request.htmx:  # the card alone, after money was moved on the lead's page
        context["moments"] = events.timeline(desk.account, lead_id, viewer=desk.user)
        return render(request, "leads/leads/_activity.html", context)
    return render(request, "leads/leads/activity.html", context)


@require_http_methods(["GET", "POST"])
@require_perm("lead.create")
def create(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    catalogues = for_account(desk.account)
    form = LeadForm(
        request.POST if request.method == "POST" else None,
        catalogues=catalogues,
        email=request.GET.get("email", "")[:320],
    )
    if form.is_valid():
        try:
            operation = _create(desk, form)
        except LeadExists as error:
            form.add_error("email", error.sentence)
            return render(request, "leads/leads/create.html", {"form": form, "existing": error.lead}, status=409)
        except FormReused as error:
            form.refuse(error.sentence)
        except AppError as error:
            form.add_error(None, error.sentence)
        else:
            if not operation.is_refused:
                return after_save(request, operation)
            form.refuse(summarise(operation).text)
    return render(request, "leads/leads/create.html", {"form": form}, status=422 if form.errors else 200)


def _create(desk: Desk, form: LeadForm) -> Operation:
    wanted = form.wanted()
    return lead_services.create_lead(
        actor=desk.user,
        connection=desk.connection,
        email=wanted.email,
        profile={key: value for key, value in wanted.profile.items() if value},
        custom_fields=wanted.custom_fields,
        also=form.first_changes(),
        operation_id=form.cleaned_data["operation_id"],
    )


@require_http_methods(["GET", "POST"])
@require_perm("lead.edit")
def edit(request: StaffRequest, lead_id: str) -> HttpResponse:
    """Edit everything at once; one save is one call."""
    desk = desk_for(request.user)
    lead = get_lead_for(desk, lead_id)
    lead_services.record_visit(actor=request.user, account=desk.account, lead_id=lead_id)
    catalogues = fields_for_editing(desk.connection)
    form = LeadForm(request.POST if request.method == "POST" else None, catalogues=catalogues, lead=lead)
    if form.is_valid():
        try:
            operation = _edit(desk, lead, form)
        except EditConflict as error:
            form.refuse_stale(error.sentence, lead, error.clashes)
        except FormReused as error:
            form.refuse_stale(error.sentence, lead)
        except AppError as error:
            form.add_error(None, error.sentence)
        else:
            if operation.outcome != Outcome.FAILED:
                return after_save(request, operation)
            form.refuse(summarise(operation).text)
    context = {"form": form, "lead": lead, "catalogues": catalogues}
    return render(request, "leads/leads/edit.html", context, status=422 if form.errors else 200)


def _edit(desk: Desk, lead: "Lead", form: LeadForm) -> Operation:
    return lead_services.edit_lead(
        actor=desk.user,
        connection=desk.connection,
        lead=lead,
        seen=form.cleaned_data["seen"],
        wanted=form.wanted(),
        also=form.sequence_changes(),
        operation_id=form.cleaned_data["operation_id"],
    )


@require_http_methods(["GET", "POST"])
@require_perm("lead.view")
def change(request: StaffRequest, lead_id: str, card: str) -> HttpResponse:
    """A small form on one of the lead's cards, in the dialog or as a page."""
    if card not in CARD_FORMS:
        raise Http404
    access.require(request.user, CARD_FORMS[card].permission)
    desk = desk_for(request.user)
    form = CARD_FORMS[card](request.POST if request.method == "POST" else None, catalogues=for_account(desk.account))
    operation = _change(desk, lead_id, form) if form.is_valid() else None
    if operation is None:
        name = lead_page.find_name(desk.account, request.user, lead_id)
        context = {"form": form, "card": card, "lead_id": lead_id, "lead_name": name}
        template = "leads/leads/_card_form.html" if request.htmx else "leads/leads/card_form.html"
        response = render(request, template, context, status=422 if form.errors else 200)
        return reswap(retarget(response, "#dialog-body"), "innerHTML")
    return after_change(request, desk, operation)


def _change(desk: Desk, lead_id: str, form: CardForm) -> Operation | None:
    """The operation, or None where the form is to be shown again: nothing of it was done, and something was typed."""
    try:
        operation = changes.change_lead(
            actor=desk.user,
            connection=desk.connection,
            lead_id=lead_id,
            changes=form.changes(),
            operation_id=form.cleaned_data["operation_id"],
        )
    except FormReused as error:
        form.refuse(error.sentence)
        return None
    if operation.is_refused and not form.cleaned_data["remove"]:
        form.refuse(summarise(operation).text)
        return None
    return operation


@require_POST
@require_perm("note.write")
def notes(request: StaffRequest, lead_id: str) -> HttpResponse:
    """Write a note, or delete one's own."""
    desk = desk_for(request.user)
    form = NoteForm(request.POST)
    if request.POST.get("delete", "").isdecimal():
        note = get_object_or_404(desk, Note, lead_id=lead_id, pk=int(request.POST["delete"][:18]))
        note_services.delete_note(actor=request.user, note=note)
        form = NoteForm()
    elif form.is_valid():
        label = lead_page.find_label(desk.account, request.user, lead_id)
        if not label and isinstance(lead := look_up_lead_for(desk, lead_id), Absent):
            return _missing(request, desk, lead, {"id": lead_id})
        note_services.add_note(
            actor=request.user, account=desk.account, lead_id=lead_id, lead_label=label, text=form.cleaned_data["text"]
        )
        form = NoteForm()
    status = 422 if form.is_bound else 200
    if not request.htmx and not form.is_bound:
        return redirect("leads:detail", lead_id=lead_id)
    context = {**kept_here(desk, lead_id), "note_form": form}
    return render(
        request, "leads/leads/_notes.html" if request.htmx else "leads/leads/notes.html", context, status=status
    )
