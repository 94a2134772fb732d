"""How the desk is, for who looks after it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm
from leads.selectors import health


@require_GET
@require_perm("health.view")
def index(request: StaffRequest) -> HttpResponse:
    context = {
        "lines": health.lines(),
        "failing": health.failing_connections(),
        "without_factor": health.without_factor(),
        "checks": list(health.check_messages()),
    }
    return render(request, "leads/health/show.html", context)
