"""What Kartra posts by itself: outbound events (JSON) and payment notifications, its IPN (a flat form).

Neither is signed or dated, and nothing says how Kartra labels the body, so what it holds decides: a JSON object is an
event, anything else that a form may be is an IPN. Sources: 'Activating the outbound API' and the page of each event,
'The IPN system' and its five payment pages.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from kartra_admin.lib.redact import Secret
from leads.providers.events import Told, Unreadable
from leads.providers.kartra.values import as_map, load, stamp, word

_TYPES = frozenset(("", "application/json", "text/json", "text/plain", "application/octet-stream"))
_FORM, _PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
_FIELDS_AT_MOST = 300
_NAME_AT_MOST, _ACTION_AT_MOST = 120, 60
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})')
_PART_NAME = re.compile(rb'(?i)content-disposition:[^\r\n]*\bname="([^"\r\n]{1,100})"')
_KEY = "secret_key"
_KEY_PART = re.compile(rf'(name="{_KEY}"[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n)[^\r\n]*')
_EMAIL = re.compile(r"[^\s@]{1,200}@[^\s@]{1,119}")


class _Event(NamedTuple):
    """``sentence`` says it of the lead, with a place for a name: the first of ``names`` that is in ``details``. ``act``
    is what was done to a payment, in the words of payment notifications."""

    sentence: str
    details: tuple[str, ...]
    names: tuple[str, ...]
    act: str = ""


def _of_payment(sentence: str, act: str) -> _Event:
    return _Event(sentence, ("transaction_details",), ("product_name", "product_id"), act)


def _of(sentence: str, thing: str, *others: str) -> _Event:
    return _Event(sentence, (thing, *others), (f"{thing}_name", f"{thing}_id"))


EVENTS = {
    "assign_tag": _of("was given tag {}", "tag"),
    "unassign_tag": _of("lost tag {}", "tag"),
    "list_subscription": _of("joined list {}", "list"),
    "list_unsubscription": _of("left list {}", "list"),
    "sequence_subscription": _of("was added to sequence {}", "sequence"),
    "sequence_unsubscription": _of("was removed from sequence {}", "sequence"),
    "sequence_completion": _of("completed sequence {}", "sequence"),
    "membership_granted": _of("was granted membership {}", "membership"),
    "membership_revoked": _of("lost membership {}", "membership"),
    "buy_product": _of_payment("bought {}", "sale"),
    "refund_product": _of_payment("was refunded for {}", "refund"),
    "partial_refund_product": _of_payment("was refunded in part for {}", "partial_refund"),
    "cancel_subscription": _of_payment("subscription of {} was cancelled", "cancellation"),
    "affiliate_signup": _of("signed up as an affiliate for {}", "product"),
    "jv_signup": _of("signed up as a joint venture partner for {}", "product"),
    "filled_form": _of("filled in form {}", "form", "tag"),  # the key that Kartra's page prints is tag
    "reaches_score": _Event("reached a score of {}", (), ("points", "score")),
    "calendar_subscribe": _of("booked calendar {}", "calendar"),
    "calendar_cancel": _of("cancelled calendar {}", "calendar"),
    "calendar_complete": _of("completed calendar {}", "calendar"),
    "survey_complete": _of("completed survey {}", "survey"),
    "video_play": _of("played video {}", "video"),
    "video_complete": _of("watched video {} to the end", "video"),
    "kartra_page_visit": _of("visited page {}", "kartra_page"),
    "click_page_split_test_link": _of("clicked split test link {}", "page_split_test_link"),
}

# transaction_type of an IPN
PAYMENTS = {
    "sale": "bought {}",
    "rebill": "paid again for {}",
    "refund": "was refunded for {}",
    "partial_refund": "was refunded in part for {}",
    "failed": "payment for {} failed",
    "chargeback": "charged back a payment for {}",
    "cancellation": "subscription of {} was cancelled",
}

# Kinds of payment notification that an event tells of too, by another word.
_ACTS = {"rebill": "sale"}

# An event as Kartra posts it, for trying an address by hand.
EXAMPLE = '{"lead": {"id": "4174086"}, "action": "assign_tag", "action_details": {"tag": {"tag_name": "vip"}}}'


def read_post(body: bytes, content_type: str) -> Told:
    """What the post tells. Raises `Unreadable` for what Kartra does not send."""
    kind = content_type.partition(";")[0].strip().casefold()
    if kind not in _TYPES | {_FORM, _PARTS}:
        raise Unreadable(is_of_wrong_type=True)
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return _event(body)
    if kind in (_FORM, _PARTS):
        return _payment(_form(body) if kind == _FORM else _parts(body, content_type))
    raise Unreadable


def set_out(text: str) -> str:
    """A post that was kept, set out for reading, without its key."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return json.dumps(load(text), indent=2, ensure_ascii=False)
    if text.startswith("--"):
        return _KEY_PART.sub(r"\1…", text)
    fields = parse_qsl(text, keep_blank_values=True)
    return "\n".join(f"{name} = {'…' if name == _KEY else value}" for name, value in fields)


