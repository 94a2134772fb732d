"""What was found unusual, newest first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm
from kartra_admin.lib.pagination import urls_beside
from leads.selectors import unusual


@require_GET
@require_perm("audit.view")
def index(request: StaffRequest) -> HttpResponse:
    page = unusual.finding_page(request.GET.get("cursor", ""))
    context = {
        "page": page,
        "rules": unusual.rules(),
        **urls_beside(page, reverse("leads:unusual")),
    }
    return render(request, "leads/unusual/list.html", context)
