"""What became of an operation, in one sentence for a toast, a row, a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from leads import labels
from leads.models import JobLead, Operation, OperationStep, Outcome, SettledBy
from leads.selectors.playbooks import Progress

IN_DOUBT = (
    "No clear answer from Kartra. It may or may not have happened; nothing is sent again. "
    "Check it from the lead's activity."
)
MONEY_IN_DOUBT = (
    "No clear answer from Kartra. It may or may not have happened; nothing is sent again. It stays locked while it is "
    "being checked."
)
# How long a page asks again by itself what became of an operation.
WATCHED = timedelta(minutes=10)


@dataclass(frozen=True)
class Summary:
    """``kind`` is the state's name in the design: succeeded, waiting, failed, unknown."""

    text: str
    kind: str


@dataclass(frozen=True)
class Standing:
    """An operation on its way, in a badge and a few words. ``asks_again`` says after how many seconds a page looks
    again; 0 means never."""

    word: str
    kind: str
    note: str = ""
    asks_again: int = 0


def stands(operation: Operation) -> Standing:
    """Where a money operation is that is not settled yet; how it ended, where it is."""
    now = timezone.now()
    is_watched = now - (operation.send_at or operation.created_at) < WATCHED
    match operation.outcome:
        case Outcome.HELD:
            return Standing("Held back", "waiting", _soon("will be sent", operation.send_at), 2 * is_watched)
        case Outcome.PENDING:
            return Standing("Being sent", "waiting", asks_again=2 * is_watched)
        case Outcome.UNKNOWN if operation.waits_for_person:
            return Standing("Waiting for a person", "unknown", "Kartra gave no clear answer")
        case Outcome.UNKNOWN:
            return Standing("Being checked", "unknown", "Kartra gave no clear answer", 5 * is_watched)
        case Outcome.WITHDRAWN:
            return Standing("Taken back", "neutral")
        case Outcome.FAILED:
            return Standing("Failed", "failed")
    return Standing("Succeeded", "succeeded")


def run_stands(progress: Progress) -> Standing:
    """Where the run of a playbook is."""
    run, (word, kind) = progress.run, progress.badge
    if progress.is_going_on:
        return Standing(word, kind, asks_again=0 if progress.is_overdue else 3)
    is_watched = timezone.now() - (run.begin_at or run.created_at) < WATCHED
    note = _soon("starts", run.begin_at) if run.is_held else ""
    return Standing(word, kind, note, 2 * (is_watched and (run.is_held or progress.is_at_work)))


_LEAD_KINDS: dict[str, str] = {
    JobLead.State.SUCCEEDED: "succeeded",
    JobLead.State.FAILED: "failed",
    JobLead.State.UNKNOWN: "unknown",
    JobLead.Would.CHANGE: "waiting",
    JobLead.Would.CREATE: "waiting",
}


def job_lead_stands(row: JobLead) -> Standing:
    """A lead of a bulk job: as the dry run found it, until something else became of it."""
    if row.state == JobLead.State.WAITING and row.would:
        return Standing(row.get_would_display(), _LEAD_KINDS.get(row.would, "neutral"))
    return Standing(row.get_state_display(), _LEAD_KINDS.get(row.state, "neutral"))


def job_lead_what(row: JobLead, actions: Sequence[str]) -> str:
    """What was done to a lead of a bulk job, or would be, or why not. ``actions`` are the job's, in words.

    Reads the steps of its operation: prefetch them for lists.
    """
    if row.state == JobLead.State.WAITING and row.would_do:
        return "; ".join(actions[place] for place in row.would_do)
    if row.state != JobLead.State.SUCCEEDED or row.operation is None:
        return str(row.sentence)
    deeds = ", ".join(labels.done(step.kind, step.subject) for step in row.operation.steps.all())
    return f"{deeds[:1].upper()}{deeds[1:]}. {row.sentence}".strip()


def _soon(verb: str, at: datetime | None) -> str:
    """'will be sent in 9 s', 'will be sent now'."""
    seconds = max(0, round((at - timezone.now()).total_seconds())) if at else 0
    return f"{verb} in {seconds} s" if seconds else f"{verb} now"


def can_still_be_withdrawn() -> str:
    """What the dialogs say of it."""
    return f"You can take it back for {settings.MONEY_HOLD} seconds." if settings.MONEY_HOLD else ""


def summarise(operation: Operation) -> Summary:
    """Reads ``steps``: prefetch them for lists."""
    steps = list(operation.steps.all())
    bad = [step for step in steps if step.outcome == Outcome.FAILED]
    good = [step for step in steps if step.outcome == Outcome.SUCCEEDED]
    match operation.outcome:
        case Outcome.PENDING:
            return Summary("This is being sent right now. Reload in a moment to see the outcome.", "waiting")
        case Outcome.HELD:
            return Summary(f"{_held(steps[0])} {_soon('will be sent', operation.send_at)}.", "neutral")
        case Outcome.WITHDRAWN:
            return Summary("Taken back. Nothing was sent.", "succeeded")
        case Outcome.UNKNOWN:
            return Summary(MONEY_IN_DOUBT if operation.is_money else IN_DOUBT, "unknown")
        case Outcome.FAILED:
            done = f"{len(good)} of {len(steps)} changes done. " if good else "Nothing was changed. "
            return Summary(done + " ".join(f"{step_label(step)}: {reason(step)}" for step in bad), "failed")
    text = what_was_done(operation)
    remarks = " ".join(step.remark for step in good if step.remark and step.settled_by == SettledBy.ANSWER)
    return Summary(f"{text[0].upper()}{text[1:]}. {remarks}".strip(), "waiting" if remarks else "succeeded")


def _held(step: OperationStep) -> str:
    return f"Refund of {step.amount:.2f}" if step.amount is not None else f"{step_label(step)}:"


def what_was_done(operation: Operation) -> str:
    """'added tag vip, subscribed to Newsletter', under the operation's label where it has one. Of money that surely
    moved only: before that it was asked for."""
    if operation.is_money and operation.outcome != Outcome.SUCCEEDED:
        return "asked to " + ", ".join(
            step_label(step)[0].lower() + step_label(step)[1:] for step in operation.steps.all()
        )
    deeds = ", ".join(labels.done(step.kind, step.subject, step.amount) for step in operation.steps.all())
    return f"{operation.label}: {deeds}" if operation.label else deeds


def step_label(step: OperationStep) -> str:
    return labels.to_do(step.kind, step.subject, step.amount)


def reason(step: OperationStep) -> str:
    return step.sentence or "Kartra did not do it."
