"""Junk in any URL, header or form of the desk: an answer that says what is wrong, never a fault of ours."""

import io
import itertools
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from accounts.models import Account, User
from leads import urls
from leads.access import Desk
from leads.models import (
    Approval,
    Entry,
    Event,
    Forgetting,
    Import,
    Job,
    JobLead,
    Limit,
    Operation,
    OperationStep,
    Playbook,
    PlaybookRun,
    Reason,
    Recipe,
    SavedView,
)
from leads.providers.changes import AssignTag, UnassignTag
from leads.services import events
from leads.services.imports import staging
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, come_to_wait, do, ending, read, typed, words, writes
from tests.leads.page_forms import PageForm, forms_on
from tests.leads.test_no_n_plus_one import fill, fill_money, fill_work, make_job

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


def addresses(rng: random.Random, parts: dict[str, list[str]] = PARTS) -> Iterator[str]:
    for pattern in urls.urlpatterns:
        route = str(pattern.pattern)
        yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: rng.choice(parts[match[1]]), route)


@pytest.fixture
def admin(at_desk: AtDesk, sandbox: Sandbox, desk_of: DeskOf) -> Client:
    desk = desk_of("admin")
    recipe = Recipe.objects.create(account=desk.account, name="Gold", give_tag="kiln-club-gold")
    operation = do(desk, AssignTag("advanced"))
    PARTS["recipe_id"][0], PARTS["operation_id"] = str(recipe.pk), [str(operation.pk), str(uuid4())]
    PARTS["user_id"][0] = str(desk.user.pk)
    return at_desk("admin")


@pytest.fixture
def world(admin: Client, at_desk: AtDesk, desk_of: DeskOf) -> dict[str, list[str]]:
    """A row of each kind and in each state, of the admin and of support. Their numbers, by the part of an address."""
    desk, support = desk_of("admin"), desk_of("support")
    account, people = desk.account, [desk.user, support.user]
    for make in (fill, fill_money, fill_work):
        make(account, people, 6)
    hook = events.make_hook(actor=desk.user, account=account)
    events.receive(hook, json.dumps({"lead": {"id": ADA.id}, "action": "assign_tag"}).encode(), "application/json")
    jobs = [_job(account, desk.user, state) for state in Job.State]
    jobs += [_job(account, support.user, state) for state in ("checked", "asked", "done")]
    runs = [
        _run(account, person, lead_id=lead_id, begin_at=begin_at)
        for person, lead_id in zip(people, (ADA.id, NOTABLE["jon"].id), strict=True)
        for begin_at in (None, timezone.now() + timedelta(hours=1))
    ]
    lines = f"E-Mail;First Name\n{ADA.email};Ada\nnobody;Nobody\n".encode()
    files = [
        staging.stage(actor=desk.user, account=account, file=io.BytesIO(lines), file_name="f.csv") for _ in range(3)
    ]
    operations = [
        Operation.objects.get(pk=PARTS["operation_id"][0]),
        do(desk, AssignTag("wholesale"), UnassignTag("vip")),
        *(_cancelling(account, person, outcome) for person in people for outcome in ("held", "unknown")),
    ]
    imported = Entry.objects.filter(account=account, lead_id=None)[:2]
    return {
        **PARTS,
        "lead_id": [ADA.id],
        "card": ["tags", "lists", "sequences", "points", "calendars"],
        "operation_id": _keys(operations),
        "recipe_id": _keys(Recipe.objects.all()[:2]),
        "imported_id": _keys(imported),
        "forgetting_id": _keys(Forgetting.objects.filter(state="waiting")[:2]),
        "position": ["0", "1"],
        "user_id": _keys(people),
        "transaction_id": ["99432", "99488"],
        "subscription_id": ["14833"],
        "approval_id": _keys(Approval.objects.filter(status__in=("waiting", "cooling"))[:6]),
        "job_id": _keys(jobs),
        "playbook_id": _keys(Playbook.objects.all()[:2]),
        "run_id": _keys(runs),
        "view_id": _keys(SavedView.objects.filter(account=account)[:4]),
        "limit_id": _keys(Limit.objects.all()[:2]),
        "reason_id": _keys(Reason.objects.all()[:2]),
        "import_id": _keys([*files, *Import.objects.filter(state="done")[:1]]),
        "event_id": _keys(Event.objects.exclude(sealed_body="")),
        "secret": [events.secret_of(hook)],
    }


def _keys(rows: Iterable[Model]) -> list[str]:
    return [str(row.pk) for row in rows]


def _job(account: Account, actor: User, state: str) -> Job:
    """Two leads, of which one failed."""
    job = make_job(account, actor)
    was = {"started_at": timezone.now()} if state in ("running", "paused", "done") else {}
    Job.objects.filter(pk=job.pk).update(state=state, resumes_as="running", asked_at=timezone.now(), **was)
    done = Operation.objects.filter(outcome="succeeded").earliest("created_at")
    for position, became in enumerate(("failed", "succeeded" if state == "done" else "waiting")):
        JobLead.objects.create(
            job=job,
            position=position,
            lead_id=str(position + 1),
            would="change",
            would_do=[0],
            state=became,
            operation=done if became == "succeeded" else None,
        )
    return job


