"""Junk in any URL, header or form of the desk: an answer that says what is wrong, never a fault of ours."""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from leads import urls
from leads.access import Desk
from leads.models import Limit, Operation, Playbook, Reason, Recipe
from leads.providers.changes import AssignTag
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, do, read, typed, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]

ALLOWED = {200, 204, 302, 400, 403, 404, 405, 409, 413, 422, 503}

TEXTS = [
    "", " ", "0", "-1", "1", "9" * 30, "9" * 5000, "1e999", "NaN", "٣", "½", "true", "null", "None", "[]", "{}",
    "x" * 300, "x" * 20_000, "\u202e\u200b\ufeff", "🏺" * 200, "\ud7ff\uffff", "a\r\nb\tc\x0b\x1f",
    "'; DROP TABLE x; --",
    "<script>alert(1)</script>", "{{ 7*7 }}{% now %}", "../../etc/passwd", "%00%ff", "no@such", "a@b.c" * 100,
    str(uuid4()), "00000000-0000-0000-0000-000000000000", "g" * 36, "2030-02-31", "0001-01-01", "99999-01-01", "25:61",
    "vip", "customer", "Newsletter", "Win back", ADA.id, ADA.email, "grant", "book", "give", "choices", "text",
]  # fmt: skip
NAMES = [
    "operation_id", "seen", "email", "first_name", "city", "tags", "lists", "sequence", "step", "custom.plan",
    "custom.glazes", "custom.about_me", "custom.", "add", "remove", "direction", "points", "expires_in_days",
    "calendar", "class_name", "date", "time", "text", "delete", "do", "happened", "reason", "name", "description",
    "give_tag", "take_tag", "identifier", "kind", "options", "account_name", "api_key", "api_password", "q", "cursor",
    "tag", "seen", "order", "columns", "is_shared", "query",
    "x" * 300, "", "[]", "a[b][c]",
]  # fmt: skip
PARTS = {
    "lead_id": [ADA.id, NOTABLE["deleted"].id, "0", "1" * 20],
    "card": ["tags", "lists", "sequences", "points", "calendars", "money", "x" * 200],
    "operation_id": [str(uuid4())],
    "recipe_id": ["1", "0", "9" * 30],
    "imported_id": ["1", "0", "9" * 30],
    "forgetting_id": ["1", "0", "9" * 30],
    "position": ["1", "0", "9" * 30],
    "user_id": ["1", "0", "9" * 30],
    "transaction_id": ["99432", "0", "1" * 20],
    "subscription_id": ["14833", "0", "1" * 20],
    "approval_id": [str(uuid4())],
    "job_id": [str(uuid4())],
    "playbook_id": ["1", "0", "9" * 30],
    "run_id": [str(uuid4())],
    "view_id": ["1", "0", "9" * 30],
    "limit_id": ["1", "0", "9" * 30],
    "reason_id": ["1", "0", "9" * 30],
    "import_id": ["1", "0", "9" * 30],
    "event_id": ["1", "0", "9" * 30],
    "secret": ["nobody-knows", "x" * 500, "%00", "٣"],
}
JUNK_HEADERS = [
    {},
    HTMX,
    {**HTMX, "HX-Boosted": "true"},
    {**HTMX, "HX-Current-URL": "http://[junk", "HX-Target": "\x7f", "HX-Prompt": "ü"},
    {"HX-Request": "maybe", "HX-Current-URL-URI-AutoEncoded": "true", "HX-Current-URL": "%ff%fe"},
    {"X-Forwarded-For": "junk, 999.1.1.1,,", "X-Forwarded-Proto": "gopher"},
    {"Referer": "javascript:alert(1)", "Accept": "\x7f", "Accept-Language": "x" * 2000, "Cookie": "sessionid"},
]


def addresses(rng: random.Random) -> Iterator[str]:
    for pattern in urls.urlpatterns:
        route = str(pattern.pattern)
        yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: rng.choice(PARTS[match[1]]), route)


@pytest.fixture
def admin(at_desk: AtDesk, sandbox: Sandbox, desk_of: DeskOf) -> Client:
    desk = desk_of("admin")
    recipe = Recipe.objects.create(account=desk.account, name="Gold", give_tag="kiln-club-gold")
    operation = do(desk, AssignTag("advanced"))
    PARTS["recipe_id"][0], PARTS["operation_id"] = str(recipe.pk), [str(operation.pk), str(uuid4())]
    PARTS["user_id"][0] = str(desk.user.pk)
    return at_desk("admin")


