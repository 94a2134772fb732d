"""What every page needs: the nonce of its scripts, and what the shell around it shows: menu, account, demo or live."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from accounts.models import Account, Connection, User
from accounts.selectors import connections
from kartra_admin.lib.names import initials
from leads.selectors import approvals, jobs


@dataclass(frozen=True)
class _Place:
    """An entry of the menu. ``covers``: beginnings of URL names that light it; any of ``permissions`` shows it."""

    label: str
    url_name: str
    icon: str
    covers: tuple[str, ...]
    permissions: tuple[str, ...] = ()


PLACES = (
    _Place("Home", "leads:home", "house", ("leads:home",)),
    _Place(
        "Leads", "leads:find", "user-round", ("leads:", "leads:playbook-run", "leads:playbook-progress"), ("lead.view",)
    ),
    _Place(
        "Directory", "leads:directory", "book-user", ("leads:directory", "leads:view-", "leads:import"), ("lead.view",)
    ),
    _Place(
        "Recipes", "leads:recipes", "key-round", ("leads:recipe", "leads:playbook"), ("recipe.run", "recipe.manage")
    ),
    _Place("Bulk", "leads:jobs", "layers", ("leads:job",), ("bulk.run",)),
    _Place("Approvals", "leads:approvals", "stamp", ("leads:approval",), ("transaction.refund",)),
    _Place("Audit", "accounts:audit", "shield", ("accounts:audit", "leads:report", "leads:unusual"), ("audit.view",)),
    _Place(
        "Team",
        "accounts:team",
        "users",
        ("accounts:team", "leads:connection-of", "leads:connection-remove-of"),
        ("staff.manage",),
    ),
    _Place(
        "Settings",
        "leads:connection",
        "settings",
        (
            "leads:connection",
            "leads:catalogue",
            "leads:field-create",
            "leads:limit",
            "leads:reason",
            "leads:event",
            "leads:hook",
            "leads:health",
            "leads:forgett",
            "accounts:keys",
            "accounts:sessions",
            "accounts:profile",
            "account_",
            "mfa_",
        ),
    ),
)


@dataclass(frozen=True)
class MenuEntry:
    """One line of the menu, ready to draw. ``count`` is how much waits there for this person, ``counted`` for what."""

    label: str
    url: str
    icon: str
    active: bool
    count: int = 0
    counted: str = ""


# What waits behind an entry, how it is counted, and what is to be done with it.
_COUNTS = {
    "leads:approvals": (approvals.count_to_decide, "to decide"),
    "leads:jobs": (jobs.count_waiting, "waiting for you"),
}


class Shell:
    """Everything is worked out when a template first asks, so a fragment costs nothing; three queries at most."""

    def __init__(self, request: HttpRequest) -> None:
        user = getattr(request, "user", None)
        match = request.resolver_match
        self._user = user if isinstance(user, User) else None
        self._view_name = match.view_name if match else ""
        self.demo: bool = settings.DEMO
        self.sandbox: bool = settings.KARTRA_API_URL == "sandbox:"

    @cached_property
    def menu(self) -> list[MenuEntry]:
        """What this person may see. The entry whose beginning matches the page longest is the active one."""
        if self._user is None:
            return []
        held = self._user.permissions
        places = [place for place in PLACES if not place.permissions or held.intersection(place.permissions)]
        covers = [cover for place in places for cover in place.covers if self._view_name.startswith(cover)]
        here = max(covers, key=len, default=None)
        return [
            MenuEntry(
                place.label,
                reverse(place.url_name),
                place.icon,
                here in place.covers,
                *self._waiting_at(place.url_name),
            )
            for place in places
        ]

    def _waiting_at(self, url_name: str) -> tuple[int, str]:
        """How much waits there for this person, and what to do with it."""
        if url_name not in _COUNTS or self.account is None or self._user is None:
            return 0, ""
        count, counted = _COUNTS[url_name]
        return count(self.account, self._user), counted

    @cached_property
    def connection(self) -> Connection | None:
        """The user's own, its account with it."""
        return connections.for_user(self._user) if self._user else None

    @property
    def account(self) -> Account | None:
        """The outside account this person works in."""
        return self.connection.account if self.connection else None

    @property
    def initials(self) -> str:
        """For the round picture of the signed-in person."""
        return initials(self._user.name or self._user.email) if self._user else ""


def csp_nonce(request: HttpRequest) -> dict[str, str]:
    """What this answer's scripts run by, under the name that django-htmx looks for."""
    return {"csp_nonce": getattr(request, "csp_nonce", "")}


def shell(request: HttpRequest) -> dict[str, Shell]:
    """One `Shell` for each request, however many templates it renders."""
    made: Shell | None = getattr(request, "shell", None)
    if made is None:
        made = Shell(request)
        request.shell = made  # type: ignore[attr-defined]
    return {"shell": made}
