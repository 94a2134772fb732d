"""What surrounds a request: its context, its answers to errors, and what is never kept in a cache."""

import re
from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEntry, User
from kartra_admin.lib import context
from kartra_admin.middleware import client_ip

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]

STATUSES = {
    "BadRequest": 400,
    "Denied": 403,
    "NotFound": 404,
    "Conflict": 409,
    "Misconfigured": 409,
    "RateLimited": 503,
    "Unavailable": 503,
    "AppError": 422,
    "Refused": 422,
    "AlreadyDone": 422,
    "OutcomeUnknown": 422,
}


@pytest.mark.urls("tests.kartra_admin.raising_urls")
@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_an_error_for_a_person_is_answered_with_its_sentence(client_of: ClientOf, name: str, status: int) -> None:
    client = client_of("agent")
    page = client.get(f"/fail/{name}/")
    toast = client.get(f"/fail/{name}/", headers={"HX-Request": "true"})
    for answer in (page, toast):
        assert answer.status_code == status
        assert "Sentence &lt;b&gt;for&lt;/b&gt; the person." in answer.content.decode()
        assert (reverse("leads:connection") in answer.content.decode()) or name != "Misconfigured"
    assert "<html" in page.content.decode()
    assert "<html" not in toast.content.decode()
    assert 'hx-swap-oob="beforeend:#toasts"' in toast.content.decode()
    assert toast["HX-Reswap"] == "none"


@pytest.mark.urls("tests.kartra_admin.raising_urls")
def test_signed_out_an_error_is_a_page_too() -> None:
    assert Client().get("/fail/Denied/").status_code == 403


def test_an_address_for_forms_leads_on_also_who_is_signed_out_by_now(client_of: ClientOf) -> None:
    """As from the history, after the session has ended."""
    for client, button in ((Client(), "/sign-in/"), (client_of("agent"), "/")):
        answer = client.get("/leads/4174086/notes/")
        assert answer.status_code == 405
        assert f'<a class="button is-primary" href="{button}">' in answer.content.decode()


@pytest.mark.urls("tests.kartra_admin.raising_urls")
def test_a_mistake_of_ours_is_not_dressed_up(client_of: ClientOf) -> None:
    with pytest.raises(ZeroDivisionError):
        client_of("agent").get("/fail/mistake/")
    client = client_of("agent")
    client.raise_request_exception = False
    answer = client.get("/fail/mistake/")
    assert answer.status_code == 500
    assert "Sentence" not in answer.content.decode()
    assert answer["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize("path", ["/", "/profile/", "/sign-in/", "/nowhere/"])
def test_no_page_is_kept_in_a_cache(client_of: ClientOf, path: str) -> None:
    for client in (Client(), client_of("agent")):
        assert "no-store" in client.get(path)["Cache-Control"]


def test_each_request_has_its_own_number_and_leaves_nothing_behind(client_of: ClientOf) -> None:
    client = client_of("agent")
    one, two = (client.get("/profile/", headers={"X-Request-ID": "mine"})["X-Request-ID"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert one != two
    assert context.current.get() == context.RequestContext()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "6.6.6.6", "127.0.0.1"),
        (1, "6.6.6.6, 10.0.0.9", "10.0.0.9"),
        (2, "6.6.6.6, 10.0.0.9, 10.0.0.1", "10.0.0.9"),
        (3, "10.0.0.9", "127.0.0.1"),
        (1, "<script>", ""),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_forwarded_addresses_are_believed_as_far_as_our_own_proxies(
    settings: Settings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    assert client_ip(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})) == expected


def test_without_an_address_signing_in_still_works(user_of: Callable[[str], User]) -> None:
    user_of("agent")
    client = Client(REMOTE_ADDR="")
    client.post(reverse("account_login"), {"login": "agent@example.com", "password": "correct horse battery"})
    assert AuditEntry.objects.get().ip == ""
    assert client.get("/profile/").status_code == 200


@pytest.mark.parametrize("where", ["path", "query", "query key", "form", "form key"])
def test_a_nul_is_a_bad_request_wherever_it_is(client_of: ClientOf, where: str) -> None:
    client = client_of("admin")
    answer = {
        "path": lambda: client.get("/leads/%00/"),
        "query": lambda: client.get("/audit/?lead=a%00"),
        "query key": lambda: client.get("/audit/?%00=a"),
        "form": lambda: client.post("/profile/", {"name": "a\x00"}),
        "form key": lambda: client.post("/profile/", {"na\x00me": "a"}),
    }[where]()
    assert answer.status_code == 400
    assert "character" in answer.content.decode()


@pytest.mark.parametrize(
    "junk", ["%ff%fe", "%ed%a0%80", "%F0%9F%98%80" * 500, "'\";--", "%0d%0aX: y", "../../etc/passwd"]
)
def test_junk_in_an_address_is_never_an_error_of_ours(client_of: ClientOf, junk: str) -> None:
    client = client_of("admin")
    for path in (f"/audit/?lead={junk}", f"/audit/?cursor={junk}", f"/team/{junk}/", f"/audit/{junk}/", f"/{junk}/"):
        assert client.get(path).status_code in (200, 301, 302, 400, 403, 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "sessionid=" + "x" * 4000},
        {"Cookie": 'sessionid="\\000"; csrftoken=\xff'},
        {"HX-Request": "true", "HX-Current-URL": "http://evil.example/\xff"},
        {"HX-Request": "true", "HX-Target": "%00", "HX-Current-URL-URI-AutoEncoded": "x"},
        {"X-Forwarded-For": "\xff, ,"},
        {"Accept-Language": "x" * 5000},
    ],
)
def test_junk_in_a_header_is_never_an_error_of_ours(headers: dict[str, str]) -> None:
    for path in ("/audit/", "/sign-in/", "/nowhere/"):
        assert Client().get(path, headers=headers).status_code in (200, 302, 400, 403, 404)


def test_a_form_without_its_token_is_told_so(user_of: Callable[[str], User]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of("agent"))
    page = client.post("/profile/", {"name": "x"})
    toast = client.post("/profile/", {"name": "x"}, headers={"HX-Request": "true"})
    assert (page.status_code, toast.status_code) == (403, 403)
    assert "has expired" in page.content.decode()
    assert 'hx-swap-oob="beforeend:#toasts"' in toast.content.decode()
