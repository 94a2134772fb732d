"""Whose credentials serve for work that nobody waits for."""

from collections.abc import Callable
from typing import TypeVar

from accounts.models import Account, Connection, User
from kartra_admin.lib.crypto import SealBroken
from kartra_admin.lib.errors import AppError
from leads.providers.errors import Misconfigured

T = TypeVar("T")


def usable(account: Account, first: User | None = None) -> list[Connection]:
    """The connections of the account whose people are active: those of ``first`` before anybody else's, then those
    that met no error since they last worked."""
    rows = Connection.objects.select_related("account", "user").filter(account=account, user__is_active=True)
    return sorted(rows, key=lambda row: (row.user_id != (first.pk if first else None), row.is_failing, row.pk))


def with_any(account: Account, work: Callable[[Connection], T], *, first: User | None = None) -> T:
    """Do the work with the first credentials that the provider takes.

    Raises `Misconfigured` (or `SealBroken`) where there are none; every other error is of the work itself.
    """
    reason: AppError = Misconfigured("Nobody has credentials for this account.")
    for connection in usable(account, first):
        try:
            return work(connection)
        except (Misconfigured, SealBroken) as error:
            reason = error
    raise reason
