"""Exports of the report, each with its entry in the log."""

from collections.abc import Iterator
from datetime import date

from django.utils import timezone

from accounts.models import Account, User
from accounts.services import access, audit
from leads.labels import to_do
from leads.models import OperationStep
from leads.selectors import reports

HEAD = (
    "Date", "Lead id", "Lead", "Email", "What", "Amount", "Outcome", "Reason", "Note", "Person", "Approved by",
    "Playbook", "Kartra said", "Operation",
)  # fmt: skip


def export_month(*, actor: User, account: Account, month: date) -> Iterator[list[str]]:
    """The month's refunds and cancellations as rows of text, the head first. Raises `Denied`."""
    access.require(actor, "report.view")
    audit.record(
        action="report.export.succeeded",
        outcome="succeeded",
        actor=actor,
        account=account,
        detail={"month": f"{month:%Y-%m}", "rows": reports.count_rows(account, month)},
    )
    return _rows(account, month)


def _rows(account: Account, month: date) -> Iterator[list[str]]:
    yield list(HEAD)
    for step in reports.rows_of(account, month):
        yield _row(step)


def _row(step: OperationStep) -> list[str]:
    operation = step.operation
    return [
        f"{timezone.localtime(operation.created_at):%Y-%m-%d %H:%M:%S %Z}",
        operation.lead_id,
        operation.lead_name,
        operation.lead_email,
        to_do(step.kind, step.subject),
        "" if step.amount is None else f"{step.amount:.2f}",
        step.get_outcome_display(),
        operation.reason,
        operation.note,
        operation.actor.name,
        operation.approved_by.name if operation.approved_by else "",
        operation.label,
        step.words,
        str(operation.pk),
    ]
