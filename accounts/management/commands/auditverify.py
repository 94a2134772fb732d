"""``manage.py auditverify``: whether the audit log is as it was written. Ends with 1, and names the first bad entry."""

import logging
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import BigIntegerField, Max, Min
from django.db.models.functions import Cast
from django.utils import timezone

from accounts import anchors as places
from accounts.evidence import kept
from accounts.evidence.checkpoints import public_keys
from accounts.evidence.verify import Broken, verify
from accounts.models import AnchorAttempt, AuditEntry, ChainHead, Checkpoint
from accounts.selectors import checkpoints as selectors
from accounts.selectors import evidence

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Check every entry of the audit log, its chain, and the checkpoints that signed it."
    requires_system_checks = ()  # what they refuse is what this is to name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchors",
            type=Path,
            metavar="PATH",
            action="append",
            help="checkpoints that were kept outside: a folder, or"
            " a file of lines as in a mail; without this, every folder of AUDIT_ANCHORS",
        )
        parser.add_argument(
            "--key", action="append", metavar="HEX", help="trust this public key, not AUDIT_SIGNING_KEY"
        )

    def handle(self, *, anchors: list[Path] | None, key: list[str] | None, **options: Any) -> None:
        try:
            self.verify(anchors, key)
        except CommandError as error:  # also for whoever reads the program's log and started nothing
            logger.error("auditverify: %s", error)
            raise

    def verify(self, anchors: list[Path] | None, key: list[str] | None) -> None:
        # before the head is read, which may move on meanwhile
        outside = _together([_kept_in(path) for path in anchors] if anchors else [*map(_kept_by, _folders())])
        head = ChainHead.objects.filter(pk=1).first()
        if head is None:
            raise CommandError("Entry 1: the head of the log is missing.")
        if type(head.number) is not int:
            raise CommandError("The head of the log names no number.")
        keys = key or _own_keys()
        number = Cast("number", BigIntegerField())  # what is no number is named below
        last, signed = Checkpoint.objects.order_by("-pk").values_list("pk", number).first() or (0, 0)
        upto = max(head.number, signed, *(checkpoint["number"] for checkpoint in outside.values()))
        try:
            _refuse_stray(below=1)
            whole = verify(
                evidence.rows(upto=upto),
                evidence.checkpoints(upto=last),
                keys=keys,
                vouchers=selectors.vouchers(),
                anchors=outside,
            )
            _compare(head, whole.entries, whole.hash)
            _refuse_stray()
            _refuse_gone()
            _refuse_unsigned(signed, is_copy=bool(key))
        except Broken as broken:
            raise CommandError(f"{broken}.") from None
        beside = f", {len(outside):,} of them beside what was kept outside" if outside else ""
        said = f"{whole.entries:,} entries and {whole.checkpoints:,} checkpoints are as they were written{beside}."
        self.stdout.write(self.style.SUCCESS(said))


def _own_keys() -> list[str]:
    try:
        return public_keys(settings.AUDIT_SIGNING_KEY)
    except ValueError:
        raise CommandError("AUDIT_SIGNING_KEY cannot be read: mend it, or name a public key with --key.") from None


def _refuse_stray(*, below: int | None = None) -> None:
    """What stands before the chain is the first bad entry, so it is looked for first; what stands behind it, last."""
    stray = evidence.stray()
    if stray is not None and (below is None or stray < below):
        raise Broken(stray, "it is not of the chain, whose entries are numbered from 1 to the head")


def _compare(head: ChainHead, number: int, last: str) -> None:
    if number < head.number:
        raise Broken(number + 1, "it is missing: the head of the log is further on")
    if number == head.number and head.hash != last:
        raise Broken(number, "it is not the one that the head of the log names")
    if number > head.number and not AuditEntry.objects.filter(pk=head.number, hash=head.hash).exists():
        raise Broken(head.number, "it is not the one that the head of the log names")


def _refuse_gone() -> None:
    if gone := selectors.gone_checkpoint():
        raise CommandError(f"Checkpoint {gone} was sent outside, and is not here any more.")


def _refuse_unsigned(signed: int, *, is_copy: bool) -> None:
    """Nothing but the chain holds what no checkpoint signs, and whoever has the database can hash that anew.

    So none may stand for long: until now, or in a copy, which is verified with the key that was given away, until the
    newest entry in it. Where the worker just started, it signs within a minute.
    """
    late = timedelta(minutes=2 * settings.AUDIT_CHECKPOINT_MINUTES)
    unsigned = AuditEntry.objects.filter(pk__gt=signed)
    times = unsigned.aggregate(first=Min("pk"), since=Min("at"), upto=Max("at"))
    if times["first"] and (times["upto"] if is_copy else timezone.now()) - times["since"] > late:
        before = "since the last checkpoint" if signed else "and there is no checkpoint"
        raise Broken(
            times["first"],
            f"nothing signs it, {before}, for more than {late.total_seconds() / 60:.0f} minutes: is the worker running",
        )


def _folders() -> list[str]:
    return [place for place in settings.AUDIT_ANCHORS if places.is_folder(place)]


def _kept_by(folder: str) -> dict[int, dict[str, Any]]:
    """What is in a folder of the settings: nothing is fine where nothing was brought there yet."""
    arrived = AnchorAttempt.objects.filter(key=places.key_of(folder), error="", checkpoint_id__gt=0)
    try:
        is_empty = not places.last_in(folder)
    except places.NotDelivered as error:
        raise CommandError(f"{folder} cannot be read: {error}.") from None
    return {} if is_empty and not arrived.exists() else _kept_in(Path(folder))


def _together(all_kept: list[dict[int, dict[str, Any]]]) -> dict[int, dict[str, Any]]:
    """All of them by id. Raises CommandError where two tell of different logs."""
    found: dict[int, dict[str, Any]] = {}
    for number, checkpoint in (item for one in all_kept for item in one.items()):
        if found.setdefault(number, checkpoint) != checkpoint:
            raise CommandError(f"What was kept outside tells of two logs: there are two of checkpoint {number}.")
    return found


def _kept_in(path: Path) -> dict[int, dict[str, Any]]:
    """By id. Raises CommandError for a folder or a file that cannot be read."""
    try:
        found = kept.read(str(path))
    except (OSError, *kept.UNREADABLE) as error:
        raise CommandError(f"{path} holds something that is no checkpoint: {type(error).__name__}.") from None
    if not found:
        raise CommandError(f"There are no checkpoints in {path}.")
    return found
