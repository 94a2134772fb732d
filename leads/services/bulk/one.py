"""One lead of a job: the dry run's reading, the change itself, and what came of it.

A lead's operation has an id that is made from the job, the lead's place and the attempt. Whoever comes second, be it
after a crash or beside a slow one, finds it and follows it; the database lets one of them write it. A further attempt
is made only where the one before surely did nothing of what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import subjects
from accounts.models import Connection
from accounts.services import audit
from kartra_admin.lib.crypto import SealBroken
from kartra_admin.lib.errors import AppError, Denied
from leads import summaries
from leads.bulk_actions import Action, actions_of, creation, places_for_new, places_to_do
from leads.models import Job, JobLead, Operation, OperationStep, Outcome, SettledBy
from leads.providers.base import FieldDefinition, Lead, LeadRef
from leads.providers.errors import (
    AlreadyDone,
    Deleted,
    Misconfigured,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
    Unreadable,
)
from leads.selectors import catalogues
from leads.services import _operations, settling
from leads.services.bulk.undoing import left_to_undo, next_to_undo, still_done
from leads.services.changes import read_for_change, send_changes
from leads.services.leads import send_creation
from leads.services.reading_back import read_back
from leads.services.undo import changes_to_undo, undo_operation

State, Would = JobLead.State, JobLead.Would

# So often a lead is begun anew without a person, where nothing of it was done and Kartra did not say why.
MOST_ATTEMPTS = 5
AGAIN_AFTER = timedelta(seconds=10)

# What concerns more than this lead is for the caller; an answer that makes no sense is this lead's own.
BEYOND_THIS_LEAD = (Misconfigured, SealBroken, RateLimited, Unavailable, Denied)
UNREADABLE = "Kartra's answer about this lead could not be read."


@dataclass(frozen=True)
class Work:
    """A job as a worker has it at hand."""

    job: Job
    connection: Connection
    actions: Sequence[Action]
    definitions: Sequence[FieldDefinition]


def work_for(job: Job, connection: Connection) -> Work:
    return Work(job, connection, actions_of(job.actions), catalogues.for_account(job.account).fields)


# The dry run


def check(work: Work, row: JobLead) -> None:
    """Read the lead, and keep what would be done to it. Raises those of `BEYOND_THIS_LEAD`."""
    try:
        lead = read_for_change(work.connection, _ref(row), background=True)
        found = _finding_of_undo(work.job, row, lead) if row.undoes else _finding(work, lead)
    except NotFound as error:
        found = {**_finding_of_nobody(work, row, error), "sentence": error.sentence[:500]}
    except Unreadable:
        found = {"would": Would.FAILED, "sentence": UNREADABLE}
    except BEYOND_THIS_LEAD:
        raise
    except AppError as error:
        found = {"would": Would.FAILED, "sentence": error.sentence[:500]}
    else:
        found |= _named(lead)
    _keep(
        row, {"sentence": "", "leased_until": None, **found}, if_double={"would": Would.DOUBLE, "state": State.DOUBLE}
    )


def _finding(work: Work, lead: Lead) -> dict[str, Any]:
    places = places_to_do(work.actions, lead, catalogues.with_options_of(lead, work.definitions))
    return {"would": Would.CHANGE if places else Would.SAME, **_deeds(work, places)}


def _finding_of_nobody(work: Work, row: JobLead, error: NotFound) -> dict[str, Any]:
    if row.undoes_id or not _may_create(work.job, row, error):
        return {"would": Would.MISSING}
    return {"would": Would.CREATE, **_deeds(work, places_for_new(work.actions))}


def _finding_of_undo(job: Job, row: JobLead, lead: Lead) -> dict[str, Any]:
    operations = still_done(left_to_undo(job, row), lead) or [_undone(row)]
    actions = [Action(change) for operation in operations for change in changes_to_undo(operation, lead)]
    return {
        "would": Would.CHANGE if actions else Would.SAME,
        "starts": any(action.may_start_automations for action in actions),
        "sentence": "; ".join(action.words for action in actions)[:500],
    }


def _deeds(work: Work, places: Sequence[int]) -> dict[str, Any]:
    return {"would_do": places, "starts": any(work.actions[place].may_start_automations for place in places)}


def _may_create(job: Job, row: JobLead, error: NotFound) -> bool:
    """Whether a lead that was not found is to be created; one that was deleted is not taken back."""
    return bool(job.creates_missing and row.email) and not isinstance(error, Deleted)


# The run


def do(work: Work, row: JobLead) -> None:
    """Change the lead, once, and keep what came of it. Raises those of `BEYOND_THIS_LEAD`; nothing was sent then."""
    first = Operation.objects.filter(pk=row.id_of_attempt(row.attempt)).first()
    if first:
        follow(work.job, row, _settled(first, work.connection))
        return
    try:
        operation = _undo(work, row) if row.undoes else _change(work, row)
    except NotFound as error:
        _end_unsent(work.job, row, State.MISSING, error.sentence)
    except AlreadyDone:
        if not _go_on_undoing(work.job, row, row.operation):
            if row.undoes and row.operation and row.operation.outcome == Outcome.SUCCEEDED:
                _end(row, State.SUCCEEDED)
            else:
                row.refresh_from_db()  # whose lead it is may have been read just now
                _end_unsent(work.job, row, State.SAME, "")
    except Unreadable:
        _end_unsent(work.job, row, State.FAILED, UNREADABLE)
    except BEYOND_THIS_LEAD:
        raise
    except AppError as error:
        _end_unsent(work.job, row, State.FAILED, error.sentence)
    else:
        if operation:
            follow(work.job, row, operation)


def _change(work: Work, row: JobLead) -> Operation | None:
    """The operation, or None where another line of the job names the same lead."""
    job = work.job
    intent = _operations.Intent(
        id=row.id_of_attempt(row.attempt),
        actor=job.actor,
        connection=work.connection,
        request_digest=_operations.digest("job", str(job.pk), row.position, row.attempt),
        label=job.name,
        approved_by=job.approved_by,
        background=True,
    )
    actions = _left(work.actions, row)
    try:
        lead = read_for_change(work.connection, _ref(row), background=True)
    except NotFound as error:
        if not _may_create(job, row, error):
            raise
        new, also = creation(row.email, actions)
        return send_creation(intent, new, also)
    if row.lead_id != lead.id and not _keep(row, _named(lead), if_double={"state": State.DOUBLE}):
        return None
    return send_changes(intent, lead, [action.change for action in actions])


def _undo(work: Work, row: JobLead) -> Operation:
    """Take back what one attempt did; `follow` goes on with the one before it. Nothing, where a part must stay.

    Raises `AlreadyDone` where that attempt is taken back already, and others are not or were by this job.
    """
    left = left_to_undo(work.job, row)
    if len(left) > 1 or row.operation:
        lead = read_for_change(work.connection, _ref(row), background=True)
        still = still_done(left, lead)
        for operation in still:
            changes_to_undo(operation, lead)
        if row.undoes not in still and (still or row.operation):
            raise AlreadyDone("This is as it was before.")
    return undo_operation(
        actor=work.job.actor,
        connection=work.connection,
        operation=_undone(row),
        operation_id=row.id_of_attempt(row.attempt),
        label=work.job.name,
        approved_by=work.job.approved_by,
        background=True,
    )


def _left(actions: Sequence[Action], row: JobLead) -> list[Action]:
    """Without what an earlier attempt has done, even where it is no longer so: points are given once."""
    earlier = [row.id_of_attempt(attempt) for attempt in range(row.attempt)]
    done = OperationStep.objects.filter(operation__in=earlier, outcome=Outcome.SUCCEEDED) if earlier else []
    kept = [(step.kind, step.asked) for step in done]
    return [action for action in actions if (action.change.kind, action.change.as_json()) not in kept]


# What came of it


def follow(job: Job, row: JobLead, operation: Operation) -> None:
    """Keep how the operation of the lead's last attempt stands."""
    is_last = row.attempt + 1 >= MOST_ATTEMPTS
    match operation.outcome:
        case Outcome.UNKNOWN:
            _write(row, {"state": State.UNKNOWN, "operation": operation, "sentence": summaries.IN_DOUBT})
        case Outcome.SUCCEEDED | Outcome.FAILED if any(step.read_back_at for step in operation.steps.all()):
            put_back(row, until=timezone.now() + AGAIN_AFTER)  # its worker was killed before he read it back
        case Outcome.SUCCEEDED if _go_on_undoing(job, row, operation):
            pass
        case Outcome.SUCCEEDED:
            remarks = " ".join(step.sentence for step in operation.steps.all() if step.settled_by == SettledBy.ANSWER)
            _end(row, State.SUCCEEDED, remarks.strip(), operation=operation, lead_id=row.lead_id or operation.lead_id)
        case Outcome.FAILED if not is_last and _is_worth_another(operation) and begin_again(row, operation):
            pass
        case Outcome.FAILED:
            _end(row, State.FAILED, summaries.summarise(operation).text, operation=operation)
        case _:  # somebody is at it, or was killed: looked at again once it counts as stuck
            sent_at = operation.sent_at or operation.created_at
            put_back(row, until=max(sent_at + settling.STUCK_AFTER, timezone.now() + AGAIN_AFTER))


