"""The Team pages and the profile."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEntry, User
from accounts.services import connections

UserOf = Callable[[str], User]
ClientOf = Callable[[str], Client]


def url(name: str, user: User) -> str:
    return reverse(f"accounts:{name}", args=[user.pk])


def test_adding_shows_the_link_once_and_keeps_it_nowhere(client_of: ClientOf) -> None:
    admin = client_of("admin")
    answer = admin.post(reverse("accounts:team-add"), {"name": "Ann", "email": "Ann@Example.com", "role": "agent"})
    page = answer.content.decode()
    assert answer.status_code == 200
    link = page.split('value="http://127.0.0.1:8000')[1].split('"')[0]
    assert User.objects.get(email="ann@example.com").name == "Ann"
    with CaptureQueriesContext(connection) as queries:
        assert Client().get(link).status_code == 302
    assert len(queries) < 10
    token = link.rstrip("/").rpartition("-")[2]
    for entry in AuditEntry.objects.all():
        assert token not in str(entry.__dict__)
    assert token not in admin.get(reverse("accounts:team")).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "no address"),
        ("email", "a" * 250 + "@example.com"),
        ("email", "ADMIN@example.com"),
        ("name", " "),
        ("name", "x" * 101),
        ("role", "king"),
        ("role", ""),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(client_of: ClientOf, field: str, value: str) -> None:
    typed = {"name": "Ann Lee", "email": "ann@example.com", "role": "support", field: value}
    answer = client_of("admin").post(reverse("accounts:team-add"), typed)
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {field}
    page = answer.content.decode()
    assert field == "name" or 'value="Ann Lee"' in page
    assert field == "role" or '<option value="support" selected' in page
    assert User.objects.count() == 1


def test_editing_changes_name_and_role(user_of: UserOf, client_of: ClientOf) -> None:
    agent = user_of("agent")
    answer = client_of("admin").post(url("team-edit", agent), {"name": "Ann", "role": "manager"})
    assert answer["Location"] == reverse("accounts:team")
    agent.refresh_from_db()
    assert (agent.name, agent.role) == ("Ann", "manager")


def test_ones_own_role_is_shown_and_cannot_be_posted(user_of: UserOf, client_of: ClientOf) -> None:
    admin = user_of("admin")
    client = client_of("admin")
    assert "disabled" in str(client.get(url("team-edit", admin)).context["form"]["role"])
    client.post(url("team-edit", admin), {"name": "New Name", "role": "viewer"})
    admin.refresh_from_db()
    assert (admin.name, admin.role) == ("New Name", "admin")


def test_deactivating_asks_first_as_a_page_and_as_a_dialog(user_of: UserOf, client_of: ClientOf) -> None:
    agent, client = user_of("agent"), client_of("admin")
    page = client.get(url("team-deactivate", agent)).content.decode()
    dialog = client.get(url("team-deactivate", agent), headers={"HX-Request": "true"}).content.decode()
    assert "<html" in page
    assert "<html" not in dialog
    assert "signed out everywhere" in dialog
    assert User.objects.get(pk=agent.pk).is_active
    client.post(url("team-deactivate", agent))
    assert not User.objects.get(pk=agent.pk).is_active
    assert "Reactivate" in client.get(url("team-edit", agent)).content.decode()
    client.post(url("team-reactivate", agent))
    assert User.objects.get(pk=agent.pk).is_active


def test_deactivating_oneself_says_why_not(user_of: UserOf, client_of: ClientOf) -> None:
    answer = client_of("admin").post(url("team-deactivate", user_of("admin")))
    assert answer.status_code == 422
    assert "Ask another admin" in answer.content.decode()


@pytest.mark.parametrize("name", ["team-edit", "team-deactivate", "team-reactivate", "team-link"])
@pytest.mark.parametrize("number", ["0", "999999", "9" * 30, "9" * 5000])
def test_nobody_of_that_number_is_not_found(client_of: ClientOf, name: str, number: str) -> None:
    path = reverse(f"accounts:{name}", args=[1]).replace("1", number)
    assert client_of("admin").post(path, {"name": "x", "role": "agent"}).status_code == 404


@pytest.mark.parametrize("name", ["team-reactivate", "team-link"])
def test_what_changes_something_is_never_a_get(user_of: UserOf, client_of: ClientOf, name: str) -> None:
    assert client_of("admin").get(url(name, user_of("agent"))).status_code == 405


def test_names_are_shown_as_text(user_of: UserOf, client_of: ClientOf) -> None:
    user = User.objects.create_user(email="x@example.com", name="<script>alert(1)</script>", role="agent")
    client = client_of("admin")
    for path in (reverse("accounts:team"), url("team-edit", user), url("team-deactivate", user)):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_the_list_takes_as_many_queries_for_thirty_as_for_three(user_of: UserOf, client_of: ClientOf) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(reverse("accounts:team")).status_code == 200
        return len(seen)

    def grow(start: int, end: int) -> None:
        for n in range(start, end):
            one = User.objects.create_user(email=f"{n}@example.com", name=str(n), role="agent")
            connections.place(actor=one, owner=one, api_key=f"key{n}", api_password="x")

    client = client_of("admin")
    grow(0, 3)
    few = queries()
    grow(3, 30)
    assert queries() == few
    assert few <= 6


def test_the_profile_changes_ones_own_name_only(user_of: UserOf, client_of: ClientOf) -> None:
    client = client_of("viewer")
    page = client.get(reverse("accounts:profile")).content.decode()
    assert "Your role: Viewer" in page
    assert "See leads" in page
    assert "Manage the team" not in page
    client.post(reverse("accounts:profile"), {"name": "Another", "role": "admin", "email": "x@example.com"})
    viewer = User.objects.get(email="viewer@example.com")
    assert (viewer.name, viewer.role) == ("Another", "viewer")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.before, entry.after) == (
        "profile.edit.succeeded", {"name": "Viewer Person"}, {"name": "Another"}
    )  # fmt: skip
    assert client.post(reverse("accounts:profile"), {}).status_code == 422
