"""Operations as people look for them: of a lead, of a person, waiting. One account at a time."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import Account, User
from leads.models import Operation, OperationStep, Outcome, lock_of

SHOWN_ON_LEAD = 12
SHOWN_AT_MOST = 200


def _of(account: Account) -> QuerySet[Operation]:
    return (
        Operation.objects.filter(account=account)
        .select_related("actor", "approved_by")
        .prefetch_related("steps__undone_by", "undone_by")
        .order_by("-created_at")
    )


def list_for_lead(account: Account, lead_id: str, limit: int = SHOWN_ON_LEAD) -> QuerySet[Operation]:
    """Newest first."""
    return _of(account).filter(lead_id=lead_id)[:limit]


def list_for_person(account: Account, user: User, limit: int = 8) -> QuerySet[Operation]:
    return _of(account).filter(actor=user)[:limit]


def list_for_subject(account: Account, lead_id: str, noun: str, subject: str) -> QuerySet[Operation]:
    """What was done here to one transaction or subscription, newest first."""
    steps = OperationStep.objects.filter(operation=OuterRef("pk"), lock=lock_of(account.pk, noun, subject))
    return _of(account).filter(Exists(steps), lead_id=lead_id)[:SHOWN_AT_MOST]


def list_waiting(account: Account) -> QuerySet[Operation]:
    """Everything of the account that is not settled, and what was to leave and did not: money that waits for a person
    first, then the oldest."""
    now = timezone.now()
    moves_money = Exists(OperationStep.objects.filter(operation=OuterRef("pk")).exclude(lock=""))
    is_old = Q(sent_at__lte=now - timedelta(seconds=settings.SETTLE_WITHIN))
    waits = Q(moves_money, is_old, outcome=Outcome.UNKNOWN, readings__gte=settings.SETTLE_READINGS)
    first = Case(When(waits | _left_lying(now), then=Value(0)), default=Value(1))
    unsettled = Q(outcome__in=(Outcome.PENDING, Outcome.UNKNOWN))
    return _of(account).filter(unsettled | _left_lying(now)).order_by(first, "created_at")[:SHOWN_AT_MOST]


def _left_lying(now: datetime) -> Q:
    """Held back and not sent long after its time: no worker runs."""
    return Q(outcome=Outcome.HELD, send_at__lt=now - Operation.LEFT_LYING)
