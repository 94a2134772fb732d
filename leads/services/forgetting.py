"""Forgetting a person: asked for, taken back or done after some days, and then for good.

What is sealed under the person's own key stays where it is, as the key is destroyed; what stands in the clear is
deleted. Lines of jobs and files, and events, of which nobody knew whose they were are searched for the person's whole
email addresses. See `docs/decisions/13-forgetting.md`.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts import audit_terms, subjects
from accounts.models import Subject, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict
from leads import search_index
from leads.models import (
    Approval,
    Event,
    Forgetting,
    Note,
    Operation,
    PlaybookRun,
    Recent,
    Reread,
)
from leads.providers.base import LeadRef
from leads.selectors import forgetting as selectors
from leads.services import _forgetting_lines, directory, finding

logger = logging.getLogger(__name__)

State = Forgetting.State

# What still has to be done once everything else is.
_WIPE = "The database’s files still have to be overwritten."


def ask(*, actor: User, whom: Sequence[selectors.Known], reason: str) -> list[Forgetting]:
    """Have a person forgotten, after ``FORGET_AFTER_DAYS`` or at once: all leads that he is, or none where that fails.
    Each has a request of its own, which is done or taken back by itself. Raises `Denied`, `Conflict` where it is asked
    already, AppError for no reason of `Forgetting.Reason`."""
    access.require(actor, "lead.forget")
    if reason not in Forgetting.Reason.values:
        raise AppError("Choose why this person should be forgotten.")
    due_at = timezone.now() + timedelta(days=settings.FORGET_AFTER_DAYS)
    try:
        with transaction.atomic():
            asked = [
                Forgetting.objects.create(
                    account=known.account, lead_id=known.lead_id, reason=reason, requested_by=actor, due_at=due_at
                )
                for known in whom
            ]
            for request in asked:
                _log(request, "requested", actor, after=f"{settings.FORGET_AFTER_DAYS} days")
    except IntegrityError:
        raise Conflict("Somebody has already requested to forget this person.") from None
    for request in asked:
        forget_due(only=request.pk)
        request.refresh_from_db()
    return asked


def withdraw(*, actor: User, asked: Forgetting) -> None:
    """Let the person stay. A second click does nothing. Raises `Conflict` where it is too late."""
    access.require(actor, "lead.forget")
    with transaction.atomic():
        waiting = Forgetting.objects.filter(pk=asked.pk, state=State.WAITING)
        if waiting.update(state=State.WITHDRAWN, ended_at=timezone.now(), ended_by=actor, waits_for=""):
            _log(asked, "withdrawn", actor)
            return
    asked.refresh_from_db()
    if asked.state != State.WITHDRAWN:
        raise Conflict("Too late to take it back: this person has been forgotten.")


def forget_due(*, only: int | None = None) -> int:
    """Forget everybody whose time has come, or just that one. Returns how many. Many may call it at once."""
    done = 0
    due = Forgetting.objects.filter(state=State.WAITING, due_at__lte=timezone.now()).select_related("account")
    for asked in due.filter(pk=only) if only else due:
        try:
            done += _forget(asked)
        except Exception:  # the others are not to wait for it
            logger.exception("could not forget at request %s", asked.pk)
    _wipe()
    return done


def _wipe() -> None:
    """Nothing of those who were forgotten stays in the files. Whoever was killed before it leaves it to the next."""
    unwiped = list(Forgetting.objects.filter(state=State.DONE, waits_for=_WIPE).values_list("pk", flat=True))
    if unwiped and search_index.wipe(connection):
        Forgetting.objects.filter(pk__in=unwiped).update(waits_for="")


def _forget(asked: Forgetting) -> bool:
    """False where something still has to end first, or somebody else was quicker.

    Looking through all lines takes a while and holds no lock; what came meanwhile is looked at under the lock.
    """
    account, lead_id = asked.account, selectors.id_of(asked)
    lines, person = _forgetting_lines.Lines(), selectors.person_of(account, lead_id)
    if why := selectors.why_not_yet(person):
        return _wait(asked, why)
    _forgetting_lines.look(person, lines)
    with transaction.atomic():
        if not Forgetting.objects.select_for_update().filter(pk=asked.pk, state=State.WAITING).exists():
            return False
        before = selectors.creations_of(person)
        keys = _held(person, before)
        if why := selectors.why_not_yet(person) or _why_look_anew(asked, person):
            return _wait(asked, why)
        _forgetting_lines.look(person, lines)
        keys += selectors.notes_naming(person)
        _delete_what_is_clear(person)
        Operation.objects.filter(pk__in=[row.pk for row in before]).update(request_digest="")
        _forgetting_lines.strike(person, lines)
        subjects.destroy(keys)
        asked.lead_id = lead_id
        ended = {"state": State.DONE, "ended_at": timezone.now(), "waits_for": _WIPE, "lead_id": lead_id}
        Forgetting.objects.filter(pk=asked.pk).update(**ended)
        _log(asked, "succeeded", None)
    return True


def _wait(asked: Forgetting, why: str) -> bool:
    Forgetting.objects.filter(pk=asked.pk, state=State.WAITING).update(waits_for=why[:300])
    return False


def _why_look_anew(asked: Forgetting, person: selectors.Person) -> str:
    """The person got another name, address or number while lines were looked at for the ones before."""
    is_same = selectors.person_of(person.account, selectors.id_of(asked)) == person
    return "" if is_same else "This person has just been met under another name or address."


def _held(person: selectors.Person, before: Sequence[Operation]) -> list[int]:
    """All subjects of the lead, and of what was done ``before`` it had a number, locked: whoever is about to seal
    something for it comes before or after."""
    own = subjects.find_lead(person.account.pk, person.lead_id)
    keys = subjects.family([*([own.pk] if own else []), *(row.whose_id for row in before if row.whose_id)])
    return list(Subject.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk", flat=True))


def _delete_what_is_clear(person: selectors.Person) -> None:
    account, lead_id = person.account, person.lead_id
    for kept in (*selectors.views_naming(person), *selectors.filters_naming(person)):
        kept.delete()
    for ref in (LeadRef(id=lead_id), *(LeadRef(email=email) for email in sorted(person.emails))):
        directory.forget(account, ref)
    for model in (Note, Event, Reread, Recent):
        model.objects.filter(account=account, lead_id=lead_id).delete()
    # Digests of what was typed: who guesses it right could tell by them.
    Operation.objects.filter(account=account, lead_id=lead_id).update(request_digest="")
    Approval.objects.filter(account=account, lead_id=lead_id).update(request_digest="", figures_digest="")
    PlaybookRun.objects.filter(account=account, lead_id=lead_id).update(figures_digest="")
    audit_terms.forget_addresses(person.emails)
    finding.forget_found(account, lead_id)


def _log(asked: Forgetting, outcome: str, actor: User | None, **detail: str) -> None:
    """Without a value of the person: the lead by its number."""
    reason = Forgetting.Reason(asked.reason).label
    audit.record(
        action=f"lead.forget.{outcome}",
        outcome=outcome,
        actor=actor,
        actor_name="" if actor else "worker",
        account=asked.account,
        target_kind="lead",
        target_id=asked.lead_id,
        detail={"reason": str(reason), "requester": str(asked.requested_by), **detail},
    )
