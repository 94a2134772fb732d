"""The account's custom fields."""

import json
import re
from typing import Any

from leads.providers.kartra.sandbox.commands.leads import BLANK
from leads.providers.kartra.sandbox.desk import Desk, done, text, values
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array

TEXTS = ("input_field", "text_area")
CHOICES = ("drop_down", "radio_button", "checkbox")


def create_custom_field(desk: Desk, params: Array) -> dict[str, Any]:
    identifier, kind = text(params, "custom_field_identifier"), text(params, "custom_field_type")
    if not identifier:
        raise Declined(265)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", identifier):
        raise Declined(263)
    taken = desk.db.execute(
        "SELECT 1 FROM fields WHERE account_id = ? AND lower(identifier) = ?", (desk.account_id, identifier.lower())
    ).fetchone()
    if taken or identifier.lower() in BLANK:
        raise Declined(264)
    if kind not in TEXTS + CHOICES:
        raise Declined(269)
    options = _options(params) if kind in CHOICES else []
    desk.db.execute(
        "INSERT INTO fields (account_id, identifier, kind, options) VALUES (?, ?, ?, ?)",
        (desk.account_id, identifier, kind, json.dumps(options)),
    )
    return done("Custom Field created", 114)


def _options(params: Array) -> list[str]:
    entries = values(params.get("custom_field_options", {}))
    if entries is None:
        raise Declined(270)
    options = [text(entry, "option_name") if isinstance(entry, dict) else "" for entry in entries]
    if not all(options):
        raise Declined(272)
    if len(options) < 2:
        raise Declined(273)
    return options


def retrieve_custom_fields(desk: Desk, params: Array) -> dict[str, Any]:
    fields = []
    for row in desk.db.execute("SELECT * FROM fields WHERE account_id = ? ORDER BY id", (desk.account_id,)):
        field: dict[str, Any] = {
            "field_id": str(row["id"]),
            "field_identifier": row["identifier"],
            "field_type": row["kind"],
        }
        if row["kind"] in CHOICES:
            field["field_value"] = [
                {"option_id": str(number), "option_value": option}
                for number, option in enumerate(json.loads(row["options"]), 1)
            ]
        fields.append(field)
    return {"status": "Success", "custom_fields": fields}
