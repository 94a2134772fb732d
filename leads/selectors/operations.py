"""Operations as people look for them: of a lead, of a person, waiting. One account at a time."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import Account, User
from leads.models import Operation, OperationStep, Outcome, lock_of

SHOWN_ON_LEAD = 12
SHOWN_AT_MOST = 200
# What failed waits so long for whoever asked for it, to be done again or left: for some there is nothing to be done.
FAILED_WAIT_FOR = timedelta(days=7)

_ITS_MONEY = OperationStep.objects.filter(operation=OuterRef("pk")).exclude(lock="")
_MOVES_MONEY = Exists(_ITS_MONEY)
# Nothing has been done to the same payment or subscription since.
_IS_LAST = Exists(
    _ITS_MONEY.filter(~Exists(OperationStep.objects.filter(lock=OuterRef("lock"), pk__gt=OuterRef("pk"))))
)


def _of(account: Account, viewer: User) -> QuerySet[Operation]:
    return _shown(Operation.objects.filter(account=account), viewer).order_by("-created_at")


def _shown(found: QuerySet[Operation], viewer: User) -> QuerySet[Operation]:
    """What this person may see of them: who sees no money sees no operation on it."""
    found = found.prefetch_related("actor", "approved_by", "steps__undone_by", "undone_by")
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
    """Everything of the account that is not settled, what was to leave and did not, and this person's own money that
    came to nothing after the answer to his click: money that waits for a person first, then the oldest."""
    now = timezone.now()
    is_old = Q(sent_at__lte=now - timedelta(seconds=settings.SETTLE_WITHIN))
    waits = Q(_MOVES_MONEY, is_old, outcome=Outcome.UNKNOWN, readings__gte=settings.SETTLE_READINGS)
    first = Case(When(waits | Q(outcome__in=(Outcome.HELD, Outcome.FAILED)), then=Value(0)), default=Value(1))
    in_doubt = Operation.objects.unsettled().filter(account=account)
    left_lying = Operation.objects.due(now - Operation.LEFT_LYING).filter(account=account)  # no worker runs
    failed = _failed_later(account, viewer, now)
    found = in_doubt.values("pk").union(left_lying.values("pk"), failed.values("pk"))  # each by its own index
    return _shown(Operation.objects.filter(pk__in=found), viewer).order_by(first, "created_at")[:SHOWN_AT_MOST]


def _failed_later(account: Account, person: User, now: datetime) -> QuerySet[Operation]:
    """Money that this person confirmed or asked for, and that failed after it was held back or approved."""
    was_told = Q(send_at=None, approved_by=None)  # in the answer to his click
    failed = Operation.objects.filter(account=account, actor=person, outcome=Outcome.FAILED)
    return failed.filter(_IS_LAST, finished_at__gt=now - FAILED_WAIT_FOR).exclude(was_told)
