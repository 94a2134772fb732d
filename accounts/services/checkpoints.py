"""Signing the head of the log now and then, and bringing each signature out of the house."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from accounts import anchors
from accounts.evidence import checkpoints as evidence
from accounts.evidence import merkle
from accounts.evidence.chain import START, as_text
from accounts.models import AnchorAttempt, AuditEntry, ChainHead, Checkpoint, KeyVoucher, SigningTurn, User
from accounts.selectors import checkpoints as selectors
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError

# A place that failed is tried again after that long.
AGAIN = timedelta(minutes=5)
# A worker that is killed loses his turn after that long: more than a few places take that do not answer.
_LEASE = timedelta(minutes=10)
# So many checkpoints leave for a place at once.
_MOST = 200
_KEPT = timedelta(days=30)
logger = logging.getLogger(__name__)


class NotOurs(AppError):
    """Signing on top of it would vouch for it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(
            f"Checkpoint {checkpoint.pk} of the audit log is not signed with AUDIT_SIGNING_KEY, nor with a key that it "
            "vouches for, so nothing is signed after it. Ask whoever runs this desk to read what the start checks say."
        )


class Gone(AppError):
    """To sign again from an earlier number on would vouch for whatever was written in between."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Checkpoint {number} of the audit log was sent outside, and is gone from the log, so nothing is "
            "signed. Ask whoever runs this desk to read what the start checks say."
        )


def attend() -> None:
    """What a worker does each minute: sign if it is time, and send out what has not left the house yet.

    One at a time: where a place is slow, the next minute's worker leaves it to him who waits.
    """
    with _turn() as is_mine:
        if is_mine:
            sign_if_due()
            send_out()


@contextmanager
def _turn() -> Iterator[bool]:
    """True inside for one caller only, until he leaves it or its lease is over."""
    until = timezone.now() + _LEASE
    _, is_new = SigningTurn.objects.get_or_create(pk=1, defaults={"leased_until": until})
    free = SigningTurn.objects.filter(pk=1, leased_until__lte=timezone.now())
    is_mine = is_new or bool(free.update(leased_until=until))
    try:
        yield is_mine
    finally:
        if is_mine:
            SigningTurn.objects.filter(pk=1, leased_until=until).update(leased_until=timezone.now())


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


def sign_now(*, actor: User) -> tuple[Checkpoint, bool]:
    """For somebody who asks for it, with an entry that the checkpoint holds already; and send it out.

    False where a worker is at sending just now: then the next one takes it along, so that no place gets it twice.
    """
    access.require(actor, "audit.view")
    audit.record(action="checkpoint.sign.requested", outcome="requested", actor=actor)
    checkpoint = sign()
    with _turn() as is_mine:
        if is_mine:
            send_out(at_once=True)
    return checkpoint, is_mine


def sign() -> Checkpoint:
    """Sign the head as it is. Of several who do so at once, one signs, and all get that checkpoint.

    No lock is needed: what is read is never changed, and two cannot have the same number. Raises `NotOurs`, `Gone`.
    """
    if foreign := selectors.foreign_checkpoint():
        raise NotOurs(foreign)
    if gone := selectors.gone_checkpoint():
        raise Gone(gone)
    turn_key()
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
            checkpoint = Checkpoint(**{**signed, "at": at})
            checkpoint.save()
    except IntegrityError:
        return Checkpoint.objects.get(pk=fields["id"])
    return checkpoint


def turn_key() -> None:
    """Vouch with the present key for the older ones beside it in the settings, each once, with an entry.

    The settings alone say which keys were ours: what stands in the database is vouched for by nobody.
    """
    key = evidence.private_key(settings.AUDIT_SIGNING_KEY)
    present, *older = evidence.public_keys(settings.AUDIT_SIGNING_KEY)
    known = evidence.with_older([present], selectors.vouchers())
    for public in older:
        if public in known or not Checkpoint.objects.filter(key=public).exists():
            continue
        voucher = evidence.vouch(key, public)
        with transaction.atomic():
            _, is_new = KeyVoucher.objects.get_or_create(**voucher)
            if is_new:
                detail = {"older": public, "newer": present}
                audit.record(action="keys.turn.succeeded", outcome="succeeded", actor_name="signing", detail=detail)


def send_out(*, at_once: bool = False) -> None:
    """Bring to each place what it has not got. One that fails is noted, tried again later, and stops nothing."""
    for place in settings.AUDIT_ANCHORS:
        key = anchors.key_of(place)
        last = AnchorAttempt.objects.filter(key=key).order_by("-pk").first()
        if not at_once and last and last.error and last.at > timezone.now() - AGAIN:
            continue
        upto, error = _deliver(place)
        if upto or error or (last and last.error):
            AnchorAttempt.objects.create(key=key, place=anchors.label(place), checkpoint_id=upto, error=error)
    AnchorAttempt.objects.exclude(error="").filter(at__lt=timezone.now() - _KEPT).delete()


def _deliver(place: str) -> tuple[int, str]:
    """The last checkpoint that was to go there, 0 where none was; and what went wrong, "" where nothing did."""
    upto = 0
    try:
        due = Checkpoint.objects.filter(pk__gt=_arrived(place)).order_by("pk")[:_MOST]
        if rows := [checkpoint.as_evidence() for checkpoint in due]:
            upto = rows[-1]["id"]
            anchors.deliver(place, rows)
    except anchors.NotDelivered as error:
        logger.warning("A checkpoint did not reach %s: %s", anchors.label(place), error)
        return upto, str(error)[:300] or "It failed"
    return upto, ""


def _arrived(place: str) -> int:
    """The last checkpoint that is there: a folder says so itself. Raises `NotDelivered` where it is of another log."""
    if not anchors.is_folder(place):
        arrived = AnchorAttempt.objects.filter(key=anchors.key_of(place), error="")
        ours = Checkpoint.objects.aggregate(last=Max("pk"))["last"] or 0
        return arrived.filter(checkpoint_id__lte=ours).aggregate(last=Max("checkpoint_id"))["last"] or 0
    number = anchors.last_in(place)
    if number and (own := Checkpoint.objects.filter(pk=number).first()):
        anchors.deliver(place, [own.as_evidence()])  # writes nothing: it compares
    elif number:
        raise anchors.NotDelivered(f"Checkpoint {number} is there already, and tells of another log")
    return number
