"""Reading the team."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User


def main_factors() -> QuerySet[Any]:
    """What counts as a second factor, as rows of `Authenticator`; recovery codes alone are none."""
    found: QuerySet[Any] = Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES)
    return found


def has_factor() -> Exists:
    """Whether somebody has a second factor, in a query of people."""
    return Exists(main_factors().filter(user_id=OuterRef("pk")))


def list_for_team() -> QuerySet[User]:
    """Everybody, the active ones first, each with his connection and its account, and whether ``has_factor``."""
    people = User.objects.select_related("connection__account").annotate(has_factor=has_factor())
    return people.order_by("-is_active", "name", "email")


def factors_of(user: User) -> list[str]:
    """The person's second factors in words, and recovery codes beside them."""
    if not main_factors().filter(user_id=user.pk).exists():
        return []
    return [str(one) for one in Authenticator.objects.filter(user_id=user.pk).order_by("type", "pk")]
