"""Playbooks: composed by an admin, run by staff after one preview, step after step, and resumed where one stopped.

A run is a row, written before anything is sent. Each of its parts has an operation whose id is made from the run's,
the part's number and the attempt's, so that whoever comes second, whether a second click, a second tab or a resume
after a crash, finds what the first one did. A part is attempted anew only where the attempt before it surely did
nothing of what is sent now.
"""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import Connection, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict
from leads import rules
from leads.acts import CANCEL, REFUND, Part, Step, attempt_id, steps_of
from leads.labels import person
from leads.models import Playbook, PlaybookRun
from leads.providers.changes import CancelSubscription
from leads.providers.errors import AlreadyDone, Refused
from leads.selectors import playbooks as selectors
from leads.selectors.playbooks import PartProgress, Progress, progress_of
from leads.services import approvals, money
from leads.services.changes import change_lead, read_for_change
from leads.services.money import Changed, Terms, Whose
from leads.services.playbook_preview import preview_playbook
from leads.wiring import provider_for


def save_playbook(*, actor: User, playbook: Playbook) -> Playbook:
    """Create or change a playbook, with its log entry. Runs that have begun keep the steps they began with."""
    access.require(actor, "playbook.manage")
    with transaction.atomic():
        old = Playbook.objects.filter(pk=playbook.pk).first() if playbook.pk else None
        playbook.save()
        _log_playbook("save", actor, playbook, before=_state(old) if old else None, after=_state(playbook))
    return playbook


def delete_playbook(*, actor: User, playbook: Playbook) -> None:
    access.require(actor, "playbook.manage")
    with transaction.atomic():
        _log_playbook("delete", actor, playbook, before=_state(playbook))
        playbook.delete()


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
    """Run it as it was previewed: ``terms.seen`` is the preview's digest. The same ``run_id`` again returns the first.

    Raises `Changed` where the preview would read otherwise now, `Refused` where it cannot be run, `Denied`, `Conflict`
    for a form that was sent before with something else in it, or a `ProviderError` of the reading; nothing was sent
    then. What stops it on the way is kept with the run.
    """
    access.require(actor, "playbook.run")
    run = PlaybookRun(
        id=run_id,
        account=connection.account,
        actor=actor,
        name=playbook.name,
        lead_id=lead_id,
        reason=terms.reason,
        note=terms.note,
        figures_digest=terms.seen,
    )
    if first := _find_replay(run):
        return first
    for step in steps_of(playbook.steps):
        access.require(actor, step.permission)
    preview = preview_playbook(actor=actor, connection=connection, playbook=playbook, lead_id=lead_id, chosen=chosen)
    if preview.digest != terms.seen or preview.why_not:
        if first := _find_replay(run):  # what has changed is what the first click did
            return first
        raise Refused(preview.why_not) if preview.digest == terms.seen else Changed
    run.steps = [line.step.as_json() for line in preview.lines]
    run.lead_name = preview.lead.name[:500]
    run.subscription_id, run.transaction_id = preview.subject_of(CANCEL), preview.subject_of(REFUND)
    try:
        with transaction.atomic(durable=True):
            run.save(force_insert=True)
            _log_run("start.requested", run, actor, whose=preview.whose)
    except IntegrityError:
        if first := _find_replay(run):
            return first
        raise
    _go_on(run, actor, connection, preview.whose)
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
    lead = read_for_change(connection, run.lead_id)
    whose = Whose(lead.id, lead.name, lead.email)
    with transaction.atomic():
        _log_run("resume.requested", run, actor, whose=whose)
    _go_on(run, actor, connection, whose)
    return progress_of(run)


def _go_on(run: PlaybookRun, actor: User, connection: Connection, whose: Whose) -> None:
    """Do what is left, part by part, until one is not done. Only the first of them may have been tried before: what
    somebody else tries meanwhile is left to him."""
    is_first = True
    for number in range(len(progress_of(run).parts)):
        part = progress_of(run).parts[number]
        if part.is_done:
            continue
        if part.why_not or (part.attempts and not is_first):
            return
        is_first = False
        try:
            _attempt(run, part, actor, connection, whose)
        except AppError as error:
            _remark(run, part.part, stopped=error.sentence)
            _log_run("stop.failed", run, actor, whose=whose, sentence=error.sentence)
        if not progress_of(run).parts[number].is_done:
            return


def _attempt(run: PlaybookRun, part: PartProgress, actor: User, connection: Connection, whose: Whose) -> None:
    """Send one part once. Raises AppError where it could not be begun."""
    operation_id = attempt_id(run.pk, part.part.number, part.attempts + 1)
    if part.part.is_money:
        step = part.steps[0].step
        try:
            _send_money(run, step, actor, connection, whose, operation_id)
        except (Changed, Refused):
            if not _is_so(connection, whose, step):
                raise
            _remark(run, part.part, skipped="It was so already when its turn came.")
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
        _remark(run, part.part, skipped="It was so already when its turn came.")


def _send_money(
    run: PlaybookRun, step: Step, actor: User, connection: Connection, whose: Whose, operation_id: UUID
) -> None:
    """One money step, bound to the figures that were confirmed with the run."""
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
        )
        return
    approvals.refund_or_request(
        actor=actor,
        connection=connection,
        whose=whose,
        transaction_id=step.subject,
        amount=Decimal(step.amount),
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


def _remark(run: PlaybookRun, part: Part, **words: str) -> None:
    """Keep with the run why a part was skipped or not begun."""
    with transaction.atomic(durable=True):
        row = PlaybookRun.objects.select_for_update().get(pk=run.pk)
        for place in range(part.first, part.first + len(part.steps)):
            row.steps[place] = {**row.steps[place], **words}
        row.save(update_fields=["steps"])


def _find_replay(run: PlaybookRun) -> PlaybookRun | None:
    """The run that this form started before, if any. Raises `Conflict` where it asked for something else."""
    first = PlaybookRun.objects.filter(pk=run.pk).first()
    if first and _identity(first) != _identity(run):
        raise Conflict("This form was already sent once, with something else in it. Nothing new was sent.")
    return first


def _identity(run: PlaybookRun) -> tuple[object, ...]:
    """``figures_digest`` stands for the steps and what they touch."""
    return run.actor_id, run.account_id, run.lead_id, run.reason, run.note, run.figures_digest


def _state(playbook: Playbook) -> dict[str, str]:
    steps = {f"Step {number}": step.order for number, step in enumerate(steps_of(playbook.steps), 1)}
    return {"Name": playbook.name, "Description": playbook.description, **steps}


def _log_playbook(verb: str, actor: User, playbook: Playbook, **states: Mapping[str, str] | None) -> None:
    audit.record(
        action=f"playbook.{verb}.succeeded",
        outcome="succeeded",
        actor=actor,
        account=playbook.account,
        target_kind="playbook",
        target_id=str(playbook.pk),
        target_name=playbook.name,
        **states,  # type: ignore[arg-type]
    )


def _log_run(what: str, run: PlaybookRun, actor: User, *, whose: Whose, sentence: str = "") -> None:
    detail = {"label": run.name, "reason": run.reason, "note": run.note, "sentence": sentence}
    audit.record(
        action=f"playbook.{what}",
        outcome=what.rpartition(".")[2],
        actor=actor,
        account=run.account,
        target_kind="lead",
        target_id=run.lead_id,
        target_name=person(whose.name, whose.email),
        operation_id=run.pk,
        detail={key: value for key, value in detail.items() if value},
    )