def check(answer: Any, *tried: object) -> None:
    assert answer.status_code in ALLOWED, (answer.status_code, *tried)


@pytest.mark.parametrize("seed", range(6))
def test_random_forms_never_break_a_page(admin: Client, seed: int) -> None:
    rng = random.Random(seed)
    for url in addresses(rng):
        posted = {name: rng.choices(TEXTS, k=rng.randint(1, 3)) for name in rng.sample(NAMES, rng.randint(0, 12))}
        headers = rng.choice(JUNK_HEADERS[:4])
        check(admin.post(url, posted, headers=headers), url, posted)
        check(admin.get(url, posted, headers=headers), url, posted)


@pytest.mark.parametrize("seed", range(4))
def test_forms_with_one_wrong_value_never_break_a_page(admin: Client, desk_of: DeskOf, seed: int) -> None:
    """Everything is as it should be but for one field."""
    rng = random.Random(seed)
    desk = desk_of("admin")
    good = typed(desk, read(desk))
    for name in rng.sample(sorted(good), 12):
        posted = {**good, name: rng.choice(TEXTS), "operation_id": str(uuid4())}
        check(admin.post(f"/leads/{ADA.id}/edit/", posted), name, posted[name])
    for card, fields in {
        "points": {"direction": "give", "points": "5", "expires_in_days": "3"},
        "sequences": {"add": "Win back", "step": "1"},
        "calendars": {
            "direction": "book", "calendar": "Studio visits", "class_name": "Tour of the kiln shed",
            "date": "2030-01-01", "time": "10:00",
        },
    }.items():  # fmt: skip
        for name in fields:
            posted = {**fields, name: rng.choice(TEXTS), "operation_id": str(uuid4())}
            check(admin.post(f"/leads/{ADA.id}/{card}/change/", posted), card, posted)


@pytest.mark.parametrize("headers", JUNK_HEADERS, ids=repr)
def test_junk_headers_never_break_a_page(admin: Client, headers: dict[str, str]) -> None:
    for url in addresses(random.Random(7)):
        check(admin.get(url, headers=headers), url)


@pytest.mark.parametrize(
    "path",
    [
        "/leads/abc/", "/leads/-1/", "/leads/4174086'/", "/leads/%00/", "/leads/٤١٧/", "/leads/" + "9" * 21 + "/",
        "/leads/4174086.0/", "/leads/%2e%2e/", "/operations/junk/", "/operations/0/", "/operations/%00/undo/",
        "/recipes/x/edit/", "/recipes/-1/edit/", "/team/x/connection/", "/leads/4174086/a b/change/", "/leads//",
        "/%ff%fe", "/leads/4174086/money/extra/", "/leads/004174086/", "/leads/004174086/notes/", "/leads/00/money/",
        "/leads/4174086/subscriptions/014833/", "/leads/4174086/transactions/099432/refund/",
    ],
)  # fmt: skip
def test_junk_in_the_address_is_400_or_404(admin: Client, path: str) -> None:
    for method in (admin.get, admin.post):
        assert method(path).status_code in (400, 404)


def test_a_post_without_a_field_is_not_taken_for_a_look(admin: Client, desk_of: DeskOf, sandbox: Sandbox) -> None:
    """It is refused, and says so by its number, wherever there is something to fill in."""
    account = desk_of("admin").account
    there = {
        "playbook_id": Playbook.objects.create(account=account, name="Leave", steps=[]).pk,
        "limit_id": Limit.objects.create(role="support").pk,
        "reason_id": Reason.objects.create(text="Never said before").pk,
        **{name: values[0] for name, values in PARTS.items() if name in ("recipe_id", "operation_id", "user_id")},
        "lead_id": ADA.id,
        "card": "tags",
        "transaction_id": "99432",
        "subscription_id": "14833",
    }
    sandbox.calls()
    refused = 0
    for pattern in urls.urlpatterns:
        parts = re.findall(r"<(?:\w+:)?(\w+)>", str(pattern.pattern))
        if not set(parts) <= there.keys():
            continue
        answer = admin.post("/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(there[match[1]]), str(pattern.pattern)))
        assert answer.status_code in (302, 400, 404, 405, 409, 422), (pattern, answer.status_code)
        refused += answer.status_code in (400, 422)
    assert refused >= 20
    assert writes(sandbox) == []


@pytest.mark.parametrize("where", ["query", "form", "name"])
def test_a_nul_is_refused_everywhere(admin: Client, where: str) -> None:
    for url in addresses(random.Random(1)):
        if url.startswith("/hooks/") and where != "query":
            continue  # posted by a machine, kept sealed as it came
        if where == "query":
            answer = admin.get(url, {"q": "a\x00b"})
        else:
            answer = admin.post(url, {"text": "a\x00b"} if where == "form" else {"te\x00xt": "a"})
        assert answer.status_code == 400, url


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"operation_id": str(uuid4()), "add": ["vip"]}), "application/json"),
        ("{", "application/json"),
        ("\x00\xff", "application/octet-stream"),
        ("a=%ED%A0%80&text=%ff%fe", "application/x-www-form-urlencoded"),
        ("&".join(f"a{number}=1" for number in range(2000)), "application/x-www-form-urlencoded"),
        ("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n", "multipart/form-data; boundary=x"),
        ("junk", "multipart/form-data"),
        ("text=" + "x" * 3_000_000, "application/x-www-form-urlencoded"),
    ],
    ids=["json", "half json", "octets", "surrogates", "many fields", "cut multipart", "no boundary", "too large"],
)
def test_bodies_of_other_kinds_never_break_a_page(admin: Client, sandbox: Sandbox, body: str, kind: str) -> None:
    sandbox.calls()
    for url in addresses(random.Random(2)):
        check(admin.post(url, body.encode("latin-1"), content_type=kind), url)
    assert not [commands for commands in writes(sandbox) if commands]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace", "head"])
