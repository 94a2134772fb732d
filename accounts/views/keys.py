"""The keys that seal what is secret: how old, how much under each, what is left to move."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm
from accounts.selectors.checkpoints import signing_keys
from accounts.selectors.keys import uses


@require_GET
@require_perm("health.view")
def index(request: StaffRequest) -> HttpResponse:
    return render(request, "accounts/keys/list.html", {"uses": uses(), "signing": signing_keys()})
