"""How the log is signed, and whether its signatures leave the house."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, QuerySet
from django.utils import timezone

from accounts import anchors
from accounts.evidence import checkpoints as evidence
from accounts.models import AnchorAttempt, Checkpoint, KeyVoucher

# A worker sends within a minute or two: what waits longer than that for a place is late.
LATE = timedelta(minutes=15)


@dataclass(frozen=True)
class Failing:
    """A place by its label, what is wrong with it, and since when or when it was tried."""

    place: str
    error: str
    at: datetime


@dataclass(frozen=True)
class Standing:
    """``left_at``: when one last arrived outside. ``failing``: the places that do not hold what was signed."""

    last: Checkpoint | None
    left_at: datetime | None
    failing: list[Failing]
    has_places: bool


@dataclass(frozen=True)
class KeyUse:
    """``count`` checkpoints were signed with the key from ``since`` to ``latest``.

    ``is_present``: it signs now. ``is_trusted``: it does, or did before it was turned.
    """

    public: str
    count: int
    since: datetime
    latest: datetime
    is_present: bool
    is_trusted: bool


def standing() -> Standing:
    return Standing(
        last=Checkpoint.objects.order_by("-pk").first(),
        left_at=_attempts().filter(error="", checkpoint_id__gt=0).aggregate(at=Max("at"))["at"],
        failing=failing_places(),
        has_places=bool(settings.AUDIT_ANCHORS),
    )


def failing_places() -> list[Failing]:
    """Those that the last attempt did not reach, that wait too long, or that are said to have what was never signed.

    No query where there are no places.
    """
    found = [_failing(place) for place in sorted(set(settings.AUDIT_ANCHORS), key=anchors.label)]
    return [failing for failing in found if failing]


def _failing(place: str) -> Failing | None:
    attempts, name = AnchorAttempt.objects.filter(key=anchors.key_of(place)), anchors.label(place)
    newest = attempts.order_by("-pk").first()
    if newest and newest.error:
        return Failing(name, newest.error, newest.at)
    arrived = attempts.filter(error="").aggregate(last=Max("checkpoint_id"))["last"] or 0
    last = Checkpoint.objects.aggregate(last=Max("pk"))["last"] or 0  # read after what arrived, which came later
    if newest and arrived > last:
        return Failing(name, f"It is said to have checkpoint {arrived}, and the last of the log is {last}", newest.at)
    waiting = Checkpoint.objects.filter(pk__gt=arrived, at__lt=timezone.now() - LATE).order_by("pk").first()
    return Failing(name, f"Checkpoint {waiting.pk} has not left yet", waiting.at) if waiting else None


def _attempts() -> QuerySet[AnchorAttempt]:
    return AnchorAttempt.objects.filter(key__in={anchors.key_of(place) for place in settings.AUDIT_ANCHORS})


def signing_keys() -> list[KeyUse]:
    """All keys that ever signed, newest first."""
    present, trusted = present_key(), trusted_keys()
    counted = Checkpoint.objects.order_by().values("key").annotate(count=Count("pk"), since=Min("at"), latest=Max("at"))
    return [
        KeyUse(row["key"], row["count"], row["since"], row["latest"], row["key"] == present, row["key"] in trusted)
        for row in counted.order_by("-latest")
    ]


def present_key() -> str:
    """The public key to give away: it leads to all older ones."""
    return evidence.public_keys(settings.AUDIT_SIGNING_KEY)[0]


def trusted_keys() -> frozenset[str]:
    """Of the settings, and what they vouch for. No row of the database is believed for being there."""
    return evidence.with_older(evidence.public_keys(settings.AUDIT_SIGNING_KEY), vouchers())


def vouchers() -> list[dict[str, str]]:
    return [row.as_evidence() for row in KeyVoucher.objects.order_by("pk")]


def foreign_checkpoint() -> Checkpoint | None:
    """The last checkpoint, where no key of ours signed it."""
    last = Checkpoint.objects.order_by("-pk").first()
    is_ours = last is None or (last.key in trusted_keys() and evidence.is_signed(last.as_evidence()))
    return None if is_ours else last


def gone_checkpoint() -> int | None:
    """The last checkpoint that was sent somewhere, where the log holds none so late any more."""
    sent = AnchorAttempt.objects.aggregate(last=Max("checkpoint_id"))["last"] or 0
    last = Checkpoint.objects.aggregate(last=Max("pk"))["last"] or 0  # read second: nothing is sent before it is there
    return sent if sent > last else None
