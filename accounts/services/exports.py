"""Bringing the log out of the desk: as a file to read or to verify, each with its entries in the log."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from accounts.evidence.chain import as_text
from accounts.evidence.checkpoints import private_key
from accounts.evidence.exported import Writer
from accounts.models import AuditEntry, ChainHead, Checkpoint, User
from accounts.models.audit import AuditEntries
from accounts.selectors import exports as selectors
from accounts.selectors.checkpoints import vouchers
from accounts.selectors.exports import Scope
from accounts.services import access, audit, checkpoints
from kartra_admin.lib import context, spreadsheet
from kartra_admin.lib.errors import AppError, BadRequest

FORMATS = {"ndjson": "NDJSON", "csv": "CSV"}
HEAD = (
    "No.", "Time", "Person", "Role at the time", "Action", "What", "Outcome", "About", "Id", "Kartra account", "Amount",
    "Before", "After", "Details", "Operation", "Address", "Request", "Hash",
)  # fmt: skip


# Each has a dozen hashes or two; for each lot all hashes that the checkpoint signed are read once.
_PROVED_AT_ONCE = 10_000


@dataclass
class _Given:
    """How many entries have been handed out."""

    rows: int = 0


def export(*, actor: User, entries: AuditEntries, words: str, form: str) -> Iterator[bytes]:
    """The entries as a file of one of `FORMATS`, line by line. ``words`` say which, without a value of a lead.

    That it was asked for is in the log before, what became of it when the last line was taken, or no more were. Raises
    `Denied`.
    """
    access.require(actor, "audit.export")
    scope = selectors.scope_of(entries, words)
    if form == "ndjson":
        sign_upto(scope.last)
    detail = {"filters": words, "format": FORMATS[form]}
    audit.record(
        action="audit.export.requested", outcome="requested", actor=actor, detail={**detail, "rows": scope.count}
    )
    given = _Given()
    text = lines(scope, given=given) if form == "ndjson" else spreadsheet.lines(_table(scope, given))
    return _Logged(text, given, actor, detail)


def refuse(actor: User, why: str) -> NoReturn:
    """Write down that nothing was exported, and raise `BadRequest`."""
    audit.record(action="audit.export.denied", outcome="denied", actor=actor, detail={"why": why})
    raise BadRequest(why)


def sign_upto(number: int) -> None:
    """See to it that checkpoints cover all entries up to this one. Raises `AppError` where the chain ends before it.

    Who signs at the same second may have read the head earlier, and then it is signed once more.
    """
    if number > ChainHead.objects.get(pk=1).number:
        raise AppError(
            f"Entry {number} is beyond the end of the log's chain, so nothing can prove it, and nothing was exported. "
            "Ask whoever runs this desk to run auditverify."
        )
    last = Checkpoint.objects.order_by("-pk").first()
    while number and (last is None or last.number < number):
        last = checkpoints.sign()


def lines(
    scope: Scope, *, given: _Given | None = None, files: Mapping[str, str] | None = None, prove_all: bool = False
) -> Iterator[str]:
    """NDJSON, see `evidence.exported`. Where no number is left out the last entry has its proof, to which all others
    lead; else, or with ``prove_all``, each has its own: a row that was rewritten then shows, wherever it stands.

    ``files`` are those which come with it: name and SHA-256.
    """
    writer, given = Writer(), given or _Given()
    newest = Checkpoint.objects.order_by("-pk").first()
    yield writer.header(
        {
            "desk": settings.SITE_URL,
            "about": scope.words,
            "at": as_text(timezone.now()),
            "first": scope.first,
            "last": scope.last,
            "count": scope.count,
            "files": dict(files or {}),
            "vouchers": vouchers(),
            "newest": newest.as_evidence() if newest else None,
        }
    )
    above, proofs, upto = 0, {}, 0
    for entry, before, checkpoint in selectors.covered(scope):
        if checkpoint.pk != above:
            above, upto = checkpoint.pk, 0
            yield writer.checkpoint(checkpoint.as_evidence())
        if entry.pk > upto and (numbers := _to_prove(scope, checkpoint, entry.pk, prove_all)):
            proofs, upto = selectors.proofs_of(numbers, checkpoint), numbers[-1]
        sentence, told = _opened(entry)
        yield writer.entry(
            entry.as_evidence(), before, entry.hash, proof=proofs.get(entry.pk), sentence=sentence, told=told
        )
        given.rows += 1
    yield writer.end(private_key(settings.AUDIT_SIGNING_KEY))


def _to_prove(scope: Scope, checkpoint: Checkpoint, number: int, prove_all: bool) -> list[int]:
    """Those from this number on whose proofs by the checkpoint are to be had next, in order: not too many at once."""
    if not prove_all and scope.count == scope.last - scope.first + 1:
        return [scope.last]
    covered = scope.entries.filter(pk__gte=number, pk__lte=min(scope.last, checkpoint.number)).order_by("pk")
    return list(covered.values_list("pk", flat=True)[:_PROVED_AT_ONCE])


def _opened(entry: AuditEntry) -> tuple[str, str]:
    """What it says in words, and what is told of it as JSON. An entry that somebody spoilt goes out as it is stored."""
    try:
        told = json.dumps(entry.told, cls=DjangoJSONEncoder, separators=(",", ":"))
        return entry.sentence, told if entry.subject_id else entry.body.encode("ascii").decode()
    except (ValueError, TypeError, KeyError):
        return "This entry cannot be read", "null"


def _table(scope: Scope, given: _Given) -> Iterator[list[str]]:
    yield list(HEAD)
    for entry, _ in selectors.rows(scope):
        given.rows += 1
        yield _row(entry)


def _row(entry: AuditEntry) -> list[str]:
    states = entry.states
    return [
        str(entry.pk),
        f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S %Z}",
        entry.who,
        entry.actor_role_label,
        entry.action,
        entry.sentence,
        entry.get_outcome_display(),
        entry.target_name,
        entry.about_id,
        entry.account_name,
        "" if entry.amount is None else f"{entry.amount:.2f}",
        "; ".join(f"{state.label}: {state.before}" for state in states if state.before),
        "; ".join(f"{state.label}: {state.after}" for state in states if state.after),
        "; ".join(f"{name}: {text}" for name, text in entry.details),
        str(entry.operation_id or ""),
        entry.ip,
        entry.request_id,
        entry.hash,
    ]


class _Logged(Iterator[bytes]):
    """The text as bytes, and an entry once it was taken to its end, broke, or was left: the server calls ``close``.

    No generator: one that is left alone wakes up wherever memory is tidied, be it amid a query on the connection that
    its entry needs.
    """

    def __init__(self, text: Iterable[str], given: _Given, actor: User, detail: dict[str, Any]) -> None:
        self._text, self._given, self._actor, self._detail = iter(text), given, actor, detail
        self._digest, self._is_over = hashlib.sha256(), False
        self._asked = context.current.get()  # it is over after the request

    def __next__(self) -> bytes:
        try:
            data = next(self._text).encode()
        except StopIteration:
            self._end("succeeded")
            raise
        except BaseException:
            self._end("failed")
            raise
        self._digest.update(data)
        return data

    def close(self) -> None:
        self._end("failed")

    def _end(self, outcome: str) -> None:
        if self._is_over:
            return
        self._is_over, self._text = True, iter(())  # the rows are let go of here, not whenever memory is tidied
        sha256 = {"sha256": self._digest.hexdigest()} if outcome == "succeeded" else {}
        kept = {**self._detail, "rows": self._given.rows, **sha256}
        with context.asking(self._asked.ip, self._asked.request_id, self._asked.path):
            audit.record(action=f"audit.export.{outcome}", outcome=outcome, actor=self._actor, detail=kept)
