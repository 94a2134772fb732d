"""The account's own words: tags, lists, sequences, pages, fields."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.decorators import StaffRequest, require_perm
from kartra_admin.lib.errors import AppError, FormReused
from leads.access import desk_for
from leads.forms.catalogues import FieldForm
from leads.models import Outcome
from leads.selectors.catalogues import for_account
from leads.services.catalogues import create_field as create_custom_field
from leads.services.catalogues import refresh_catalogues
from leads.summaries import summarise
from leads.views._answers import tell, to_lead


@require_GET
@require_perm("lead.view")
def index(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    return render(request, "leads/catalogues/list.html", {"catalogues": for_account(desk.account)})


@require_POST
@require_perm("catalogue.refresh")
def refresh(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    failures = refresh_catalogues(actor=request.user, connection=desk.connection)
    for kind, sentence in failures.items():
        messages.error(request, f"The {kind} could not be read, so the old ones stay. {sentence}")
    if not failures:
        messages.success(request, "Tags, lists, sequences, pages and fields refreshed from Kartra.")
    return redirect("leads:catalogues")


@require_http_methods(["GET", "POST"])
@require_perm("field.create")
def create_field(request: StaffRequest) -> HttpResponse:
    """Make a custom field for the whole account."""
    desk = desk_for(request.user)
    form = FieldForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            operation = create_custom_field(actor=request.user, connection=desk.connection, **form.cleaned_data)
        except FormReused as error:
            form.refuse(error.sentence)
        except AppError as error:
            form.add_error(None, error.sentence)
        else:
            if operation.is_refused:
                form.refuse(summarise(operation).text)
            else:
                tell(request, operation)
                is_done = operation.outcome == Outcome.SUCCEEDED
                return redirect("leads:catalogues") if is_done else to_lead(operation)
    return render(request, "leads/catalogues/create_field.html", {"form": form}, status=422 if form.errors else 200)
