"""How the log is signed, and whether its signatures leave the house."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Max, Min, QuerySet

from accounts import anchors
from accounts.models import AnchorAttempt, Checkpoint, SigningKey


@dataclass(frozen=True)
class Standing:
    """``left_at``: when one last arrived outside. ``failing``: the places that the last attempt did not reach."""

    last: Checkpoint | None
    left_at: datetime | None
    failing: list[AnchorAttempt]
    has_places: bool


@dataclass(frozen=True)
class KeyUse:
    """``count`` checkpoints were signed with the key from ``since`` to ``latest``."""

    public: str
    count: int
    since: datetime
    latest: datetime


def standing() -> Standing:
    return Standing(
        last=Checkpoint.objects.order_by("-pk").first(),
        left_at=_attempts().filter(error="").aggregate(at=Max("at"))["at"],
        failing=failing_places(),
        has_places=bool(settings.AUDIT_ANCHORS),
    )


def failing_places() -> list[AnchorAttempt]:
    """The last attempt for each place that it did not reach. No query where there are no places."""
    newest = _attempts().order_by().values("key").annotate(last=Max("pk")).values("last")
    return list(AnchorAttempt.objects.filter(pk__in=newest).exclude(error="").order_by("place", "pk"))


def _attempts() -> QuerySet[AnchorAttempt]:
    return AnchorAttempt.objects.filter(key__in={anchors.key_of(place) for place in settings.AUDIT_ANCHORS})


def signing_keys() -> list[KeyUse]:
    """All keys that ever signed, newest first."""
    counted = Checkpoint.objects.order_by().values("key").annotate(count=Count("pk"), since=Min("at"), latest=Max("at"))
    uses = {row["key"]: KeyUse(row["key"], row["count"], row["since"], row["latest"]) for row in counted}
    return [uses[row.public] for row in SigningKey.objects.order_by("-pk") if row.public in uses]
