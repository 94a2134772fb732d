"""Reading, searching, making and editing leads."""

import json
import sqlite3
from typing import Any

from leads.providers.kartra.sandbox.desk import Desk, find_lead, text, values
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array, Value
from leads.providers.kartra.sandbox.state import NO_DATE, stamp

WRITABLE = (
    "phone", "phone_country_code", "first_name", "middle_name", "last_name", "last_name2", "ip", "address", "zip",
    "city", "state", "country", "company", "lead_picture", "website", "facebook", "twitter", "linkedin",
    "lead_preferred_time_zone", "sales_tax_id", "business_type",
)  # fmt: skip

# Every fact of a lead in the order of the answer, as it stands on a lead of which nothing is known.
BLANK = {
    "id": "", "first_name": "", "middle_name": "", "last_name": "", "last_name2": "", "email": "", "date_joined": "",
    "phone_country_code": "", "phone": "", "ip": "", "address": "", "zip": "", "city": "", "state": "", "country": "",
    "company": "", "lead_picture": "", "score": "0", "source": "api", "source_id": "0", "ip_country": "", "website": "",
    "facebook": "", "twitter": "", "linkedin": "", "lead_preferred_time_zone": "", "sales_tax_id": "",
    "business_type": "0", "notes": "", "referring_id": "0", "blacklisted": "0", "lead_deleted": "0",
    "lead_deleted_date": NO_DATE, "gdpr_lead_status": "1", "gdpr_lead_status_date": "", "gdpr_lead_status_ip": "",
    "gdpr_lead_communications": "0",
}  # fmt: skip


def get_lead(desk: Desk, wanted: Array) -> dict[str, Any]:
    row = find_lead(desk, wanted, missing=234)
    facts = json.loads(row["facts"])
    facts["score"] = str(int(facts["score"]) - _expired_points(desk, row["id"]))
    details = {
        **facts,
        "custom_fields": _custom_fields(desk, json.loads(row["custom"])),
        "tags": _rows(
            desk,
            "SELECT tag_id, name AS tag_name FROM lead_tags JOIN tags ON tags.id = tag_id"
            " WHERE lead_id = ? ORDER BY tag_id",
            row["id"],
        ),
        "lists": _rows(
            desk,
            "SELECT list_id, name AS list_name, active FROM lead_lists JOIN lists ON lists.id = list_id"
            " WHERE lead_id = ?",
            row["id"],
        ),
        "sequences": _rows(
            desk,
            "SELECT sequence_id, name AS sequence_name, step, status FROM lead_sequences"
            " JOIN sequences ON sequences.id = sequence_id WHERE lead_id = ?",
            row["id"],
        ),
        "memberships": _rows(
            desk,
            "SELECT levels.membership_id, membership_name, level_id, levels.name AS level_name, active FROM lead_levels"
            " JOIN levels ON levels.membership_id = lead_levels.membership_id AND levels.id = level_id"
            " WHERE lead_id = ?",
            row["id"],
        ),
        "surveys": _rows(
            desk,
            "SELECT survey_id, name AS survey_name, kind AS survey_type, score AS survey_score,"
            " seconds AS survey_completion_time FROM lead_surveys JOIN surveys ON surveys.id = survey_id"
            " WHERE lead_id = ?",
            row["id"],
        ),
    }
    return {"status": "Success", "lead_details": details}


def search_lead(desk: Desk, params: Array) -> dict[str, Any]:
    return {"status": "Success", "lead_details": {"id": str(desk.lead_id)}}


def create_lead(desk: Desk, params: Array) -> dict[str, Any]:
    email = text(desk.lead, "email")
    if not email:
        raise Declined(206)
    if desk.test_mode:
        email = _test_address(email)
    taken = _holder(desk, email)
    if taken is not None:
        raise Declined(245 if taken["deleted"] else 244)
    custom = _apply_custom_fields(desk, {})
    now = stamp(desk.now)
    number = (desk.db.execute("SELECT max(id) FROM leads").fetchone()[0] or 0) + 1
    facts = {**BLANK, "date_joined": now, "gdpr_lead_status_date": now}
    facts.update(_written(desk), id=str(number), email=email)
    desk.db.execute(
        "INSERT INTO leads (id, account_id, email_key, facts, custom, deleted) VALUES (?, ?, ?, ?, ?, 0)",
        (number, desk.account_id, email.lower(), json.dumps(facts), json.dumps(custom)),
    )
    desk.lead_id = number
    return {"status": "Success", "lead_details": {"id": str(number)}}


