"""Seal what is kept of people already, each under a key of that person's own."""

import json
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import migrations

from accounts import seals, subjects

_AT_ONCE = 500
# Each model, what of it is sealed, and where the seal belongs, as the model itself says it.
_MODELS = {
    "Operation": (("lead_name", "lead_email", "note"), "operation:{0.pk}"),
    "OperationStep": (
        ("subject", "asked", "before", "after", "inverse", "words", "sentence"),
        "step:{0.operation_id}:{0.position}",
    ),
    "Approval": (("lead_name", "lead_email", "asked", "note", "figures", "decision_note"), "approval:{0.pk}"),
    "PlaybookRun": (("steps", "lead_name", "lead_email", "note", "closed_note"), "run:{0.pk}"),
    "Recent": (("name", "email"), "recent:{0.account_id}:{0.user_id}:{0.lead_id}"),
    "Note": (("text",), "note:{0.account_id}:{0.lead_id}:{0.author_id}"),
    "Event": (("about",), "event:{0.account_id}:{0.digest}"),
    "Job": (("left_out",), "job:{0.pk}"),
    "JobLead": (("email", "name", "sentence"), "job lead:{0.job_id}:{0.position}"),
    "Import": (("columns",), "import:{0.key_name}"),
    "ImportRow": (("cells", "sentence"), "import line:{0.source_id}:{0.line}"),
}
_ABOVE = {"OperationStep": "operation", "JobLead": "job", "ImportRow": "source"}


def seal(apps: Any, schema_editor: Any) -> None:
    subjects.lay_index_key(using=schema_editor.connection.alias)
    for name, (fields, place) in _MODELS.items():
        model = apps.get_model("leads", name)
        rows = model.objects.select_related(*filter(None, [_ABOVE.get(name)])).order_by("pk")
        batch = []
        for row in rows.iterator(_AT_ONCE):
            _seal(name, row, fields, place)
            batch.append(row)
            if len(batch) == _AT_ONCE:
                _write(model, batch)
                batch = []
        _write(model, batch)
    _found.cache_clear()


def _write(model: Any, rows: list[Any]) -> None:
    also = {
        "Event": ["sealed_body"], "Import": ["key_name"], "ImportRow": ["email_digest"], "PlaybookRun": ["is_closed"]
    }.get(model.__name__, [])  # fmt: skip
    if rows:
        model.objects.bulk_update(rows, ["whose_id", "sealed", *also], batch_size=100)


def _seal(name: str, row: Any, fields: tuple[str, ...], place: str) -> None:
    if name == "Import":
        row.key_name = uuid.uuid4()
    if name == "PlaybookRun":
        row.is_closed = row.ended_at is not None and bool(row.closed_note)
    if name == "ImportRow" and row.email:
        row.email_digest = subjects.digest_of(row.email)
    values = {field: getattr(row, field) for field in fields}
    kept = {field: value for field, value in values.items() if value not in ("", None, [], {})}
    if not kept and name != "Event":
        return
    subject = _subject(name, row)
    row.whose_id = subject.pk
    bound_to = place.format(row)
    row.sealed = subject.seal(json.dumps(kept, cls=DjangoJSONEncoder), bound_to=bound_to) if kept else ""
    if name == "Event":
        body = seals.keyring().open(row.sealed_body, bound_to=bound_to)
        row.sealed_body = subject.seal(body, bound_to=f"{bound_to}:body")


def _subject(name: str, row: Any) -> Any:
    """As `new_whose` of the model finds it."""
    above = getattr(row, _ABOVE[name]) if name in _ABOVE else row
    lead_id = above.lead_id if name == "OperationStep" else getattr(row, "lead_id", "")
    if lead_id and name != "ImportRow":
        return _found("lead", above.account_id, lead_id)
    if name in ("Operation", "OperationStep"):
        return _found("operation", above.pk)
    many = {"Event": "events:{0.account_id}", "Job": "job:{0.pk}", "JobLead": "job:{0.pk}"}.get(
        name, "import:{0.key_name}"
    )
    return _found("many", many.format(above))


_MAKE: dict[str, Callable[..., Any]] = {
    "lead": subjects.of_lead, "operation": subjects.of_operation, "many": subjects.of_many
}  # fmt: skip


@lru_cache(maxsize=1000)  # of the last few people only, for there may be a hundred thousand
def _found(kind: str, *of: Any) -> Any:
    return _MAKE[kind](*of)


class Migration(migrations.Migration):
    dependencies = [("leads", "0013_sealed")]

    operations = [migrations.RunPython(seal)]