def _event(body: bytes) -> Told:
    try:
        post = as_map(load(body.decode()))
    except ValueError:
        raise Unreadable from None
    action = _clean(word(post.get("action")), _ACTION_AT_MOST)
    if not action:
        raise Unreadable
    lead, details = as_map(post.get("lead")), as_map(post.get("action_details"))
    event = EVENTS.get(action)
    payment = as_map(details.get("transaction_details"))
    return Told(
        form="json",
        action=action,
        about=_about(event, details) if event else "",
        lead_id=_id(lead.get("id"), payment.get("lead_id")),
        lead_email=_email(lead.get("email"), payment.get("lead_email")),
        is_known=event is not None,
        tells_of_money=bool(event and event.act),
        act=_act(event.act if event else "", payment),
    )


def _about(event: _Event, details: Mapping[str, Any]) -> str:
    holder = next((found for key in event.details if (found := as_map(details.get(key)))), as_map(details))
    name = next((text for key in event.names if (text := _clean(word(holder.get(key))))), "")
    level = _clean(word(holder.get("level_name")))
    return _said(event.sentence, f"{name}, {level}" if name and level else name, holder)


def _payment(form: Mapping[str, str]) -> Told:
    kind = _clean(word(form.get("transaction_type")).casefold(), _ACTION_AT_MOST)
    if not kind:
        raise Unreadable
    name = _clean(word(form.get("product_name"))) or _clean(word(form.get("product_id")))
    return Told(
        form="ipn",
        action=kind,
        about=_said(PAYMENTS[kind], name, form) if kind in PAYMENTS else "",
        lead_id=_id(form.get("lead_id"), form.get("buyer_id")),  # buyer_ on older pages
        lead_email=_email(form.get("lead_email"), form.get("buyer_email")),
        is_known=kind in PAYMENTS,
        tells_of_money=True,
        act=_act(_ACTS.get(kind, kind) if kind in PAYMENTS else "", form),
        key=Secret(form.get(_KEY, "")),
    )


def _act(act: str, payment: Mapping[str, Any]) -> str:
    number = _id(payment.get("transaction_id"))
    return f"{act} {number}" if act and number else ""


def _said(sentence: str, name: str, of: Mapping[str, Any]) -> str:
    """The sentence, with the time on Kartra's clock where the payment tells one."""
    text = sentence.format(name or "(no name)")
    at = stamp(of.get("transaction_date"))
    if at is None or at.at is None:
        return text
    return f"{text}, {at.at.day} {at.at:%b %Y %H:%M} {at.zone}"


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST))
    except ValueError:
        raise Unreadable from None


def _parts(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a form in parts, as PHP's curl posts an array."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise Unreadable
    found = {}
    for part in body.split(b"--" + boundary[1].encode("ascii", "replace"), _FIELDS_AT_MOST)[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        if name := _PART_NAME.search(head):
            found[name[1].decode("utf-8", "replace")] = value.removesuffix(b"\r\n").decode("utf-8", "replace")
    return found


def _id(*values: Any) -> str:
    """The first that is a number other than 0, without zeros before it, as Kartra answers it."""
    return next((number for text in map(word, values) if _ID.fullmatch(text) and (number := text.lstrip("0"))), "")


def _email(*values: Any) -> str:
    return next((text for value in values if _EMAIL.fullmatch(text := _clean(word(value), 321))), "")


def _clean(text: str, length: int = _NAME_AT_MOST) -> str:
    """What a database takes and a line shows: no control characters, no halves of surrogate pairs, not too long."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * length])
    return " ".join(shown.split())[:length]
