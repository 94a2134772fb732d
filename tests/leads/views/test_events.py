"""Pages of what Kartra told: settings, the lead's timeline, and the notice on an open lead."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.seals import keyring
from leads.access import Desk
from leads.models import Entry, Event, Hook, Reread
from leads.providers.changes import AssignTag, Change, EditLead, GivePoints
from leads.services import events, refreshing
from tests.leads.conftest import ADA, Sandbox
from tests.leads.helpers import HTMX, do, read, see, send, values_of, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
EVENT = b'{"lead": {"id": "%s"}, "action": "assign_tag", "action_details": {"tag": {"tag_name": "<b>vip"}}}'
PAYMENT = b"transaction_type=sale&product_name=Course&lead_id=%s&secret_key=hush"


@pytest.fixture
def hook(desk_of: DeskOf) -> Hook:
    desk = desk_of("admin")
    return events.make_hook(actor=desk.user, account=desk.account)


def tell(hook: Hook, body: bytes = EVENT % ADA.id.encode(), kind: str = "application/json") -> Event:
    assert events.receive(hook, body, kind) is events.Receipt.KEPT
    return Event.objects.latest("pk")


def watched(answer: object) -> str:
    """The address that an open lead page asks."""
    found = re.search(r'data-watch="([^"]+)"', answer.content.decode())  # type: ignore[attr-defined]
    assert found
    return unescape(found[1])


# Settings


def test_an_admin_makes_an_address_and_is_told_what_to_do_in_kartra(at_desk: AtDesk, settings: object) -> None:
    settings.SITE_URL = "https://desk.example.com"  # type: ignore[attr-defined]
    client = at_desk("admin")
    assert "No address yet" in words(client.get("/settings/events/address/"))
    answer = client.post("/settings/events/address/", follow=True)
    address = f"https://desk.example.com/hooks/{events.secret_of(Hook.objects.get())}/"
    assert f'value="{address}"' in answer.content.decode()
    assert "Outbound API" in words(answer)
    assert "Made an address" in AuditEntry.objects.get(action="hook.make.succeeded").sentence


def test_replacing_the_address_is_logged_and_the_log_does_not_hold_it(at_desk: AtDesk, hook: Hook) -> None:
    old = events.secret_of(hook)
    at_desk("admin").post("/settings/events/address/")
    new = events.secret_of(Hook.objects.get())
    entry = AuditEntry.objects.get(action="hook.rotate.succeeded")
    assert new != old
    assert old not in str(vars(entry)) + hook.sealed_secret
    assert new not in str(vars(entry))


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("get", "/settings/events/address/"),
        ("post", "/settings/events/address/"),
        ("post", "/settings/events/address/key/"),
        ("get", "/settings/events/1/"),
    ],
)
def test_the_address_and_what_came_are_shown_after_the_password_only(
    at_desk: AtDesk, client_of: Callable[..., Client], hook: Hook, method: str, url: str
) -> None:
    at_desk("admin")
    answer = getattr(client_of("admin", stale=True), method)(url)
    assert answer.status_code == 302
    assert "/sign-in/again/" in answer["Location"]
    hook.refresh_from_db()
    assert not hook.sealed_ipn_key


def test_the_key_is_sealed_never_shown_and_taken_away_by_a_blank(at_desk: AtDesk, hook: Hook) -> None:
    client = at_desk("admin")
    answer = client.post("/settings/events/address/key/", {"key": "hush-hush"}, follow=True)
    hook.refresh_from_db()
    assert hook.sealed_ipn_key
    assert "hush-hush" not in answer.content.decode() + hook.sealed_ipn_key
    client.post("/settings/events/address/key/", {"key": ""})
    hook.refresh_from_db()
    assert hook.sealed_ipn_key == ""
    assert AuditEntry.objects.filter(action="hook.key.succeeded").count() == 2


def test_without_an_address_there_is_no_key_to_set(at_desk: AtDesk) -> None:
    assert at_desk("admin").post("/settings/events/address/key/", {"key": "x"}).status_code == 404


def test_the_page_shows_what_came_how_often_and_what_was_dropped(at_desk: AtDesk, hook: Hook) -> None:
    tell(hook)
    tell(hook, EVENT.replace(b"assign_tag", b"ticket_opened") % b"7")
    events.receive(hook, b"junk", "")
    page = words(at_desk("admin").get("/settings/events/"))
    assert "was given tag <b>vip" in page
    assert "ticket opened Unknown here" in page
    assert re.search(r"assign tag\s+1", page)
    assert re.search(r"Refused 1", page)


def test_the_list_goes_on_page_by_page(at_desk: AtDesk, hook: Hook) -> None:
    for number in range(1, 62):
        tell(hook, EVENT % str(number).encode())
    client = at_desk("admin")
    first = client.get("/settings/events/")
    older = re.search(r'href="([^"]+)" rel="next"', first.content.decode())
    assert older
    assert "#61" in words(first)
    rest = words(client.get(unescape(older[1])))
    assert "#11" in rest
    assert "#12 " not in rest


def test_one_event_is_shown_as_it_came_without_its_key(at_desk: AtDesk, hook: Hook) -> None:
    event = tell(hook, PAYMENT % b"7", "application/x-www-form-urlencoded")
    page = words(at_desk("admin").get(f"/settings/events/{event.pk}/"))
    assert "product_name = Course" in page
    assert "hush" not in page


def test_events_of_another_account_do_not_exist_here(at_desk: AtDesk, desk_of: DeskOf, hook: Hook) -> None:
    event = tell(hook)
    other = desk_of("manager", account=1)
    other.user.role = "admin"
    other.user.save()
    client = at_desk("manager", account=1)
    assert client.get(f"/settings/events/{event.pk}/").status_code == 404
    assert "No events from Kartra yet" in words(client.get("/settings/events/"))


# The lead


def test_the_timeline_tells_what_staff_did_and_what_kartra_said(
    at_desk: AtDesk, desk_of: DeskOf, hook: Hook, sandbox: Sandbox
) -> None:
    do(desk_of("agent"), AssignTag("wholesale"))
    tell(hook)
    tell(hook, EVENT.replace(b"assign_tag", b"ticket_opened") % ADA.id.encode())
    client = at_desk("agent")
    for page in (words(client.get(f"/leads/{ADA.id}/activity/")), words(see(client))):
        assert "Kartra said: was given tag <b>vip" in page
        assert "an event that this desk does not know" in page
        assert page.index("ticket opened") < page.index("was given tag") < page.index("added tag wholesale")
        assert "Kartra’s word" in page


def test_what_was_told_is_unconfirmed_until_the_lead_was_read(at_desk: AtDesk, hook: Hook) -> None:
    client = at_desk("agent")
    see(client)
    tell(hook)
    url = f"/leads/{ADA.id}/activity/"
    assert "unconfirmed until the lead is read" in words(client.get(url))
    see(client)
    assert "unconfirmed" not in words(client.get(url))
    assert "lead read since" in words(client.get(url))


def test_what_was_told_of_money_is_unconfirmed_until_the_money_was_read(at_desk: AtDesk, hook: Hook) -> None:
    client = at_desk("agent")
    forged = b'{"lead": {"id": "%s"}, "action": "refund_product", "action_details": {"transaction_details": %s}}'
    tell(hook, forged % (ADA.id.encode(), b'{"transaction_id": 1, "product_name": "Never sold"}'))
    see(client)
    url = f"/leads/{ADA.id}/activity/"
    assert "was refunded for Never sold unconfirmed until the payments are read" in words(client.get(url))
    client.get(f"/leads/{ADA.id}/money/")
    assert "Kartra said: was refunded for Never sold payments read since" in words(client.get(url))


SALE = b'{"lead": {"id": "%s"}, "action": "buy_product", "action_details": {"transaction_details": %s}}'


def test_a_purchase_told_in_two_ways_stands_once_and_is_read_for_both(at_desk: AtDesk, hook: Hook) -> None:
    client, url, form = at_desk("agent"), f"/leads/{ADA.id}/activity/", "application/x-www-form-urlencoded"
    paid = PAYMENT % ADA.id.encode()
    tell(hook, SALE % (ADA.id.encode(), b'{"transaction_id": 771, "product_name": "Course"}'))
    tell(hook, paid + b"&transaction_id=771", form)
    page = words(client.get(url))
    assert page.count("bought Course") == 1
    assert "also by payment notification (IPN)" in page
    assert Reread.objects.get().times == 2
    tell(hook, paid + b"&transaction_id=772", form)  # another purchase
    tell(hook, paid.replace(b"sale", b"refund") + b"&transaction_id=771", form)  # another act
    tell(hook, paid + b"&transaction_id=N%2FA", form), tell(hook, paid, form)  # nobody knows which
    page = words(client.get(url))
    assert (page.count("bought Course"), page.count("was refunded for Course")) == (4, 1)
    assert page.count("also by") == 1


def test_two_refunds_of_a_part_told_in_both_ways_stay_two(at_desk: AtDesk, hook: Hook) -> None:
    told = SALE.replace(b"buy", b"partial_refund") % (ADA.id.encode(), b'{"transaction_id": 771, "n": %d}')
    paid = PAYMENT.replace(b"sale", b"partial_refund") % ADA.id.encode() + b"&transaction_id=771&n=%d"
    for number in (1, 2):
        tell(hook, told % number)
        tell(hook, paid % number, "application/x-www-form-urlencoded")
    page = words(at_desk("agent").get(f"/leads/{ADA.id}/activity/"))
    assert (page.count("refunded in part"), page.count("also by")) == (2, 2)
    assert "771" not in {event.act_digest for event in Event.objects.all()}
    assert len({event.act_digest for event in Event.objects.all()}) == 1


def test_the_timeline_keeps_its_length(at_desk: AtDesk, hook: Hook) -> None:
    for number in range(30):
        tell(hook, EVENT.replace(b"<b>vip", str(number).encode()) % ADA.id.encode())
    page = words(see(at_desk("agent")))
    assert page.count("Kartra said:") == 12
    assert "tag 29" in page


def test_an_open_page_hears_of_a_change_once_a_reading_has_confirmed_it(
    at_desk: AtDesk, desk_of: DeskOf, hook: Hook
) -> None:
    client = at_desk("agent")
    url = watched(see(client))
    tell(hook)
    assert client.get(url, headers=HTMX).status_code == 204  # told, and not read: nothing is known
    read(desk_of("admin"))
    assert client.get(url, headers=HTMX).status_code == 204  # read, and nothing is new: it was forged
    send(desk_of("admin"), AssignTag("wholesale"))
    read(desk_of("admin"))
    answer = client.get(url, headers=HTMX)
    assert answer.status_code == 200
    assert "Changed in Kartra since you opened it. Reload" in words(answer)


@pytest.mark.parametrize(
    "change",
    [EditLead({}, {"shoe_size": "39"}), EditLead({"website": "https://example.com"}), GivePoints(5)],
    ids=["custom field", "field that the directory does not keep", "points"],
)
def test_an_open_page_hears_of_what_the_directory_does_not_keep(
    at_desk: AtDesk, desk_of: DeskOf, hook: Hook, change: Change
) -> None:
    client = at_desk("agent")
    url = watched(see(client))
    send(desk_of("admin"), change)
    tell(hook)
    assert client.get(url, headers=HTMX).status_code == 204
    refreshing.work()
    assert client.get(url, headers=HTMX).status_code == 200
    reloaded = watched(see(client))
    read(desk_of("admin"))
    assert client.get(reloaded, headers=HTMX).status_code == 204


def test_ones_own_points_and_custom_fields_are_no_news(at_desk: AtDesk, hook: Hook) -> None:
    client = at_desk("agent")
    see(client)
    posted = {"operation_id": str(uuid4()), "direction": "give", "points": "5"}
    answer = client.post(f"/leads/{ADA.id}/points/change/", posted, headers=HTMX)
    assert client.get(watched(answer)).status_code == 204
    form = client.get(f"/leads/{ADA.id}/edit/").context["form"]
    client.post(f"/leads/{ADA.id}/edit/", {**values_of(form), "custom.shoe_size": "38"})
    assert client.get(watched(see(client))).status_code == 204


def test_ones_own_change_is_no_news(at_desk: AtDesk, hook: Hook) -> None:
    client = at_desk("agent")
    see(client)
    posted = {"operation_id": str(uuid4()), "add": "wholesale"}
    answer = client.post(f"/leads/{ADA.id}/tags/change/", posted, headers=HTMX)
    url = watched(answer)
    assert 'hx-swap-oob="true"' in answer.content.decode()
    assert client.get(url).status_code == 204


def test_what_the_money_card_has_read_is_no_news(at_desk: AtDesk, hook: Hook) -> None:
    """The first reading of a lead's payments is a change of the directory, and the page shows it already."""
    client = at_desk("agent")
    first = watched(see(client))
    card = client.get(f"/leads/{ADA.id}/money/", headers=HTMX)
    assert client.get(first).status_code == 200
    assert client.get(watched(card)).status_code == 204
    assert "data-watch" not in client.get(f"/leads/{ADA.id}/money/").content.decode()


