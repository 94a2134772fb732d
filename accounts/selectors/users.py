"""Reading the team."""

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User


def list_for_team() -> QuerySet[User]:
    """Everybody, the active ones first, each with his connection and its account, and whether ``has_factor``."""
    factors = Authenticator.objects.filter(user_id=OuterRef("pk")).exclude(type=Authenticator.Type.RECOVERY_CODES)
    people = User.objects.select_related("connection__account").annotate(has_factor=Exists(factors))
    return people.order_by("-is_active", "name", "email")


def factors_of(user: User) -> list[str]:
    """The person's second factors in words."""
    return [str(one) for one in Authenticator.objects.filter(user_id=user.pk).order_by("type", "pk")]
