"""``manage.py createadmin``, with the password from standard input or a terminal."""

import getpass
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry, User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def create(
    monkeypatch: pytest.MonkeyPatch, email: str = "Ann@Example.com", name: str = "Ann", typed: str = PASSWORD
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(f"{typed}\nmore\n"))
    call_command("createadmin", email, name=name, stdout=StringIO())


def test_it_makes_an_admin_who_can_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    create(monkeypatch)
    admin = User.objects.get()
    assert (admin.email, admin.name, admin.role) == ("ann@example.com", "Ann", "admin")
    assert admin.check_password(PASSWORD)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name, entry.ip) == ("staff.add.succeeded", "manage.py createadmin", "command")


@pytest.mark.parametrize(
    ("email", "name", "typed", "says"),
    [
        ("ann@example.com", "Ann", "", "too short"),
        ("ann@example.com", "Ann", "password12", "too common"),
        ("ann@example.com", "Ann", "ann@example.com", "too similar"),
        ("no address", "Ann", PASSWORD, "valid email"),
        ("a" * 250 + "@example.com", "Ann", PASSWORD, "email|characters"),
        ("ann@example.com", " ", PASSWORD, "blank"),
        ("ann@example.com", "A" * 101, PASSWORD, "100 characters"),
        ("agent@example.com", "Ann", PASSWORD, "already"),
        ("AGENT@example.com ", "Ann", PASSWORD, "already"),
    ],
)
def test_what_it_refuses(monkeypatch: pytest.MonkeyPatch, email: str, name: str, typed: str, says: str) -> None:
    User.objects.create_user(email="agent@example.com", name="Agent", role="agent")
    with pytest.raises(CommandError, match=says):
        create(monkeypatch, email, name, typed)
    assert User.objects.count() == 1


def test_at_a_terminal_it_asks_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    answers = iter([PASSWORD, "something else", PASSWORD, PASSWORD])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    with pytest.raises(CommandError, match="differ"):
        call_command("createadmin", "ann@example.com", name="Ann", stdout=StringIO())
    call_command("createadmin", "ann@example.com", name="Ann", stdout=StringIO())
    assert User.objects.get().check_password(PASSWORD)
