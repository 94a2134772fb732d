"""The reasons that staff choose from. Operations keep the words, so a reason may be renamed or removed at any time."""

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.models import User
from accounts.services import access, audit
from kartra_admin.lib.errors import Conflict
from leads.models import Reason
from leads.selectors.reasons import OTHER


def save_reason(*, actor: User, reason: Reason, text: str) -> Reason:
    """Add a reason at the end, or rename one. Raises `Denied`, and `Conflict` where the words are taken."""
    access.require(actor, "limit.manage")
    if text.casefold() == OTHER.casefold():
        raise Conflict(f"‘{OTHER}’ is always available.")
    before = {"Reason": reason.text} if reason.pk else {}
    reason.text = text
    try:
        with transaction.atomic():
            if not reason.pk:
                last = Reason.objects.aggregate(last=Max("position"))["last"]
                reason.position = 0 if last is None else last + 1
            reason.save()
            _log("reason.save.succeeded", actor, reason, before=before, after={"Reason": text})
    except IntegrityError:
        raise Conflict("There is already a reason with these words.") from None
    return reason


def move_reason(*, actor: User, reason: Reason, up: bool) -> None:
    """One place up or down."""
    access.require(actor, "limit.manage")
    with transaction.atomic():
        rows = list(Reason.objects.select_for_update())
        here = rows.index(reason)
        there = here - 1 if up else here + 1
        if not 0 <= there < len(rows):
            return
        rows[here], rows[there] = rows[there], rows[here]
        for position, row in enumerate(rows):
            row.position = position
        Reason.objects.bulk_update(rows, ["position"])
        places = {"before": {"Place": str(here + 1)}, "after": {"Place": str(there + 1)}}
        _log("reason.move.succeeded", actor, reason, **places)


def remove_reason(*, actor: User, reason: Reason) -> None:
    access.require(actor, "limit.manage")
    with transaction.atomic():
        Reason.objects.filter(pk=reason.pk).delete()
        _log("reason.remove.succeeded", actor, reason, before={"Reason": reason.text}, after={})


def _log(action: str, actor: User, reason: Reason, *, before: dict[str, str], after: dict[str, str]) -> None:
    audit.record(
        action=action,
        outcome="succeeded",
        actor=actor,
        target_kind="reason",
        target_id=str(reason.pk),
        target_name=reason.text,
        before=before,
        after=after,
    )
