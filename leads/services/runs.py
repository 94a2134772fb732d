"""Runs of playbooks: started after one preview, held back as a whole, done step after step, resumed where one stopped,
or closed.

A run is a row, written before anything is sent. Each of its parts has an operation whose id is made from the run's,
the part's number and the attempt's, so that whoever comes second, whether a second click, a second tab, a resume after
a crash or a second worker, finds what the first one did. A part is attempted anew only where the attempt before it
surely did nothing of what is sent now.

What is held back (``begin_at``) is begun by the worker, or taken back by a person: each is one conditional update, so
one of them wins.

What stopped is resumed by a person, who sees what stopped it. Only a run that was confirmed as one act (``goes_on``:
cancel, and refund the last payment) is taken further by the worker: once the first part has surely succeeded, by answer
or by reading, within a day, by the permissions, limits and figures of that moment. What stands against it is left to a
person there too, and so is what follows a person's word that the first part was done. No run sends its first part by
itself, or anything that was tried before.
"""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Connection, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict, Denied, FormReused
from leads import rules
from leads.labels import person
from leads.models import HELD_RUN, Playbook, PlaybookRun
from leads.playbook_steps import CANCEL, REFUND, Part, Step, attempt_id, steps_of
from leads.providers.base import LeadRef
from leads.providers.changes import CancelSubscription
from leads.providers.errors import AlreadyDone, RateLimited, Refused, Unavailable
from leads.selectors import playbooks as selectors
from leads.selectors.playbooks import PartProgress, Progress, progress_of
from leads.services import _queue, approvals, held, money
from leads.services.changes import change_lead, read_for_change
from leads.services.money import Changed, Terms, Whose
from leads.services.playbook_preview import preview_playbook
from leads.wiring import provider_for

logger = logging.getLogger(__name__)

GOES_ON_FOR = timedelta(hours=24)
# Longer than a part takes: a page says for so long that somebody is at it.
LEASE = timedelta(minutes=3)


def start_playbook(
    *,
    actor: User,
    connection: Connection,
    playbook: Playbook,
    lead_id: str,
    chosen: str,
    terms: Terms,
    run_id: UUID,
) -> PlaybookRun:
    """Run it as it was previewed, once the time to take it back is over: ``terms.seen`` is the preview's digest. The
    same ``run_id`` again returns the first.

    Raises `Changed` where the preview would read otherwise now, `Refused` where it cannot be run, `Denied`,
    `FormReused`, `Conflict` while another run is held back, or a `ProviderError` of the reading; nothing was sent then.
    What stops it on the way is kept with the run.
    """
    access.require(actor, "playbook.run")
    run = PlaybookRun(  # type: ignore[misc]
        id=run_id,
        account=connection.account,
        actor=actor,
        name=playbook.name,
        lead_id=lead_id,
        reason=terms.reason,
        note=terms.note,
        figures_digest=terms.seen,
    )
    if first := find_replay(run):
        return first
    for step in steps_of(playbook.steps):
        access.require(actor, step.permission)
    preview = preview_playbook(actor=actor, connection=connection, playbook=playbook, lead_id=lead_id, chosen=chosen)
    if preview.digest != terms.seen or preview.why_not:
        if first := find_replay(run):  # what has changed is what the first click did
            return first
        raise Refused(preview.why_not) if preview.digest == terms.seen else Changed
    run.steps = [line.step.as_json() for line in preview.lines]
    run.lead_name, run.lead_email = preview.lead.name[:500], preview.lead.email[:320]
    run.subscription_id, run.transaction_id = preview.subject_of(CANCEL), preview.subject_of(REFUND)
    run.begin_at = money.held_until()
    return begin(run, connection)


def find_replay(run: PlaybookRun) -> PlaybookRun | None:
    """The run that this form started before, if any. Raises `FormReused` where it asked for something else."""
    first = PlaybookRun.objects.filter(pk=run.pk).first()
    if first and _identity(first) != _identity(run):
        raise FormReused
    return first


