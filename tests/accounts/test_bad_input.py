"""Junk in any address or form of sign-in, factors, sessions, team, log and keys: refused, never a fault of ours."""

import random
import re
from collections.abc import Callable, Iterator

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tests.accounts.factors import give_app
from tests.conftest import PASSWORD, SignIn
from tests.leads.test_bad_input import ALLOWED, JUNK_HEADERS, TEXTS
from tests.test_access import PATTERNS

pytestmark = pytest.mark.django_db

NAMES = [
    "login", "password", "email", "oldpassword", "password1", "password2", "code", "credential", "name", "next", "role",
    "action", "passwordless", "cursor", "person", "outcome", "since", "until", "address",
    "text", "lead", "account", "amount_from", "amount_to", "ip", "operation", "query", "is_shared", "x" * 300, "",
]  # fmt: skip
PARTS = {
    "user_id": ["1", "0", "9" * 30],
    "entry_id": ["1", "0", "9" * 30],
    "filter_id": ["1", "0", "9" * 30],
    "session_id": ["1", "0", "9" * 30],
    "pk": ["1", "0", "9" * 30],
    "uidb36": ["1", "0", "zzzzzzzzzzzzz"],
    "form": ["ndjson", "csv", "x", "%00"],
    "operation_id": ["6f0d3d4e-0000-4000-8000-000000000000", "0", "9" * 30],
    "key": ["set-password", "x", "a-b", "1" * 100],
}
OURS = [name for name in PATTERNS if not name.startswith("leads:")]


def addresses(rng: random.Random) -> Iterator[str]:
    for name in OURS:
        route = str(PATTERNS[name].pattern)
        if route.startswith("^"):
            route = "sign-in/new-password/<uidb36>-<key>/"
        yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: rng.choice(PARTS[match[1]]), route)


@pytest.fixture
def browsers(user_of: Callable[[str], User], client_of: SignIn) -> dict[str, Client]:
    """Nobody, somebody between password and code, an agent, and an admin with an app."""
    give_app(user_of("manager"))
    between = Client()
    between.post("/sign-in/", {"login": "manager@example.com", "password": PASSWORD})
    assert between.get("/sign-in/factor/").status_code == 200
    return {"nobody": Client(), "between": between, "agent": client_of("agent"), "admin": client_of("admin")}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("who", ["nobody", "between", "agent", "admin"])
def test_random_forms_never_break_a_page(browsers: dict[str, Client], who: str, seed: int) -> None:
    rng = random.Random(f"{who} {seed}")
    browser = browsers[who]
    people = set(User.objects.values_list("email", "role", "password"))
    factors = list(Authenticator.objects.values_list("pk", "user_id"))
    for url in addresses(rng):
        if url == "/sign-in/out/":
            continue
        posted = {name: rng.choices(TEXTS, k=rng.randint(1, 3)) for name in rng.sample(NAMES, rng.randint(0, 12))}
        headers = rng.choice(JUNK_HEADERS[:4])
        for answer in (browser.post(url, posted, headers=headers), browser.get(url, posted, headers=headers)):
            assert answer.status_code in {*ALLOWED, 429}, (answer.status_code, url, posted)
        cache.clear()
    if who != "admin":  # who may change the team, and take a factor away by one POST
        assert set(User.objects.values_list("email", "role", "password")) == people
        assert list(Authenticator.objects.values_list("pk", "user_id")) == factors


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace", "head"])
def test_odd_methods_never_break_a_page(browsers: dict[str, Client], method: str) -> None:
    rng = random.Random(method)
    for url in addresses(rng):
        for browser in browsers.values():
            answer = getattr(browser, method)(url)
            assert answer.status_code in ALLOWED, (answer.status_code, method, url)
        cache.clear()
