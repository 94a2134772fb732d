"""Operations as people look for them: of a lead, of a person, waiting. One account at a time."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import Account, User
from leads.models import Operation, OperationStep, Outcome, lock_of

SHOWN_ON_LEAD = 12
SHOWN_AT_MOST = 200


_MOVES_MONEY = Exists(OperationStep.objects.filter(operation=OuterRef("pk")).exclude(lock=""))


def _of(account: Account, viewer: User) -> QuerySet[Operation]:
    """What this person may see of them: who sees no money sees no operation on it."""
    found = (
        Operation.objects.filter(account=account)
        .prefetch_related("actor", "approved_by", "steps__undone_by", "undone_by")
        .order_by("-created_at")
    )
    return found if viewer.has_permission("money.view") else found.exclude(_MOVES_MONEY)


def list_for_lead(account: Account, lead_id: str, *, viewer: User, limit: int = SHOWN_ON_LEAD) -> QuerySet[Operation]:
    """Newest first."""
    return _of(account, viewer).filter(lead_id=lead_id)[:limit]


def list_for_person(account: Account, user: User, limit: int = 8) -> QuerySet[Operation]:
    return _of(account, user).filter(actor=user)[:limit]


def list_for_subject(account: Account, lead_id: str, noun: str, subject: str, *, viewer: User) -> QuerySet[Operation]:
    """What was done here to one transaction or subscription, newest first."""
    steps = OperationStep.objects.filter(operation=OuterRef("pk"), lock=lock_of(account.pk, noun, subject))
    return _of(account, viewer).filter(Exists(steps), lead_id=lead_id)[:SHOWN_AT_MOST]


def list_waiting(account: Account, viewer: User) -> QuerySet[Operation]:
    """Everything of the account that is not settled, and what was to leave and did not: money that waits for a person
    first, then the oldest."""
    now = timezone.now()
    is_old = Q(sent_at__lte=now - timedelta(seconds=settings.SETTLE_WITHIN))
    waits = Q(_MOVES_MONEY, is_old, outcome=Outcome.UNKNOWN, readings__gte=settings.SETTLE_READINGS)
    first = Case(When(waits | _left_lying(now), then=Value(0)), default=Value(1))
    unsettled = Q(outcome__in=(Outcome.PENDING, Outcome.UNKNOWN))
    return _of(account, viewer).filter(unsettled | _left_lying(now)).order_by(first, "created_at")[:SHOWN_AT_MOST]


def _left_lying(now: datetime) -> Q:
    """Held back and not sent long after its time: no worker runs."""
    return Q(outcome=Outcome.HELD, send_at__lt=now - Operation.LEFT_LYING)
