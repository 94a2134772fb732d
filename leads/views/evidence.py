"""What the log holds about one lead, to be proved to somebody else."""

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm, require_sudo
from accounts.services import packs
from accounts.views.exports import answer_pack
from leads.access import desk_for


@require_GET
@require_perm("audit.export")
@require_sudo
def pack(request: StaffRequest, lead_id: str) -> HttpResponse:
    return answer_pack(request, packs.about_lead(desk_for(request.user).account, lead_id))
