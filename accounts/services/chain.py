"""Appending to the audit log: each entry gets the next number, and a hash over itself and the one before it."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, transaction

from accounts.evidence.chain import START, hash_of
from accounts.models import AuditEntry, ChainHead, Subject


def append(entry: AuditEntry, told: Mapping[str, Any], subject: Subject | None = None) -> AuditEntry:
    """Write the entry at the end of the log, ``told`` sealed under the subject's key where there is one.

    The head stays locked until the caller's transaction ends, so that numbers have no gaps, whatever rolls back. An
    entry is therefore the last thing that a transaction writes: everybody takes his own locks first, this one last.
    """
    body = json.dumps(told, cls=DjangoJSONEncoder, separators=(",", ":"))
    with transaction.atomic():
        head = ChainHead.objects.select_for_update().get(pk=1)
        entry.pk = head.number + 1
        entry.subject = subject
        entry.body = subject.seal(body, bound_to=entry.sealed_for) if subject else body
        entry.hash = hash_of(entry.as_evidence(), head.hash)
        entry.save(force_insert=True)
        ChainHead.objects.filter(pk=1).update(number=entry.pk, hash=entry.hash)
    return entry


def lay_head(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: an empty log has a head. One that has entries had it from the first of them."""
    if ChainHead._meta.db_table not in connections[using].introspection.table_names():
        return
    if not ChainHead.objects.exists() and not AuditEntry.objects.exists():
        ChainHead.objects.get_or_create(pk=1, defaults={"number": 0, "hash": START})
