"""Deciding whether a person may, with a word in the audit log where he may not."""

from typing import NoReturn

from accounts import permissions
from accounts.models import User
from accounts.services import audit
from kartra_admin.lib import context
from kartra_admin.lib.errors import Denied


def require(actor: User, permission: str) -> None:
    """Raise `Denied` unless the actor has the permission. Call it outside of transactions, or the entry is lost."""
    if not actor.has_permission(permission):
        deny(actor, permissions.PERMISSIONS[permission][0], permissions.refusal(actor, permission))


def deny(actor: User, act: str, sentence: str) -> NoReturn:
    """Raise `Denied` with the sentence, and write down what was tried ("refund"). Outside of transactions, too."""
    detail = {"permission": act, "path": context.current.get().path}
    audit.record(action="permission.denied", outcome="denied", actor=actor, detail=detail)
    raise Denied(sentence)
