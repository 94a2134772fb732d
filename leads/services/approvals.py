"""Refunds above a limit: asked for, decided by somebody else, run at once and once.

A request is bound to the act and to the sale as it was shown. Whoever decides reads the sale anew, and everything is
checked again inside the transaction that records the decision and the operation together; the call comes after it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import permissions
from accounts.models import Account, Connection, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict, FormReused
from leads.models import Approval, Operation, PlaybookRun
from leads.providers.errors import NotFound
from leads.selectors import approvals as selectors
from leads.services import _operations, held, limits, money
from leads.services.money import Changed, Terms, Whose
from leads.wiring import provider_for

Status = Approval.Status
_OPEN = (Status.WAITING, Status.COOLING)


class Over(Conflict):
    """The request is decided, taken back or expired; ``sentence`` says which and by whom."""


class _Lapsed(Conflict):
    """Somebody may no longer do what he asked for."""


@dataclass(frozen=True)
class _Decision:
    """Who lets it through, with what words. ``alone``: he is the requester, and nobody else could decide."""

    by: User
    note: str
    alone: bool = False


def refund_or_request(
    *,
    actor: User,
    connection: Connection,
    whose: Whose,
    transaction_id: str,
    amount: Decimal | None,
    terms: Terms,
    operation_id: UUID,
    run: PlaybookRun | None = None,
) -> Operation | Approval:
    """Refund, or ask for approval where it is above the actor's limit. A replay returns the first.

    Raises as `money.refund_transaction` does, but for `AboveLimit`.
    """
    access.require(actor, "transaction.refund")
    asked = _operations.digest("request", whose.lead_id, transaction_id, str(amount), terms.reason, terms.note)
    first = _find_replay(operation_id, actor, connection.account, asked)
    if first:
        return first
    try:
        return money.refund_transaction(
            actor=actor,
            connection=connection,
            whose=whose,
            transaction_id=transaction_id,
            amount=amount,
            terms=terms,
            operation_id=operation_id,
            run=run,
        )
    except limits.AboveLimit as error:
        above = error.above
    if sent := Operation.objects.filter(pk=operation_id, actor=actor).first():
        return sent  # the same form, sent twice at once: the first of them is what uses up the limit
    sale = money.read_sale(provider_for(connection), connection.account, whose, transaction_id)
    step = money.refund_step(sale, amount, seen=terms.seen)
    request = Approval(  # type: ignore[misc]
        id=operation_id,
        run=run,
        account=connection.account,
        requester=actor,
        requester_role=actor.role,
        lead_id=whose.lead_id,
        lead_name=whose.name[:500],
        lead_email=whose.email[:320],
        kind=step.change.kind,
        asked=step.change.as_json(),
        request_digest=asked,
        amount=step.amount,
        reason=terms.reason,
        note=terms.note,
        figures=sale.figures,
        figures_digest=sale.digest,
        above=above,
    )
    return _record_request(request)


def _record_request(request: Approval) -> Approval:
    """One request for a payment at a time: who asks for it again is told of the first."""
    try:
        with transaction.atomic(durable=True):
            Account.objects.select_for_update(no_key=True).get(pk=request.account_id)
            _operations.require_open_run(request.run_id)
            if waiting := selectors.find_open(request.account, request.change):
                if waiting.pk == request.pk:
                    return waiting
                raise Conflict(
                    f"{waiting.requester} asked for a refund of this payment already. It waits for approval."
                )
            request.save(force_insert=True)
            _log(request, "approval.request.requested", actor=request.requester, note=request.note)
    except IntegrityError:
        first = _find_replay(request.pk, request.requester, request.account, request.request_digest)
        if first is None:
            raise
        return first
    return request


def _find_replay(request_id: UUID, actor: User, account: Account, asked: str) -> Approval | None:
    first = Approval.objects.filter(pk=request_id).first()
    if first and (first.requester_id, first.account_id, first.request_digest) != (actor.pk, account.pk, asked):
        raise FormReused
    return first


def approve(*, actor: User, connection: Connection, approval: Approval, note: str = "") -> Operation | Approval:
    """Let it through: the refund is sent at once. Returns the operation, which may be unknown.

    Returns the request, now cooling, where the actor is its requester and nobody else could decide. Raises `Denied`
    for one's own otherwise, `Over`, `Changed`, `Locked`, or a `ProviderError` of the reading; nothing was sent then.
    """
    _require_may_decide(actor, connection.account, approval)
    approval = _fresh(approval)
    if approval.status == Status.APPROVED and approval.decided_by_id == actor.pk and approval.operation:
        return approval.operation  # a second click
    _require_open(approval, Status.WAITING)
    if approval.requester_id != actor.pk:
        return _run(approval, connection, _Decision(actor, note), was=Status.WAITING)
    if not selectors.is_alone(actor, connection.account):
        access.deny(actor, "approve one's own request", "You cannot approve your own request. Somebody else has to.")
    return _cool(approval, connection, _Decision(actor, note, alone=True))


def run_cooled() -> int:
    """Send what its only approver let through, once its time has come. Returns how many. Many may call it at once."""
    done = 0
    for approval in selectors.list_cooled():
        decision = _Decision(approval.requester, approval.decision_note, alone=True)
        try:
            connection = held.connection_for(approval.account, approval.requester)
            _run(approval, connection, decision, was=Status.COOLING)
        except AppError:  # expired with a note where it never can; else it is tried again next time
            continue
        done += 1
    return done


def decline(*, actor: User, connection: Connection, approval: Approval, note: str) -> Approval:
    """Say no, with a reason. Somebody who joined meanwhile may decline what is cooling, too."""
    _require_may_decide(actor, connection.account, approval)
    if approval.requester_id == actor.pk:
        access.deny(actor, "decline one's own request", "This is your own request. Take it back instead.")
    if not note.strip():
        raise AppError("Say why, so that the person who asked can tell the customer.")
    return _close(approval, Status.DECLINED, actor=actor, note=note)


def withdraw(*, actor: User, approval: Approval) -> Approval:
    """Take one's own request back, as long as nothing was sent."""
    if approval.requester_id != actor.pk:
        access.deny(actor, "take back somebody else's request", "Only who asked can take the request back.")
    return _close(approval, Status.WITHDRAWN, actor=actor)


