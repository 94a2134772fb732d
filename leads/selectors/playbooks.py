"""Playbooks, and how far their runs have come, as the operations tell it. Nothing here calls the provider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Account
from leads.acts import Part, Step, attempt_id, parts_of, steps_of
from leads.models import Approval, Operation, OperationStep, Outcome, Playbook, PlaybookRun

MOST_ATTEMPTS = 20
LISTED_FOR = timedelta(days=30)
MOST_LISTED = 100

DONE, SKIPPED, OPEN = "done", "skipped", "open"
SENDING, CHECKING, FAILED, APPROVAL = "sending", "checking", "failed", "approval"

_STATES = {
    Outcome.SUCCEEDED: DONE,
    Outcome.FAILED: FAILED,
    Outcome.WITHDRAWN: FAILED,
    Outcome.UNKNOWN: CHECKING,
    Outcome.PENDING: SENDING,
    Outcome.HELD: SENDING,
}
# state: (word, colour), in the order in which they decide how a part stands as a whole
STATES = {
    CHECKING: ("Being checked", "unknown"),
    SENDING: ("Being sent", "waiting"),
    APPROVAL: ("Waiting for approval", "waiting"),
    FAILED: ("Failed", "failed"),
    OPEN: ("Not begun", "neutral"),
    DONE: ("Done", "succeeded"),
    SKIPPED: ("So already", "neutral"),
}
_WHY_NOT = {
    CHECKING: "Kartra gave no clear answer to a step. It has to be settled first; nothing is sent again before that.",
    SENDING: "A step is being sent right now. Load the page again in a moment.",
    APPROVAL: "The refund waits for approval. Resume once that is decided.",
}


@dataclass(frozen=True)
class StepProgress:
    """One step: its last attempt, or the request for approval that stands for it."""

    step: Step
    state: str
    sentence: str = ""
    operation: Operation | None = None
    approval: Approval | None = None

    @property
    def badge(self) -> tuple[str, str]:
        return STATES[self.state]


@dataclass(frozen=True)
class PartProgress:
    """``attempts`` is how often it was begun; ``steps`` stand as after the last of them."""

    part: Part
    attempts: int
    steps: tuple[StepProgress, ...]

    @property
    def state(self) -> str:
        states = {step.state for step in self.steps}
        return next(state for state in STATES if state in states)

    @property
    def is_done(self) -> bool:
        return self.state in (DONE, SKIPPED)

    @property
    def why_not(self) -> str:
        """Against trying it now. A failed part may be tried again: it surely did nothing that is still to do."""
        if self.attempts >= MOST_ATTEMPTS:
            return f"It was tried {self.attempts} times. Start the playbook again from the lead."
        return _WHY_NOT.get(self.state, "")


@dataclass(frozen=True)
class Progress:
    run: PlaybookRun
    parts: tuple[PartProgress, ...]

    @property
    def steps(self) -> list[StepProgress]:
        return [step for part in self.parts for step in part.steps]

    @property
    def current(self) -> PartProgress | None:
        """The first part that is not done, None where all are."""
        return next((part for part in self.parts if not part.is_done), None)

    @property
    def why_not(self) -> str:
        """Against going on."""
        return self.current.why_not if self.current else "All steps are done."

    @property
    def next_id(self) -> UUID | None:
        """The id of the attempt that would come next; what was shown when somebody said 'resume'."""
        if self.current is None:
            return None
        return attempt_id(self.run.pk, self.current.part.number, self.current.attempts + 1)

    @property
    def badge(self) -> tuple[str, str]:
        """How the run stands as a whole."""
        if self.current is None:
            return STATES[DONE]
        if self.current.state == OPEN:
            return ("Stopped", "failed") if self.stopped else ("Can go on", "waiting")
        return STATES[self.current.state]

    @property
    def stopped(self) -> str:
        """Why the current part was not begun, or failed."""
        if self.current is None or self.current.state not in (OPEN, FAILED):
            return ""
        return next(
            (step.step.stopped or step.sentence for step in self.current.steps if step.state in (OPEN, FAILED)), ""
        )


def list_playbooks(account: Account) -> QuerySet[Playbook]:
    return Playbook.objects.filter(account=account)


def list_unfinished(account: Account) -> list[Progress]:
    """Runs of the last 30 days that somebody has to go on with, newest first."""
    since = timezone.now() - LISTED_FOR
    runs = PlaybookRun.objects.filter(account=account, created_at__gte=since).select_related("actor")
    return [progress for progress in _progress(runs.order_by("-created_at")[:MOST_LISTED]) if progress.current]


def progress_of(run: PlaybookRun) -> Progress:
    """Read anew, the run's own row too."""
    return _progress(PlaybookRun.objects.filter(pk=run.pk).select_related("actor", "account"))[0]


