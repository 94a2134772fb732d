"""Import a file of leads into the directory: upload, match columns, watch, see what failed."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from accounts.decorators import StaffRequest, asked_by_page, require_perm, require_sudo
from kartra_admin.downloads import as_file
from kartra_admin.lib import spreadsheet
from kartra_admin.lib.errors import AppError, Conflict
from kartra_admin.lib.tables import BadTable
from leads.access import desk_for, get_import_for
from leads.forms.imports import MatchForm, UploadForm
from leads.models import Import
from leads.selectors import imports as selectors
from leads.services.imports import preview, running, staging


@require_http_methods(["GET", "POST"])
@require_perm("directory.import")
def index(request: StaffRequest) -> HttpResponse:
    """The files so far, and a form for another."""
    desk = desk_for(request.user)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            source = staging.stage(actor=request.user, account=desk.account, file=file, file_name=file.name)
        except BadTable as error:
            form.add_error("file", error.sentence)
        else:
            return redirect("leads:import", import_id=source.pk)
    context = {"form": form, "imports": selectors.list_imports(desk.account)}
    return render(request, "leads/imports/list.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@require_perm("directory.import")
def detail(request: StaffRequest, import_id: int) -> HttpResponse:
    """By its state: what its columns are, how far it is, or what became of it. Posted, the preview is made anew."""
    source = get_import_for(desk_for(request.user), import_id)
    if source.state == Import.State.MATCHING:
        form = MatchForm(request.POST if request.method == "POST" else None, source=source)
        form.is_valid()
        return _match(request, source, form, is_preview=True)
    return render(request, "leads/imports/detail.html", {"source": source})


@require_POST
@require_perm("directory.import")
def start(request: StaffRequest, import_id: int) -> HttpResponse:
    source = get_import_for(desk_for(request.user), import_id)
    form = MatchForm(request.POST, source=source)
    if form.is_valid():
        try:
            running.start(
                actor=request.user,
                source=source,
                matched=form.matched(),
                take_good=form.cleaned_data["take"] == "good",
            )
        except Conflict:
            return redirect("leads:import", import_id=source.pk)
        except AppError as error:
            form.add_error(None, error.sentence)
        else:
            return redirect("leads:import", import_id=source.pk)
    return _match(request, source, form)


def _match(request: StaffRequest, source: Import, form: MatchForm, *, is_preview: bool = False) -> HttpResponse:
    rows = preview.first_rows(source)
    context = {
        "source": source,
        "form": form,
        "columns": list(form.columns([row.cells for row in rows])),
        "preview": preview.preview(source, rows, form.matched()),
        "is_preview": is_preview,
    }
    return render(request, "leads/imports/match.html", context, status=200 if is_preview else 422)


@require_POST
@require_perm("directory.import")
def discard(request: StaffRequest, import_id: int) -> HttpResponse:
    source = get_import_for(desk_for(request.user), import_id)
    staging.discard(actor=request.user, source=source)
    messages.success(request, f"{source.file_name} is discarded. Nothing was imported.")
    return redirect("leads:imports")


@asked_by_page
@require_GET
@require_perm("directory.import")
def progress(request: StaffRequest, import_id: int) -> HttpResponse:
    """How far it is, for a page that waits; the page itself is loaded again once it is over."""
    source = get_import_for(desk_for(request.user), import_id)
    if source.is_over:
        return HttpResponseClientRefresh()
    return render(request, "leads/imports/_progress.html", {"source": source})


@require_GET
@require_perm("directory.import")
def failed(request: StaffRequest, import_id: int) -> HttpResponse:
    source = get_import_for(desk_for(request.user), import_id)
    lines = selectors.failed_lines(source, after=request.GET.get("after", ""))
    return render(request, "leads/imports/failed.html", {"source": source, "lines": lines})


@require_GET
@require_perm("directory.import")
@require_sudo
def failed_csv(request: StaffRequest, import_id: int) -> HttpResponse:
    """The lines that failed, each with its reason, to be put right and imported again."""
    source = get_import_for(desk_for(request.user), import_id)
    staging.record_export(actor=request.user, source=source)
    return as_file(f"failed-{source.pk}.csv", spreadsheet.lines(selectors.failed_as_rows(source)))
