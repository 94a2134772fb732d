"""Operations as people look for them: of a lead, of a person, waiting. One account at a time."""

from accounts.models import Account, User
from leads.models import Operation
from leads.models.operations import OperationQuerySet

SHOWN_ON_LEAD = 12
SHOWN_AT_MOST = 200


def _of(account: Account) -> OperationQuerySet:
    return (
        Operation.objects.filter(account=account)
        .select_related("actor")
        .prefetch_related("steps", "undone_by")
        .order_by("-created_at")
    )


def list_for_lead(account: Account, lead_id: str, limit: int = SHOWN_ON_LEAD) -> OperationQuerySet:
    """Newest first."""
    return _of(account).filter(lead_id=lead_id)[:limit]


def list_for_person(account: Account, user: User, limit: int = 8) -> OperationQuerySet:
    return _of(account).filter(actor=user)[:limit]


def list_waiting(account: Account) -> OperationQuerySet:
    """Everything of the account that is not settled, oldest first."""
    return _of(account).unsettled().order_by("created_at")[:SHOWN_AT_MOST]