def test_a_page_that_does_not_say_when_it_was_read_gets_400(at_desk: AtDesk) -> None:
    client = at_desk("agent")
    for since in ("", "junk", "2026-01-01T00:00:00", "2026-01-01", "9" * 100):
        assert client.get(f"/leads/{ADA.id}/changed/", {"since": since}).status_code == 400


def test_an_event_posted_by_hand_makes_the_lead_true_again(at_desk: AtDesk, desk_of: DeskOf, hook: Hook) -> None:
    """Somebody changes a lead in Kartra, Kartra tells, the lead is read: the directory and the open page know."""
    client = at_desk("agent")
    url = watched(see(client))
    send(desk_of("admin"), AssignTag("wholesale"))
    Client().post(f"/hooks/{events.secret_of(hook)}/", EVENT % ADA.id.encode(), content_type="application/json")
    wanted = Reread.objects.get()
    assert wanted.lead_id == ADA.id
    refreshing.work()
    assert not Reread.objects.exists()
    assert Entry.objects.get(lead_id=ADA.id).marks.filter(kind="tag", name="wholesale").exists()
    assert client.get(url).status_code == 200


def test_old_events_and_too_many_are_forgotten(hook: Hook, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EVENT_DAYS = 3  # type: ignore[attr-defined]
    old = tell(hook)
    Event.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(days=3, seconds=1))
    for number in range(1, 6):
        tell(hook, EVENT % str(number).encode())
    assert events.prune() == 1
    monkeypatch.setattr(events, "KEPT_AT_MOST", 2)
    assert events.prune() == 3
    assert list(Event.objects.order_by("pk").values_list("lead_id", flat=True)) == ["4", "5"]


def test_rotated_keys_seal_addresses_and_events_anew(hook: Hook, settings: object) -> None:
    desk_key = settings.CREDENTIAL_KEYS[0]  # type: ignore[attr-defined]
    new = Fernet.generate_key().decode()
    events.set_key(actor=hook.made_by, hook=hook, key="hush")
    event = tell(hook)
    secret = events.secret_of(hook)
    settings.CREDENTIAL_KEYS = [new, desk_key]  # type: ignore[attr-defined]
    call_command("rotatekeys")
    settings.CREDENTIAL_KEYS = [new]  # type: ignore[attr-defined]
    hook, event = Hook.objects.get(), Event.objects.get()
    assert events.secret_of(hook) == secret
    assert "vip" in events.body_of(event)
    assert keyring().is_current(hook.sealed_ipn_key)
    assert events.receive(hook, PAYMENT % b"7", "application/x-www-form-urlencoded") is events.Receipt.KEPT
