"""Refund limits as lists: of roles, of people, and who has none of his own yet."""

from accounts import permissions
from accounts.models import User
from leads.models import Limit

REFUNDING = tuple(role for role in permissions.ROLES if "transaction.refund" in permissions.BY_ROLE[role])


def of_roles() -> dict[str, Limit | None]:
    """Each role that refunds, by its label, with its limits."""
    found = {limit.role: limit for limit in Limit.objects.filter(person=None)}
    return {permissions.ROLES[role]: found.get(role) for role in REFUNDING}


def of_people() -> list[Limit]:
    return list(Limit.objects.exclude(person=None).select_related("person").order_by("person__name"))


def without() -> tuple[list[tuple[str, str]], list[User]]:
    """Roles (value, label) and people that refund and have no limits of their own."""
    taken = set(Limit.objects.values_list("role", flat=True))
    roles = [(role, permissions.ROLES[role]) for role in REFUNDING if role not in taken]
    people = User.objects.filter(role__in=REFUNDING, is_active=True, refund_limit=None).order_by("name")
    return roles, list(people)