def begin(run: PlaybookRun, connection: Connection) -> PlaybookRun:
    """Record a run that was checked, then do its parts, or leave what is held back to the worker. Returns the run that
    stands: this one, or the first of its id. Raises `Conflict` where another is held back at the lead."""
    try:
        with transaction.atomic(durable=True):
            run.save(force_insert=True)
            _log("start.requested", run, run.actor)
    except IntegrityError:
        if first := find_replay(run):
            return first
        if run.begin_at is None:
            raise
        raise Conflict(
            "Another playbook is about to start on this lead. Nothing was started: wait for it, or take it back."
        ) from None
    if run.begin_at:
        _queue.begin_later(run.pk, run.begin_at)
        return run
    _go_on(progress_of(run), run.actor, connection, _whose(run))
    return run


def withdraw_run(*, actor: User, run: PlaybookRun) -> PlaybookRun:
    """Take back what has not begun. Whoever may do all of it may take it back. A second click does nothing.

    Raises `Denied`, or AppError where it has begun already.
    """
    access.require(actor, "playbook.run")
    for step in steps_of(run.steps):
        access.require(actor, step.permission)
    with transaction.atomic(durable=True):
        is_mine = _held(run).update(ended_at=timezone.now(), is_closed=True, closed_by=actor)
        if is_mine:
            _log("start.withdrawn", run, actor)
    run.refresh_from_db()
    if not run.is_withdrawn:
        raise AppError("Too late to take it back: it has already started.")
    return run


def resume_run(*, actor: User, connection: Connection, run: PlaybookRun, next_id: UUID) -> Progress:
    """Go on from the first part that is not done. ``next_id`` is `Progress.next_id` as it was shown: where the run has
    moved on since, nothing is done. Anybody who may do what is left may resume.

    Raises `Refused` where something stands against it, `Denied`, or a `ProviderError` of the reading.
    """
    access.require(actor, "playbook.run")
    progress = progress_of(run)
    if progress.next_id != next_id:
        return progress
    if progress.why_not:
        raise Refused(progress.why_not)
    for step in progress.steps:
        if step.state not in (selectors.DONE, selectors.SKIPPED):
            access.require(actor, step.step.permission)
    lead = read_for_change(connection, LeadRef(id=run.lead_id))
    with transaction.atomic():
        _log("resume.requested", run, actor)
    return _go_on(progress, actor, connection, Whose(lead.id, lead.name, lead.email))


def close_run(*, actor: User, run: PlaybookRun, note: str) -> None:
    """Leave the rest undone for good, and say why. What is in doubt stays to be settled. A second click does nothing.

    Raises AppError without a reason, `Refused` for what is done, on its way, or waits for approval.
    """
    access.require(actor, "playbook.run")
    if not note.strip():
        raise AppError("Say why the rest is not done, so that everybody can read it in the log.")
    _close(run, actor, note)


def attend_all() -> None:
    """What the worker does for the runs that are not over: begin what was held back long enough, end what is done, go
    on with what goes on by itself. Safe at any time, many at once."""
    for progress in selectors.list_not_ended():
        try:
            _attend(progress)
        except Exception:  # the others are not to wait for it
            logger.exception("could not go on with run %s", progress.run.pk)


def attend(run: PlaybookRun) -> None:
    """The same for one run, as soon as its time has come, or something of it has been settled."""
    _attend(progress_of(run))


def _attend(progress: Progress) -> None:
    if progress.run.is_held:
        _begin_due(progress.run)
        return
    progress = _take_stock(progress)
    run, current = progress.run, progress.current
    if run.goes_on and current and current.part.number and current.state == selectors.OPEN:
        _go_on_for_actor(progress, current)


def _held(run: PlaybookRun) -> QuerySet[PlaybookRun]:
    return PlaybookRun.objects.filter(HELD_RUN, pk=run.pk)


