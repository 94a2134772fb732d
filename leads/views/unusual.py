"""What was found unusual, newest first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm
from leads.selectors import unusual


@require_GET
@require_perm("audit.view")
def index(request: StaffRequest) -> HttpResponse:
    page = unusual.finding_page(request.GET.get("cursor", ""))
    url = reverse("leads:unusual")
    context = {
        "page": page,
        "rules": unusual.rules(),
        "newer_url": f"{url}?cursor={page.newer}" if page.newer else "",
        "older_url": f"{url}?cursor={page.older}" if page.older else "",
    }
    return render(request, "leads/unusual/list.html", context)
