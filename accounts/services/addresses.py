"""From which addresses a role may be used."""

from django.conf import settings

from accounts import networks
from accounts.models import User
from accounts.services import audit
from kartra_admin.lib.errors import Denied


class WrongAddress(Denied):
    """The person's role may not be used from where he is."""


def may_come_from(role: str, address: str) -> bool:
    """True where the role is bound to no address."""
    bound_to = networks.parse(settings.ROLE_ADDRESSES).get(role)
    return bound_to is None or networks.holds(bound_to, address)


def require(user: User, address: str) -> None:
    """Raise `WrongAddress`, with a word in the log."""
    if may_come_from(user.role, address):
        return
    audit.record(action="session.address.denied", outcome="denied", actor=user, detail={"role": user.role_label})
    raise WrongAddress(
        f"With the role {user.role_label} you can sign in only from the addresses that your team has set."
    )
