"""The directory: everybody the desk has met, filtered, in order, kept as views, exported."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import replace_url

from accounts.decorators import StaffRequest, require_perm, require_sudo
from kartra_admin.downloads import as_file
from kartra_admin.lib import spreadsheet
from kartra_admin.lib.errors import BadRequest
from kartra_admin.lib.htmx import is_fragment
from kartra_admin.lib.pagination import urls_beside
from leads.access import desk_for, get_saved_view_for
from leads.forms.directory import COLUMNS, DirectoryForm, SavedViewForm, describe
from leads.selectors import directory
from leads.services import directory_views

_OF_MARKS = {"tags", "lists", "sequences", "memberships", "products"}


@dataclass(frozen=True)
class Column:
    key: str
    label: str


@require_GET
@require_perm("lead.view")
def index(request: StaffRequest) -> HttpResponse:
    """Filters that cannot be used say why above an empty list."""
    desk = desk_for(request.user)
    is_table = is_fragment(request.htmx)  # which shows no choices
    form = DirectoryForm(request.GET, names=None if is_table else directory.mark_names(desk.account))
    if not form.is_valid():
        return render(request, "leads/directory/list.html", {"form": form}, status=400)
    shown, query = form.shown(), form.query()
    cursor = request.GET.get("cursor", "")
    found = directory.listing(desk.account, form.filters(), cursor=cursor, marks=bool(_OF_MARKS & {*shown}))
    context = {
        "form": form,
        "found": found,
        "query": query,
        "columns": [Column(key, COLUMNS[key]) for key in shown],
        **urls_beside(found.page, reverse("leads:directory"), query),
        "counted": directory.COUNTED,
        "best": directory.BEST,
        "views": directory.list_views(desk.account, desk.user),
        "view_form": SavedViewForm(initial={"query": query}),
    }
    if is_table:
        answer = render(request, "leads/directory/list.html#table", context)
        return replace_url(answer, f"{reverse('leads:directory')}{f'?{query}' if query else ''}")
    return render(request, "leads/directory/list.html", context)


@require_GET
@require_perm("directory.export")
@require_sudo
def export(request: StaffRequest) -> HttpResponse:
    """Everybody of the view as CSV, row by row."""
    account = desk_for(request.user).account
    form = DirectoryForm(request.GET)
    if not form.is_valid():
        raise BadRequest("These filters cannot be used, so nothing was exported. Start from the directory.")
    rows = directory_views.export(actor=request.user, account=account, filters=form.filters(), described=describe(form))
    return as_file(f"directory-{timezone.localdate():%Y-%m-%d}.csv", spreadsheet.lines(rows))


@require_POST
@require_perm("lead.view")
def save_view(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    form = SavedViewForm(request.POST)
    if not form.is_valid():
        raise BadRequest("The view was not saved. It needs a name of at most 80 characters.")
    view = directory_views.save_view(actor=desk.user, account=desk.account, **form.cleaned_data)
    messages.success(request, f"View {view.name} saved.")
    return redirect(f"{reverse('leads:directory')}?{view.query}")


@require_POST
@require_perm("lead.view")
def delete_view(request: StaffRequest, view_id: int) -> HttpResponse:
    view = get_saved_view_for(desk_for(request.user), view_id)
    directory_views.delete_view(actor=request.user, view=view)
    messages.success(request, f"View {view.name} deleted.")
    return redirect("leads:directory")
