"""``manage.py auditverify``: whether the audit log is as it was written. Ends with 1, and names the first bad entry."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.evidence.checkpoints import is_signed
from accounts.evidence.verify import Broken, verify
from accounts.models import AuditEntry, ChainHead, Checkpoint, SigningKey
from accounts.selectors import evidence


class Command(BaseCommand):
    help = "Check every entry of the audit log, its chain, and the checkpoints that signed it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--anchors", type=Path, metavar="FOLDER", help="checkpoints that were kept outside")
        parser.add_argument(
            "--key", action="append", metavar="HEX", help="trust this public key only, not those in the database"
        )

    def handle(self, *, anchors: Path | None, key: list[str] | None, **options: Any) -> None:
        kept = _kept_in(anchors) if anchors else {}  # before the head is read, which may move on meanwhile
        head = ChainHead.objects.filter(pk=1).first()
        if head is None:
            raise CommandError("Entry 1: the head of the log is missing.")
        keys = key or list(SigningKey.objects.values_list("public", flat=True))
        upto = max(head.number, *(checkpoint["number"] for checkpoint in kept.values()), 0)
        last = Checkpoint.objects.order_by("-pk").first()
        upto = max(upto, last.number if last else 0)
        try:
            _refuse_stray(below=1)
            whole = verify(
                evidence.rows(upto=upto), evidence.checkpoints(upto=upto), keys=frozenset(keys), anchors=kept
            )
            _compare(head, whole.entries, whole.hash)
            _refuse_stray()
        except Broken as broken:
            raise CommandError(f"{broken}.") from None
        beside = f", {len(kept):,} of them beside what was kept outside" if anchors else ""
        said = f"{whole.entries:,} entries and {whole.checkpoints:,} checkpoints are as they were written{beside}."
        self.stdout.write(self.style.SUCCESS(said))


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


def _kept_in(folder: Path) -> dict[int, dict[str, Any]]:
    """By id. Raises CommandError for a folder or a file that cannot be read."""
    try:
        found = [json.loads(path.read_text()) for path in sorted(folder.glob("checkpoint-*.json"))]
        kept = {int(checkpoint["id"]): checkpoint for checkpoint in found}
        if not all(isinstance(checkpoint["number"], int) and is_signed(checkpoint) for checkpoint in found):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{folder} holds something that is no checkpoint: {type(error).__name__}.") from None
    if not kept:
        raise CommandError(f"There are no checkpoints in {folder}.")
    return kept
