"""Reading connections."""

from accounts.models import Connection, User


def for_user(user: User) -> Connection | None:
    """The person's connection with its account, or None."""
    return Connection.objects.select_related("account").filter(user=user).first()
