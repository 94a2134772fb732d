"""Writing the audit log."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField

from accounts import audit_actions, audit_terms, subjects
from accounts.models import Account, AuditEntry, Subject, User
from accounts.services import chain
from kartra_admin.lib import context

_LIMITS: dict[str, int | None] = {
    field.name: field.max_length for field in AuditEntry._meta.local_fields if isinstance(field, CharField)
}
_LONGEST_NAME = 254
_LARGEST_AMOUNT = Decimal("1e10")


def record(
    *,
    action: str,
    outcome: str,
    actor: User | None = None,
    actor_name: str = "",
    account: Account | None = None,
    target_kind: str = "",
    target_id: str = "",
    target_name: str = "",
    operation_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
    subject: Subject | None = None,
) -> AuditEntry:
    """Write one entry. Call it in the transaction that does what it tells of, after everything else that is written.

    What is told of a lead is sealed under that lead's key; before its id is known, under the operation's; what staff
    wrote of anything else, and may name a person, under a ``subject`` of its own. For a lead, ``subject`` is the lead's
    where the caller has found it in this transaction, by the same name. Where a program acts and no person,
    ``actor_name`` says which. What somebody else's request carries out, such as an approval, puts its actor at nobody's
    address; the number of the request stays. Texts from outside are cut to what fits. Raises KeyError for an action
    that is not registered, ValueError for an outcome or a detail that may not be kept.
    """
    keeps = audit_actions.ACTIONS[action].keeps
    if outcome not in audit_actions.OUTCOMES:
        raise ValueError(f"{outcome} is no outcome")
    if unkept := set(detail or {}) - keeps:
        raise ValueError(f"{action} does not keep {', '.join(sorted(unkept))}")
    is_lead = target_kind == "lead"
    if is_lead and not (operation_id or (target_id and account)):
        raise ValueError("an entry about a lead names its account and its id, or its operation")
    asking = context.current.get()
    told = {
        "target_id": _fitting("target_id", target_id),
        "target_name": _storable(target_name)[:_LONGEST_NAME],
        "before": _storable(before),
        "after": _storable(after),
        "detail": _storable(detail or {}),
    }
    entry = AuditEntry(
        action=action,
        outcome=outcome,
        actor_id=actor.pk if actor else None,
        actor_name=_fitting("actor_name", actor_name or (str(actor) if actor else "")),
        actor_role=actor.role if actor else "",
        account_id=account.pk if account else None,
        account_name=_fitting("account_name", str(account) if account else ""),
        target_kind=target_kind,
        target_id="" if is_lead else told["target_id"],
        operation_id=operation_id,
        amount=_amount(told["detail"].get("amount")),
        ip=asking.ip_of(actor.pk if actor else None) if actor or actor_name else asking.ip,
        request_id=asking.request_id,
    )
    with transaction.atomic(savepoint=False):
        if is_lead and subject is None:
            subject = _subject(account, target_id, operation_id, told["target_name"])
        terms = audit_terms.of(entry, told, subject.pk if subject else None)
        chain.append(entry, told, subject, terms)
    return entry


def _subject(account: Account | None, lead_id: str, operation_id: UUID | None, name: str) -> Subject | None:
    if lead_id and account:
        return subjects.of_lead(account.pk, lead_id, name)
    return subjects.of_operation(operation_id, name) if operation_id else None


def _amount(text: object) -> Decimal | None:
    try:
        amount = Decimal(str(text))
        return round(amount, 2) if abs(amount) < _LARGEST_AMOUNT else None
    except InvalidOperation:  # also of comparing what is no number
        return None


def _fitting(field: str, text: str) -> str:
    return str(_storable(text))[: _LIMITS[field]]


def _storable(value: Any) -> Any:
    """The value without what a database refuses to keep: NUL, and halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(part) for part in value]
    return value
