"""Reading connections."""

from accounts.models import Connection, User


def for_user(user: User) -> Connection | None:
    """The person's connection, or None. Read once for each ``user``: a request finds both in one query."""
    try:
        return user.connection
    except Connection.DoesNotExist:
        return None
