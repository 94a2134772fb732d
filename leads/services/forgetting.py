"""Forgetting a person: asked for, taken back or done after some days, and then for good.

What is sealed under the person's own key stays where it is, as the key is destroyed; what stands in the clear is
deleted. Lines of jobs and files, and events, of which nobody knew whose they were are searched for the person's whole
email addresses. See `docs/decisions/13-forgetting.md`.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, Subject, User
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
from leads.selectors import refs
from leads.services import _forgetting_lines, directory

logger = logging.getLogger(__name__)

State = Forgetting.State


def ask(*, actor: User, account: Account, lead_id: str, reason: str) -> Forgetting:
    """Have a person forgotten, after ``FORGET_AFTER_DAYS`` or at once. Raises `Denied`, `Conflict` where it is asked
    already, AppError for no reason of `Forgetting.Reason`."""
    access.require(actor, "lead.forget")
    if reason not in Forgetting.Reason.values:
        raise AppError("Choose why this person is to be forgotten.")
    due_at = timezone.now() + timedelta(days=settings.FORGET_AFTER_DAYS)
    try:
        with transaction.atomic():
            asked = Forgetting.objects.create(
                account=account, lead_id=lead_id, reason=reason, requested_by=actor, due_at=due_at
            )
            _log(asked, "requested", actor, after=f"{settings.FORGET_AFTER_DAYS} days")
    except IntegrityError:
        raise Conflict("It is asked already that this person be forgotten.") from None
    forget_due(only=asked.pk)
    asked.refresh_from_db()
    return asked


def take_back(*, actor: User, asked: Forgetting) -> None:
    """Let the person stay. A second click does nothing. Raises `Conflict` where it is too late."""
    access.require(actor, "lead.forget")
    with transaction.atomic():
        waiting = Forgetting.objects.filter(pk=asked.pk, state=State.WAITING)
        if waiting.update(state=State.TAKEN_BACK, ended_at=timezone.now(), ended_by=actor, waits_for=""):
            _log(asked, "withdrawn", actor)
            return
    asked.refresh_from_db()
    if asked.state != State.TAKEN_BACK:
        raise Conflict("Too late to take it back: this person is forgotten.")


def forget_due(*, only: int | None = None) -> int:
    """Forget everybody whose time has come, or just that one. Returns how many. Many may call it at once."""
    done = 0
    due = Forgetting.objects.filter(state=State.WAITING, due_at__lte=timezone.now()).select_related("account")
    for asked in due.filter(pk=only) if only else due:
        try:
            done += _forget(asked)
        except Exception:  # the others are not to wait for it
            logger.exception("could not forget at request %s", asked.pk)
    if done:
        search_index.wipe(connection)
    return done


def _forget(asked: Forgetting) -> bool:
    """False where something still has to end first, or somebody else was quicker."""
    account, lead_id = asked.account, asked.lead_id
    emails = selectors.emails_of(account, lead_id)
    lines = _forgetting_lines.find(account, lead_id, emails)  # looking takes a while, and holds no lock
    with transaction.atomic():
        if not Forgetting.objects.select_for_update().filter(pk=asked.pk, state=State.WAITING).exists():
            return False
        keys = _held(account, lead_id)
        if why := selectors.why_not_yet(account, lead_id, emails):
            Forgetting.objects.filter(pk=asked.pk).update(waits_for=why[:300])
            return False
        _delete_what_is_clear(account, lead_id, emails)
        _forgetting_lines.strike(lines, emails)
        subjects.destroy(keys)
        ended = {"state": State.DONE, "ended_at": timezone.now(), "waits_for": ""}
        Forgetting.objects.filter(pk=asked.pk).update(**ended)
        _log(asked, "succeeded", None)
    return True


def _held(account: Account, lead_id: str) -> list[int]:
    """All subjects of the lead, locked: whoever is about to seal something for it comes before or after."""
    own = subjects.find_lead(account.pk, lead_id)
    keys = subjects.family([own.pk]) if own else []
    return list(Subject.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk", flat=True))


def _delete_what_is_clear(account: Account, lead_id: str, emails: set[str]) -> None:
    for ref in (LeadRef(id=lead_id), *(LeadRef(email=email) for email in sorted(emails))):
        directory.forget(account, ref)
    for model in (Note, Event, Reread, Recent):
        model.objects.filter(account=account, lead_id=lead_id).delete()
    # Digests of what was typed: who guesses it right could tell by them.
    Operation.objects.filter(account=account, lead_id=lead_id).update(request_digest="")
    Approval.objects.filter(account=account, lead_id=lead_id).update(request_digest="", figures_digest="")
    PlaybookRun.objects.filter(account=account, lead_id=lead_id).update(figures_digest="")
    cache.delete(refs.key_of(account, lead_id))


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
