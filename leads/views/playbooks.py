"""Playbooks: an admin composes them, staff run them from the lead page after one preview, and resume what stopped."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from accounts.decorators import StaffRequest, asked_by_page, require_perm, require_sudo
from kartra_admin.lib.errors import AppError, Denied
from leads.access import Desk, desk_for, get_object_or_404, get_run_for
from leads.forms.playbooks import CloseForm, PlaybookForm, RunForm, seen_of
from leads.models import Playbook, PlaybookRun
from leads.selectors import playbooks as selectors
from leads.selectors.catalogues import for_account
from leads.services import playbooks as services
from leads.services import runs
from leads.services.playbook_preview import preview_playbook
from leads.summaries import can_still_be_withdrawn
from leads.views._answers import operation_id_of, refusals_told


@require_GET
@require_perm("playbook.run")
def index(request: StaffRequest) -> HttpResponse:
    """The account's playbooks, and the runs that are not over."""
    account = desk_for(request.user).account
    context = {"playbooks": selectors.list_playbooks(account), "unfinished": selectors.list_unfinished(account)}
    return render(request, "leads/playbooks/list.html", context)


@require_http_methods(["GET", "POST"])
@require_perm("playbook.manage")
def create(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    return _edit(request, desk, Playbook(account=desk.account))


@require_http_methods(["GET", "POST"])
@require_perm("playbook.manage")
def edit(request: StaffRequest, playbook_id: int) -> HttpResponse:
    desk = desk_for(request.user)
    return _edit(request, desk, get_object_or_404(desk, Playbook, pk=playbook_id))


def _edit(request: StaffRequest, desk: Desk, playbook: Playbook) -> HttpResponse:
    catalogues = for_account(desk.account)
    form = PlaybookForm(request.POST if request.method == "POST" else None, catalogues=catalogues, instance=playbook)
    is_moving = "up" in request.POST
    if is_moving:
        form.move_up(request.POST["up"])
    elif form.is_valid():
        services.save_playbook(actor=request.user, playbook=form.save(commit=False))
        messages.success(request, f"Playbook {playbook.name} saved.")
        return redirect("leads:playbooks")
    context = {"form": form, "playbook": playbook, "catalogues": catalogues, "is_moving": is_moving}
    status = 422 if not is_moving and form.errors else 200
    return render(request, "leads/playbooks/edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
@require_perm("playbook.manage")
def delete(request: StaffRequest, playbook_id: int) -> HttpResponse:
    """Ask first, then delete. Runs that have begun keep their steps."""
    playbook = get_object_or_404(desk_for(request.user), Playbook, pk=playbook_id)
    if request.method == "POST":
        services.delete_playbook(actor=request.user, playbook=playbook)
        messages.success(request, f"Playbook {playbook.name} deleted.")
        return redirect("leads:playbooks")
    return render(request, "leads/playbooks/delete.html", {"playbook": playbook})


@require_http_methods(["GET", "POST"])
@require_perm("playbook.run")
@require_sudo
def run(request: StaffRequest, lead_id: str, playbook_id: int) -> HttpResponse:
    """The preview of all steps, read now; posted, it starts the run, which can be taken back for a while."""
    desk = desk_for(request.user)
    playbook = get_object_or_404(desk, Playbook, pk=playbook_id)
    if request.method == "POST":
        form = RunForm(request.POST, playbook=playbook, lead_id=lead_id, chosen=request.POST.get("chosen", "")[:64])
        started = _start(desk, playbook, lead_id, form) if form.is_valid() else None
        if started:
            if started.is_withdrawn:  # by Back, and the button again
                messages.info(request, "This run was taken back, and nothing was started. To run it, begin anew.")
            return redirect("leads:playbook-progress", run_id=started.pk)
        return _preview(request, desk, playbook, lead_id, form)
    return _preview(request, desk, playbook, lead_id)


def _start(desk: Desk, playbook: Playbook, lead_id: str, form: RunForm) -> PlaybookRun | None:
    """The run, or None where the preview is to be shown again: nothing was sent."""
    try:
        return runs.start_playbook(
            actor=desk.user,
            connection=desk.connection,
            playbook=playbook,
            lead_id=lead_id,
            chosen=form.cleaned_data["chosen"],
            terms=form.terms,
            run_id=form.cleaned_data["operation_id"],
        )
    except Denied:
        raise
    except AppError as error:
        form.refuse(error.sentence)
        return None


def _preview(
    request: StaffRequest, desk: Desk, playbook: Playbook, lead_id: str, form: RunForm | None = None
) -> HttpResponse:
    """``form`` is one that was posted and refused: beside it stands what has changed since it was shown."""
    wanted = form["chosen"].value() if form else request.GET.get("of", "")
    preview = preview_playbook(
        actor=desk.user, connection=desk.connection, playbook=playbook, lead_id=lead_id, chosen=str(wanted or "")[:64]
    )
    now = seen_of(preview)
    seen = form.cleaned_data.get("seen") if form else None
    changed = seen.differences(now) if seen else []
    status = 422 if form else 200
    form = form or RunForm(playbook=playbook, lead_id=lead_id, chosen=preview.chosen)
    form.show(now)
    context = {
        "form": form,
        "preview": preview,
        "playbook": playbook,
        "lead": preview.lead,
        "changed": changed,
        "withdrawing": can_still_be_withdrawn(),
    }
    template = "leads/playbooks/_run.html" if request.htmx else "leads/playbooks/run.html"
    return render(request, template, context, status=status)


@require_GET
@require_perm("lead.view")
def progress(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """Each step of a run with its outcome, and how to go on."""
    return _progress(request, get_run_for(desk_for(request.user), run_id), CloseForm())


def _progress(request: StaffRequest, found: PlaybookRun, form: CloseForm) -> HttpResponse:
    context = {"progress": selectors.progress_of(found), "form": form}
    return render(request, "leads/playbooks/progress.html", context, status=422 if form.errors else 200)


@asked_by_page
@require_GET
@require_perm("lead.view")
def status(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """For a page that waits for a run to begin, or to go on. ``was`` marks what that page shows: once it is another,
    the page reads anew."""
    found = selectors.progress_of(get_run_for(desk_for(request.user), run_id))
    if request.GET.get("was") == found.mark:
        return render(request, "leads/playbooks/_status.html", {"progress": found})
    return trigger_client_event(HttpResponse(), "money-changed")


@require_POST
@require_perm("playbook.run")
def withdraw(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """Take back what has not begun. The service decides whether this person may."""
    found = runs.withdraw_run(actor=request.user, run=get_run_for(desk_for(request.user), run_id))
    messages.success(request, "Taken back. Nothing was sent.")
    if not request.htmx:
        return redirect("leads:playbook-progress", run_id=found.pk)
    return trigger_client_event(render(request, "leads/transactions/_told.html"), "money-changed")


@require_POST
@require_perm("playbook.run")
@require_sudo
def resume(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """Go on from the first part that is not done."""
    desk = desk_for(request.user)
    found = get_run_for(desk, run_id)
    with refusals_told(request):
        now = runs.resume_run(actor=desk.user, connection=desk.connection, run=found, next_id=operation_id_of(request))
        level = messages.WARNING if now.current else messages.SUCCESS
        messages.add_message(request, level, "This run has stopped again." if now.current else "All steps are done.")
    return redirect("leads:playbook-progress", run_id=found.pk)


@require_POST
@require_perm("playbook.run")
def close(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """Leave the rest undone, with a reason."""
    found = get_run_for(desk_for(request.user), run_id)
    form = CloseForm(request.POST)
    if not form.is_valid():
        return _progress(request, found, form)
    with refusals_told(request):
        runs.close_run(actor=request.user, run=found, note=form.cleaned_data["note"])
        messages.success(request, "Closed. Nothing more of it is done.")
    return redirect("leads:playbook-progress", run_id=found.pk)
