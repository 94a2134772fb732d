"""Settings, Connection: typed in, tried, sealed, and never shown again."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Account, AuditEntry, Connection, User
from leads.models import Operation
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from tests.conftest import SignIn, confirm
from tests.leads.conftest import Sandbox
from tests.leads.helpers import posted_again, see, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
ClientOf = Callable[[str], Client]
UserOf = Callable[[str], User]
URL = "/settings/connection/"
KEYS = {"api_key": ACCOUNTS[0].api_key, "api_password": ACCOUNTS[0].api_password}


def test_good_ones_are_kept_and_leads_open(client_of: ClientOf, sandbox: Sandbox) -> None:
    client = client_of("manager")
    assert "No credentials yet" in words(client.get(URL))
    answer = client.post(URL, {**KEYS, "account_name": "The Studio"}, follow=True)
    assert answer.redirect_chain == [(URL, 302)]
    assert "Kartra accepted these credentials." in words(answer)
    assert "The Studio" in words(answer)
    assert "Working" in words(answer)
    assert see(client).status_code == 200


@pytest.mark.parametrize("changed", [{}, {"api_password": "wrong-canary"}, {"api_key": ""}, {"api_key": "x" * 501}])
def test_they_are_never_shown_again(client_of: ClientOf, sandbox: Sandbox, changed: dict[str, str]) -> None:
    client = client_of("agent")
    answer = client.post(URL, {**KEYS, **changed}, follow=True)
    pages = [answer, client.get(URL), client.get("/profile/", follow=True), client.get("/", follow=True)]
    for page in pages:
        html = page.content.decode()
        for secret in (*KEYS.values(), "wrong-canary", "x" * 501):
            assert secret not in html


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"api_password": "wrong"}, "Not saved."),
        ({"api_key": "nobody-knows-this"}, "Not saved."),
        ({"api_key": ""}, "API key : This field is required."),
        ({"api_password": "x" * 501}, "at most 500 characters"),
    ],
    ids=repr,
)
def test_refused_ones_are_422_with_what_kartra_said_and_the_name_kept(
    client_of: ClientOf, sandbox: Sandbox, changed: dict[str, str], said: str
) -> None:
    answer = client_of("manager").post(URL, {**KEYS, "account_name": "The Studio", **changed})
    assert answer.status_code == 422
    assert said in words(answer)
    assert 'value="The Studio"' in answer.content.decode()
    assert not Connection.objects.exists()


def test_a_failed_replacement_leaves_the_old_ones(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    assert client.post(URL, {"api_key": "nobody-knows-this", "api_password": "x"}).status_code == 422
    assert see(client).status_code == 200


def test_while_kartra_does_not_answer_nothing_is_kept(client_of: ClientOf, sandbox: Sandbox) -> None:
    sandbox.arm("*", "junk", times=3)
    answer = client_of("agent").post(URL, KEYS)
    assert answer.status_code == 422
    assert "Try again in a minute" in words(answer)
    assert not Connection.objects.exists()


def test_removing_forgets_them(at_desk: AtDesk) -> None:
    """After being asked, since nobody can read them back."""
    client = at_desk("viewer")
    assert "Nobody can read them back" in words(client.get("/settings/connection/remove/"))
    assert Connection.objects.exists()
    answer = client.post("/settings/connection/remove/", follow=True)
    assert "Credentials removed." in words(answer)
    assert not Connection.objects.exists()
    assert see(client).status_code == 409
    assert client.post("/settings/connection/remove/").status_code == 302
    assert client.get("/settings/connection/remove/").status_code == 302


def test_the_last_ones_are_not_removed_while_money_is_not_settled(at_desk: AtDesk) -> None:
    client = at_desk("support")
    connection = Connection.objects.get()
    operation = Operation.objects.create(
        account=connection.account, actor=connection.user, lead_id="1", request_digest="x", outcome="unknown"
    )
    operation.steps.create(position=0, kind="transaction.refund", lock="1:transaction:1", outcome="unknown")
    answer = client.post("/settings/connection/remove/", follow=True)
    assert "not settled yet, and nobody else has credentials" in words(answer)
    assert Connection.objects.exists()


def test_only_the_tail_of_a_fingerprint_is_shown(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    account = Connection.objects.get().account
    html = client.get(URL).content.decode()
    assert f"·· {account.tail}" in html
    assert account.fingerprint not in html


def test_an_admin_places_and_removes_for_somebody_else(client_of: ClientOf, user_of: UserOf, sandbox: Sandbox) -> None:
    admin, owner = client_of("admin"), user_of("agent")
    url = f"/team/{owner.pk}/connection/"
    assert "Kartra connection of Agent Person" in words(admin.get(url))
    answer = admin.post(url, KEYS, follow=True)
    assert answer.redirect_chain == [(url, 302)]
    assert "by Admin Person" in words(answer)
    for secret in KEYS.values():
        assert secret not in answer.content.decode()
    assert see(client_of("agent")).status_code == 200
    assert see(admin).status_code == 409, "they are the other's"
    entry = AuditEntry.objects.get(action="connection.place.succeeded")
    assert (entry.actor_name, entry.target_name) == ("Admin Person", "Agent Person")
    admin.post(f"{url}remove/")
    assert not Connection.objects.exists()
    assert AuditEntry.objects.filter(action="connection.remove.succeeded").count() == 1


@pytest.mark.parametrize("role", ["viewer", "agent", "manager", "auditor"])
def test_nobody_else_does(client_of: ClientOf, user_of: UserOf, sandbox: Sandbox, role: str) -> None:
    url = f"/team/{user_of('support').pk}/connection/"
    client = client_of(role)
    assert client.get(url).status_code == 403
    assert client.post(url, KEYS).status_code == 403
    assert client.post(f"{url}remove/").status_code == 403
    assert sandbox.calls() == []


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("agent", False), ("manager", True), ("admin", True)])
def test_the_account_is_named_by_who_leads_the_team(
    client_of: ClientOf, sandbox: Sandbox, role: str, may: bool
) -> None:
    client = client_of(role)
    assert ('name="account_name"' in client.get(URL).content.decode()) == may
    assert client.post(URL, {**KEYS, "account_name": "Renamed"}).status_code == 302
    assert (Account.objects.get().name == "Renamed") == may


@pytest.mark.parametrize("number", ["999999", "9" * 30])
def test_somebody_who_does_not_exist_is_404(client_of: ClientOf, number: str) -> None:
    assert client_of("admin").get(f"/team/{number}/connection/").status_code == 404


def test_a_stale_session_keeps_the_name_and_asks_for_the_keys_again(
    at_desk: AtDesk, client_of: SignIn, sandbox: Sandbox
) -> None:
    at_desk("admin")
    client = client_of("admin", stale=True)
    posted = {"account_name": "The shop", "api_key": "k-secret", "api_password": "p-secret"}
    assert "not-sent" in client.post(URL, posted)["Location"]
    confirm(client)
    page = client.get("/not-sent/").content.decode()
    assert "The shop" in page
    assert "asks for them again" in page
    assert "secret" not in page.replace("secrets", "")
    again = client.post(URL, {"account_name": "The shop"})
    assert again.status_code == 422
    assert posted_again(again, "account_name") == ["The shop"]
    assert sandbox.calls() == []