def _begin_due(run: PlaybookRun) -> None:
    """Begin what was held back long enough, if nobody else does."""
    now = timezone.now()
    if _held(run).filter(begin_at__lte=now).update(begin_at=None, leased_until=now + LEASE):
        progress = progress_of(run)
        if progress.current:
            _go_on_for_actor(progress, progress.current, "playbook.run")


def _go_on_for_actor(progress: Progress, current: PartProgress, *permissions: str) -> None:
    """In the name of who started it, who still needs these permissions, with his own credentials."""
    run = progress.run
    try:
        connection = held.connection_for(run.account, run.actor)
        for permission in permissions:
            access.require(run.actor, permission)
    except (Conflict, Denied) as error:
        PlaybookRun.objects.filter(pk=run.pk).update(leased_until=None)
        _stop(run, current, run.actor, error)
    else:
        _go_on(progress, run.actor, connection, _whose(run))


def _go_on(progress: Progress, actor: User, connection: Connection, whose: Whose) -> Progress:
    """Do what is left, part by part, until one is not done. Only the first of them may have been tried before: what
    somebody else tries meanwhile is left to him, and so is what a person's word has come before."""
    run, first = progress.run, progress.current
    row = PlaybookRun.objects.filter(pk=run.pk)
    while (part := progress.current) and not progress.why_not:
        if part is not first and (part.attempts or progress.follows_word):
            break
        row.update(leased_until=timezone.now() + LEASE)
        if progress.stopped:
            _remark(run, part.part, stopped="")
        try:
            _attempt(run, part, actor, connection, whose)
        except AppError as error:
            _stop(run, part, actor, error)
        progress = progress_of(run)
        if progress.current and progress.current.part.number == part.part.number:
            break
    row.update(leased_until=None)
    return _take_stock(progress)


def _attempt(run: PlaybookRun, part: PartProgress, actor: User, connection: Connection, whose: Whose) -> None:
    """Send one part once. Raises AppError where it could not be begun."""
    operation_id = attempt_id(run.pk, part.part.number, part.attempts + 1)
    if part.part.is_money:
        step = part.steps[0].step
        try:
            _send_money(run, part, actor, connection, whose, operation_id)
        except (Changed, Refused):
            if not _is_so(connection, whose, step):
                raise
            _remark(run, part.part, skipped="This was already done when its turn came.")
        return
    left = [step.step.change for step in part.steps if step.state in (selectors.OPEN, selectors.FAILED)]
    try:
        change_lead(
            actor=actor,
            connection=connection,
            lead_id=run.lead_id,
            changes=left,
            operation_id=operation_id,
            label=run.name,
            run=run,
        )
    except AlreadyDone:
        _remark(run, part.part, skipped="This was already done when its turn came.")


def _send_money(
    run: PlaybookRun, part: PartProgress, actor: User, connection: Connection, whose: Whose, operation_id: UUID
) -> None:
    """One money step, bound to the figures that were confirmed with the run. Only what goes on by itself is held back
    here, and that once, before its first part: a playbook was held back as a whole."""
    step = part.steps[0].step
    terms = Terms(run.reason, run.note, step.seen)
    if step.act == CANCEL:
        money.change_subscription(
            actor=actor,
            connection=connection,
            whose=whose,
            change=CancelSubscription(step.subject),
            terms=terms,
            operation_id=operation_id,
            run=run,
            held=run.goes_on and not part.part.number and not part.attempts,
        )
        return
    approvals.refund_or_request(
        actor=actor,
        connection=connection,
        whose=whose,
        transaction_id=step.subject,
        amount=None,  # all that is left, which the digest holds to what was shown
        terms=terms,
        operation_id=operation_id,
        run=run,
    )


