"""What became of an operation, in one sentence for a toast, a row, a page."""

from dataclasses import dataclass

from leads import labels
from leads.models import Operation, OperationStep, Outcome

IN_DOUBT = (
    "No clear answer from Kartra. It may or may not have happened; nothing is sent again. "
    "Check it from the lead's activity."
)


@dataclass(frozen=True)
class Summary:
    """``kind`` is the state's name in the design: succeeded, waiting, failed, unknown."""

    text: str
    kind: str


def summarise(operation: Operation) -> Summary:
    """Reads ``steps``: prefetch them for lists."""
    steps = list(operation.steps.all())
    bad = [step for step in steps if step.outcome == Outcome.FAILED]
    good = [step for step in steps if step.outcome == Outcome.SUCCEEDED]
    match operation.outcome:
        case Outcome.PENDING:
            return Summary("This is being sent right now. Reload in a moment to see what came of it.", "waiting")
        case Outcome.UNKNOWN:
            return Summary(IN_DOUBT, "unknown")
        case Outcome.FAILED:
            done = f"{len(good)} of {len(steps)} changes done. " if good else "Nothing was changed. "
            return Summary(done + " ".join(f"{step_label(step)}: {reason(step)}" for step in bad), "failed")
    text = what_was_done(operation)
    remarks = " ".join(step.sentence for step in good if step.sentence and not step.settled_by)
    return Summary(f"{text[0].upper()}{text[1:]}. {remarks}".strip(), "waiting" if remarks else "succeeded")


def what_was_done(operation: Operation) -> str:
    """'added tag vip, subscribed to Newsletter', under the operation's label where it has one."""
    deeds = ", ".join(labels.done(step.kind, step.subject) for step in operation.steps.all())
    return f"{operation.label}: {deeds}" if operation.label else deeds


def step_label(step: OperationStep) -> str:
    return labels.to_do(step.kind, step.subject)


def reason(step: OperationStep) -> str:
    return step.sentence or "Kartra did not do it."
