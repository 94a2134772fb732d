"""Playbooks, and how far their runs have come, as the operations tell it. Nothing here calls the provider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Account
from leads.models import Approval, Operation, OperationStep, Outcome, Playbook, PlaybookRun, SettledBy
from leads.playbook_steps import Part, Step, attempt_id, parts_of, steps_of

MOST_ATTEMPTS = 20
# What goes on by itself needs nobody, unless it takes so long.
LONG = timedelta(hours=1)

DONE, SKIPPED, OPEN = "done", "skipped", "open"
SENDING, CHECKING, FAILED, APPROVAL, WITHDRAWN = "sending", "checking", "failed", "approval", "withdrawn"

_STATES = {
    Outcome.SUCCEEDED: DONE,
    Outcome.FAILED: FAILED,
    Outcome.WITHDRAWN: WITHDRAWN,
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
    WITHDRAWN: ("Taken back", "neutral"),
    OPEN: ("Not started", "neutral"),
    DONE: ("Done", "succeeded"),
    SKIPPED: ("Already done", "neutral"),
}
_WHY_NOT = {
    CHECKING: "Kartra gave no clear answer to a step. It has to be settled first; until then nothing is sent.",
    SENDING: "A step is being sent right now. Reload the page in a moment.",
    APPROVAL: "The refund is waiting for approval. Resume once that is decided.",
    WITHDRAWN: "It was taken back before anything was sent.",
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
    def is_by_word(self) -> bool:
        """Whether a person has said what became of it, since no answer and no reading did."""
        operations = [step.operation for step in self.steps if step.operation]
        return any(row.settled_by == SettledBy.PERSON for operation in operations for row in operation.steps.all())

    @property
    def why_not(self) -> str:
        """Against trying it now. A failed part may be tried again: it surely did nothing that is still to do."""
        if self.attempts >= MOST_ATTEMPTS:
            return f"It was tried {self.attempts} times. Start the playbook again from the lead."
        return _WHY_NOT.get(self.state, "")


@dataclass(frozen=True)
class Progress:
    """How far a run has come. ``current`` is None once every part is done."""

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
        if self.run.is_held:
            return "It is held back, and nothing was sent yet. It starts automatically."
        if self.run.is_withdrawn:
            return f"It was taken back by {self.run.closed_by} before it started. Nothing was sent."
        if self.run.is_closed:
            by = f" by {self.run.closed_by}" if self.run.closed_by else ""
            return f"This run is closed{by}: {self.run.closed_note}"
        return self.current.why_not if self.current else "All steps are done."

    @property
    def is_over(self) -> bool:
        return self.current is None or self.run.is_closed

    @property
    def is_going_on(self) -> bool:
        """Whether the worker is about to begin the next part."""
        next_part = self.current.part.number if self.current and self.current.state == OPEN else 0
        return self.run.goes_on and bool(next_part) and not self.stopped and not self.follows_word

    @property
    def follows_word(self) -> bool:
        """Whether the part before the current one is done by a person's word alone. He decided that, and nothing more:
        what comes next is for a person to start."""
        number = self.current.part.number if self.current else 0
        return number > 0 and self.parts[number - 1].is_by_word

    @property
    def is_at_work(self) -> bool:
        """Whether somebody is doing its parts, as far as is known: of one who was killed this is said until his
        lease is over."""
        is_leased = self.run.leased_until is not None and timezone.now() < self.run.leased_until
        return is_leased and self.current is not None and self.current.state in (OPEN, SENDING)

    @property
    def mark(self) -> str:
        """Another one as soon as a page has something new to show."""
        return f"{self.next_id} {self.badge[0]}"

    @property
    def is_overdue(self) -> bool:
        """Whether it has waited for so long that it is shown in red."""
        return not self.is_over and self.run.created_at < timezone.now() - LONG

    @property
    def why_not_close(self) -> str:
        """Against leaving the rest undone."""
        if self.current is None:
            return "All steps are done."
        if self.run.is_held:
            return "It has not started. Take it back instead."
        return {
            SENDING: "A step is being sent. Take it back while it is held, or wait until it is done.",
            APPROVAL: "The refund is waiting for approval. Take back that request, or have it declined, first.",
        }.get(self.current.state, "")

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
        if self.run.is_held:
            return ("Held back", "waiting")
        if self.run.is_withdrawn:
            return STATES[WITHDRAWN]
        if self.run.is_closed:
            return ("Closed", "neutral")
        if self.run.goes_on and not self.current.part.number:
            return ("Waiting for the cancellation", "waiting")
        if self.is_going_on:
            return ("Continues automatically", "waiting")
        if self.is_at_work:
            return ("Running", "waiting")
        if self.current.state == OPEN:
            return ("Stopped", "failed") if self.stopped else ("Can continue", "waiting")
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


def list_unfinished(account: Account, lead_id: str = "") -> list[Progress]:
    """Runs that are not over, newest first, of one lead or of all."""
    runs = _not_ended().filter(account=account)
    return _unfinished(runs.filter(lead_id=lead_id) if lead_id else runs)


def list_waiting(account: Account) -> list[Progress]:
    """Runs that are held back, or that somebody has to go on with, newest first."""
    needs_nobody = Q(goes_on=True, created_at__gt=timezone.now() - LONG)
    return _unfinished(_not_ended().filter(account=account).exclude(needs_nobody))


def list_not_ended() -> list[Progress]:
    """Every run, of any account, that is not known to be over. One that is done may be among them."""
    return _progress(_not_ended().select_related("account"))


def _not_ended() -> QuerySet[PlaybookRun]:
    return PlaybookRun.objects.filter(ended_at=None).prefetch_related("actor").order_by("-created_at")


def _unfinished(runs: QuerySet[PlaybookRun]) -> list[Progress]:
    return [progress for progress in _progress(runs) if progress.current]


def progress_of(run: PlaybookRun) -> Progress:
    """Read anew, the run's own row too."""
    return _progress(PlaybookRun.objects.filter(pk=run.pk).select_related("actor", "account", "closed_by"))[0]


def _progress(found: Iterable[PlaybookRun]) -> list[Progress]:
    """A few queries, however many runs."""
    runs = {run: parts_of(steps_of(run.steps)) for run in found}
    if not runs:
        return []
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
    found = [(operation, row) for operation in attempts for row in operation.steps.all() if _is_of(row, step)]
    done = next(((operation, row) for operation, row in found if row.outcome == Outcome.SUCCEEDED), None)
    if done is None and (step.skipped or not attempts):  # who came second may have found it done by the first
        return _not_begun(step)
    if done is None and (not found or found[-1][0] != attempts[-1]):
        return StepProgress(step, SKIPPED, "This was already done.", attempts[-1])
    operation, row = done or found[-1]
    return StepProgress(step, _STATES[Outcome(row.outcome)], row.sentence, operation)


def _is_of(row: OperationStep, step: Step) -> bool:
    return (row.kind, row.subject) == (step.change.kind, step.change.subject[:500])
