"""Guessing is slow, says how long to wait, and tells nothing about who is on the team."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import seals
from accounts.models import AuditEntry, User
from accounts.services import users
from accounts.tasks import send_password_link
from accounts.tokens import SetPasswordTokens
from tests.accounts.test_sessions import is_in, sign_in, use_link
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
UserOf = Callable[[str], User]


class CountingHasher(MD5PasswordHasher):
    algorithm = "md5"
    computed = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.computed += 1
        return super().encode(password, salt)


@pytest.fixture
def counted(settings: Settings) -> Iterator[None]:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    yield
    CountingHasher.computed = 0


def attempt(email: str, password: str = "wrong password here") -> tuple[str, int, int]:
    """What the page says, its status, and how many hashes it took."""
    CountingHasher.computed = 0
    answer = Client(REMOTE_ADDR="198.51.100.1").post("/sign-in/", {"login": email, "password": password})
    alert = re.search(r'role="alert".*?</div>', answer.content.decode(), re.DOTALL)
    return alert[0] if alert else "", answer.status_code, CountingHasher.computed


def test_nothing_tells_whether_an_email_is_known(user_of: UserOf, counted: None) -> None:
    """Words, status and work are the same for somebody, for nobody, for who was shut out, and for who never had a
    password; a hash is what takes time, some tenth of a second, and so what would be noticed."""
    user_of("agent"), user_of("viewer"), user_of("support")
    User.objects.filter(role="viewer").update(is_active=False)
    User.objects.filter(role="support").update(password=User().password or "!unusable")
    kinds = ("agent@example.com", "viewer@example.com", "support@example.com", "nobody@example.com", "who@else.org")
    answers = {attempt(email) for email in kinds}
    assert len(answers) == 1
    says, status, hashes = answers.pop()
    assert "Not signed in." in says
    assert (status, hashes) == (200, 1)


def test_waiting_is_the_same_for_known_and_unknown(user_of: UserOf, counted: None) -> None:
    user_of("agent")
    said = {}
    for number, email in enumerate(("agent@example.com", "nobody@example.com")):
        for _ in range(5):
            Client(REMOTE_ADDR=f"203.0.113.{number}").post("/sign-in/", {"login": email, "password": "wrong one here"})
        said[email] = attempt(email, PASSWORD)
    (known, *rest), (unknown, *same) = said.values()
    assert rest == same == [200, 0]
    assert re.sub(r"\d+", "N", known) == re.sub(r"\d+", "N", unknown)


def test_the_sentence_says_how_long(user_of: UserOf, monkeypatch: pytest.MonkeyPatch) -> None:
    user_of("agent")
    for _ in range(5):
        attempt("agent@example.com")
    says, _, _ = attempt("agent@example.com", PASSWORD)
    assert "Wait 5 minutes, then try again" in says
    later = timezone.now().timestamp() + 250
    monkeypatch.setattr("time.time", lambda: later)
    says, _, _ = attempt("agent@example.com", PASSWORD)
    assert re.search(r"Wait (49|50) seconds", says)
    monkeypatch.setattr("time.time", lambda: later + 51)
    assert is_in(sign_in("agent@example.com"))


def test_an_account_is_counted_over_all_addresses_and_spellings(user_of: UserOf) -> None:
    user_of("agent")
    spellings = (
        "agent@example.com",
        "AGENT@EXAMPLE.COM",
        " Agent@example.com ",
        "agent@example.com",
        "aGent@example.com",
    )
    for number, email in enumerate(spellings):
        host = "localhost" if number % 2 else "127.0.0.1"
        Client(REMOTE_ADDR=f"203.0.113.{number}", HTTP_HOST=host).post(
            "/sign-in/", {"login": email, "password": "wrong password here"}
        )
    assert "Wait" in attempt("agent@example.com", PASSWORD)[0]


def test_who_is_refused_stays_so_whatever_strangers_type_meanwhile(user_of: UserOf) -> None:
    user_of("agent")
    for _ in range(5):
        attempt("agent@example.com")
    for number in range(400):
        stranger = Client(REMOTE_ADDR=f"203.0.113.{number // 20}")
        answer = stranger.post("/sign-in/forgotten/", {"email": f"nobody{number}@example.com"})
        assert answer.status_code == 302
    assert "Wait" in attempt("agent@example.com", PASSWORD)[0]


def test_an_address_is_counted_over_all_accounts() -> None:
    for number in range(10):
        assert "Wait" not in attempt(f"nobody{number}@example.com")[0]
    says, _, _ = attempt("nobody10@example.com")
    assert re.search(r"Wait \d+ seconds", says)
    assert AuditEntry.objects.filter(action="session.start.failed").count() == 11


def test_a_page_asked_too_often_says_when_to_come_back() -> None:
    for _ in range(30):
        Client().post("/sign-in/", {})
    answer = Client().post("/sign-in/", {})
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert "Wait a minute" in answer.content.decode()


# Links


def test_a_forgotten_password_takes_the_same_for_everybody(
    user_of: UserOf, counted: None, django_assert_num_queries: Callable[..., object]
) -> None:
    user_of("agent")
    CountingHasher.computed = 0
    for email in ("agent@example.com", "nobody@example.com"):
        with django_assert_num_queries(0):
            assert Client().post("/sign-in/forgotten/", {"email": email})["Location"] == "/sign-in/forgotten/sent/"
    assert CountingHasher.computed == 0
    assert mail.outbox == []


def test_the_link_comes_by_mail_to_who_is_on_the_team(user_of: UserOf) -> None:
    user_of("agent"), user_of("viewer")
    User.objects.filter(role="viewer").update(is_active=False)
    for email in ("Agent@example.com", "viewer@example.com", "nobody@example.com"):
        send_password_link.call(seals.keyring().seal(email, bound_to=seals.of_typed()))
    (message,) = mail.outbox
    assert message.to == ["agent@example.com"]
    assert AuditEntry.objects.get().action == "password.forgotten.sent"
    (link,) = re.findall(r"http://\S+new-password\S+", str(message.body))
    use_link(link, "quite another secret")
    assert is_in(sign_in("agent@example.com", "quite another secret"))
    use_link(link, "a third secret here")
    assert not is_in(sign_in("agent@example.com", "a third secret here"))


@pytest.mark.parametrize("change", ["signature", "time", "person"])
def test_a_link_is_signed(user_of: UserOf, change: str) -> None:
    agent, viewer = user_of("agent"), user_of("viewer")
    link = users.set_password_link(actor=user_of("admin"), user=agent)
    stem, uid, moment, signature = re.fullmatch(r"(.*/)(\w+)-(\w+)-(\w+)/", link).groups()  # type: ignore[union-attr]
    if change == "signature":
        signature = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    elif change == "time":
        moment = moment[:-1] + ("0" if moment[-1] != "0" else "1")
    else:
        uid = str(viewer.pk)
    use_link(f"{stem}{uid}-{moment}-{signature}/", "quite another secret")
    for email in ("agent@example.com", "viewer@example.com"):
        assert not is_in(sign_in(email, "quite another secret"))


def test_a_link_expires(user_of: UserOf, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = timezone.now().replace(tzinfo=None) - timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT + 60)
    with monkeypatch.context() as patch:
        patch.setattr(SetPasswordTokens, "_now", lambda self: made)
        link = users.set_password_link(actor=user_of("admin"), user=user_of("agent"))
    use_link(link, "quite another secret")
    assert not is_in(sign_in("agent@example.com", "quite another secret"))


# What a password must be


@pytest.mark.parametrize(
    "weak", ["short", "1234567890", "password12", "qwertyuiop", "agent@example.com", "Agent Person", "Kartra-admin26"]
)
def test_a_weak_password_is_refused(user_of: UserOf, weak: str) -> None:
    link = users.set_password_link(actor=user_of("admin"), user=user_of("agent"))
    use_link(link, weak)
    assert not is_in(sign_in("agent@example.com", weak))


def test_a_long_password_of_any_letters_is_taken(user_of: UserOf) -> None:
    long = "pässwörter sind länger 👩🏽‍🎨 " * 5
    use_link(users.set_password_link(actor=user_of("admin"), user=user_of("agent")), long)
    assert is_in(sign_in("agent@example.com", long))


def test_passwords_are_kept_by_argon2() -> None:
    import kartra_admin.settings as real

    assert real.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
