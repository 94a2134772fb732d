"""Take an operation back, where what it did is still so."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Q

from accounts.models import Account, Connection, User
from accounts.services import access
from kartra_admin.lib.errors import Conflict
from leads import effects
from leads.change_permissions import PERMISSIONS
from leads.models import Operation, OperationStep
from leads.providers.base import Lead, LeadRef
from leads.providers.changes import Change
from leads.providers.errors import Refused
from leads.services import _operations, changes
from leads.services._operations import Intent
from leads.services.reading_back import read_back


def undo_operation(
    *,
    actor: User,
    connection: Connection,
    operation: Operation,
    operation_id: UUID,
    position: int | None = None,
    label: str = "Undo",
    approved_by: User | None = None,
    background: bool = False,
) -> Operation:
    """Send the inverse of every step that succeeded, or of the one at ``position``, in one call, as an operation of its
    own.

    Raises `Refused` with a reason where it cannot be undone, or where something has changed since.
    """
    intent = Intent(
        id=operation_id,
        actor=actor,
        connection=connection,
        request_digest=_operations.digest("undo", str(operation.pk), position),
        label=label,
        approved_by=approved_by,
        background=background,
    )
    if first := _operations.find_replay(intent):
        return read_back(first, connection)
    known = _undone(operation, but=operation_id)
    steps = _steps_to_undo(operation, position)
    for permission in _needed(operation, steps):
        access.require(actor, permission)

    def guard() -> None:
        Account.objects.select_for_update(no_key=True).get(pk=operation.account_id)
        if _undone(operation, but=operation_id) != known:
            raise Conflict("This was already undone, or is being undone right now.")

    lead = changes.read_for_change(connection, LeadRef(id=operation.lead_id), background=background)
    undone = {"undoes": operation} if position is None else {"undoes_step": steps[0]}
    return changes.send_changes(replace(intent, guard=guard, **undone), lead, _changes_to_undo(steps, lead))


def may_undo(person: User, operation: Operation, step: OperationStep | None = None) -> bool:
    """Whether an undo of it, or of this one ``step`` of it, may be offered to this person. Reads what ``steps_to_undo``
    reads."""
    steps = [row for row in operation.steps_to_undo if step in (None, row)]
    return bool(steps) and all(map(person.has_permission, _needed(operation, steps)))


def _needed(operation: Operation, steps: Sequence[OperationStep]) -> list[str]:
    """To send what undoes these steps of it."""
    return ["recipe.run"] if operation.label else sorted({PERMISSIONS[step.inverse["kind"]] for step in steps})


def changes_to_undo(operation: Operation, lead: Lead) -> list[Change]:
    """What takes it back from the lead as it was just read; empty where all is as it was before.

    Raises `Refused` with a reason where it cannot be undone, or where something has changed since.
    """
    return _changes_to_undo(_steps_to_undo(operation), lead)


def _changes_to_undo(steps: Sequence[OperationStep], lead: Lead) -> list[Change]:
    # What is as it was before needs no undo: an undo that failed in part can be finished.
    still_done = [step for step in steps if effects.state_of(step.change, lead) != step.before]
    for step in still_done or steps:
        if not effects.is_told(step.change, lead):
            raise Refused("Not undone, because Kartra does not return how it is now. Nothing was sent.")
        if not effects.is_untouched(step.change, step.after, lead):
            now = ", ".join(
                f"{label} is now {value or 'empty'}" for label, value in effects.state_of(step.change, lead).items()
            )
            raise Refused(f"Not undone, because it has changed since: {now}. Nothing was sent.")
    return [step.undoing for step in reversed(still_done)]


def _steps_to_undo(operation: Operation, position: int | None = None) -> list[OperationStep]:
    steps = [step for step in operation.steps_to_undo if position in (None, step.position)]
    if not steps:
        raise Refused("This cannot be undone: it was already undone, or nothing in it can be undone.")
    return steps


def _undone(operation: Operation, *, but: UUID) -> list[tuple[UUID, str]]:
    """What has been undone of it, or is being undone: what is to be sent was decided on this."""
    undoing = Operation.objects.filter(Q(undoes=operation) | Q(undoes_step__operation=operation))
    return list(undoing.exclude(pk=but).order_by("pk").values_list("pk", "outcome"))
