"""What the provider posts by itself: taken in at once, kept sealed, and answered with a reading. It changes no fact.

Whoever knows the secret address can post anything, as often as he likes. So all a post can bring about is one row of
what was said and one reading of its lead, and both are bounded.
"""

import hashlib
import hmac
import logging
import secrets
import time
from contextlib import suppress
from datetime import timedelta
from enum import Enum, auto

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import Account, User
from accounts.seals import keyring
from accounts.services import access, audit
from kartra_admin.lib.crypto import SealBroken
from leads import seals
from leads.models import Entry, Event, Hook
from leads.providers.events import Told, Unreadable
from leads.services import rereads
from leads.wiring import example_post, read_post, set_out_post

BYTES_AT_MOST = 64 * 1024
COUNTED_EVERY = 60  # seconds, between two writes of what was not kept
DOUBLE_WITHIN = timedelta(minutes=10)
KEPT_AT_MOST = 100_000  # of one account
_BYTES_OF_ONE = 8 * 1024  # a longer post counts as several
_PRUNED_AT_ONCE = 1000


class Receipt(Enum):
    """What became of a post."""

    KEPT = auto()
    DOUBLE = auto()
    FLOOD = auto()
    TOO_LONG = auto()
    UNREADABLE = auto()
    WRONG_TYPE = auto()
    WRONG_KEY = auto()


_COUNTED = {
    Receipt.DOUBLE: "doubles",
    Receipt.FLOOD: "flooded",
    Receipt.TOO_LONG: "refused",
    Receipt.UNREADABLE: "refused",
    Receipt.WRONG_TYPE: "refused",
    Receipt.WRONG_KEY: "refused",
}
_WHAT = sorted(set(_COUNTED.values()))


# The address


def make_hook(*, actor: User, account: Account) -> Hook:
    """A new secret address for the account; the one there was stops at once. Its key and its counts stay."""
    access.require(actor, "hook.manage")
    secret = secrets.token_urlsafe(32)
    digest = _digest_of(secret)
    made = {
        "secret_digest": digest,
        "sealed_secret": keyring().seal(secret, bound_to=seals.of_hook(account.pk, "secret")),
        "made_by": actor,
        "made_at": timezone.now(),
    }
    with transaction.atomic():
        hook, is_new = Hook.objects.update_or_create(account=account, defaults=made)
        _log("hook.make.succeeded" if is_new else "hook.rotate.succeeded", actor, account)
    return hook


def set_key(*, actor: User, hook: Hook, key: str) -> None:
    """Payment notifications must carry this key from now on; with "" they need none."""
    access.require(actor, "hook.manage")
    hook.sealed_ipn_key = keyring().seal(key, bound_to=seals.of_hook(hook.account_id, "key")) if key else ""
    with transaction.atomic():
        hook.save(update_fields=["sealed_ipn_key"])
        _log("hook.key.succeeded", actor, hook.account)


def secret_of(hook: Hook) -> str:
    """Raises `SealBroken`."""
    return keyring().open(hook.sealed_secret, bound_to=seals.of_hook(hook.account_id, "secret"))


def by_hand(address: str) -> str:
    """A command that posts an event to the address as the provider would."""
    return f"curl -H 'Content-Type: application/json' -d '{example_post()}' {address}"


def body_of(event: Event) -> str:
    """The post as it came, set out for reading; "" where its lead was forgotten. Raises `SealBroken`."""
    if event.whose is None or event.whose.is_forgotten:
        return ""
    return set_out_post(event.whose.open(event.sealed_body, bound_to=f"{event.place}:body"))


def find_hook(secret: str) -> Hook | None:
    """Whose address it is. Found by its digest, so that no time taken tells how near a guess was."""
    return Hook.objects.filter(secret_digest=_digest_of(secret)).first()


# Posts


def refuse_unread(hook: Hook, size: int) -> Receipt | None:
    """Why a post of so many bytes is not even read; None where it is to be. To be asked once of whatever comes."""
    if _is_flood(hook, min(size, BYTES_AT_MOST)):
        return _counted(hook, Receipt.FLOOD)
    return _counted(hook, Receipt.TOO_LONG) if size > BYTES_AT_MOST else None


def receive(hook: Hook, body: bytes, content_type: str) -> Receipt:
    """Take in one post: keep it and have its lead read again, or count why not."""
    return _counted(hook, _receive(hook, body, content_type))


def not_kept(hook: Hook) -> dict[str, int]:
    """How often what was not kept, with what this cache knows beside the database."""
    pending = cache.get_many([_pending(hook, what) for what in _WHAT])
    return {what: getattr(hook, what) + pending.get(_pending(hook, what), 0) for what in _WHAT}