def _progress(found: Iterable[PlaybookRun]) -> list[Progress]:
    """A few queries, however many runs."""
    runs = {run: parts_of(steps_of(run.steps)) for run in found}
    operations = {row.pk: row for row in Operation.objects.filter(run__in=runs).prefetch_related("steps")}
    requests = Approval.objects.filter(run__in=runs).select_related("operation").prefetch_related("operation__steps")
    approvals = {row.pk: row for row in requests}
    return [
        Progress(run, tuple(_part(run, part, operations, approvals) for part in parts)) for run, parts in runs.items()
    ]


def _part(
    run: PlaybookRun, part: Part, operations: Mapping[UUID, Operation], approvals: Mapping[UUID, Approval]
) -> PartProgress:
    ids = [attempt_id(run.pk, part.number, number) for number in range(1, MOST_ATTEMPTS + 1)]
    begun = [number for number in ids if number in operations or number in approvals]
    if part.is_money:
        last = [(operations.get(number), approvals.get(number)) for number in begun[-1:]] or [(None, None)]
        steps = [_money(part.steps[0], *last[0])]
    else:
        steps = [_on_lead(step, [operations[number] for number in begun]) for step in part.steps]
    return PartProgress(part, len(begun), tuple(steps))


def _not_begun(step: Step) -> StepProgress:
    return StepProgress(step, SKIPPED if step.skipped else OPEN, step.skipped)


def _money(step: Step, operation: Operation | None, approval: Approval | None) -> StepProgress:
    operation = operation or (approval.operation if approval else None)
    if operation is not None:
        row = operation.steps.all()[0]
        state, sentence = _STATES[Outcome(row.outcome)], row.sentence
    elif approval is None:
        return _not_begun(step)
    elif approval.status in (Approval.Status.WAITING, Approval.Status.COOLING):
        state, sentence = APPROVAL, f"Above the limit: {approval.above}."
    else:
        state, sentence = FAILED, _ended(approval)
    if state == FAILED and step.skipped:
        state, sentence = SKIPPED, step.skipped
    return StepProgress(step, state, sentence, operation, approval)


def _ended(approval: Approval) -> str:
    """Why a request came to nothing."""
    note = f" {approval.decision_note}" if approval.decision_note else ""
    return f"The request for approval was {approval.get_status_display().lower()}.{note}"


def _on_lead(step: Step, attempts: list[Operation]) -> StepProgress:
    """What succeeded in any attempt is done; else the last attempt counts, which leaves out what was so already."""
    if step.skipped or not attempts:
        return _not_begun(step)
    found = [(operation, row) for operation in attempts for row in operation.steps.all() if _is_of(row, step)]
    done = next(((operation, row) for operation, row in found if row.outcome == Outcome.SUCCEEDED), None)
    if done is None and (not found or found[-1][0] != attempts[-1]):
        return StepProgress(step, SKIPPED, "It was so already.", attempts[-1])
    operation, row = done or found[-1]
    return StepProgress(step, _STATES[Outcome(row.outcome)], row.sentence, operation)


def _is_of(row: OperationStep, step: Step) -> bool:
    return (row.kind, row.subject) == (step.change.kind, step.change.subject[:500])
