"""Internal notes on a lead. The log says that one was written or deleted, not what it said."""

from django.db import transaction

from accounts import subjects
from accounts.models import Account, User
from accounts.services import access, audit
from leads.models import Note


def add_note(*, actor: User, account: Account, lead_id: str, lead_label: str, text: str) -> Note:
    """Raises `Denied`."""
    access.require(actor, "note.write")
    with transaction.atomic():
        note = Note.objects.create(account=account, lead_id=lead_id, author=actor, text=text)  # type: ignore[misc]
        _log("note.add.succeeded", actor, note, lead_label)
    return note


def delete_note(*, actor: User, note: Note) -> None:
    """Raises `Denied` for somebody else's note."""
    access.require(actor, "note.write")
    if note.author_id != actor.pk:
        access.deny(actor, "delete somebody else's note", "Only its author can delete a note.")
    with transaction.atomic():
        subjects.of_lead(note.account_id, note.lead_id)  # before the row, in the order of who forgets the lead
        Note.objects.filter(pk=note.pk).delete()
        _log("note.delete.succeeded", actor, note, "")


def _log(action: str, actor: User, note: Note, lead_label: str) -> None:
    audit.record(
        action=action,
        outcome="succeeded",
        actor=actor,
        account=note.account,
        target_kind="lead",
        target_id=note.lead_id,
        target_name=lead_label,
    )
