"""What a person may do about an operation on money: take it back while it is held, say what became of it."""

from accounts.models import Connection, User
from accounts.services import access
from leads.change_permissions import PERMISSIONS
from leads.models import Operation
from leads.services import _operations, runs, settling


def withdraw(*, actor: User, operation: Operation) -> Operation:
    """Take back what is held. Whoever may do a thing may take it back. Raises AppError where it has left already."""
    _require_for(actor, operation)
    withdrawn = _operations.withdraw(operation, actor=actor)
    if withdrawn.run:
        runs.attend(withdrawn.run)  # what was to follow it is over too
    return withdrawn


def may_withdraw(person: User, operation: Operation) -> bool:
    """Whether this person could take it back while it is held. Reads ``steps``."""
    return all(map(person.has_permission, _needed(operation)))


def decide(*, actor: User, connection: Connection, operation: Operation, happened: bool, reason: str) -> Operation:
    """Settle by a person's word what no reading could. For money, only whoever may do the act itself. Nothing follows
    it by itself: the rest of a run is left to whoever resumes it.

    Raises as `settling.decide` does.
    """
    _require_for(actor, operation)
    decided = settling.decide(operation=operation, actor=actor, connection=connection, happened=happened, reason=reason)
    if decided.run:
        runs.attend(decided.run)  # it ends, or stands until then
    return decided


def may_decide(person: User, operation: Operation) -> bool:
    """Whether this person could say what became of it. Reads ``steps``."""
    return all(person.has_permission(permission) for permission in ("operation.settle", *_needed(operation)))


def _require_for(actor: User, operation: Operation) -> None:
    for permission in _needed(operation):
        access.require(actor, permission)


def _needed(operation: Operation) -> list[str]:
    """Of what touches money."""
    return [PERMISSIONS[step.kind] for step in operation.steps.all() if step.lock]