def _go_on_undoing(job: Job, row: JobLead, done: Operation | None) -> bool:
    """Have taken back what an earlier attempt did, after what ``done`` took back. False where there is none.

    A job that is over leaves it to a retry.
    """
    older = next_to_undo(job, row)
    if older and not begin_again(row, done, undoes=older):
        _end(row, State.FAILED, "What an earlier attempt did is not undone yet. Retry it.", undoes=older)
    return older is not None


def begin_again(row: JobLead, operation: Operation | None, *, undoes: Operation | None = None) -> bool:
    """Have another attempt made at what is left, or at once at taking back what ``undoes`` did. Once for each attempt,
    whoever asks. False where somebody else has, and where the job is over: nobody would come to the lead."""
    values = {"attempt": row.attempt + 1, "state": State.WAITING, "leased_until": timezone.now() + AGAIN_AFTER}
    if undoes:
        values |= {"undoes": undoes, "leased_until": None}
    with transaction.atomic():
        if row.lead_id:
            subjects.of_lead(row.job.account_id, row.lead_id)  # before the job, in the order of who forgets the lead
        if Job.objects.select_for_update(no_key=True).get(pk=row.job_id).is_over:
            return False
        return _write(row, {**values, "operation": operation, "done_at": None, "sentence": ""})


