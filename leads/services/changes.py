"""Change one lead: tags, lists, sequences, points, calendars, fields, in one call."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from accounts.models import Connection, User
from accounts.services import access
from leads import effects
from leads.change_permissions import PERMISSIONS
from leads.models import Operation, PlaybookRun
from leads.providers.base import FieldDefinition, Lead, LeadRef
from leads.providers.changes import Change
from leads.providers.errors import AlreadyDone, Refused
from leads.selectors import catalogues, refs
from leads.services import _operations
from leads.services._operations import Intent
from leads.services.reading_back import read_back
from leads.wiring import provider_for


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
    intent = Intent(
        id=operation_id,
        actor=actor,
        connection=connection,
        request_digest=_operations.digest(lead_id, label, [[change.kind, change.as_json()] for change in changes]),
        label=label,
        run=run,
    )
    if first := _operations.find_replay(intent):
        return read_back(first, connection)
    return send_changes(intent, read_for_change(connection, LeadRef(id=lead_id)), changes)


def send_changes(intent: Intent, lead: Lead, changes: Sequence[Change]) -> Operation:
    """Send what is not so already on the lead as it was just read; fields that were written are read back.

    The caller has checked permissions and replays. Raises `AlreadyDone` where nothing is left to send.
    """
    definitions = catalogues.with_options_of(lead, catalogues.for_account(intent.account).fields)
    wanted = [change for change in changes if not effects.is_already_so(change, lead, definitions)]
    if not wanted:
        raise AlreadyDone("No change needed: the lead already has this. Nothing was sent.")
    operation = _operations.perform(
        replace(intent, lead_id=lead.id, lead_name=lead.name, lead_email=lead.email),
        [planned(change, lead, definitions) for change in wanted],
    )
    return read_back(operation, intent.connection, background=intent.background)


def planned(change: Change, lead: Lead, definitions: Sequence[FieldDefinition]) -> _operations.Step:
    """The change as it would be sent now. What the reading does not tell could not be brought back."""
    before = effects.state_of(change, lead)
    inverse = effects.inverse(change, lead) if effects.is_told(change, lead) else None
    return _operations.Step(change, before, effects.expected(change, before, definitions), inverse)


def require(actor: User, changes: Sequence[Change], permission: str = "") -> None:
    """Raises `Denied` unless the actor may do every one of the changes; the audit log says so then."""
    needed = {permission} if permission else {PERMISSIONS[change.kind] for change in changes}
    for name in sorted(needed):
        access.require(actor, name)


def read_for_change(connection: Connection, ref: LeadRef, *, background: bool = False) -> Lead:
    """The lead, read now. Raises `Refused` for a deleted one, and where nobody is named any more."""
    if not (ref.id or ref.email):
        raise Refused("This person was forgotten, so it is no longer known who it was. Nothing was sent.")
    whole = ref if ref.email else refs.find_ref(connection, ref.id)
    lead = provider_for(connection, background=background).get_lead(whole)
    if lead.deleted:
        raise Refused("This lead is deleted in Kartra and cannot be changed.")
    return lead
