"""The rules of the team, in the services."""

import threading
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection

from accounts.models import AuditEntry, User
from accounts.services import users
from kartra_admin.lib.errors import AppError, Denied

UserOf = Callable[[str], User]


def test_emails_are_kept_in_lower_case_and_unique_in_any_case(user_of: UserOf) -> None:
    added = users.add_staff(actor=user_of("admin"), email=" Ann@Example.COM ", name="Ann", role="agent")
    assert added.email == "ann@example.com"
    assert not added.has_usable_password()
    with pytest.raises(users.EmailTaken):
        users.add_staff(actor=user_of("admin"), email="ANN@example.com", name="Ann", role="agent")


def test_the_database_refuses_the_same_email_in_another_case(user_of: UserOf) -> None:
    user_of("agent")
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="AGENT@example.com", name="x", role="agent")])


def test_adding_and_editing_keep_before_and_after(user_of: UserOf) -> None:
    admin = user_of("admin")
    ann = users.add_staff(actor=admin, email="ann@example.com", name="Ann", role="agent")
    users.edit_staff(actor=admin, user=ann, name="Ann Lee", role="manager")
    edited, added = AuditEntry.objects.filter(target_id=str(ann.pk)).order_by("-pk")
    assert (added.action, added.before) == ("staff.add.succeeded", None)
    assert added.after == {"email": "ann@example.com", "name": "Ann", "role": "Agent", "active": True}
    assert [(change.label, change.before, change.after) for change in edited.changes] == [
        ("name", "Ann", "Ann Lee"),
        ("role", "Agent", "Manager"),
    ]
    assert (edited.actor_id, edited.actor_name, edited.actor_role) == (admin.pk, "Admin Person", "admin")


def test_saving_without_a_change_writes_nothing(user_of: UserOf) -> None:
    agent = user_of("agent")
    users.edit_staff(actor=user_of("admin"), user=agent, name=agent.name, role="agent")
    assert not AuditEntry.objects.filter(action="staff.edit.succeeded").exists()


@pytest.mark.parametrize("role", ["viewer", "agent", "support", "manager", "auditor"])
def test_only_admins_manage_the_team(user_of: UserOf, role: str) -> None:
    actor, target = user_of(role), user_of("admin")
    for act in (
        lambda: users.add_staff(actor=actor, email="x@example.com", name="X", role="admin"),
        lambda: users.edit_staff(actor=actor, user=target, name="X", role="viewer"),
        lambda: users.deactivate_staff(actor=actor, user=target),
        lambda: users.reactivate_staff(actor=actor, user=target),
        lambda: users.set_password_link(actor=actor, user=target),
    ):
        with pytest.raises(Denied):
            act()
    target.refresh_from_db()
    assert (target.role, target.is_active, target.session_version) == ("admin", True, 0)


def test_nobody_deactivates_or_demotes_himself(user_of: UserOf) -> None:
    admin = user_of("admin")
    for act in (
        lambda: users.deactivate_staff(actor=admin, user=admin),
        lambda: users.edit_staff(actor=admin, user=admin, name="Admin", role="viewer"),
        lambda: users.set_password_link(actor=admin, user=admin),
    ):
        with pytest.raises(users.NotYourself):
            act()
    assert User.objects.get(pk=admin.pk).role == "admin"


def test_an_admin_who_lost_the_role_meanwhile_can_do_nothing_more(user_of: UserOf) -> None:
    admin = user_of("admin")
    User.objects.filter(pk=admin.pk).update(role="viewer")
    with pytest.raises(Denied):
        users.deactivate_staff(actor=admin, user=user_of("agent"))


def test_deactivating_twice_is_written_once(user_of: UserOf) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    users.deactivate_staff(actor=admin, user=agent)
    users.deactivate_staff(actor=admin, user=agent)
    assert AuditEntry.objects.filter(action="staff.deactivate.succeeded").count() == 1
    assert users.reactivate_staff(actor=admin, user=agent).is_active


def test_no_link_for_somebody_deactivated(user_of: UserOf) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    users.deactivate_staff(actor=admin, user=agent)
    with pytest.raises(AppError, match="is deactivated"):
        users.set_password_link(actor=admin, user=agent)


def test_what_fails_leaves_neither_a_change_nor_an_entry(user_of: UserOf, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    monkeypatch.setattr(User, "save", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        users.deactivate_staff(actor=admin, user=agent)
    assert not AuditEntry.objects.filter(action="staff.deactivate.succeeded").exists()


def strike(actor: User, target: User, together: threading.Barrier, refused: list[AppError]) -> None:
    together.wait()
    try:
        users.deactivate_staff(actor=actor, user=target)
    except Denied as error:
        refused.append(error)
    finally:
        connection.close()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(10))
def test_two_admins_who_deactivate_each_other_at_once_leave_one(attempt: int) -> None:
    one, two = (User.objects.create_user(email=f"{n}@example.com", name=n, role="admin") for n in "ab")
    together, refused = threading.Barrier(2), list[AppError]()
    threads = [threading.Thread(target=strike, args=(*pair, together, refused)) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert User.objects.filter(is_active=True).count() == 1