def put_back(row: JobLead, *, until: datetime | None) -> None:
    """Leave the lead to whoever comes, after ``until``."""
    JobLead.objects.filter(pk=row.pk).update(leased_until=until)


def _is_worth_another(operation: Operation) -> bool:
    """Whether what failed was never carried out, and not for a reason of Kartra's: it was not taken, or was cut off,
    as a reading proved."""
    failed = [step for step in operation.steps.all() if step.outcome == Outcome.FAILED]
    return all(step.settled_by in (SettledBy.NOT_TAKEN, SettledBy.READING) for step in failed)


def _settled(operation: Operation, connection: Connection) -> Operation:
    """The same after a reading, where it is in doubt and old enough to be read for, or still to be read back."""
    if operation.outcome == Outcome.PENDING:
        return settling.settle(operation, connection=connection)
    return read_back(operation, connection, background=True)


def _end(
    row: JobLead,
    state: JobLead.State,
    sentence: str = "",
    *,
    operation: Operation | None = None,
    lead_id: str = "",
    undoes: Operation | None = None,
) -> bool:
    """No more is done to the lead. What is not given stays as it is."""
    given = {"operation": operation, "lead_id": lead_id, "undoes": undoes}
    values = {"state": state, "sentence": sentence[:500], "done_at": timezone.now(), "leased_until": None}
    return _write(row, {**values, **{name: value for name, value in given.items() if value}})


def _end_unsent(job: Job, row: JobLead, state: JobLead.State, sentence: str) -> None:
    """End a lead for which there is no operation: the log gets this one entry. Where nobody knows the lead's id, it
    names the line instead, for what is told of a job is not sealed."""
    about: dict[str, Any] = {"target_kind": "job", "target_id": str(job.pk), "target_name": job.name}
    told, detail = "job.line", {"line": row.line, "sentence": str(state.label)}
    if row.lead_id:
        about = {"target_kind": "lead", "target_id": row.lead_id, "target_name": row.name}
        told, detail = "job.lead", {"label": job.name, "sentence": sentence or str(state.label)}
    outcome = "succeeded" if state is State.SAME else "failed"
    with transaction.atomic():
        if _end(row, state, sentence):
            audit.record(
                action=f"{told}.{outcome}",
                outcome=outcome,
                actor=job.actor,
                account=job.account,
                detail=detail,
                **about,
            )


def _write(row: JobLead, values: dict[str, Any]) -> bool:
    """Unless the lead has gone on meanwhile. What is sealed goes under the lead's own key once its id is known."""
    lead_id = values.get("lead_id", row.lead_id)
    same = JobLead.objects.filter(pk=row.pk, attempt=row.attempt, state=row.state)
    now = JobLead(pk=row.pk, job=row.job, position=row.position, lead_id=lead_id, whose=row.whose, sealed=row.sealed)
    if lead_id and (lead_id != row.lead_id or now.is_forgotten):
        now.belong_to(subjects.of_lead(row.job.account_id, lead_id))
    sealed = {name: value for name, value in values.items() if JobLead.has_sealed(name)}
    if sealed:
        values = {**values, **now.sealing(**sealed)}
        values = {name: value for name, value in values.items() if not JobLead.has_sealed(name)}
    return bool(same.update(**values))


def _keep(row: JobLead, values: dict[str, Any], *, if_double: dict[str, Any]) -> bool:
    """Write what was read. False where another line of the job has this lead already."""
    try:
        with transaction.atomic():
            return _write(row, values)
    except IntegrityError:
        _write(row, {**if_double, "done_at": timezone.now()})
        return False


def _named(lead: Lead) -> dict[str, str]:
    return {"lead_id": lead.id, "name": lead.name[:500], "email": lead.email[:320]}


def _ref(row: JobLead) -> LeadRef:
    return LeadRef(id=row.lead_id, email=row.email)


def _undone(row: JobLead) -> Operation:
    if row.undoes is None:
        raise Refused("There is nothing to undo.")
    return row.undoes
