"""Requests for approval, as lists and counts."""

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import permissions
from accounts.models import Account, User
from kartra_admin.lib.pagination import Page, page_by_time
from leads.models import Approval
from leads.providers.changes import Change

Status = Approval.Status


def with_people() -> QuerySet[Approval]:
    return Approval.objects.select_related("account", "requester", "decided_by", "operation", "run")


def open_in(account: Account) -> QuerySet[Approval]:
    """What may still become a refund, the oldest first."""
    return with_people().filter(_open(), account=account).order_by("created_at")


def open_of_lead(account: Account, lead_id: str) -> QuerySet[Approval]:
    """The same of one lead, with who asked for it and nothing else beside it: every money card looks."""
    return Approval.objects.filter(_open(), account=account, lead_id=lead_id).prefetch_related("requester")


def find_open(account: Account, change: Change) -> Approval | None:
    """What was asked for already of the same payment."""
    found = open_in(account).filter(kind=change.kind)
    return next((row for row in found if row.change.subject == change.subject), None)


def list_to_decide(account: Account, person: User) -> list[Approval]:
    """What others asked for and this person may decide."""
    return list(_to_decide(account, person)) if person.has_permission("approval.decide") else []


def count_to_decide(account: Account, person: User) -> int:
    """How many that are. One query, none for who decides nothing."""
    return _to_decide(account, person).count() if person.has_permission("approval.decide") else 0


def _to_decide(account: Account, person: User) -> QuerySet[Approval]:
    return open_in(account).exclude(requester=person)


def list_mine(account: Account, person: User) -> list[Approval]:
    """What this person asked for and is still open."""
    return list(open_in(account).filter(requester=person))


def history(account: Account, person: User, *, cursor: str, size: int) -> Page[Approval]:
    """What is over: everybody's for who decides, else one's own."""
    over = with_people().filter(account=account).exclude(_open())
    if not person.has_permission("approval.decide"):
        over = over.filter(requester=person)
    return page_by_time(over, cursor=cursor, size=size)


def list_cooled() -> list[Approval]:
    """What the only approver let through and whose time has come, over all accounts."""
    return list(with_people().filter(_open(), status=Status.COOLING, cools_until__lte=timezone.now()))


def list_late() -> list[Approval]:
    """What is still open but too old."""
    return list(with_people().filter(status__in=(Status.WAITING, Status.COOLING)).exclude(_open()))


def others_who_decide(person: User, account: Account) -> QuerySet[User]:
    """Everybody else who may approve in this account now: whoever has no credentials of it cannot."""
    roles = permissions.PERMISSIONS["approval.decide"][1]
    able = User.objects.filter(role__in=roles, is_active=True, connection__account=account)
    return able.exclude(pk=person.pk).order_by("name")


def is_alone(person: User, account: Account) -> bool:
    """Whether this person may approve in this account and nobody else does."""
    return person.has_permission("approval.decide") and not others_who_decide(person, account).exists()


def _open() -> Q:
    return Q(status__in=(Status.WAITING, Status.COOLING), created_at__gt=timezone.now() - Approval.OPEN_FOR)
