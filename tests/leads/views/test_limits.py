"""Settings, Limits and Reasons."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from leads.models import Limit, Reason
from tests.conftest import SignIn
from tests.leads.helpers import posted_again, words

pytestmark = pytest.mark.django_db
UserOf = Callable[[str], User]


@pytest.fixture
def admin(client_of: SignIn) -> Client:
    Limit.objects.all().delete()
    Reason.objects.all().delete()
    return client_of("admin")


def typed(whose: str = "role:support", **figures: str) -> dict[str, str]:
    blank = {"per_transaction": "", "per_day": "", "per_lead": "", "count_per_day": ""}
    return {"whose": whose, **blank, **figures}


def test_set_for_a_role_and_for_a_person(admin: Client, user_of: UserOf) -> None:
    person = user_of("support")
    admin.post("/settings/limits/new/", typed(per_transaction="1.000,00", per_day="300", count_per_day="10"))
    made = admin.post("/settings/limits/new/", typed(f"person:{person.pk}", per_lead="19,95"), follow=True)
    assert made.redirect_chain == [("/settings/limits/", 302)]
    assert "Limits of Support Person saved." in words(made)
    of_role, of_person = Limit.objects.order_by("pk")
    assert (of_role.role, of_role.per_transaction, of_role.per_day, of_role.per_lead) == ("support", 1000, 300, None)
    assert (of_person.person, of_person.per_lead) == (person, Decimal("19.95"))
    page = words(made)
    assert "1,000.00" in page
    assert "no limit" in page


def test_changed_and_removed(admin: Client) -> None:
    row = Limit.objects.create(role="support", per_day=Decimal(300), count_per_day=10)
    form = admin.get(f"/settings/limits/{row.pk}/")
    assert posted_again(form, "per_day") == ["300.00"]
    assert 'name="whose"' not in form.content.decode()
    admin.post(f"/settings/limits/{row.pk}/", typed(per_day="0"))
    row.refresh_from_db()
    assert (row.per_day, row.count_per_day, row.role) == (0, None, "support")
    assert "can then refund any amount" in words(admin.get(f"/settings/limits/{row.pk}/remove/"))
    assert Limit.objects.exists()
    admin.post(f"/settings/limits/{row.pk}/remove/")
    assert not Limit.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_day": "-1"},
        {"per_day": "1,000"},
        {"per_day": "10.001"},
        {"per_day": "1e9"},
        {"per_day": "NaN"},
        {"per_day": "1" * 19},
        {"per_day": "<b>1</b>"},
        {"count_per_day": "1.5"},
        {"count_per_day": "-1"},
        {"whose": ""},
        {"whose": "role:viewer"},
        {"whose": "person:0"},
        {"whose": "person:x"},
    ],
    ids=repr,
)
def test_what_is_odd_is_refused_and_nothing_lost(admin: Client, wrong: dict[str, str]) -> None:
    answer = admin.post("/settings/limits/new/", {**typed(per_lead="55"), **wrong})
    assert answer.status_code == 422
    assert posted_again(answer, "per_lead") == ["55"]
    assert not Limit.objects.exists()


def test_who_has_limits_is_not_offered_again(admin: Client) -> None:
    Limit.objects.create(role="support")
    offered = admin.get("/settings/limits/new/").content.decode()
    assert "role:manager" in offered
    assert "role:support" not in offered
    assert "role:viewer" not in offered
    assert admin.post("/settings/limits/new/", typed()).status_code == 422


@pytest.mark.parametrize("path", ["limits/new/", "limits/1/", "limits/1/remove/", "reasons/", "reasons/1/"])
def test_a_stale_session_changes_nothing(client_of: SignIn, path: str) -> None:
    before = Limit.objects.count(), Reason.objects.count()
    answer = client_of("admin", stale=True).post(f"/settings/{path}", typed())
    assert answer["Location"].startswith("/sign-in/again/")
    assert (Limit.objects.count(), Reason.objects.count()) == before


@pytest.mark.parametrize("path", ["limits/999/", "limits/999/remove/", "reasons/999/"])
def test_what_does_not_exist_is_404(admin: Client, path: str) -> None:
    assert admin.get(f"/settings/{path}").status_code == 404


def test_reasons_are_added_renamed_moved_and_removed(admin: Client) -> None:
    for text in ("Late <b>access</b>", "Goodwill"):
        admin.post("/settings/reasons/", {"text": text})
    first, second = Reason.objects.all()
    page = admin.get("/settings/reasons/").content.decode()
    assert "Late &lt;b&gt;access&lt;/b&gt;" in page
    admin.post(f"/settings/reasons/{second.pk}/move/", {"to": "up"})
    admin.post(f"/settings/reasons/{first.pk}/", {"text": "Late access"})
    assert [reason.text for reason in Reason.objects.all()] == ["Goodwill", "Late access"]
    done = admin.post(f"/settings/reasons/{second.pk}/remove/", follow=True)
    assert "‘Goodwill’ removed" in words(done)
    assert [reason.text for reason in Reason.objects.all()] == ["Late access"]


@pytest.mark.parametrize("text", ["", "Goodwill", "other", "x" * 121])
def test_an_unfit_reason_is_422(admin: Client, text: str) -> None:
    Reason.objects.create(text="Goodwill")
    answer = admin.post("/settings/reasons/", {"text": text})
    assert answer.status_code == 422
    assert Reason.objects.count() == 1


def test_the_tabs_are_for_admins(client_of: SignIn) -> None:
    assert "/settings/limits/" in client_of("admin").get("/settings/connection/").content.decode()
    assert "/settings/limits/" not in client_of("manager").get("/settings/connection/").content.decode()
