"""What the audit log costs: an entry beside a bare INSERT of the same row, each committed by itself; and verifying it.

Batches of one and of the other take turns, so that both meet the same machine; the median of the pairs counts.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.bench import stage
from tests.bench.table import Line, say

BATCHES, BATCH = 60, 50
LOG, A_SECOND = 100_000, 50_000


def measure(lane: str, folder: Path) -> None:
    stage.open_desk(folder)
    person, manager = stage.seat("support"), stage.seat("manager")
    from django.db import connection

    from accounts.models import AuditEntry
    from accounts.services import audit

    def record() -> AuditEntry:
        return audit.record(
            action="tag.assign.succeeded", outcome="succeeded", actor=person, account=person.connection.account,
            target_kind="lead", target_id="4174086", target_name="Ada Moreno <ada.moreno@example.com>",
            before={"Tags": "customer"}, after={"Tags": "customer, vip"}, detail={"subject": "vip"},
        )  # fmt: skip

    made, numbers = record(), count(1)
    with connection.cursor() as cursor:
        fields = AuditEntry._meta.local_concrete_fields
        row = [field.get_db_prep_save(getattr(made, field.attname), connection) for field in fields]
        names, places = ", ".join(field.column for field in fields), ", ".join(["%s"] * len(fields))
        sql = f"INSERT INTO {_copied_form(cursor, connection.vendor)} ({names}) VALUES ({places})"

        def insert() -> None:
            cursor.execute(sql, [next(numbers), *row[1:]])

        pairs = [(_seconds(record), _seconds(insert)) for _ in range(BATCHES)]
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    how = f"{BATCHES} batches of {BATCH} taking turns with as many INSERTs, each with its own commit"
    say(Line(f"audit: an entry written, to a bare INSERT of its row, {lane}", ratio, how, goal=3))
    _verify(lane)
    _verify_export(lane, folder, manager)


def _copied_form(cursor: Any, vendor: str) -> str:
    """An empty table as the log's is, with its indexes and triggers: the log itself holds nothing but its chain."""
    log, copy = "accounts_auditentry", "copied_auditentry"
    made = [f"CREATE TABLE {copy} (LIKE {log} INCLUDING ALL)"]
    if vendor == "sqlite":
        cursor.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL ORDER BY type <> 'table'", [log]
        )
        made = [sql.replace("accounts_audit", "copied_audit") for (sql,) in cursor.fetchall()]
    for sql in made:
        cursor.execute(sql)
    return copy


def _seconds(write: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(BATCH):
        write()
    return time.perf_counter() - start


def _verify(lane: str) -> None:
    """Of a log that is as long as some months of a busy desk, by the clock: the desk and the database take turns on
    it, so where nobody else is at work these are the seconds of one core, for both together."""
    from accounts.evidence.chain import hash_of
    from accounts.evidence.verify import verify
    from accounts.models import AuditEntry, ChainHead
    from accounts.selectors import evidence
    from accounts.services import checkpoints

    last = AuditEntry.objects.order_by("pk").last()
    assert last
    entries, before, body = [], last.hash, last.body
    for number in range(last.pk + 1, LOG + 1):
        last.pk, last.body = number, body if number % 2 else json.dumps({"detail": {"number": number}})
        before = hash_of(last.as_evidence(), before)
        values = {field.attname: getattr(last, field.attname) for field in AuditEntry._meta.local_concrete_fields}
        entries.append(AuditEntry(**{**values, "hash": before}))
        if len(entries) == 5000 or number == LOG:
            AuditEntry.objects.bulk_create(entries)
            entries.clear()
            ChainHead.objects.update(number=number, hash=before)
            key = checkpoints.sign().key
    start = time.process_time(), time.perf_counter()
    whole = verify(evidence.rows(upto=LOG), evidence.checkpoints(upto=LOG), keys={key})
    ours, seconds = time.process_time() - start[0], time.perf_counter() - start[1]
    assert whole.entries == LOG
    how = (
        f"{LOG:,} entries from the database, {LOG / seconds:,.0f} a second by the clock, the database's own work "
        f"included: {ours / seconds:.0%} of the time was our process's; {A_SECOND:,} are 1"
    )
    say(Line(f"audit: entries verified in a second by the clock, {lane}", LOG / seconds / A_SECOND, how, 1, True))


def _verify_export(lane: str, folder: Path, person: Any) -> None:
    """The same log as a file, by the script alone."""
    from accounts.evidence import script
    from accounts.models import AuditEntry
    from accounts.services import exports, packs

    entries = AuditEntry.objects.filter(pk__lte=LOG)
    with (folder / "log.ndjson").open("wb") as file:
        file.writelines(exports.export(actor=person, entries=entries, words="everything", form="ndjson"))
    (folder / "verify.py").write_text(script.source())
    (folder / "keys.txt").write_text(packs.keys_text())
    command = [sys.executable, "-I", "verify.py", "log.ndjson", "keys.txt"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    how = f"{LOG:,} entries of an export, by verify.py from its start, in CPU time; {A_SECOND:,} are 1"
    what = f"audit: entries of an export verified in a second of one core, {lane}"
    say(Line(what, LOG / seconds / A_SECOND, how, 1, at_least=True))


if __name__ == "__main__":
    sys.exit(stage.on_each_database(measure))
