"""An import at work: every line is looked at before the first goes into the directory, some hundred at a time.

Each batch is one transaction with its lines' outcomes, under the lock of the import's row. So it can be killed
anywhere: what was kept is told of, what is told of was kept, and nothing is done twice.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, User
from accounts.services import access, audit
from kartra_admin.lib.errors import AppError, Conflict
from leads.models import Entry, Import, ImportRow
from leads.services import _queue, directory
from leads.services.imports.columns import FIELDS, BadLine, read_line
from leads.services.imports.staging import delete_rows, remove

_AT_ONCE = 200
_BREATH = 0.25  # of the time that a batch took: others want to write too, and SQLite has one writer
_LEASE = timedelta(seconds=30)
_KEPT = timedelta(days=30)
_STATE = Import.State


def start(*, actor: User, source: Import, matched: Mapping[str, int], take_good: bool) -> None:
    """Begin. Raises `AppError` for columns that name no lead, `Conflict` where it was begun before."""
    access.require(actor, "directory.import")
    if not {"lead_id", "email"} & set(matched):
        raise AppError("Choose which column is the email or the lead id: without one, leads cannot be told apart.")
    known = {field: position for field, position in matched.items() if field in FIELDS}
    with transaction.atomic():
        waiting = Import.objects.filter(pk=source.pk, state=_STATE.MATCHING)
        if not waiting.update(state=_STATE.CHECKING, matched=known, take_good=take_good):
            raise Conflict("This import has already been started.")
        Import.objects.filter(pk=source.pk).update(failed=source.rows.filter(outcome="failed").count())
        _log("import.start.requested", "requested", actor, source, {})
    _queue.run_import(source.pk)


def work(source_id: int, *, seconds: float = 5.0) -> bool:
    """Go on with an import for some seconds, unless somebody else is at it. Whether there is more to do."""
    if not _lease(source_id):
        return False
    until = time.monotonic() + seconds
    while (started := time.monotonic()) < until:
        if not _step(source_id):
            return False
        time.sleep(_BREATH * (time.monotonic() - started))
    Import.objects.filter(pk=source_id).update(leased_until=None)
    return True


def sweep() -> None:
    """Nudge what a killed worker left behind."""
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    for pk in Import.objects.filter(free, state__in=(_STATE.CHECKING, _STATE.RUNNING)).values_list("pk", flat=True):
        _queue.run_import(pk)


def prune() -> None:
    """Forget files that nobody started, and lines of what is over; the key of a file goes with its last line."""
    now = timezone.now()
    for source in Import.objects.filter(state=_STATE.READING, created_at__lt=now - timedelta(hours=1)):
        remove(source)
    for source in Import.objects.filter(state=_STATE.MATCHING, created_at__lt=now - _KEPT):
        remove(source)
    for source in Import.objects.filter(state__in=(_STATE.DONE, _STATE.REFUSED)):
        rows = source.rows.all()
        is_old = (source.finished_at or now) < now - _KEPT
        delete_rows(rows if is_old else rows.exclude(outcome="failed"))
        if is_old and source.whose and not source.whose.is_forgotten:
            subjects.destroy([source.whose.pk])


def _lease(source_id: int) -> bool:
    now = timezone.now()
    free = Import.objects.filter(Q(leased_until=None) | Q(leased_until__lte=now), pk=source_id)
    return bool(free.filter(state__in=(_STATE.CHECKING, _STATE.RUNNING)).update(leased_until=now + _LEASE))


def _step(source_id: int) -> bool:
    """One batch. Whether there is more to do."""
    with transaction.atomic():
        source = Import.objects.select_for_update().select_related("account", "actor").get(pk=source_id)
        if source.state == _STATE.CHECKING:
            is_over = not _check(source) and _conclude_checking(source)
        elif source.state == _STATE.RUNNING:
            is_over = not _take(source) and _finish(source)
        else:
            is_over = True
        if not is_over:
            Import.objects.filter(pk=source_id).update(leased_until=timezone.now() + _LEASE)
    if is_over:
        delete_rows(source.rows.exclude(outcome="failed"))
    return not is_over


# Looking at the lines


def _check(source: Import) -> bool:
    """Look at the next lines. False where there is none."""
    rows = _next(source, "")
    for row in rows:
        _read(row, source.matched)
    for find in (_two_leads, _doubles):
        for row, sentence in find(source, [row for row in rows if not row.outcome]):
            row.outcome, row.sentence = "failed", sentence
    for row in rows:
        row.outcome = row.outcome or "good"
    _save(rows, ["lead_id", "email_digest", "outcome", "sealed"])
    failed = sum(row.outcome == "failed" for row in rows)
    Import.objects.filter(pk=source.pk).update(failed=F("failed") + failed, good=F("good") + len(rows) - failed)
    return bool(rows)


def _next(source: Import, outcome: str) -> list[ImportRow]:
    """The next lines that stand so, opened with the file's key: it is the same for all."""
    rows = list(source.rows.filter(outcome=outcome).select_related(None).order_by("line")[:_AT_ONCE])
    for row in rows:
        row.whose = source.whose
    return rows


