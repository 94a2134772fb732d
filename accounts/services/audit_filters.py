"""Filters of the log that people keep."""

from accounts.models import SavedFilter, User
from accounts.services import access


def save(*, actor: User, name: str, query: str, is_shared: bool) -> SavedFilter:
    """Keep filters; those of the same name of the same person are replaced. Raises `Denied`."""
    access.require(actor, "audit.view")
    kept, _ = SavedFilter.objects.update_or_create(
        owner=actor, name=name, defaults={"query": query, "is_shared": is_shared}
    )
    return kept


def delete(*, actor: User, kept: SavedFilter) -> None:
    """One's own; another's that is shared, for who manages the team. Raises `Denied`."""
    if kept.owner_id != actor.pk:
        access.require(actor, "staff.manage")
        if not kept.is_shared:
            access.deny(actor, "delete somebody else's own filter", "This filter is somebody else’s own.")
    kept.delete()
