"""How much a person may refund without asking: set by an admin, checked in the transaction that records the intent."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.models import Account, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict
from leads.models import Limit, OperationStep, Outcome, lock_of

_UNSPENT = (Outcome.FAILED, Outcome.WITHDRAWN)
PER_LEAD_WITHIN = timedelta(days=30)


class AboveLimit(AppError):
    """More than this person may refund without asking. ``above`` says above what."""

    def __init__(self, above: str) -> None:
        super().__init__(f"This is above your limit: {above}. It needs approval.")
        self.above = above


@dataclass(frozen=True)
class Spent:
    """What was refunded, or may yet be: everything that did not surely come to nothing."""

    amount: Decimal
    count: int


def limit_of(person: User) -> Limit | None:
    """The person's own limit, else his role's, else None: no limit."""
    return Limit.objects.filter(person=person).first() or Limit.objects.filter(role=person.role, person=None).first()


def spent_today(person: User) -> Spent:
    """By this person since midnight, in the desk's time zone, over all accounts."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    money = ~Q(lock="")  # else it is looked for among all that the person ever did
    return _spent(money, operation__actor=person, operation__created_at__gte=midnight, operation__approved_by=None)


def spent_on_lead(account: Account, lead_id: str) -> Spent:
    """On this lead in the last 30 days, by anybody at this desk."""
    since = timezone.now() - PER_LEAD_WITHIN
    return _spent(operation__account=account, operation__lead_id=lead_id, operation__created_at__gte=since)


def spent_on_payment(account: Account, transaction_id: str) -> Spent:
    """On this payment ever, by anybody at this desk, approved or not: else a refund could be cut into small ones."""
    return _spent(lock=lock_of(account.pk, "transaction", transaction_id))


@dataclass(frozen=True)
class Allowance:
    """What a person may still refund today without asking. ``left`` is None where no limit a day is set."""

    limit: Limit
    left: Decimal | None


def allowance_of(person: User) -> Allowance | None:
    """None where no limit is set for him."""
    limit = limit_of(person)
    if limit is None:
        return None
    left = None if limit.per_day is None else max(limit.per_day - spent_today(person).amount, Decimal(0))
    return Allowance(limit, left)


def why_above(*, actor: User, account: Account, lead_id: str, transaction_id: str, amount: Decimal) -> str:
    """Above which limit this refund would be, in words, or ""."""
    limit = limit_of(actor)
    if limit is None:
        return ""
    today, on_lead = spent_today(actor), spent_on_lead(account, lead_id)
    of_payment = spent_on_payment(account, transaction_id)
    if limit.per_transaction is not None and of_payment.amount + amount > limit.per_transaction:
        used = f", of which {of_payment.amount:.2f} is used" if of_payment.amount else ""
        return f"{limit.per_transaction:.2f} per payment{used}"
    if limit.per_day is not None and today.amount + amount > limit.per_day:
        return f"{limit.per_day:.2f} per day, of which {today.amount:.2f} is used"
    if limit.per_lead is not None and on_lead.amount + amount > limit.per_lead:
        return f"{limit.per_lead:.2f} per lead in 30 days, of which {on_lead.amount:.2f} is used"
    if limit.count_per_day is not None and today.count + 1 > limit.count_per_day:
        return f"{limit.count_per_day} refunds per day"
    return ""


def require_within(*, actor: User, account: Account, lead_id: str, transaction_id: str, amount: Decimal) -> None:
    """Raise `AboveLimit` unless this refund keeps within every limit.

    Call it inside the transaction that records the refund: the rows of account and person are locked until then, so
    that two refunds cannot pass the same limit together.
    """
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    actor = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    above = why_above(actor=actor, account=account, lead_id=lead_id, transaction_id=transaction_id, amount=amount)
    if above:
        raise AboveLimit(above)


def _spent(*conditions: Q, **which: object) -> Spent:
    steps = OperationStep.objects.filter(*conditions, kind="transaction.refund", **which)
    found = steps.exclude(outcome__in=_UNSPENT).aggregate(amount=Sum("amount"), count=Count("pk"))
    return Spent(found["amount"] or Decimal(0), found["count"])


def save_limit(*, actor: User, limit: Limit) -> Limit:
    """Set what a role or a person may refund. Raises `Denied`, and `Conflict` where that one has a limit already."""
    access.require(actor, "limit.manage")
    try:
        with transaction.atomic():
            old = Limit.objects.select_for_update(of=("self",)).filter(pk=limit.pk).first() if limit.pk else None
            limit.save()
            _log_limit("limit.save.succeeded", actor, limit, before=_told(old), after=_told(limit))
    except IntegrityError:
        raise Conflict(f"{limit.whose} already has limits. Edit those instead.") from None
    return limit


def remove_limit(*, actor: User, limit: Limit) -> None:
    """A person falls back to his role's limits by it; a role has none any more."""
    access.require(actor, "limit.manage")
    with transaction.atomic():
        Limit.objects.filter(pk=limit.pk).delete()
        _log_limit("limit.remove.succeeded", actor, limit, before=_told(limit), after={})


def _told(limit: Limit | None) -> dict[str, str]:
    """What the log keeps of a limit."""
    if limit is None:
        return {}
    return {label: "no limit" if value is None else str(value) for label, value in limit.figures.items()}


def _log_limit(action: str, actor: User, limit: Limit, *, before: dict[str, str], after: dict[str, str]) -> None:
    audit.record(
        action=action,
        outcome="succeeded",
        actor=actor,
        target_kind="limit",
        target_id=limit.role or str(limit.person_id),
        target_name=limit.whose,
        before=before,
        after=after,
    )
