"""Reasons: an admin names and orders them; 'Other' is always the last."""

from collections.abc import Callable

import pytest

from accounts.models import AuditEntry, User
from kartra_admin.lib.errors import Conflict, Denied
from leads.models import Reason
from leads.selectors.reasons import choices
from leads.services.reasons import move_reason, remove_reason, save_reason

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(user_of: Callable[[str], User]) -> User:
    Reason.objects.all().delete()
    return user_of("admin")


def add(admin: User, *texts: str) -> list[Reason]:
    return [save_reason(actor=admin, reason=Reason(), text=text) for text in texts]


def test_added_at_the_end_renamed_moved_and_removed(admin: User) -> None:
    late, twice, mood = add(admin, "Late", "Twice", "Mood")
    assert choices() == ["Late", "Twice", "Mood", "Other"]
    save_reason(actor=admin, reason=mood, text="Goodwill")
    move_reason(actor=admin, reason=mood, up=True)
    move_reason(actor=admin, reason=late, up=True)
    move_reason(actor=admin, reason=twice, up=False)
    assert choices() == ["Late", "Goodwill", "Twice", "Other"]
    move_reason(actor=admin, reason=late, up=False)
    remove_reason(actor=admin, reason=twice)
    assert choices() == ["Goodwill", "Late", "Other"]
    told = [(entry.action, entry.target_name) for entry in AuditEntry.objects.order_by("pk")]
    assert told == [
        ("reason.save.succeeded", "Late"),
        ("reason.save.succeeded", "Twice"),
        ("reason.save.succeeded", "Mood"),
        ("reason.save.succeeded", "Goodwill"),
        ("reason.move.succeeded", "Goodwill"),
        ("reason.move.succeeded", "Late"),
        ("reason.remove.succeeded", "Twice"),
    ]
    renamed = AuditEntry.objects.order_by("pk")[3]
    assert (renamed.before, renamed.after) == ({"Reason": "Mood"}, {"Reason": "Goodwill"})


def test_words_are_used_once(admin: User) -> None:
    late, _ = add(admin, "Late", "Twice")
    for reason in (Reason(), late):
        with pytest.raises(Conflict, match="already"):
            save_reason(actor=admin, reason=reason, text="Twice")
    with pytest.raises(Conflict, match="always available"):
        save_reason(actor=admin, reason=Reason(), text="OTHER")
    assert choices() == ["Late", "Twice", "Other"]


@pytest.mark.parametrize("role", ["support", "manager", "auditor"])
def test_only_an_admin_changes_them(admin: User, user_of: Callable[[str], User], role: str) -> None:
    [late] = add(admin, "Late")
    other = user_of(role)
    for attempt in (
        lambda: save_reason(actor=other, reason=Reason(), text="New"),
        lambda: move_reason(actor=other, reason=late, up=True),
        lambda: remove_reason(actor=other, reason=late),
    ):
        with pytest.raises(Denied):
            attempt()
    assert choices() == ["Late", "Other"]
