from django.http import HttpResponse
from django.shortcuts import render

from accounts.decorators import StaffRequest, require_perm
from accounts.selectors import connections
from leads.access import Desk
from leads.selectors import approvals, operations, playbooks
from leads.selectors import desk as desk_selectors


@require_perm("lead.view")
def home(request: StaffRequest) -> HttpResponse:
    """The search box, what waits for somebody, what I opened, what I did."""
    connection = connections.for_user(request.user)
    if connection is None:
        return render(request, "leads/home/unconnected.html")
    desk = Desk(request.user, connection)
    context = {
        "waiting": operations.list_waiting(desk.account),
        "to_decide": approvals.list_to_decide(desk.account, request.user),
        "unfinished": playbooks.list_unfinished(desk.account) if request.user.has_permission("playbook.run") else [],
        "recents": desk_selectors.list_recents(desk.account, request.user),
        "mine": operations.list_for_person(desk.account, request.user),
    }
    return render(request, "leads/home/home.html", context)