def _is_so(connection: Connection, whose: Whose, step: Step) -> bool:
    """Whether somebody else has done meanwhile what the step was to do."""
    provider = provider_for(connection)
    if step.act == CANCEL:
        plan = money.read_plan(provider, connection.account, whose, step.subject)
        return plan.group.the_subscription.status in rules.FINISHED
    return money.read_sale(provider, connection.account, whose, step.subject).payment.left == 0


def _stop(run: PlaybookRun, part: PartProgress, actor: User, error: AppError) -> None:
    """Keep why a part could not be begun, unless somebody else has begun it meanwhile, or closed the run. What the
    worker may try again in a minute is not stopped by a provider who could not be reached."""
    now = progress_of(run)
    if now.run.is_closed or now.parts[part.part.number].attempts > part.attempts:
        return
    if run.goes_on and part.part.number and isinstance(error, Unavailable | RateLimited):
        return
    _remark(run, part.part, stopped=error.sentence)
    _log("stop.failed", run, actor, sentence=error.sentence)


def _remark(run: PlaybookRun, part: Part, **words: str) -> None:
    """Keep with the run why a part was skipped or not begun."""
    with transaction.atomic(durable=True):
        row = PlaybookRun.objects.select_for_update().get(pk=run.pk)
        for place in range(part.first, part.first + len(part.steps)):
            row.steps[place] = {**row.steps[place], **words}
        row.save(update_fields=["steps"])  # type: ignore[misc]


def _take_stock(progress: Progress) -> Progress:
    """End a run that is done. Of one that goes on by itself: close what came to nothing, and leave to a person what
    cannot go on."""
    run, current = progress.run, progress.current
    if run.ended_at or (current and not run.goes_on):
        return progress
    if current is None:
        PlaybookRun.objects.filter(pk=run.pk, ended_at=None).update(ended_at=timezone.now(), goes_on=False)
    elif not current.part.number and (progress.stopped or current.state in (selectors.FAILED, selectors.WITHDRAWN)):
        _close(run, None, progress.stopped or current.why_not or "The first step failed, so the rest was not done.")
    elif (
        progress.stopped
        or progress.follows_word
        or current.state == selectors.FAILED
        or run.created_at < timezone.now() - GOES_ON_FOR
    ):
        PlaybookRun.objects.filter(pk=run.pk).update(goes_on=False)
    else:
        return progress
    return progress_of(run)


def _close(run: PlaybookRun, actor: User | None, note: str) -> None:
    with transaction.atomic(durable=True):
        row = PlaybookRun.objects.select_for_update(of=("self",)).select_related("account").get(pk=run.pk)
        if row.is_closed:
            return
        if actor and (why := progress_of(row).why_not_close):
            raise Refused(why)
        row.ended_at, row.is_closed, row.closed_by, row.goes_on = timezone.now(), True, actor, False
        row.closed_note = note[:500]
        row.save(update_fields=["ended_at", "is_closed", "closed_by", "closed_note", "goes_on"])  # type: ignore[misc]
        _log("close.succeeded", row, actor, sentence=note)


def _identity(run: PlaybookRun) -> tuple[object, ...]:
    """``figures_digest`` stands for the steps and what they touch."""
    return run.actor_id, run.account_id, run.lead_id, run.reason, run.note, run.figures_digest


def _whose(run: PlaybookRun) -> Whose:
    return Whose(run.lead_id, run.lead_name, run.lead_email)


def _log(what: str, run: PlaybookRun, actor: User | None, *, sentence: str = "") -> None:
    detail = {"label": run.name, "reason": run.reason, "note": run.note, "sentence": sentence}
    audit.record(
        action=f"playbook.{what}",
        outcome=what.rpartition(".")[2],
        actor=actor,
        actor_name="" if actor else "worker",
        account=run.account,
        target_kind="lead",
        target_id=run.lead_id,
        target_name=person(run.lead_name, run.lead_email),
        operation_id=run.pk,
        detail={key: value for key, value in detail.items() if value},
    )
