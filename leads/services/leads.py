"""Open, create and edit leads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, Connection, User
from accounts.services import audit
from kartra_admin.lib.errors import Conflict
from leads import effects
from leads.labels import FIELD_LABELS, person
from leads.models import Entry, Operation, Recent
from leads.providers.base import Lead, LeadRef
from leads.providers.changes import (
    AssignTag,
    Change,
    CreateLead,
    EditLead,
    SubscribeToList,
    UnassignTag,
    UnsubscribeFromList,
)
from leads.providers.errors import AlreadyDone, NotFound, Refused
from leads.selectors import catalogues
from leads.services import _operations
from leads.services._operations import Intent
from leads.services.changes import require, send_changes
from leads.services.reading_back import read_back
from leads.wiring import provider_for

Values = Mapping[str, str | list[str]]
AnyValue = TypeVar("AnyValue", str, str | list[str])

# What is seen of a lead within this time belongs to one visit, and is one entry in the log.
VISIT = timedelta(minutes=5)


class LeadExists(AlreadyDone):
    """A lead with this email is there already. Nothing was sent."""

    def __init__(self, lead: Lead) -> None:
        super().__init__(f"There is already a lead with the email {lead.email}. Nothing was created.")
        self.lead = lead


@dataclass(frozen=True)
class Snapshot:
    """The editable part of a lead: as a person saw it, as he wants it, or as it is now."""

    email: str
    profile: Mapping[str, str]
    custom_fields: Values
    tags: Sequence[str]
    lists: Sequence[str]

    @classmethod
    def of(cls, lead: Lead) -> Self:
        custom: dict[str, str | list[str]] = {}
        for value in lead.custom_fields:
            writable = value.writable
            custom[value.identifier] = writable if isinstance(writable, str) else list(writable)
        lists = [row.name for row in lead.lists if row.active]
        return cls(lead.email, dict(lead.profile), custom, list(lead.tags), lists)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def rebased(self, *, seen: Self, now: Self) -> "Snapshot":
        """What this wants to change of ``seen``, done to ``now``; everything else as it is ``now``."""
        return Snapshot(
            self.email if self.email.casefold() != seen.email.casefold() else now.email,
            {**now.profile, **_edited(seen.profile, self.profile)},
            {**now.custom_fields, **_edited(seen.custom_fields, self.custom_fields)},
            _merged(seen.tags, self.tags, now.tags),
            _merged(seen.lists, self.lists, now.lists),
        )

    def fields(self) -> dict[str, str | list[str]]:
        """Email, profile and custom fields in one map; custom fields under ``custom.<identifier>``."""
        custom = {f"custom.{key}": value for key, value in self.custom_fields.items()}
        return {"email": self.email, **self.profile, **custom}


@dataclass(frozen=True)
class Clash:
    """A field that was edited on a value that is no longer there. ``key`` as in `Snapshot.fields`."""

    key: str
    label: str
    was: str
    now: str


class EditConflict(Conflict):
    """Somebody else changed the same fields meanwhile."""

    def __init__(self, clashes: Sequence[Clash]) -> None:
        super().__init__(
            f"Changed in Kartra while you were editing: {', '.join(clash.label for clash in clashes)}. Nothing was "
            "saved. Compare what is there now with what you typed, then save again."
        )
        self.clashes = clashes


def record_visit(*, actor: User, account: Account, lead_id: str) -> None:
    """Note that somebody saw a part of this lead, such as its money, unless that belongs to a visit noted just now."""
    recent = Recent.objects.filter(account=account, user=actor, lead_id=lead_id).first()
    if recent is None or timezone.now() - recent.opened_at > VISIT:
        with transaction.atomic():
            subjects.of_lead(account.pk, lead_id)  # before the row, in the order of who forgets the lead
            is_kept = recent and Recent.objects.filter(pk=recent.pk).update(opened_at=timezone.now())
            known = recent if recent and is_kept else Entry.objects.filter(account=account, lead_id=lead_id).first()
            _log_view(actor, account, lead_id, person(known.name, known.email) if known else "")


def record_view(*, actor: User, account: Account, lead: Lead) -> None:
    """Note that somebody opened this lead: in the log, and among his recents."""
    with transaction.atomic():
        recent = Recent(account=account, user=actor, lead_id=lead.id)
        seen = recent.sealing(name=lead.name[:500], email=lead.email[:320], opened_at=timezone.now())
        if not Recent.objects.filter(account=account, user=actor, lead_id=lead.id).update(**seen):
            Recent.objects.update_or_create(account=account, user=actor, lead_id=lead.id, defaults=seen)
        _log_view(actor, account, lead.id, person(lead.name, lead.email))


def note_name(*, actor: User, account: Account, lead: Lead) -> None:
    """Let this person know the lead by the name that was just read, where he has seen him before."""
    recent = Recent.objects.filter(account=account, user=actor, lead_id=lead.id).first()
    name, email = lead.name[:500], lead.email[:320]
    if recent and (recent.name, recent.email) != (name, email):
        seen = Recent(account=account, user=actor, lead_id=lead.id).sealing(name=name, email=email)
        Recent.objects.filter(pk=recent.pk).update(**seen)


def _log_view(actor: User, account: Account, lead_id: str, label: str) -> None:
    audit.record(
        action="lead.view.viewed",
        outcome="viewed",
        actor=actor,
        account=account,
        target_kind="lead",
        target_id=lead_id,
        target_name=label,
    )


def create_lead(
    *,
    actor: User,
    connection: Connection,
    email: str,
    profile: Mapping[str, str],
    custom_fields: Values,
    also: Sequence[Change],
    operation_id: UUID,
) -> Operation:
    """Create a lead and, in the same call, do what ``also`` says (tags, lists, sequences); then read it back.

    Raises `LeadExists` where the address is taken; nothing was sent then.
    """
    change = CreateLead(email, dict(profile), {key: value for key, value in custom_fields.items() if value})
    require(actor, [change, *also])
    intent = Intent(
        id=operation_id,
        actor=actor,
        connection=connection,
        request_digest=_operations.digest("create", change.as_json(), [item.as_json() for item in also]),
    )
    if first := _operations.find_replay(intent):
        return read_back(first, connection)
    try:
        raise LeadExists(provider_for(connection).get_lead(LeadRef(email=email)))
    except NotFound:
        pass  # as it should be: the address is free
    return send_creation(intent, change, also)


def send_creation(intent: Intent, change: CreateLead, also: Sequence[Change]) -> Operation:
    """Make a lead whose address was just read to be free. The caller has checked permissions and replays."""
    definitions = catalogues.for_account(intent.account).fields
    nobody = Lead(id="", email=change.email, profile={}, score=0)
    states = [(item, effects.state_of(item, nobody)) for item in also]
    first_steps = [_operations.Step(item, was, effects.expected(item, was, definitions)) for item, was in states]
    name = f"{change.profile.get('first_name', '')} {change.profile.get('last_name', '')}".strip()
    operation = _operations.perform(
        replace(intent, lead_name=name, lead_email=change.email),
        [_operations.Step(change, {}, effects.expected(change, {}, definitions)), *first_steps],
    )
    return read_back(operation, intent.connection, background=intent.background)


def edit_lead(
    *,
    actor: User,
    connection: Connection,
    lead: Lead,
    seen: Snapshot,
    wanted: Snapshot,
    also: Sequence[Change],
    operation_id: UUID,
) -> Operation:
    """Send only what differs between ``seen`` and ``wanted``, and ``also``, in one call.

    ``lead`` is the lead as it was read for this request, ``seen`` as it was when the form was opened.
    Raises `EditConflict` where a field that was edited has another value by now, `AlreadyDone` where nothing differs.
    """
    asked = [*changes_between(seen, wanted), *also]
    require(actor, asked)
    intent = Intent(
        id=operation_id,
        actor=actor,
        connection=connection,
        request_digest=_operations.digest("edit", lead.id, [[item.kind, item.as_json()] for item in asked]),
    )
    if first := _operations.find_replay(intent):
        return read_back(first, connection)
    if not asked:
        raise AlreadyDone("Nothing was changed, so nothing was sent.")
    if lead.deleted:
        raise Refused("This lead is deleted in Kartra and cannot be changed.")
    if clashes := clashes_between(seen, wanted, lead):
        raise EditConflict(clashes)
    return send_changes(intent, lead, asked)


def _value(value: str | Sequence[str]) -> str | list[str]:
    """A value for comparing: forms trim texts, write other line ends, and put options in their own order."""
    return "\n".join(re.split(r"\r\n?|\n", value)).strip() if isinstance(value, str) else sorted(value)


def _edited(seen: Mapping[str, AnyValue], wanted: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
    return {key: value for key, value in wanted.items() if _value(value) != _value(seen.get(key, type(value)()))}


def _merged(seen: Sequence[str], wanted: Sequence[str], now: Sequence[str]) -> list[str]:
    kept = [name for name in now if name in wanted or name not in seen]
    return [*kept, *(name for name in wanted if name not in seen and name not in kept)]


def changes_between(seen: Snapshot, wanted: Snapshot) -> list[Change]:
    """The changes that lead from one to the other; no field, tag or list that is equal in both."""
    profile = _edited(seen.profile, wanted.profile)
    custom = _edited(seen.custom_fields, wanted.custom_fields)
    new_email = wanted.email if wanted.email.casefold() != seen.email.casefold() else ""
    found: list[Change] = [EditLead(profile, custom, new_email)] if profile or custom or new_email else []
    found += [AssignTag(tag) for tag in wanted.tags if tag not in seen.tags]
    found += [UnassignTag(tag) for tag in seen.tags if tag not in wanted.tags]
    found += [SubscribeToList(name) for name in wanted.lists if name not in seen.lists]
    found += [UnsubscribeFromList(name) for name in seen.lists if name not in wanted.lists]
    return found


def clashes_between(seen: Snapshot, wanted: Snapshot, lead: Lead) -> list[Clash]:
    """The fields that were edited on a value that is no longer there (and what is there is not the wanted one)."""
    was, wish, current = (
        {key: _value(value) or "" for key, value in snapshot.fields().items()}
        for snapshot in (seen, wanted, Snapshot.of(lead))
    )
    return [
        Clash(key, FIELD_LABELS.get(key, key.removeprefix("custom.")), _words(was.get(key, "")), _now(key, lead))
        for key, value in wish.items()
        if value != was.get(key, "") and current.get(key, "") not in (was.get(key, ""), value)
    ]


def _words(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _now(key: str, lead: Lead) -> str:
    """The field as a person reads it."""
    custom = lead.custom_field(key.removeprefix("custom.")) if key.startswith("custom.") else None
    return custom.display if custom else lead.email if key == "email" else lead.profile.get(key, "")
