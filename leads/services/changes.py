"""Change one lead: tags, lists, sequences, points, calendars, fields, in one call."""

from collections.abc import Callable, Sequence
from uuid import UUID

from accounts.models import Connection, User
from accounts.services import access
from leads import effects
from leads.models import Operation, OperationStep, PlaybookRun
from leads.providers.base import FieldDefinition, Lead, LeadRef
from leads.providers.changes import Change
from leads.providers.errors import AlreadyDone, Refused
from leads.selectors import catalogues, refs
from leads.services import _operations
from leads.services.reading_back import read_back
from leads.wiring import provider_for

# The first part of a change's kind -> the permission it needs.
PERMISSIONS = {
    "lead": "lead.edit",
    "tag": "lead.tag",
    "list": "lead.subscribe",
    "sequence": "lead.subscribe",
    "calendar": "lead.subscribe",
    "points": "lead.points",
    "field": "field.create",
}


def change_lead(
    *,
    actor: User,
    connection: Connection,
    lead_id: str,
    changes: Sequence[Change],
    operation_id: UUID,
    label: str = "",
    permission: str = "",
    run: PlaybookRun | None = None,
) -> Operation:
    """Read the lead, drop what is so already, send the rest in one call.

    ``permission`` stands in for the permissions of the single changes where staff may do a whole that they may not do
    in parts, such as a recipe. Raises `AlreadyDone` where nothing is left to send, `Denied`, or a `ProviderError` of
    the reading.
    """
    require(actor, changes, permission)
    request_digest = _operations.digest(lead_id, label, [[change.kind, change.as_json()] for change in changes])
    first = _operations.find_replay(
        operation_id=operation_id, actor=actor, account=connection.account, request_digest=request_digest
    )
    if first:
        return first
    lead = read_for_change(connection, LeadRef(id=lead_id))
    return send_changes(
        actor=actor,
        connection=connection,
        lead=lead,
        changes=changes,
        operation_id=operation_id,
        request_digest=request_digest,
        label=label,
        run=run,
    )


def send_changes(
    *,
    actor: User,
    connection: Connection,
    lead: Lead,
    changes: Sequence[Change],
    operation_id: UUID,
    request_digest: str,
    label: str = "",
    undoes: Operation | None = None,
    undoes_step: OperationStep | None = None,
    guard: Callable[[], None] | None = None,
    run: PlaybookRun | None = None,
    approved_by: User | None = None,
    background: bool = False,
) -> Operation:
    """Send what is not so already on the lead as it was just read; fields that were written are read back.

    The caller has checked permissions and replays. Raises `AlreadyDone` where nothing is left to send.
    """
    definitions = catalogues.with_options_of(lead, catalogues.for_account(connection.account).fields)
    wanted = [change for change in changes if not effects.is_already_so(change, lead, definitions)]
    if not wanted:
        raise AlreadyDone("Nothing to do: the lead is so already. Nothing was sent.")
    operation = _operations.perform(
        operation_id=operation_id,
        actor=actor,
        connection=connection,
        steps=[planned(change, lead, definitions) for change in wanted],
        request_digest=request_digest,
        lead_id=lead.id,
        lead_name=lead.name,
        lead_email=lead.email,
        label=label,
        undoes=undoes,
        undoes_step=undoes_step,
        guard=guard,
        run=run,
        approved_by=approved_by,
        background=background,
    )
    read_back(operation, connection, background=background)
    return operation


def planned(change: Change, lead: Lead, definitions: Sequence[FieldDefinition]) -> _operations.Step:
    """The change as it would be sent now. What the reading does not tell could not be brought back."""
    before = effects.state_of(change, lead)
    inverse = effects.inverse(change, lead) if effects.is_told(change, lead) else None
    return _operations.Step(change, before, effects.expected(change, before, definitions), inverse)


def require(actor: User, changes: Sequence[Change], permission: str = "") -> None:
    """Raises `Denied` unless the actor may do every one of the changes; the audit log says so then."""
    needed = {permission} if permission else {PERMISSIONS[change.kind.partition(".")[0]] for change in changes}
    for name in sorted(needed):
        access.require(actor, name)


def read_for_change(connection: Connection, ref: LeadRef, *, background: bool = False) -> Lead:
    """The lead, read now. Raises `Refused` for a deleted one."""
    whole = ref if ref.email else refs.find_ref(connection, ref.id)
    lead = provider_for(connection, background=background).get_lead(whole)
    if lead.deleted:
        raise Refused("This lead is deleted in Kartra and cannot be changed.")
    return lead