def _run(account: Account, actor: User, **fields: Any) -> PlaybookRun:
    steps = [{"act": "cancel", "subject": "14833"}, {"act": "refund", "subject": "99488", "amount": "19.95"}]
    return PlaybookRun.objects.create(
        account=account, actor=actor, name="Leave", steps=steps, figures_digest="x", **fields
    )


def _cancelling(account: Account, actor: User, outcome: str) -> Operation:
    """Held back, or waiting for a person."""
    later = timezone.now() + timedelta(hours=1) if outcome == "held" else None
    made = Operation.objects.create(
        account=account, actor=actor, lead_id=ADA.id, request_digest="x", outcome=outcome, send_at=later
    )
    OperationStep.objects.create(
        operation=made, position=0, kind="subscription.cancel", subject="14833", asked={"subscription_id": "14833"},
        lock=f"{made.pk}", **ending(outcome),
    )  # fmt: skip
    if outcome == "unknown":
        come_to_wait(made)
    return made


def check(answer: Any, *tried: object) -> None:
    assert answer.status_code in ALLOWED, (answer.status_code, *tried)


@pytest.mark.parametrize("seed", range(2))
def test_random_forms_never_break_a_page(admin: Client, world: dict[str, list[str]], seed: int) -> None:
    """What no page posts, to rows that are there and to some that are not."""
    rng = random.Random(seed)
    parts = {name: [*world[name], *values] for name, values in PARTS.items()}
    for url in addresses(rng, parts):
        posted = {name: rng.choices(TEXTS, k=rng.randint(1, 3)) for name in rng.sample(NAMES, rng.randint(0, 12))}
        headers = rng.choice(JUNK_HEADERS[:4])
        check(admin.post(url, posted, headers=headers), url, posted)
        check(admin.get(url, posted, headers=headers), url, posted)


def forms_met(client: Client, world: dict[str, list[str]]) -> list[PageForm]:
    """Every form that is posted, of every page about each row: one of each address and set of fields."""
    found: dict[tuple[object, ...], PageForm] = {}
    for pattern in urls.urlpatterns:
        parts = re.findall(r"<(?:\w+:)?(\w+)>", str(pattern.pattern))
        for ids in itertools.product(*(world[part] for part in parts)):
            url = reverse(f"leads:{pattern.name}", kwargs=dict(zip(parts, ids, strict=True)))
            answer = client.get(url)
            check(answer, url)
            if answer.status_code != 200 or "html" not in answer["Content-Type"]:
                continue
            for form in forms_on(answer.content.decode(), url):
                if form.method == "post" and _name_of(form.action):
                    moves = [value for name, value in form.values if name == "do"]
                    found.setdefault((form.action, *sorted(form.names), *moves), form)
    return list(found.values())


def _name_of(url: str) -> str:
    """Of the desk's address that this is; "" of another's."""
    match = resolve(urlsplit(url).path)
    return match.url_name if match.namespaces == ["leads"] else ""


def test_a_form_of_some_page_leads_to_whatever_takes_a_post(admin: Client, world: dict[str, list[str]]) -> None:
    """And so the next test forgets none."""
    reached = {_name_of(form.action) for form in forms_met(admin, world)}
    parts = {name: values[0] for name, values in world.items()}
    takes = set()
    for pattern in urls.urlpatterns:
        names = re.findall(r"<(?:\w+:)?(\w+)>", str(pattern.pattern))
        url = reverse(f"leads:{pattern.name}", kwargs={name: parts[name] for name in names})
        if Client().post(url).status_code != 405:
            takes.add(pattern.name)
    assert takes - reached == {"hook-post"}, "which Kartra posts"


def _takes_away(form: PageForm) -> int:
    """More the more of the other forms would find nothing after it."""
    name = _name_of(form.action)
    return 2 if name.startswith("connection") else int(name.endswith(("-remove", "-delete", "-discard", "-withdraw")))


@pytest.mark.parametrize("role", ["admin", "support"])
def test_real_forms_with_wrong_values_never_break_a_page(
    at_desk: AtDesk, world: dict[str, list[str]], role: str
) -> None:
    """Each form as its page has it, about rows that are there, but for one to three of its fields."""
    rng, client = random.Random(role), at_desk(role)
    forms = forms_met(client, world) * 2
    rng.shuffle(forms)
    forms.sort(key=_takes_away)
    there = set()
    for form in forms:
        posted, names = form.posted(), sorted(form.names)
        for name in rng.sample(names, min(len(names), rng.randint(1, 3))):
            posted[name] = rng.choices(TEXTS, k=rng.choice((0, 1, 1, 1, 2)))
        answer = client.post(form.action, posted, headers=rng.choice(JUNK_HEADERS[:4]))
        check(answer, form.action, posted)
        if answer.status_code != 404:
            there.add(_name_of(form.action))
    assert {_name_of(form.action) for form in forms} == there, "the others are only ever 404"


@pytest.mark.parametrize("seed", range(2))
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
