"""Signing the head of the log now and then, and bringing each signature out of the house."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import anchors
from accounts.evidence import checkpoints as evidence
from accounts.evidence import merkle
from accounts.evidence.chain import START, as_text
from accounts.models import AnchorAttempt, AuditEntry, ChainHead, Checkpoint, SigningKey, SigningTurn, User
from accounts.services import audit

# A place that failed is tried again after that long.
AGAIN = timedelta(minutes=5)
# A worker that is killed loses his turn after that long: more than a few places take that do not answer.
_LEASE = timedelta(minutes=10)
# So many checkpoints leave for a place at once.
_MOST = 200
_KEPT = timedelta(days=30)
logger = logging.getLogger(__name__)


def attend() -> None:
    """What a worker does each minute: sign if it is time, and send out what has not left the house yet.

    One at a time: where a place is slow, the next minute's worker leaves it to him who waits.
    """
    until = timezone.now() + _LEASE
    if not _take_turn(until):
        return
    try:
        sign_if_due()
        send_out()
    finally:
        SigningTurn.objects.filter(pk=1, leased_until=until).update(leased_until=timezone.now())


def _take_turn(until: datetime) -> bool:
    """True for one caller only, until he leaves it or its lease is over."""
    _, is_new = SigningTurn.objects.get_or_create(pk=1, defaults={"leased_until": until})
    free = SigningTurn.objects.filter(pk=1, leased_until__lte=timezone.now())
    return is_new or bool(free.update(leased_until=until))


def sign_if_due() -> Checkpoint | None:
    """Sign where enough was written, or enough time has passed, since the last one: also where nothing was written."""
    last = Checkpoint.objects.order_by("-pk").first()
    if last:
        written = ChainHead.objects.get(pk=1).number - last.number
        waited = timezone.now() - last.at
        if written < settings.AUDIT_CHECKPOINT_ENTRIES and waited < timedelta(
            minutes=settings.AUDIT_CHECKPOINT_MINUTES
        ):
            return None
    return sign()


def sign_now(*, actor: User) -> Checkpoint:
    """For somebody who asks for it, with an entry that the checkpoint holds already; and send it out."""
    audit.record(action="checkpoint.sign.requested", outcome="requested", actor=actor)
    checkpoint = sign()
    send_out(at_once=True)
    return checkpoint


def sign() -> Checkpoint:
    """Sign the head as it is. Of several who do so at once, one signs, and all get that checkpoint.

    No lock is needed: what is read is never changed, and two cannot have the same number.
    """
    key = evidence.private_key(settings.AUDIT_SIGNING_KEY)
    last = Checkpoint.objects.order_by("-pk").first()
    head = ChainHead.objects.get(pk=1)
    since = last.number if last else 0
    written = AuditEntry.objects.filter(pk__gt=since, pk__lte=head.number).order_by("pk")
    at = timezone.now()
    fields: dict[str, Any] = {
        "id": (last.pk if last else 0) + 1,
        "number": head.number,
        "hash": head.hash,
        "at": as_text(at),
        "count": head.number - since,
        "root": merkle.root(written.values_list("hash", flat=True).iterator(5000)),
        "previous": evidence.hash_of(last.as_evidence()) if last else START,
    }
    signed = evidence.signed_by(key, fields)
    try:
        with transaction.atomic():
            SigningKey.objects.get_or_create(public=signed["key"])
            checkpoint = Checkpoint(**{**signed, "at": at})
            checkpoint.save()
    except IntegrityError:
        return Checkpoint.objects.get(pk=fields["id"])
    return checkpoint


def send_out(*, at_once: bool = False) -> None:
    """Bring to each place what it has not got. One that fails is noted, tried again later, and stops nothing."""
    for place in settings.AUDIT_ANCHORS:
        key = anchors.key_of(place)
        attempts = AnchorAttempt.objects.filter(key=key).order_by("-pk")
        last = attempts.first()
        if not at_once and last and last.error and last.at > timezone.now() - AGAIN:
            continue
        arrived = attempts.filter(error="").first()
        due = Checkpoint.objects.filter(pk__gt=arrived.checkpoint_id if arrived else 0).order_by("pk")[:_MOST]
        if rows := [checkpoint.as_evidence() for checkpoint in due]:
            AnchorAttempt.objects.create(
                key=key, place=anchors.label(place), checkpoint_id=rows[-1]["id"], error=_deliver(place, rows)
            )
    AnchorAttempt.objects.exclude(error="").filter(at__lt=timezone.now() - _KEPT).delete()


def _deliver(place: str, rows: anchors.Checkpoints) -> str:
    """What went wrong, "" where nothing did."""
    try:
        anchors.deliver(place, rows)
    except anchors.NotDelivered as error:
        logger.warning("A checkpoint did not reach %s: %s", anchors.label(place), error)
        return str(error)[:300] or "It failed"
    return ""
