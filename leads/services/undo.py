"""Take an operation back, where what it did is still so."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.models import Account, Connection, User
from kartra_admin.lib.errors import Conflict
from leads import effects
from leads.models import Operation, OperationStep
from leads.providers.base import Lead, LeadRef
from leads.providers.changes import Change
from leads.providers.errors import Refused
from leads.services import _operations, changes


def undo_operation(
    *,
    actor: User,
    connection: Connection,
    operation: Operation,
    operation_id: UUID,
    position: int | None = None,
    label: str = "Undo",
    background: bool = False,
    **terms: Any,
) -> Operation:
    """Send the inverse of every step that succeeded, or of the one at ``position``, in one call, as an operation of its
    own.

    ``terms`` are those of `changes.send_changes`. Raises `Refused` with a reason where it cannot be undone, or where
    something has changed since.
    """
    request_digest = _operations.digest("undo", str(operation.pk), position)
    first = _operations.find_replay(
        operation_id=operation_id, actor=actor, account=connection.account, request_digest=request_digest
    )
    if first:
        return first
    known = _undone(operation, but=operation_id)
    steps = _steps_to_undo(operation, position)
    changes.require(actor, [step.undoing for step in steps], "recipe.run" if operation.label else "")

    def guard() -> None:
        Account.objects.select_for_update(no_key=True).get(pk=operation.account_id)
        if _undone(operation, but=operation_id) != known:
            raise Conflict("This was undone already, or is being undone right now.")

    lead = changes.read_for_change(connection, LeadRef(id=operation.lead_id), background=background)
    return changes.send_changes(
        actor=actor,
        connection=connection,
        lead=lead,
        changes=_changes_to_undo(steps, lead),
        operation_id=operation_id,
        request_digest=request_digest,
        label=label,
        undoes=operation if position is None else None,
        undoes_step=None if position is None else steps[0],
        guard=guard,
        background=background,
        **terms,
    )


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
            raise Refused("Not undone, because Kartra does not tell how it is now. Nothing was sent.")
        if not effects.is_untouched(step.change, step.after, lead):
            now = ", ".join(
                f"{label} is now {value or 'empty'}" for label, value in effects.state_of(step.change, lead).items()
            )
            raise Refused(f"Not undone, because it has changed since: {now}. Nothing was sent.")
    return [step.undoing for step in reversed(still_done)]


def _steps_to_undo(operation: Operation, position: int | None = None) -> list[OperationStep]:
    steps = [step for step in operation.steps_to_undo if position in (None, step.position)]
    if not steps:
        raise Refused("This cannot be undone: it was undone already, or nothing of it can be taken back.")
    return steps


def _undone(operation: Operation, *, but: UUID) -> list[tuple[UUID, str]]:
    """What has been undone of it, or is being undone: what is to be sent was decided on this."""
    undoing = Operation.objects.filter(Q(undoes=operation) | Q(undoes_step__operation=operation))
    return list(undoing.exclude(pk=but).order_by("pk").values_list("pk", "outcome"))
