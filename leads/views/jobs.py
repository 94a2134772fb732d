"""Bulk jobs: laid down, checked, started, watched, paused, approved, retried, undone, and what came of each lead."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from accounts.decorators import StaffRequest, asked_by_page, is_confirmed, require_perm, require_sudo
from kartra_admin.downloads import as_file
from kartra_admin.lib import spreadsheet
from kartra_admin.lib.errors import AppError, BadRequest, Denied
from leads.access import Desk, desk_for, get_job_for
from leads.forms.decisions import RequestDecisionForm
from leads.forms.directory import read_view
from leads.forms.jobs import JobForm, PaceForm
from leads.models import Job
from leads.selectors import job_progress, lead_page
from leads.selectors import jobs as selectors
from leads.selectors.catalogues import for_account
from leads.services.bulk import approving, making, results, steering
from leads.services.bulk.naming import of_view
from leads.views._answers import operation_id_of, refusals_told

_PAGE, _LEADS, _TICKED = 25, 100, 1000


@require_GET
@require_perm("bulk.run")
def index(request: StaffRequest) -> HttpResponse:
    account = desk_for(request.user).account
    context = {
        "waiting": selectors.list_waiting(account, request.user),
        "page": selectors.list_jobs(account, cursor=request.GET.get("page", ""), size=_PAGE),
    }
    return render(request, "leads/jobs/list.html", context)


@require_http_methods(["GET", "POST"])
@require_perm("bulk.run")
def create(request: StaffRequest) -> HttpResponse:
    """Who and what. Posted, it begins the dry run, which sends nothing."""
    desk = desk_for(request.user)
    if request.method == "GET":
        return _create_page(request, _form(desk, who=_who_of_view(request, desk)))
    form = _form(desk, request.POST, request.FILES)
    if form.is_valid():
        try:
            job = _create(desk, form)
        except Denied:
            raise
        except AppError as error:
            form.refuse(error.sentence)
        else:
            return redirect("leads:job", job_id=job.pk)
    return _create_page(request, form)


@require_POST
@require_perm("bulk.run")
def create_of_ticked(request: StaffRequest) -> HttpResponse:
    """The same page with the leads that were ticked in the directory. Posted, for their emails may fit no address."""
    if not (ticked := request.POST.getlist("lead")[:_TICKED]):
        return redirect("leads:job-create")
    return _create_page(request, _form(desk_for(request.user), who="\n".join(ticked)))


def _form(desk: Desk, *posted: Any, who: str = "") -> JobForm:
    recipes = list(lead_page.list_recipes(desk.account))
    return JobForm(*posted, catalogues=for_account(desk.account), recipes=recipes, who=who)


def _create_page(request: StaffRequest, form: JobForm) -> HttpResponse:
    context = {"form": form, "catalogues": form.catalogues}
    return render(request, "leads/jobs/create.html", context, status=422 if form.errors else 200)


def _create(desk: Desk, form: JobForm) -> Job:
    values = form.cleaned_data
    return making.create_job(
        actor=desk.user,
        account=desk.account,
        job_id=values["operation_id"],
        name=values["name"],
        who=form.pasted,
        actions=form.actions,
        creates_missing=values["creates_missing"],
        pace=values["pace"],
    )


def _who_of_view(request: StaffRequest, desk: Desk) -> str:
    """Everybody in the view of the directory that is asked for, if one is."""
    if "view" not in request.GET:
        return ""
    filters = read_view(request.GET["view"])
    if filters is None:
        raise BadRequest("This view of the directory cannot be read. Start from the directory.")
    return of_view(desk.account, filters)


@require_GET
@require_perm("bulk.run")
def detail(request: StaffRequest, job_id: UUID) -> HttpResponse:
    job = get_job_for(desk_for(request.user), job_id)
    return _detail(request, job, RequestDecisionForm())


def _detail(request: StaffRequest, job: Job, form: RequestDecisionForm) -> HttpResponse:
    context = {
        "job": job,
        "progress": job_progress.progress_of(job),
        "form": form,
        "pace_form": PaceForm(initial={"pace": job.pace}),
        "is_own": job.actor_id == request.user.pk,
        "is_confirmed": is_confirmed(request),
        "approval_above": settings.BULK_APPROVAL_ABOVE,
        "forgotten": selectors.count_forgotten(job),
        "undone_by": selectors.list_undoing(job),
        "left_out": sorted(job.left_out, key=lambda line: line["line"]),
    }
    return render(request, "leads/jobs/detail.html", context, status=422 if form.errors else 200)


@asked_by_page
@require_GET
@require_perm("bulk.run")
def progress(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """How far it is, for a page that waits. ``was`` is the state it shows: once it is another, the page loads anew."""
    job = get_job_for(desk_for(request.user), job_id)
    if request.GET.get("was", job.state) != job.state:
        return HttpResponseClientRefresh()
    return render(request, "leads/jobs/_progress.html", {"job": job, "progress": job_progress.progress_of(job)})


@require_POST
@require_perm("bulk.run")
@require_sudo
def start(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """Start it, or ask for approval."""
    job = get_job_for(desk_for(request.user), job_id)
    with refusals_told(request):
        steering.start(actor=request.user, job=job)
    return redirect("leads:job", job_id=job.pk)


@require_POST
@require_perm("bulk.run")
@require_sudo
def retry(request: StaffRequest, job_id: UUID) -> HttpResponse:
    job = get_job_for(desk_for(request.user), job_id)
    with refusals_told(request):
        steering.retry(actor=request.user, job=job)
    return redirect("leads:job", job_id=job.pk)


_STEER = {
    "pause": (steering.pause, "Paused. Leads in progress will be finished."),
    "resume": (steering.resume, "Resumed."),
    "cancel": (steering.cancel, "Cancelled. What was done stays done."),
    "withdraw": (approving.withdraw, "Taken back. Nothing was started."),
}


@require_POST
@require_perm("bulk.run")
def steer(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """Pause, resume, cancel, or take the request back: ``do`` says which."""
    job = get_job_for(desk_for(request.user), job_id)
    with refusals_told(request):
        if (do := request.POST.get("do")) not in _STEER:
            raise BadRequest("This button is damaged. Reload the page.")
        act, said = _STEER[do]
        act(actor=request.user, job=job)
        messages.success(request, said)
    return redirect("leads:job", job_id=job.pk)


@require_POST
@require_perm("bulk.run")
def pace(request: StaffRequest, job_id: UUID) -> HttpResponse:
    job = get_job_for(desk_for(request.user), job_id)
    form = PaceForm(request.POST)
    with refusals_told(request):
        if not form.is_valid():
            raise BadRequest("Choose one of the paces.")
        steering.set_pace(actor=request.user, job=job, pace=form.cleaned_data["pace"])
        messages.success(request, f"At most {job.pace} lead{'s' if job.pace > 1 else ''} a second from now on.")
    return redirect("leads:job", job_id=job.pk)


@require_POST
@require_perm("bulk.approve")
@require_sudo
def decide(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """Approve, which starts it, or decline with a note."""
    desk = desk_for(request.user)
    job = get_job_for(desk, job_id)
    form = RequestDecisionForm(request.POST)
    if not form.is_valid():
        return _detail(request, job, form)
    is_yes = form.cleaned_data["do"] == "approve"
    act = approving.approve if is_yes else approving.decline
    with refusals_told(request):
        act(actor=request.user, account=desk.account, job=job, note=form.cleaned_data["note"])
        messages.success(request, "Approved and started." if is_yes else "Declined. Nothing was started.")
    return redirect("leads:job", job_id=job.pk)


@require_POST
@require_perm("bulk.run")
def undo(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """Lay down the job that takes this one back; it begins with a dry run."""
    job = get_job_for(desk_for(request.user), job_id)
    own_id = operation_id_of(request)
    with refusals_told(request):
        job = making.undo_job(actor=request.user, job=job, job_id=own_id)
    return redirect("leads:job", job_id=job.pk)


@require_GET
@require_perm("bulk.run")
def leads(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """What would be done, and what came of it, lead by lead."""
    job = get_job_for(desk_for(request.user), job_id)
    which = request.GET.get("show", "")
    rows, after = selectors.leads_page(job, which, after=request.GET.get("after", ""), size=_LEADS)
    context = {
        "job": job,
        "rows": rows,
        "actions": selectors.words_of(job),
        "after": after,
        "show": which,
        "filters": selectors.filters_of(job),
    }
    return render(request, "leads/jobs/leads.html", context)


@require_GET
@require_perm("bulk.run")
@require_sudo
def export(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """A line for each lead, as CSV."""
    job = get_job_for(desk_for(request.user), job_id)
    rows = results.export(actor=request.user, job=job)
    return as_file(f"bulk-{job.pk}.csv", spreadsheet.lines(rows))