def _read(row: ImportRow, matched: Mapping[str, int]) -> None:
    try:
        met = read_line(row.cells, matched)
    except BadLine as error:
        row.outcome, row.sentence = "failed", f"This line {error}"[:300]
    else:
        row.lead_id, row.email = met.lead_id, met.email or ""
        row.email_digest = subjects.digest_of(met.email) if met.email else ""


def _doubles(source: Import, rows: Sequence[ImportRow]) -> list[tuple[ImportRow, str]]:
    """Lines about a lead that a line above names already."""
    ids, emails = {row.lead_id for row in rows} - {""}, {row.email_digest for row in rows} - {""}
    above = source.rows.filter(Q(lead_id__in=ids) | Q(email_digest__in=emails), outcome="good").order_by("line")
    seen: dict[tuple[str, str], int] = {}
    found = []
    for row in (*above, *rows):
        names = [(kind, name) for kind, name in (("id", row.lead_id), ("email", row.email_digest)) if name]
        first = next((seen[name] for name in names if name in seen), None)
        if first is not None and not row.outcome:
            found.append((row, f"Line {first:,} already names this lead."))
            continue
        for name in names:
            seen.setdefault(name, row.line)
    return found


def _two_leads(source: Import, rows: Sequence[ImportRow]) -> list[tuple[ImportRow, str]]:
    """Lines whose email belongs to another lead than their id, as far as the directory knows."""
    emails = {row.email for row in rows if row.lead_id and row.email}
    known = Entry.objects.filter(account=source.account, email__in=emails, gone_at=None).exclude(lead_id=None)
    owner = {email: lead_id for email, lead_id in known.values_list("email", "lead_id") if lead_id}
    return [
        (row, f"The email {row.email} belongs to lead #{owner[row.email]}, not to #{row.lead_id}."[:300])
        for row in rows
        if row.lead_id and owner.get(row.email, row.lead_id) != row.lead_id
    ]


def _conclude_checking(source: Import) -> bool:
    """All lines were looked at. Whether that is the end."""
    source.refresh_from_db()
    if source.good and (source.take_good or not source.failed):
        Import.objects.filter(pk=source.pk).update(state=_STATE.RUNNING)
        return False
    source.sentence = (
        f"{source.failed:,} of {source.total:,} lines cannot be used, and you chose all or nothing."
        if source.good
        else "No line can be used. Check how the columns are matched."
    )
    _close(source, _STATE.REFUSED)
    _log("import.start.failed", "failed", source.actor, source, {"sentence": source.sentence})
    return True


# Into the directory


def _take(source: Import) -> bool:
    """Put the next good lines into the directory. False where there is none."""
    rows = _next(source, "good")
    if not rows:
        return False
    met = [read_line(row.cells, source.matched) for row in rows]
    for row, told in zip(rows, met, strict=True):
        row.email = told.email or ""
    outcomes = directory.remember_rows(source.account, met, at=timezone.now())
    counts = {}
    for outcome in ("new", "changed", "same"):
        pks = [row.pk for row, became in zip(rows, outcomes, strict=True) if became == outcome]
        ImportRow.objects.filter(pk__in=pks).update(outcome=outcome)
        counts[outcome] = F(outcome) + len(pks)
    Import.objects.filter(pk=source.pk).update(**counts)
    _call_unread(source.account, [row for row, became in zip(rows, outcomes, strict=True) if became == "changed"])
    return True


def _call_unread(account: Account, rows: Sequence[ImportRow]) -> None:
    """What a file changed is no longer as it was read, so it says that it was not, and is read before others."""
    if rows:
        ids, emails = {row.lead_id for row in rows} - {""}, {row.email for row in rows if not row.lead_id}
        named = Q(lead_id__in=ids) | Q(email__in=emails)
        Entry.objects.filter(named, account=account).update(lead_read_at=None)


def _finish(source: Import) -> bool:
    source.refresh_from_db()
    _close(source, _STATE.DONE)
    counts = {name: getattr(source, name) for name in ("new", "changed", "same", "failed")}
    _log("import.start.succeeded", "succeeded", source.actor, source, counts)
    return True


def _close(source: Import, state: Import.State) -> None:
    source.state, source.finished_at, source.leased_until = state, timezone.now(), None
    source.save(update_fields=["state", "finished_at", "leased_until", "sentence"])


def _save(rows: Sequence[ImportRow], fields: list[str]) -> None:
    ImportRow.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def _log(action: str, outcome: str, actor: User, source: Import, detail: Mapping[str, object]) -> None:
    audit.record(
        action=action,
        outcome=outcome,
        actor=actor,
        account=source.account,
        target_kind="import",
        target_id=str(source.pk),
        target_name=source.called,
        detail=detail,
    )
