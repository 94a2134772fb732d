"""Signing in and out, links, and sessions that end at once."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django_tasks import default_task_backend

from accounts import seals
from accounts.models import AuditEntry, User
from accounts.selectors import audit
from accounts.services import users
from tests.conftest import PASSWORD

UserOf = Callable[[str], User]
ClientOf = Callable[[str], Client]
NEW_PASSWORD = "quite another secret"


def sign_in(email: str, password: str = PASSWORD, client: Client | None = None) -> Client:
    client = client or Client()
    client.post(reverse("account_login"), {"login": email, "password": password})
    return client


def is_in(client: Client) -> bool:
    return client.get(reverse("accounts:profile")).status_code == 200


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_signing_in_and_out_is_written_down(user_of: UserOf) -> None:
    user = user_of("agent")
    client = sign_in("AGENT@example.com")
    assert is_in(client)
    client.post(reverse("account_logout"))
    assert not is_in(client)
    assert actions() == ["session.start.succeeded", "session.end.succeeded"]
    entry = AuditEntry.objects.earliest("pk")
    assert (entry.actor_id, entry.actor_name, entry.ip) == (user.pk, "Agent Person", "127.0.0.1")
    assert re.fullmatch(r"[0-9a-f]{32}", entry.request_id)


def test_a_failed_sign_in_names_staff_and_nobody_else(user_of: UserOf) -> None:
    """Of what a stranger types nothing can be read, and all of it can be looked for."""
    agent, stranger = user_of("agent"), "Nora.Body@customers.example"
    assert not is_in(sign_in("Agent@example.com", "wrong password here"))
    for _ in range(6):  # the last is turned away before the password is looked at
        assert not is_in(sign_in(stranger, "wrong password here"))
    known, *unknown = AuditEntry.objects.order_by("pk")
    assert (known.action, known.actor_id) == ("session.start.failed", None)
    assert (known.target_kind, known.about_id, known.target_name) == ("user", str(agent.pk), "Agent Person")
    assert {entry.sentence for entry in unknown} == {"Failed to sign in as an address that is nobody’s here"}
    for entry in (known, *unknown):
        kept = f"{entry.as_evidence()} {entry.told}".lower()
        assert not any(typed in kept for typed in ("wrong password", "nora.body", "customers.example"))
    for typed, found in ((stranger, unknown), (stranger.upper(), unknown), ("agent@example.com", [known])):
        assert [*audit.find(text=typed).order_by("pk")] == found
    assert not audit.find(text="nora.body").exists(), "the address as a whole alone"


def test_guessing_is_stopped_even_for_the_right_password(user_of: UserOf) -> None:
    user_of("agent")
    for _ in range(6):
        sign_in("agent@example.com", "wrong password here")
    assert not is_in(sign_in("agent@example.com"))
    assert actions() == ["session.start.failed"] * 7


def test_a_deactivated_person_cannot_sign_in(user_of: UserOf) -> None:
    users.deactivate_staff(actor=user_of("admin"), user=user_of("agent"))
    assert not is_in(sign_in("agent@example.com"))
    assert actions()[-1] == "session.start.failed"


@pytest.mark.parametrize("role", ["viewer", "manager"])
def test_a_new_role_ends_all_sessions_at_once(user_of: UserOf, role: str) -> None:
    user_of("agent")
    one, two = sign_in("agent@example.com"), sign_in("agent@example.com")
    assert is_in(one)
    assert is_in(two)
    users.edit_staff(actor=user_of("admin"), user=user_of("agent"), name="Agent", role=role)
    assert not is_in(one)
    assert not is_in(two)
    assert is_in(sign_in("agent@example.com"))


def test_another_name_ends_no_session(user_of: UserOf, client_of: ClientOf) -> None:
    client = client_of("agent")
    users.edit_staff(actor=user_of("admin"), user=user_of("agent"), name="Another", role="agent")
    assert is_in(client)


def test_deactivating_ends_sessions_and_reactivating_does_not_bring_them_back(
    user_of: UserOf, client_of: ClientOf
) -> None:
    client = client_of("agent")
    users.deactivate_staff(actor=user_of("admin"), user=user_of("agent"))
    assert not is_in(client)
    old = Client()
    old.cookies = client.cookies
    users.reactivate_staff(actor=user_of("admin"), user=user_of("agent"))
    assert not is_in(old)


def test_changing_the_password_keeps_this_session_and_ends_the_others(user_of: UserOf, client_of: ClientOf) -> None:
    here, there = client_of("agent"), client_of("agent")
    here.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    assert is_in(here)
    assert not is_in(there)
    assert "password.change.succeeded" in actions()
    assert is_in(sign_in("agent@example.com", NEW_PASSWORD))


def test_a_wrong_old_password_changes_nothing_and_is_logged(user_of: UserOf, client_of: ClientOf) -> None:
    typed = {"oldpassword": "wrong password here", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    page = client_of("agent").post(reverse("account_change_password"), typed).content.decode()
    assert "Please type your current password" in page
    assert actions()[-1] == "session.confirm.failed"
    assert user_of("agent").check_password(PASSWORD)


def use_link(url: str, password: str = NEW_PASSWORD) -> Client:
    client = Client()
    form = client.get(url, follow=True)
    address = form.redirect_chain[-1][0] if form.redirect_chain else url
    client.post(address, {"password1": password, "password2": password})
    return client


def test_a_link_sets_the_password_once(user_of: UserOf) -> None:
    admin = user_of("admin")
    ann = users.add_staff(actor=admin, email="ann@example.com", name="Ann", role="agent")
    url = users.set_password_link(actor=admin, user=ann)
    assert url.startswith("http://127.0.0.1:8000/sign-in/new-password/")
    use_link(url)
    assert actions()[-1] == "password.reset.succeeded"
    assert is_in(sign_in("ann@example.com", NEW_PASSWORD))
    use_link(url, "a third secret here")
    assert not is_in(sign_in("ann@example.com", "a third secret here"))


def test_a_link_is_a_link_for_somebody_who_is_signed_in_too(user_of: UserOf, client_of: ClientOf) -> None:
    client, agent = client_of("agent"), user_of("agent")
    users.mail_password_link(agent.email)
    (url,) = re.findall(r"http\S+", str(mail.outbox[0].body))[-1:]
    address = client.get(url, follow=True).redirect_chain[-1][0]
    client.post(address, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert actions()[-1] == "password.reset.succeeded"
    agent.refresh_from_db()
    assert agent.may_set_up_until


def test_a_new_password_brings_back_nothing_that_an_admin_took_meanwhile(
    user_of: UserOf, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, admin = client_of("support"), user_of("admin")
    check = User.check_password

    def take_meanwhile(user: User, password: str) -> bool:
        users.edit_staff(actor=admin, user=user_of("support"), name="Support Person", role="agent")
        users.deactivate_staff(actor=admin, user=user_of("support"))
        return check(user, password)

    monkeypatch.setattr(User, "check_password", take_meanwhile)
    answer = client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    assert answer.status_code == 409
    person = user_of("support")
    assert (person.is_active, person.role) == (False, "agent")
    assert check(person, PASSWORD)
    assert "password.change.succeeded" not in actions()


@pytest.mark.parametrize("what", ["newer link", "deactivated", "new role"])
def test_a_link_dies_when_something_happens_to_its_owner(user_of: UserOf, what: str) -> None:
    admin, agent = user_of("admin"), user_of("agent")
    url = users.set_password_link(actor=admin, user=agent)
    if what == "newer link":
        users.set_password_link(actor=admin, user=agent)
    elif what == "deactivated":
        users.deactivate_staff(actor=admin, user=agent)
        users.reactivate_staff(actor=admin, user=agent)
    else:
        users.edit_staff(actor=admin, user=agent, name="Agent", role="viewer")
    use_link(url)
    assert not is_in(sign_in("agent@example.com", NEW_PASSWORD))


def test_a_weak_password_is_refused_by_the_link(user_of: UserOf) -> None:
    url = users.set_password_link(actor=user_of("admin"), user=user_of("agent"))
    use_link(url, "password12")
    assert not is_in(sign_in("agent@example.com", "password12"))


def test_a_forgotten_password_answers_alike_for_everybody(user_of: UserOf) -> None:
    user_of("agent")
    default_task_backend.clear()
    known, unknown = (
        Client().post(reverse("account_reset_password"), {"email": email})
        for email in ("agent@example.com", "nobody@example.com")
    )
    assert known.status_code == unknown.status_code == 302
    assert known["Location"] == unknown["Location"]
    assert mail.outbox == []
    waiting = [sealed for result in default_task_backend.results for sealed in result.args]
    asked_for = [seals.keyring().open(sealed, bound_to=seals.of_typed()) for sealed in waiting]
    assert asked_for == ["agent@example.com", "nobody@example.com"], "whose it is is looked up in the background"
    assert "@" not in str(waiting), "and nobody's address stands in the queue"


@pytest.mark.parametrize("name", ["account_signup", "account_email", "account_confirm_email"])
def test_nobody_signs_up_or_manages_addresses(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/sign-in/signup/", "/accounts/signup/", "/sign-in/email/", "/signup/"])
def test_their_usual_addresses_do_not_exist(path: str) -> None:
    assert Client().get(path).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("uid", ["1", "zzzzzzzzzzzzz", "0", "ab"])
def test_a_junk_link_says_so_and_sets_nothing(uid: str) -> None:
    answer = Client().get(f"/sign-in/new-password/{uid}-junk/")
    assert answer.status_code == 200
    assert b"password1" not in answer.content
    assert Client().get(f"/sign-in/new-password/{uid}{'z' * 30}-junk/").status_code == 404


@pytest.mark.parametrize("way", ["change", "link"])
def test_a_password_and_its_entry_are_written_together_or_not_at_all(
    user_of: UserOf, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    user, before = user_of("agent"), user_of("agent").password
    twice = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    if way == "change":
        client, url = client_of("agent"), reverse("account_change_password")
    else:
        client, link = Client(), users.set_password_link(actor=user_of("admin"), user=user)
        url = client.get(link.removeprefix("http://testserver")).headers["Location"]
    client.raise_request_exception = False

    def fail(**_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("accounts.services.audit.record", fail)
    assert client.post(url, {"oldpassword": PASSWORD, **twice}).status_code == 500
    user.refresh_from_db()
    if way == "change":
        assert user.password == before
    assert not user.check_password(NEW_PASSWORD)
