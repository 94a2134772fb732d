"""What a person may do about an operation on money: take it back while it is held, say what became of it."""

from accounts.models import User
from accounts.services import access
from leads.models import Operation
from leads.services import _operations, settling
from leads.services.money import PERMISSIONS


def withdraw(*, actor: User, operation: Operation) -> Operation:
    """Take back what is held. Whoever may do a thing may take it back. Raises AppError where it has left already."""
    _require_for(actor, operation)
    return _operations.withdraw(operation, actor=actor)


def decide(*, actor: User, operation: Operation, happened: bool, reason: str) -> Operation:
    """Settle by a person's word what no reading could. For money, only whoever may do the act itself.

    Raises AppError for an operation that is not unknown.
    """
    _require_for(actor, operation)
    return settling.decide(operation=operation, actor=actor, happened=happened, reason=reason)


def may_decide(person: User, operation: Operation) -> bool:
    """Whether this person could say what became of it. Reads ``steps``."""
    return all(person.has_permission(permission) for permission in ("operation.settle", *_needed(operation)))


def _require_for(actor: User, operation: Operation) -> None:
    for permission in _needed(operation):
        access.require(actor, permission)


def _needed(operation: Operation) -> list[str]:
    return [PERMISSIONS[step.kind] for step in operation.steps.all() if step.kind in PERMISSIONS]