def test_other_methods_are_405_or_read(admin: Client, sandbox: Sandbox, method: str) -> None:
    sandbox.calls()
    for url in addresses(random.Random(3)):
        check(getattr(admin, method)(url), method, url)
    assert writes(sandbox) == []


def test_getting_what_only_posts_is_405_and_changes_nothing(admin: Client, sandbox: Sandbox) -> None:
    operation = Operation.objects.get()
    sandbox.calls()
    for url in (
        f"/operations/{operation.pk}/undo/", f"/operations/{operation.pk}/settle/",
        f"/operations/{operation.pk}/decide/", f"/leads/{ADA.id}/notes/", f"/leads/{ADA.id}/recipes/1/",
        "/settings/catalogues/refresh/",
    ):  # fmt: skip
        answer = admin.get(url, {"operation_id": str(uuid4())})
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
        assert "has no page to show. Nothing was changed." in answer.content.decode(), "as by Reload after a form"
    assert sandbox.calls() == []


@pytest.mark.parametrize("card", ["tags", "lists", "sequences", "points", "calendars"])
@pytest.mark.parametrize("own_id", [None, "", "junk", "1" * 31])
def test_a_form_without_its_id_sends_nothing(admin: Client, sandbox: Sandbox, card: str, own_id: str | None) -> None:
    sandbox.calls()
    posted = {"add": "Newsletter" if card == "lists" else "vip", "remove": "vip", "points": "5", "direction": "give"}
    answer = admin.post(
        f"/leads/{ADA.id}/{card}/change/", posted if own_id is None else {**posted, "operation_id": own_id}
    )
    assert answer.status_code == 422
    assert sandbox.calls() == []


@pytest.mark.parametrize("own_id", [None, "", "junk"])
def test_an_undo_without_its_id_sends_nothing(admin: Client, sandbox: Sandbox, own_id: str | None) -> None:
    operation = Operation.objects.get()
    sandbox.calls()
    answer = admin.post(f"/operations/{operation.pk}/undo/", {} if own_id is None else {"operation_id": own_id})
    assert answer.status_code == 400
    assert sandbox.calls() == []


def test_a_form_from_elsewhere_is_refused(admin: Client, sandbox: Sandbox) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    sandbox.calls()
    for url in (f"/leads/{ADA.id}/edit/", f"/leads/{ADA.id}/tags/change/", "/settings/connection/"):
        for headers in ({}, HTMX):
            assert strict.post(url, {"operation_id": str(uuid4()), "add": "vip"}, headers=headers).status_code == 403
    assert sandbox.calls() == []


def test_more_than_one_call_can_carry_is_refused_with_a_sentence(
    admin: Client, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    names = [f"tag number {number}" for number in range(600)]
    desk_of("admin").account.catalogues.filter(kind="tags").update(items=names)
    sandbox.calls()
    for url, chosen in ((f"/leads/{ADA.id}/tags/change/", "add"), ("/leads/new/", "tags")):
        answer = admin.post(url, {"operation_id": str(uuid4()), chosen: names, "email": "new@example.com"})
        assert answer.status_code == 422
        assert "at most 100 changes" in words(answer)
    assert writes(sandbox) == []
    assert Operation.objects.count() == 1