def edit_lead(desk: Desk, params: Array) -> dict[str, Any]:
    row = desk.db.execute("SELECT * FROM leads WHERE id = ?", (desk.lead_id,)).fetchone()
    facts = json.loads(row["facts"])
    facts.update(_written(desk))
    new_email = text(desk.lead, "new_email") if text(desk.lead, "id") else ""
    if new_email:
        if desk.test_mode:
            new_email = _test_address(new_email)
        taken = _holder(desk, new_email)
        if taken is not None and taken["id"] != row["id"]:
            raise Declined(245 if taken["deleted"] else 244)
        facts["email"] = new_email
    custom = _apply_custom_fields(desk, json.loads(row["custom"]))
    desk.db.execute(
        "UPDATE leads SET email_key = ?, facts = ?, custom = ? WHERE id = ?",
        (facts["email"].lower(), json.dumps(facts), json.dumps(custom), row["id"]),
    )
    return {"status": "Success", "lead_details": {"id": str(row["id"])}}


def _rows(desk: Desk, query: str, lead_id: int) -> list[dict[str, str]]:
    return [{key: str(row[key]) for key in row.keys()} for row in desk.db.execute(query, (lead_id,))]  # noqa: SIM118


def _expired_points(desk: Desk, lead_id: int) -> int:
    query = "SELECT total(points) FROM points WHERE lead_id = ? AND expires_at <= ?"
    return int(desk.db.execute(query, (lead_id, stamp(desk.now))).fetchone()[0])


def _holder(desk: Desk, email: str) -> sqlite3.Row | None:
    query = "SELECT id, deleted FROM leads WHERE account_id = ? AND email_key = ?"
    row: sqlite3.Row | None = desk.db.execute(query, (desk.account_id, email.lower())).fetchone()
    return row


def _test_address(email: str) -> str:
    return email.partition("@")[0] + "@kartra.com"


def _written(desk: Desk) -> dict[str, str]:
    """The writable facts that were sent; an empty text clears."""
    sent = {key: desk.lead[key] for key in WRITABLE if key in desk.lead}
    return {key: value for key, value in sent.items() if isinstance(value, str)}


def _custom_fields(desk: Desk, held: dict[str, Any]) -> list[dict[str, Any]]:
    """Every custom field of the account, with what the lead holds; the empty ones too."""
    fields = []
    for row in desk.db.execute("SELECT * FROM fields WHERE account_id = ? ORDER BY id", (desk.account_id,)):
        value: Any = held.get(str(row["id"]), "")
        if row["options"] != "[]":
            options = json.loads(row["options"])
            value = [{"option_id": str(number), "option_value": options[number - 1]} for number in value or ()]
        fields.append(
            {
                "field_id": str(row["id"]),
                "field_identifier": row["identifier"],
                "field_type": row["kind"],
                "field_value": value,
            }
        )
    return fields


def _apply_custom_fields(desk: Desk, held: dict[str, Any]) -> dict[str, Any]:
    """``held`` with the sent values put in. An identifier that does not exist is ignored. Raises `Declined` 271."""
    if "custom_fields" not in desk.lead:
        return held
    entries = values(desk.lead["custom_fields"])
    if entries is None:
        raise Declined(271)
    held = dict(held)
    for entry in entries:
        if not isinstance(entry, dict) or not text(entry, "field_identifier") or "field_value" not in entry:
            raise Declined(271)
        row = desk.db.execute(
            "SELECT * FROM fields WHERE account_id = ? AND identifier = ?",
            (desk.account_id, text(entry, "field_identifier")),
        ).fetchone()
        if row is not None:
            held[str(row["id"])] = _fitting(row["kind"], json.loads(row["options"]), entry["field_value"])
    return held


def _fitting(kind: str, options: list[str], value: Value) -> str | list[int]:
    """The value as it is kept: text, or option numbers. Raises `Declined` 271 where it does not suit the kind."""
    if not options:
        if isinstance(value, dict):
            raise Declined(271)
        return value
    if value == "":
        return []
    if isinstance(value, str) == (kind == "checkbox"):
        raise Declined(271)
    chosen = [value] if isinstance(value, str) else values(value) or []
    numbers = []
    for item in chosen:
        if not isinstance(item, str) or not item.isascii() or not item.isdigit() or not 1 <= int(item) <= len(options):
            raise Declined(271)
        numbers.append(int(item))
    return sorted(set(numbers))
