"""Kartra's own posts in neutral words: all known events, payment notifications, and junk of every kind."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from leads.providers.events import Unreadable
from leads.providers.kartra.webhooks import EVENTS, PAYMENTS, read_post, set_out

EXAMPLES = Path(__file__).parents[3] / "payloads" / "kartra"
JSON, FORM = "application/json", "application/x-www-form-urlencoded; charset=utf-8"


def example(name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def event(action: str, details: object, **lead: object) -> bytes:
    return json.dumps({"lead": {"id": "7", **lead}, "action": action, "action_details": details}).encode()


@pytest.mark.parametrize(
    ("name", "about", "is_money"),
    [
        ("outbound.assign_tag", "was given tag vip", False),
        ("outbound.list_subscription", "joined list Newsletter", False),
        ("outbound.membership_granted", "was granted membership Kiln Club, Gold", False),
        (
            "outbound.cancel_subscription",
            "subscription of Kiln Club monthly was cancelled, 11 Feb 2026 10:00 EST",
            True,
        ),
        ("outbound.partial_refund_product", "was refunded in part for Kiln Club monthly", True),
    ],
)
def test_the_printed_examples_read_as_a_sentence(name: str, about: str, is_money: bool) -> None:
    told = read_post(json.dumps(example(name)).encode(), JSON)
    assert (told.about, told.tells_of_money, told.is_known) == (about, is_money, True)
    assert (told.form, told.lead_id, told.lead_email) == ("json", "4174086", "ada.moreno@example.com")


def test_a_payment_notification_reads_as_a_sentence_and_carries_its_key() -> None:
    told = read_post(urlencode(example("ipn.rebill.form-fields-as-json")).encode(), FORM)
    assert told.about == "paid again for Kiln Club monthly, 7 Feb 2026 11:14 EST"
    assert (told.form, told.action, told.lead_id, told.tells_of_money) == ("ipn", "rebill", "4174086", True)
    assert told.key.reveal() == "made-up-secret"
    assert "made-up-secret" not in repr(told)


def test_all_events_of_the_index_are_known_and_each_says_its_name() -> None:
    assert len(EVENTS) == 25  # 24 titles, one of which has two actions
    for action, known in EVENTS.items():
        thing = dict.fromkeys(known.names[:1], "Alpha")
        details = {known.details[0]: thing} if known.details else thing
        told = read_post(event(action, details), JSON)
        assert told.is_known
        assert "Alpha" in told.about


@pytest.mark.parametrize("kind", PAYMENTS)
def test_each_kind_of_payment_names_its_product(kind: str) -> None:
    told = read_post(urlencode({"transaction_type": kind, "product_name": "Course"}).encode(), FORM)
    assert told.is_known
    assert "Course" in told.about


def test_a_form_is_named_under_the_key_that_kartra_prints_too() -> None:
    for key in ("form", "tag"):
        assert read_post(event("filled_form", {key: {"form_name": "Join"}}), JSON).about == "filled in form Join"


def test_older_notifications_call_the_lead_a_buyer() -> None:
    told = read_post(b"transaction_type=sale&buyer_id=41&buyer_email=a%40b.example&product_name=Course", FORM)
    assert (told.lead_id, told.lead_email, told.about) == ("41", "a@b.example", "bought Course")


def test_not_available_means_empty() -> None:
    told = read_post(b"transaction_type=SALE&lead_id=N/A&lead_email=N%2FA&product_name=N%2FA&product_id=9", FORM)
    assert (told.lead_id, told.lead_email, told.about) == ("", "", "bought 9")


def test_a_form_in_parts_is_read_as_php_posts_it() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="transaction_type"\r\n\r\nsale\r\n--x\r\nContent-Disposition: '
    body += b'form-data; name="lead_id"\r\n\r\n41\r\n--x--\r\n'
    told = read_post(body, "multipart/form-data; boundary=x")
    assert (told.action, told.lead_id) == ("sale", "41")


@pytest.mark.parametrize("content_type", ["", JSON, "text/plain", FORM, "multipart/form-data; boundary=x"])
def test_an_event_is_known_by_what_it_holds_and_not_by_its_label(content_type: str) -> None:
    assert read_post(event("assign_tag", {"tag": {"tag_name": "vip"}}), content_type).action == "assign_tag"


def test_an_unknown_action_is_kept_as_it_is_called() -> None:
    told = read_post(event("ticket_opened", {"ticket": {"id": 3}}), JSON)
    assert (told.action, told.is_known, told.about, told.lead_id) == ("ticket_opened", False, "", "7")


def test_names_are_cut_and_cleaned_for_a_line() -> None:
    about = read_post(event("assign_tag", {"tag": {"tag_name": "a\u0000\u202eb\ud800\n" + "x" * 9000}}), JSON).about
    assert about.startswith("was given tag a b x")
    assert len(about) < 200
    about.encode()


@pytest.mark.parametrize("junk", ["junk", "0", "-1", "4174086'", "9" * 21, "١٢", None, [], {"id": 1}])
def test_an_id_that_is_none_names_nobody(junk: object) -> None:
    assert read_post(event("assign_tag", {}, id=junk), JSON).lead_id == ""


@pytest.mark.parametrize("written", ["04174086", "0004174086", " 4174086", 4174086])
def test_an_id_is_read_as_kartra_answers_it(written: object) -> None:
    assert read_post(event("assign_tag", {}, id=written), JSON).lead_id == "4174086"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", JSON), (b"{", JSON), (b"[]", JSON), (b"{}", JSON), (b'{"action": 5.5e}', JSON), (b'{"action": {}}', JSON),
        (b"\xff\xfe{", JSON), (b'{"a":' * 9000, JSON), (b"null", JSON), (b"action=assign_tag", FORM), (b"", FORM),
        (b"a=1&" * 5000, FORM), (b"\x00" * 100, "application/octet-stream"), (b"transaction_type=sale", "text/plain"),
        (b"junk", "multipart/form-data"), (b"--x\r\n\r\n" * 5000, "multipart/form-data; boundary=x"),
    ],
)  # fmt: skip
def test_junk_is_unreadable(body: bytes, content_type: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_post(body, content_type)
    assert not caught.value.is_of_wrong_type


@pytest.mark.parametrize("content_type", ["text/html", "image/png", "application/xml", "junk"])
def test_another_type_is_told_apart(content_type: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_post(b"{}", content_type)
    assert caught.value.is_of_wrong_type


def test_what_was_kept_is_set_out_for_reading_without_its_key() -> None:
    parts = '--x\r\nContent-Disposition: form-data; name="secret_key"\r\n\r\nhush\r\n--x--'
    assert set_out('{"a": {"b": 1}}') == '{\n  "a": {\n    "b": "1"\n  }\n}'
    assert (
        set_out("transaction_type=sale&secret_key=hush&lead_id=7")
        == "transaction_type = sale\nsecret_key = …\nlead_id = 7"
    )
    assert "hush" not in set_out(parts)


@pytest.mark.parametrize(
    ("action", "kind"),
    [("buy_product", "sale"), ("buy_product", "rebill"), ("refund_product", "refund"),
     ("partial_refund_product", "partial_refund"), ("cancel_subscription", "cancellation")],
)  # fmt: skip
def test_an_act_is_the_same_however_it_is_told(action: str, kind: str) -> None:
    by_event = read_post(event(action, {"transaction_details": {"transaction_id": 99517}}), JSON)
    by_notification = read_post(urlencode({"transaction_type": kind, "transaction_id": "99517"}).encode(), FORM)
    assert by_event.act == by_notification.act != ""


@pytest.mark.parametrize("number", ["", "N/A", "0", "1'"])
def test_without_a_number_of_the_payment_nobody_knows_which_act_it_is(number: str) -> None:
    assert read_post(event("buy_product", {"transaction_details": {"transaction_id": number}}), JSON).act == ""
    assert read_post(urlencode({"transaction_type": "sale", "transaction_id": number}).encode(), FORM).act == ""
