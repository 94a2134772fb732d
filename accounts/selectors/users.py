"""Reading the team."""

from django.db.models import QuerySet

from accounts.models import User


def list_for_team() -> QuerySet[User]:
    """Everybody, the active ones first, each with his connection and its account."""
    return User.objects.select_related("connection__account").order_by("-is_active", "name", "email")
