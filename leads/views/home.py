from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm
from accounts.selectors import checkpoints, connections
from leads.access import desk_for
from leads.selectors import approvals, forgetting, jobs, lead_page, operations, playbooks, unusual


@require_GET
@require_perm("lead.view")
def home(request: StaffRequest) -> HttpResponse:
    """The search box, what waits for somebody, what I opened, what I did."""
    connection = connections.for_user(request.user)
    reads_log = request.user.has_permission("audit.view")
    found = unusual.list_recent() if reads_log else []
    unsent = checkpoints.failing_places() if reads_log else []
    if connection is None:
        return render(request, "leads/home/unconnected.html", {"unusual": found, "unsent": unsent})
    desk = desk_for(request.user)
    context = {
        "unusual": found,
        "unsent": unsent,
        "waiting": operations.list_waiting(desk.account, request.user),
        "to_decide": approvals.list_to_decide(desk.account, request.user),
        "unfinished": playbooks.list_waiting(desk.account) if request.user.has_permission("playbook.run") else [],
        "to_forget": forgetting.list_waiting(desk.account) if request.user.has_permission("lead.forget") else [],
        "jobs": jobs.list_waiting(desk.account, request.user),
        "recents": lead_page.list_recents(desk.account, request.user),
        "mine": operations.list_for_person(desk.account, request.user),
    }
    return render(request, "leads/home/home.html", context)