def expire_old() -> int:
    """Close what nobody decided in time. Returns how many. Many may call it at once."""
    expired = 0
    for approval in selectors.list_late():
        try:
            _expire(approval, _why_late(approval))
        except Over:
            continue
        expired += 1
    return expired


def operation_id_of(approval: Approval) -> UUID:
    """The id of the operation that the request becomes, known beforehand so that the log tells one story."""
    return uuid.uuid5(approval.pk, "operation")


def _run(approval: Approval, connection: Connection, decision: _Decision, *, was: Status) -> Operation:
    """Read again, then record decision and operation together, then send. One of many callers comes through."""
    _require_open(approval, was)
    step = _read_again(approval, connection)
    terms = Terms(approval.reason, approval.note, approval.figures_digest)
    asked = _operations.digest("approval", str(approval.pk))
    own_id = operation_id_of(approval)

    def take() -> None:
        _require_fit(approval, decision)
        _take(approval, [was], Status.APPROVED, decision.by, decision.note, operation_id=own_id)

    def tell() -> None:
        alone = "nobody else could decide" if decision.alone else ""
        _log(approval, "approval.decide.approved", actor=decision.by, note=decision.note, alone=alone)

    intent = money.intent_of(own_id, approval.requester, connection, asked, terms, approval.run)
    intent = replace(money.about(intent, _whose(approval)), approved_by=decision.by, guard=take, tell=tell)
    try:
        return _operations.perform(intent, [step])
    except _Lapsed as error:
        _expire(approval, error.sentence)
        raise Over(error.sentence) from None


def _cool(approval: Approval, connection: Connection, decision: _Decision) -> Approval:
    """Let the only approver's own request through, after a while in which it can be taken back."""
    _read_again(approval, connection)
    until = timezone.now() + timedelta(minutes=settings.LONE_APPROVER_COOLING)
    if until >= approval.created_at + Approval.OPEN_FOR:
        raise Conflict(
            "The waiting time would end after this request expires. Nothing was sent: take it back and ask again."
        )
    with transaction.atomic(durable=True):
        _take(approval, [Status.WAITING], Status.COOLING, decision.by, decision.note, cools_until=until)
        _log(
            approval,
            "approval.cool.requested",
            actor=decision.by,
            note=decision.note,
            until=f"{until:%Y-%m-%d %H:%M %Z}",
        )
    return _fresh(approval)


