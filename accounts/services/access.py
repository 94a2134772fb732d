"""Deciding whether a person may, with a word in the audit log where he may not."""

from accounts import permissions
from accounts.models import User
from accounts.services import audit
from kartra_admin.lib import context


def require(actor: User, permission: str) -> None:
    """Raise `Denied` unless the actor has the permission. Call it outside of transactions, or the entry is lost."""
    if not actor.has_permission(permission):
        record_refusal(actor, permissions.PERMISSIONS[permission][0])
    permissions.require(actor, permission)


def record_refusal(actor: User, act: str) -> None:
    """Write down what somebody tried and may not, such as "refund"."""
    detail = {"permission": act, "path": context.current.get().path}
    audit.record(action="permission.denied", outcome="denied", actor=actor, detail=detail)
