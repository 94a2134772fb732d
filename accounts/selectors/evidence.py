"""The log as evidence: rows as they stand in the chain, straight from the table, a few at a time."""

from collections.abc import Iterator

from django.db import connection
from django.db.models import Q, Subquery

from accounts.evidence.chain import FIELDS
from accounts.evidence.verify import Row
from accounts.models import AuditEntry, ChainHead, Checkpoint

_AT_ONCE = 2000
_OTHERWISE = {
    "sqlite": {
        "at": "substr(at, 1, 10) || 'T' || substr(at, 12, 8) || '.' || substr(substr(at, 21) || '000000', 1, 6) || 'Z'",
        "operation_id": "substr(operation_id, 1, 8) || '-' || substr(operation_id, 9, 4) || '-' ||"
        " substr(operation_id, 13, 4) || '-' || substr(operation_id, 17, 4) || '-' || substr(operation_id, 21)",
        "amount": "CASE WHEN amount IS NOT NULL THEN printf('%.2f', amount) END",
    },
    "postgresql": {
        "at": """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
        "operation_id": "operation_id::text",
        "amount": "amount::text",
    },
}


def rows(*, after: int = 0, upto: int) -> Iterator[Row]:
    """The entries of these numbers in order. The database writes times, ids and amounts as the chain has them."""
    columns = ", ".join(_OTHERWISE[connection.vendor].get(name, name) for name in FIELDS)
    select = f"SELECT {columns}, hash FROM {AuditEntry._meta.db_table}"  # noqa: S608 (constants)
    while after < upto:
        with connection.cursor() as cursor:
            cursor.cursor.execute(
                f"{select} WHERE id > {int(after)} AND id <= {int(upto)} ORDER BY id LIMIT {_AT_ONCE}"
            )
            found = cursor.fetchall()
        for row in found:
            yield dict(zip(FIELDS, row, strict=False)), row[-1]
        if len(found) < _AT_ONCE:
            return
        after = found[-1][0]


def stray() -> int | None:
    """The first entry whose number the chain never gave: below 1, or beyond the head as it is when that is asked."""
    head = Subquery(ChainHead.objects.filter(pk=1).values("number"))
    for outside in (Q(pk__lt=1), Q(pk__gt=head)):
        found = AuditEntry.objects.filter(outside).order_by("pk").values_list("pk", flat=True).first()
        if found is not None:
            return found
    return None


def checkpoints(*, upto: int) -> Iterator[dict[str, object]]:
    """Those that sign no more than this entry, in order."""
    for checkpoint in Checkpoint.objects.filter(number__lte=upto).order_by("pk").iterator(500):
        yield checkpoint.as_evidence()