def _read_again(approval: Approval, connection: Connection) -> _operations.Step:
    """The refund as it would be sent now, if it is what was asked for. A sale that has changed ends the request."""
    subject = approval.change.subject
    try:
        sale = money.read_sale(provider_for(connection), approval.account, _whose(approval), subject)
        amount = None if approval.asked["everything"] else approval.amount
        step = money.refund_step(sale, amount, seen=approval.figures_digest)
        if step.change != approval.change:
            raise Changed
    except (Changed, NotFound):
        _expire(approval, "The sale has changed since it was asked for.")
        raise Over("The sale has changed since this was asked for, so nothing was sent. Ask anew.") from None
    return step


def _require_may_decide(actor: User, account: Account, approval: Approval) -> None:
    access.require(actor, "approval.decide")
    if approval.account_id != account.pk:
        raise NotFound("There is no such request in this account.")


def _require_fit(approval: Approval, decision: _Decision) -> None:
    """Both people as they are now, locked: a role that changes at this moment comes before or after, never between."""
    Account.objects.select_for_update(no_key=True).get(pk=approval.account_id)
    pks = {approval.requester_id, decision.by.pk}
    people = {row.pk: row for row in User.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk")}
    permissions.require(people[decision.by.pk], "approval.decide")
    requester = people[approval.requester_id]
    then = permissions.BY_ROLE.get(approval.requester_role, frozenset())
    if not (requester.has_permission("transaction.refund") and requester.permissions >= then):
        raise _Lapsed(f"{requester} may do less now than when asking for this, so nothing was sent.")


def _require_open(approval: Approval, *statuses: Status) -> None:
    """Raises `Over`; what is too old is closed by that."""
    if approval.is_late:
        _expire(approval, _why_late(approval))
        raise Over("This was asked for more than 24 hours ago, so nothing was sent. Ask anew.")
    if approval.status not in statuses:
        raise Over(_how_it_ended(approval))


def _take(
    approval: Approval, was: Sequence[Status], status: Status, actor: User | None, note: str, **changes: object
) -> None:
    """Move the request on, inside a transaction. Raises `Over` where somebody else did: one caller comes through."""
    waiting = Approval.objects.filter(pk=approval.pk, status__in=was)
    decided = approval.sealing(decided_by=actor, decided_at=timezone.now(), decision_note=note[:500])
    if not waiting.update(status=status, **decided, **changes):
        raise Over(_how_it_ended(_fresh(approval)))


def _close(approval: Approval, status: Status, *, actor: User | None, note: str = "") -> Approval:
    """End the request without sending anything."""
    with transaction.atomic(durable=True):
        _take(approval, _OPEN, status, actor, note)
        _log(approval, f"approval.decide.{status}", actor=actor, note=note)
    return _fresh(approval)


def _expire(approval: Approval, why: str) -> None:
    _close(approval, Status.EXPIRED, actor=None, note=why)


def _why_late(approval: Approval) -> str:
    did = "could send" if approval.status == Status.COOLING else "decided"
    return f"Nobody {did} it within 24 hours."


def _how_it_ended(approval: Approval) -> str:
    who = f" by {approval.decided_by}" if approval.decided_by else ""
    return f"This request is already {approval.get_status_display().lower()}{who}. Nothing more was done."


def _fresh(approval: Approval) -> Approval:
    return selectors.with_people().get(pk=approval.pk)


def _whose(approval: Approval) -> Whose:
    return Whose(approval.lead_id, approval.lead_name, approval.lead_email)


def _log(approval: Approval, action: str, *, actor: User | None, **detail: str) -> None:
    """One entry, in the transaction of its caller, under the id of the operation that the request may become."""
    detail |= {
        "amount": "" if approval.amount is None else f"{approval.amount:.2f}",
        "subject": approval.change.subject,
        "reason": approval.reason,
        "above": approval.above,
        "requester": str(approval.requester),
    }
    audit.record(
        action=action,
        outcome=action.rpartition(".")[2],
        actor=actor,
        actor_name="" if actor else "expiry",
        account=approval.account,
        target_kind="lead",
        target_id=approval.lead_id,
        target_name=approval.lead_label,
        operation_id=operation_id_of(approval),
        detail={key: value for key, value in detail.items() if value},
    )
