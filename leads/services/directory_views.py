"""Views of the directory that people keep, and exports of what they show."""

from collections.abc import Iterator

from django.utils import timezone

from accounts.models import Account, User
from accounts.services import access, audit
from leads.models import Entry, MarkKind, SavedView
from leads.selectors import directory
from leads.selectors.directory import Filters

HEAD = (
    "Lead id", "Name", "Email", "Phone", "Company", "City", "State", "Country", "Tags", "Lists", "Sequences",
    "Memberships", "Products", "Blacklisted", "Deleted", "Gone since", "Last met", "Last changed", "Read from Kartra",
    "Payments read from Kartra",
)  # fmt: skip
_BETWEEN = " | "  # names may hold commas


def save_view(*, actor: User, account: Account, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep a view; one of the same name of the same person is replaced. Raises `Denied` for who may not share."""
    if is_shared:
        access.require(actor, "view.share")
    view, _ = SavedView.objects.update_or_create(
        account=account, owner=actor, name=name, defaults={"query": query, "is_shared": is_shared}
    )
    return view


def delete_view(*, actor: User, view: SavedView) -> None:
    """One's own, or another's that is shared, for who may share. Raises `Denied`."""
    if view.owner_id != actor.pk:
        access.require(actor, "view.share")
        if not view.is_shared:
            access.deny(actor, "delete somebody else's own view", "This view belongs to somebody else.")
    view.delete()


def export(*, actor: User, account: Account, filters: Filters, described: str) -> Iterator[list[str]]:
    """Everybody whom the filters let through as rows of text, the head first. Raises `Denied`."""
    access.require(actor, "directory.export")
    entries = directory.of_view(account, filters)
    audit.record(
        action="directory.export.succeeded",
        outcome="succeeded",
        actor=actor,
        account=account,
        detail={"filters": described, "rows": entries.count()},
    )
    return _rows(directory.rows_of(entries))


def _rows(entries: Iterator[Entry]) -> Iterator[list[str]]:
    yield list(HEAD)
    for entry in entries:
        yield _row(entry)


def _row(entry: Entry) -> list[str]:
    marks: dict[str, list[str]] = {kind.value: [] for kind in MarkKind}
    for mark in entry.marks.all():
        marks[mark.kind].append(mark.name)
    times = (entry.gone_at, entry.seen_at, entry.changed_at, entry.lead_read_at, entry.money_read_at)
    return [
        entry.lead_id or "",
        entry.name,
        entry.email,
        entry.phone,
        entry.company,
        entry.city,
        entry.state,
        entry.country,
        *(_BETWEEN.join(names) for names in marks.values()),
        "yes" if entry.blacklisted else "",
        "yes" if entry.deleted else "",
        *(f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}" if at else "" for at in times),
    ]
