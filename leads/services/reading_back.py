"""Kartra says yes to fields it ignores, so fields that were written are believed only when read."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from django.db import transaction
from django.utils import timezone

from accounts.models import Connection
from accounts.services import audit
from kartra_admin.lib.crypto import SealBroken
from leads import effects
from leads.models import Operation, OperationStep, Outcome, SettledBy
from leads.providers.base import Lead, LeadRef
from leads.providers.changes import EditLead
from leads.providers.errors import Misconfigured, ProviderError
from leads.services import _credentials, _operations, finding
from leads.wiring import provider_for


def read_back(operation: Operation, connection: Connection, *, background: bool = False) -> Operation:
    """Where fields were written and not read back yet, compare them with what stands there now. What differs is said
    and logged. Returns the operation; nothing is done the second time."""
    if step := _owed(operation):
        try:
            lead, why_not = _lead_of(step, connection, background=background), ""
        except ProviderError as error:
            lead, why_not = None, error.sentence
        _keep(operation, step, lead, why_not)
    return operation


def read_back_due() -> None:
    """Read back what those have left who sent it, for they were killed. Many may call it at once."""
    due = OperationStep.objects.filter(read_back_at__lte=timezone.now()).order_by("read_back_at")
    for step in due.select_related("operation__account", "operation__actor"):
        same = OperationStep.objects.filter(pk=step.pk, read_back_at=step.read_back_at)
        if same.update(read_back_at=timezone.now() + _operations.READ_BACK_WITHIN):
            with suppress(Misconfigured, SealBroken):  # nobody's credentials serve: it still says it was not read back
                _read_back_with_any(step.operation)


def _read_back_with_any(operation: Operation) -> None:
    """The actor's own credentials first, then anybody's of the same account."""
    if step := _owed(operation):
        try:
            lead, why_not = _lead_of_any(step, operation), ""
        except (Misconfigured, SealBroken):
            raise
        except ProviderError as error:
            lead, why_not = None, error.sentence
        _keep(operation, step, lead, why_not)


def _lead_of_any(step: OperationStep, operation: Operation) -> Lead:
    def read(connection: Connection) -> Lead:
        return _lead_of(step, connection, background=True)

    return _credentials.with_any(operation.account, read, first=operation.actor)


def _owed(operation: Operation) -> OperationStep | None:
    """The step that is still to be read back; none of a person who was forgotten, for nobody knows what was written."""
    step = operation.steps.exclude(read_back_at=None).select_related("operation__account").first()
    if step and step.is_forgotten:
        _drop(step)
        return None
    return step


def _lead_of(step: OperationStep, connection: Connection, *, background: bool) -> Lead:
    """As it stands there now. Raises a `ProviderError`."""
    operation = step.operation
    email = step.asked.get("new_email") or operation.lead_email
    lead = provider_for(connection, background=background).get_lead(LeadRef(id=operation.lead_id, email=email))
    finding.note_found(operation.account, lead.id, lead.email)
    return lead


def _keep(operation: Operation, step: OperationStep, lead: Lead | None, why_not: str) -> None:
    """Write down what was found, or why nothing was, unless somebody was quicker."""
    with transaction.atomic():
        _operations.subject_of(operation)  # before the rows, in the order of who forgets the lead
        step = operation.steps.select_for_update().get(pk=step.pk)
        operation.refresh_from_db()
        if step.read_back_at and step.is_forgotten:
            _drop(step)
        elif step.read_back_at:
            step.read_back_at = None
            _compare(operation, step, lead, why_not)


def _drop(step: OperationStep) -> None:
    """Nobody knows any more what was written."""
    OperationStep.objects.filter(pk=step.pk).update(read_back_at=None)


def _compare(operation: Operation, step: OperationStep, lead: Lead | None, why_not: str) -> None:
    """Keep with the step what was found, or why nothing was, inside a transaction."""
    if lead is None:
        _say(step, f"Saved, but could not be read back: {why_not}")
        return
    now = effects.state_of(step.change, lead)
    untold = [label for label in step.after if label not in now]
    if effects.agrees(step.change, step.after, lead):
        told = f"Saved, but Kartra does not return {', '.join(untold)}, so it was not read back."
        _say(step, told if untold else step.sentence)
        return
    differing = [
        label for label, value in now.items() if effects.alike(value) != effects.alike(step.after.get(label, ""))
    ]
    asked = _correct(step, now, differing)
    _operations.conclude(operation, list(operation.steps.all()))
    _log(step, asked, differing)


def _say(step: OperationStep, sentence: str) -> None:
    step.sentence = sentence[:500]
    step.save(update_fields=["sentence", "read_back_at"])  # type: ignore[misc]


def _correct(step: OperationStep, now: Mapping[str, str], differing: Sequence[str]) -> Mapping[str, str]:
    """Let the step say what stands there. Returns what was asked for."""
    asked: dict[str, str] = step.after
    step.sentence = (
        f"Kartra reported success, but stored another value for {', '.join(differing)}."
        " Check the current value before you try again."
    )[:500]
    if step.change.kind == EditLead.kind and now == step.before and now.keys() == asked.keys():
        step.settle(Outcome.FAILED, SettledBy.IGNORED)
    step.after = {**asked, **now}
    step.save(update_fields=["sentence", "outcome", "settled_by", "decided_by", "after", "read_back_at"])  # type: ignore[misc]
    return asked


def _log(step: OperationStep, asked: Mapping[str, str], differing: Sequence[str]) -> None:
    audit.record(
        action="lead.read_back.failed",
        outcome="failed",
        actor=step.operation.actor,
        account=step.operation.account,
        target_kind="lead",
        target_id=step.operation.lead_id,
        target_name=step.operation.lead_label,
        operation_id=step.operation_id,
        before=asked,
        after=step.after,
        detail={"subject": ", ".join(differing)},
    )
