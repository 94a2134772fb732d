"""Kartra says yes to fields it ignores, so fields that were written are believed only when read."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from accounts.models import Connection
from accounts.services import audit
from leads import effects
from leads.models import Operation, OperationStep, Outcome, SettledBy
from leads.providers.base import LeadRef
from leads.providers.changes import CreateLead, EditLead
from leads.providers.errors import ProviderError
from leads.services import _operations, finding
from leads.wiring import provider_for


def read_back(operation: Operation, connection: Connection, *, background: bool = False) -> None:
    """Where fields were written, compare them with what stands there now. What differs is said and logged."""
    kinds = (EditLead.kind, CreateLead.kind)
    step = operation.steps.filter(kind__in=kinds, outcome=Outcome.SUCCEEDED).first()
    if step is None or not operation.lead_id:
        return
    email = step.asked.get("new_email") or operation.lead_email
    try:
        lead = provider_for(connection, background=background).get_lead(LeadRef(id=operation.lead_id, email=email))
    except ProviderError as error:
        step.sentence = f"Saved, but could not be read back: {error.sentence}"[:500]
        step.save(update_fields=["sentence"])  # type: ignore[misc]
        return
    finding.note_found(operation.account, lead.id, lead.email)
    now = effects.state_of(step.change, lead)
    untold = [label for label in step.after if label not in now]
    if effects.agrees(step.change, step.after, lead):
        if untold:
            step.sentence = f"Saved, but Kartra does not return {', '.join(untold)}, so it was not read back."[:500]
            step.save(update_fields=["sentence"])  # type: ignore[misc]
        return
    differing = [
        label for label, value in now.items() if effects.alike(value) != effects.alike(step.after.get(label, ""))
    ]
    with transaction.atomic():
        _operations.subject_of(operation)  # before the rows, in the order of who forgets the lead
        asked = _correct(step, now, differing)
        _operations.conclude(operation, list(operation.steps.all()))
        _log(step, asked, differing)


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
    step.save(update_fields=["sentence", "outcome", "settled_by", "decided_by", "after"])  # type: ignore[misc]
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
