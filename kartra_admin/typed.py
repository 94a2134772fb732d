"""What somebody typed into a form that could not be taken, so that nothing of it is lost.

An error page offers to send it once more; where somebody has to sign in or confirm first, it waits in the session,
sealed, as it may be about a lead, and is offered after that to the same person. What comes without a session of
somebody's, known or ended just now, is not kept: strangers cannot fill the database. Passwords and keys are never kept.
Sending again is safe: a form that changes something carries the id of its operation.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts import seals
from kartra_admin.lib.crypto import SealBroken

_IN_SESSION = "typed_form"
_MOST = 64_000  # bytes, as they are kept
_SECRET = re.compile(r"password|api_key|secret|token|\A(key|code|credential)\Z", re.IGNORECASE)
_CSRF = "csrfmiddlewaretoken"
_MACHINE = ("operation_id", "seen")


@dataclass(frozen=True)
class Typed:
    """A form as it was posted to ``path``: names and values, in order. ``lacks_secrets`` where some were left out."""

    path: str
    fields: Sequence[tuple[str, str]]
    lacks_secrets: bool = False

    @classmethod
    def of(cls, request: HttpRequest) -> Self | None:
        """None where nothing was posted, or more than is worth keeping."""
        if request.method != "POST":
            return None
        fields = [
            (name, value) for name, values in request.POST.lists() for value in values if not _SECRET.search(name)
        ]
        if not fields or len(json.dumps(fields)) > _MOST:
            return None
        return cls(request.get_full_path(), fields, any(_SECRET.search(name) for name in request.POST if name != _CSRF))

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What a person typed or chose, without what the page itself put into the form."""
        return [
            (name.removeprefix("custom.").replace("_", " ").capitalize(), value)
            for name, value in self.fields
            if value and name not in _MACHINE
        ]


def keep(request: HttpRequest) -> str:
    """Keep what was posted for after signing in or confirming. The address that offers it then, "" for nothing."""
    typed, whose = Typed.of(request), getattr(request, "came_as", None)
    if typed is None or whose is None:
        return ""
    text = json.dumps([typed.path, list(typed.fields), typed.lacks_secrets])
    request.session[_IN_SESSION] = seals.keyring().seal(text, bound_to=seals.of_form(whose))
    return reverse("typed")


@require_GET
def kept(request: HttpRequest) -> HttpResponse:
    """What was kept of this person's, once; home where there is nothing."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    try:
        found = seals.keyring().open(request.session.pop(_IN_SESSION, ""), bound_to=seals.of_form(request.user.pk))
    except SealBroken:  # nothing, somebody else's, or of a key that is no more
        return redirect("leads:home")
    path, fields, lacks_secrets = json.loads(found)
    typed = Typed(path, [(name, value) for name, value in fields], lacks_secrets)
    return render(request, "typed.html", {"typed": typed})
