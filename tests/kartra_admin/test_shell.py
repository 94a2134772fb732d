"""The shell: who sees what of the menu, which entry is lit, and what it costs."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import engines
from django.test import RequestFactory
from django.urls import resolve, reverse
from pytest_django import DjangoAssertNumQueries

from accounts.backend import StaffBackend
from accounts.models import Account, Connection, User
from kartra_admin.context_processors import PLACES, Shell, shell
from kartra_admin.lib.names import initials

pytestmark = pytest.mark.django_db

UserOf = Callable[[str], User]


def shell_at(path: str, user: User | AnonymousUser) -> Shell:
    request = RequestFactory().get(path)
    request.user = user
    request.resolver_match = resolve(path)
    return shell(request)["shell"]


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        ("viewer", ["Home", "Leads", "Directory", "Settings"]),
        ("agent", ["Home", "Leads", "Directory", "Recipes", "Settings"]),
        ("manager", ["Home", "Leads", "Directory", "Recipes", "Bulk", "Approvals", "Audit", "Settings"]),
        ("auditor", ["Home", "Leads", "Directory", "Audit", "Settings"]),
        ("admin", ["Home", "Leads", "Directory", "Recipes", "Bulk", "Approvals", "Audit", "Team", "Settings"]),
    ],
)
def test_the_menu_shows_what_the_role_may_see(user_of: UserOf, role: str, labels: list[str]) -> None:
    assert [entry.label for entry in shell_at("/", user_of(role)).menu] == labels


@pytest.mark.parametrize(
    ("name", "kwargs", "lit"),
    [
        ("leads:home", {}, "Home"),
        ("leads:find", {}, "Leads"),
        ("leads:detail", {"lead_id": "41027"}, "Leads"),
        ("leads:recipes", {}, "Recipes"),
        ("leads:connection", {}, "Settings"),
        ("leads:connection-of", {"user_id": 7}, "Team"),
        ("leads:catalogues", {}, "Settings"),
        ("leads:approvals", {}, "Approvals"),
        ("leads:limits", {}, "Settings"),
        ("leads:reasons", {}, "Settings"),
        ("accounts:audit", {}, "Audit"),
        ("accounts:team-add", {}, "Team"),
        ("accounts:profile", {}, "Settings"),
        ("account_change_password", {}, "Settings"),
    ],
)
def test_one_entry_is_lit(user_of: UserOf, name: str, kwargs: dict[str, str | int], lit: str) -> None:
    menu = shell_at(reverse(name, kwargs=kwargs), user_of("admin")).menu
    assert [entry.label for entry in menu if entry.active] == [lit]


def test_every_place_has_an_address_and_an_icon() -> None:
    for place in PLACES:
        assert reverse(place.url_name)
        engines["django"].from_string(f'{{% load lucide %}}{{% lucide "{place.icon}" %}}').render()


def test_nobody_costs_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        made = shell_at("/", AnonymousUser())
        assert (made.menu, made.account, made.initials) == ([], None, "")


def test_a_person_and_his_account_cost_one_query(
    user_of: UserOf, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    user = user_of("agent")
    account = Account.objects.create(fingerprint="0" * 60 + "4f2a", sealed_digest="x", name="Bright Studio")
    Connection.objects.create(user=user, account=account, sealed_key="x", sealed_password="x", placed_by=user)
    with django_assert_num_queries(1):
        made = shell_at("/", StaffBackend().get_user(user.pk))
        assert made.account is not None
        assert (made.account.name, made.account.tail, made.initials) == ("Bright Studio", "4f2a", "AP")
        assert made.connection is not None
        assert made.connection.account == made.account


def test_the_menu_of_who_decides_and_changes_many_costs_two_queries_more(
    user_of: UserOf, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    user = user_of("manager")
    account = Account.objects.create(fingerprint="0" * 60 + "4f2a", sealed_digest="x", name="Bright Studio")
    Connection.objects.create(user=user, account=account, sealed_key="x", sealed_password="x", placed_by=user)
    with django_assert_num_queries(3):
        made = shell_at("/", StaffBackend().get_user(user.pk))
        assert [entry.count for entry in made.menu] == [0] * len(made.menu)
        assert made.account == account


def test_templates_of_one_request_share_it(user_of: UserOf) -> None:
    request = RequestFactory().get("/")
    assert shell(request)["shell"] is shell(request)["shell"]


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Mara da Silva", "MS"), ("Ana", "A"), ("ana@example.com", "A"), ("  ", "?"), ("🎉 Zoë", "Z"), ("李 伟", "李伟")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters
