"""Take an operation back, where what it did is still so."""

from uuid import UUID

from accounts.models import Connection, User
from leads import effects
from leads.models import Operation, Outcome
from leads.providers.errors import Refused
from leads.services import _operations, changes


def undo_operation(*, actor: User, connection: Connection, operation: Operation, operation_id: UUID) -> Operation:
    """Send the inverse of every step that succeeded, in one call, as an operation of its own.

    Raises `Refused` with a reason where it cannot be undone, or where something has changed since.
    """
    request_digest = _operations.digest("undo", str(operation.pk))
    first = _operations.find_replay(
        operation_id=operation_id, actor=actor, account=connection.account, request_digest=request_digest
    )
    if first:
        return first
    if not operation.can_undo:
        raise Refused("This cannot be undone: it was undone already, or nothing of it can be taken back.")
    steps = [step for step in operation.steps.all() if step.outcome == Outcome.SUCCEEDED and step.inverse]
    changes.require(actor, [step.undoing for step in steps], "recipe.run" if operation.label else "")
    lead = changes.read_for_change(connection, operation.lead_id)
    # What is as it was before needs no undo: an undo that failed in part can be finished.
    still_done = [step for step in steps if effects.state_of(step.change, lead) != step.before]
    for step in still_done or steps:
        if not effects.agrees(step.change, step.after, lead):
            now = ", ".join(
                f"{label} is now {value or 'empty'}" for label, value in effects.state_of(step.change, lead).items()
            )
            raise Refused(f"Not undone, because it has changed since: {now}. Nothing was sent.")
    return changes.send_changes(
        actor=actor,
        connection=connection,
        lead=lead,
        changes=[step.undoing for step in reversed(still_done)],
        operation_id=operation_id,
        request_digest=request_digest,
        label="Undo",
        undoes=operation,
    )