def _counted(hook: Hook, receipt: Receipt) -> Receipt:
    """Count what is not kept: in the cache, and in the database once a minute, for a flood must not write."""
    if receipt is not Receipt.KEPT:
        key = _pending(hook, _COUNTED[receipt])
        cache.add(key, 0, timeout=None)
        with suppress(ValueError):  # the cache was emptied just now
            cache.incr(key)
        if cache.add(f"posts-counted:{hook.pk}", True, timeout=COUNTED_EVERY):
            _write_counts(hook)
    return receipt


def _write_counts(hook: Hook) -> None:
    pending = {what: cache.get(_pending(hook, what), 0) for what in _WHAT}
    for what in filter(pending.get, pending):
        with suppress(ValueError):
            cache.decr(_pending(hook, what), pending[what])
    Hook.objects.filter(pk=hook.pk).update(**{what: F(what) + times for what, times in pending.items()})


def _pending(hook: Hook, what: str) -> str:
    return f"posts-{what}:{hook.pk}"


def prune() -> int:
    """Forget events that are too old or too many. Gives how many."""
    old = Event.objects.filter(received_at__lt=timezone.now() - timedelta(days=settings.EVENT_DAYS))
    gone = _delete(old)
    for account in Account.objects.filter(hook__isnull=False):
        edge = Event.objects.filter(account=account).order_by("-pk").values_list("pk", flat=True)[KEPT_AT_MOST:].first()
        if edge is not None:
            gone += _delete(Event.objects.filter(account=account, pk__lte=edge))
    return gone


def _receive(hook: Hook, body: bytes, content_type: str) -> Receipt:
    try:
        told = read_post(body, content_type)
        text = body.decode()
    except Unreadable as error:
        return Receipt.WRONG_TYPE if error.is_of_wrong_type else Receipt.UNREADABLE
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    if not _has_key(hook, told):
        return Receipt.WRONG_KEY
    return _keep(hook.account_id, told, text)


def _keep(account_id: int, told: Told, text: str) -> Receipt:
    now = timezone.now()
    event = Event(  # type: ignore[misc]
        account_id=account_id,
        form=told.form,
        action=told.action,
        about=told.about[:300],
        digest=keyring().digest(text, purpose="event")[0],
        act_digest=keyring().digest(told.act, purpose="event act")[0] if told.act else "",
        is_known=told.is_known,
        tells_of_money=told.tells_of_money,
        received_at=now,
    )
    hook = Hook.objects.filter(account=account_id)
    with transaction.atomic():
        hook.update(last_event_at=now)  # and so posts of one account come one after the other
        same = Event.objects.filter(account=account_id, digest=event.digest, received_at__gt=now - DOUBLE_WITHIN)
        is_double = same.exists()
        event.lead_id = told.lead_id or _id_of(account_id, told.lead_email)
        if not is_double:
            event.whose = event.new_whose()
            event.sealed_body = event.whose.seal(text, bound_to=f"{event.place}:body")
            event.save(force_insert=True)
        # Also after a double: given, taken and given again, a tag is told of by the same words.
        if event.lead_id and not rereads.want(account_id, event.lead_id, at=now, with_money=told.tells_of_money):
            hook.update(unqueued=F("unqueued") + 1)
    return Receipt.DOUBLE if is_double else Receipt.KEPT


def _id_of(account_id: int, email: str) -> str:
    """Which lead the directory knows by this email, or "": only its reading is asked for."""
    if not email:
        return ""
    return Entry.objects.filter(account=account_id, email=email.lower()).values_list("lead_id", flat=True).first() or ""


def _is_flood(hook: Hook, size: int) -> bool:
    """Whether so much was posted this minute that this is too much."""
    key = f"posts:{hook.pk}:{int(time.time()) // 60}"
    cache.add(key, 0, timeout=120)
    try:
        return int(cache.incr(key, 1 + size // _BYTES_OF_ONE)) > int(settings.EVENTS_PER_MINUTE)
    except ValueError:  # the cache was emptied just now
        return False


def _has_key(hook: Hook, told: Told) -> bool:
    """Whether a payment notification carries the key that was set, where one was."""
    if told.form != "ipn" or not hook.sealed_ipn_key:
        return True
    try:
        key = keyring().open(hook.sealed_ipn_key, bound_to=seals.of_hook(hook.account_id, "key"))
    except SealBroken:
        logging.getLogger(__name__).error("The key of payment notifications cannot be opened: set it again.")
        return False
    return hmac.compare_digest(key.encode(), told.key.reveal().encode())


def _delete(events: QuerySet[Event]) -> int:
    """A few at a time, so that nobody waits long for the table."""
    gone = 0
    while pks := list(events.order_by("pk").values_list("pk", flat=True)[:_PRUNED_AT_ONCE]):
        gone += Event.objects.filter(pk__in=pks).delete()[0]
    return gone


def _digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _log(action: str, actor: User, account: Account) -> None:
    audit.record(action=action, outcome="succeeded", actor=actor, account=account, target_kind="account")
