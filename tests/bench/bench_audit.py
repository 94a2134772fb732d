"""What an entry of the audit log costs beside a bare INSERT of the same row: each committed by itself.

Batches of one and of the other take turns, so that both meet the same machine; the median of the pairs counts.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import stage
from tests.bench.table import Line, say

BATCHES, BATCH = 60, 50


def measure(lane: str, folder: Path) -> None:
    stage.open_desk(folder)
    person = stage.seat("support")
    from django.db import connection

    from accounts.models import AuditEntry
    from accounts.services import audit

    def record() -> AuditEntry:
        return audit.record(
            action="tag.assign.succeeded", outcome="succeeded", actor=person, account=person.connection.account,
            target_kind="lead", target_id="4174086", target_name="Ada Moreno <ada.moreno@example.com>",
            before={"Tags": "customer"}, after={"Tags": "customer, vip"}, detail={"subject": "vip"},
        )  # fmt: skip

    made = record()
    with connection.cursor() as cursor:
        fields = [field for field in AuditEntry._meta.local_concrete_fields if not field.primary_key]
        row = [field.get_db_prep_save(getattr(made, field.attname), connection) for field in fields]
        names, places = ", ".join(field.column for field in fields), ", ".join(["%s"] * len(fields))
        sql = f"INSERT INTO {AuditEntry._meta.db_table} ({names}) VALUES ({places})"

        def insert() -> None:
            cursor.execute(sql, row)

        pairs = [(_seconds(record), _seconds(insert)) for _ in range(BATCHES)]
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    how = f"{BATCHES} batches of {BATCH} taking turns with as many INSERTs, each with its own commit"
    say(Line(f"audit: an entry written, to a bare INSERT of its row, {lane}", ratio, how, goal=3))


def _seconds(write: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(BATCH):
        write()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(stage.on_each_database(measure))
