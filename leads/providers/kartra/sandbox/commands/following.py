"""What a lead follows and collects: lists, tags, points, sequences, calendars, and the account's names of them."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from leads.providers.kartra.sandbox.desk import Desk, done, text
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array
from leads.providers.kartra.sandbox.state import stamp

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,6})?")


def _known(desk: Desk, params: Array, key: str, table: str, *, blank: int, missing: int) -> int:
    """The id of what the parameter names. Raises `Declined` with the number for a blank or an unknown name."""
    name = text(params, key)
    if not name:
        raise Declined(blank)
    number = desk.named(table, name)
    if number is None:
        raise Declined(missing)
    return number


# Lists


def subscribe_lead_to_list(desk: Desk, params: Array) -> dict[str, Any]:
    list_id = _known(desk, params, "list_name", "lists", blank=207, missing=231)
    held = desk.db.execute(
        "SELECT active FROM lead_lists WHERE lead_id = ? AND list_id = ?", (desk.lead_id, list_id)
    ).fetchone()
    desk.db.execute("INSERT OR REPLACE INTO lead_lists VALUES (?, ?, 1)", (desk.lead_id, list_id))
    if held is None or not held["active"]:
        desk.db.execute(
            "INSERT OR IGNORE INTO lead_sequences SELECT ?, starts_sequence_id, '1', 'active' FROM lists"
            " WHERE id = ? AND starts_sequence_id IS NOT NULL",
            (desk.lead_id, list_id),
        )
    return done("Lead subscribed to list", 101)


def unsubscribe_lead_from_list(desk: Desk, params: Array) -> dict[str, Any]:
    list_id = _known(desk, params, "list_name", "lists", blank=208, missing=209)
    desk.db.execute("UPDATE lead_lists SET active = 0 WHERE lead_id = ? AND list_id = ?", (desk.lead_id, list_id))
    return done("Lead unsubscribed from list", 101)


# Tags


def assign_tag(desk: Desk, params: Array) -> dict[str, Any]:
    tag_id = _known(desk, params, "tag_name", "tags", blank=211, missing=212)
    given = desk.db.execute("INSERT OR IGNORE INTO lead_tags VALUES (?, ?)", (desk.lead_id, tag_id)).rowcount
    if given:
        desk.db.execute(
            "INSERT OR REPLACE INTO lead_levels SELECT ?, membership_id, level_id, 1 FROM automations"
            " WHERE tag_id = ? AND grants",
            (desk.lead_id, tag_id),
        )
        desk.db.execute(
            "UPDATE lead_levels SET active = 0 WHERE lead_id = ? AND (membership_id, level_id) IN"
            " (SELECT membership_id, level_id FROM automations WHERE tag_id = ? AND NOT grants)",
            (desk.lead_id, tag_id),
        )
    return done("Tag added to lead", 103)


def unassign_tag(desk: Desk, params: Array) -> dict[str, Any]:
    tag_id = _known(desk, params, "tag_name", "tags", blank=213, missing=214)
    desk.db.execute("DELETE FROM lead_tags WHERE lead_id = ? AND tag_id = ?", (desk.lead_id, tag_id))
    return done("Tag removed from lead", 104)


# Points


def give_points_to_lead(desk: Desk, params: Array) -> dict[str, Any]:
    points = _points(params, blank=215, wrong=227)
    days = text(params, "expiration")
    expires = stamp(desk.now + timedelta(days=int(days))) if days.isdigit() and 0 < int(days) < 36500 else None
    desk.db.execute(
        "INSERT INTO points (lead_id, points, expires_at) VALUES (?, ?, ?)", (desk.lead_id, points, expires)
    )
    _add_to_score(desk, points)
    return done("Points added to lead", 105)


def remove_points_from_lead(desk: Desk, params: Array) -> dict[str, Any]:
    _add_to_score(desk, -_points(params, blank=217, wrong=228))
    return done("Points removed from lead", 106)


def _points(params: Array, *, blank: int, wrong: int) -> int:
    points = text(params, "points")
    if not points:
        raise Declined(blank)
    if not _NUMBER.fullmatch(points):
        raise Declined(wrong)
    return int(float(points))


def _add_to_score(desk: Desk, points: int) -> None:
    facts = json.loads(desk.db.execute("SELECT facts FROM leads WHERE id = ?", (desk.lead_id,)).fetchone()["facts"])
    facts["score"] = str(int(facts["score"]) + points)
    desk.db.execute("UPDATE leads SET facts = ? WHERE id = ?", (json.dumps(facts), desk.lead_id))


# Sequences


def subscribe_lead_to_sequence_at_step(desk: Desk, params: Array) -> dict[str, Any]:
    if not text(params, "sequence_name"):
        raise Declined(226)
    step = text(params, "step")
    if not step:
        raise Declined(225)
    if not step.isascii() or not step.isalnum():
        raise Declined(229)
    sequence_id = _known(desk, params, "sequence_name", "sequences", blank=226, missing=219)
    steps = desk.db.execute("SELECT steps FROM sequences WHERE id = ?", (sequence_id,)).fetchone()["steps"]
    if step not in map(str, range(1, steps + 1)):
        raise Declined(230)
    desk.db.execute(
        "INSERT OR REPLACE INTO lead_sequences VALUES (?, ?, ?, 'active')", (desk.lead_id, sequence_id, step)
    )
    return done("Lead added to sequence", 107)


def unsubscribe_lead_from_sequence(desk: Desk, params: Array) -> dict[str, Any]:
    sequence_id = _known(desk, params, "sequence_name", "sequences", blank=226, missing=220)
    desk.db.execute(
        "UPDATE lead_sequences SET status = 'unsubscribed' WHERE lead_id = ? AND sequence_id = ?",
        (desk.lead_id, sequence_id),
    )
    return done("Lead removed from sequence", 108)


# Calendars


def calendar_subscribe(desk: Desk, params: Array) -> dict[str, Any]:
    class_id = _class(desk, params)
    starts = _start(desk, text(params, "starting_date"), text(params, "starting_hour"))
    booked = (desk.lead_id, class_id, stamp(starts) if starts else None)
    desk.db.execute("INSERT INTO bookings (lead_id, class_id, starts_at, active) VALUES (?, ?, ?, 1)", booked)
    return done("Lead subscribed to class", 112)


def calendar_cancel(desk: Desk, params: Array) -> dict[str, Any]:
    class_id = _class(desk, params)
    cancelled = desk.db.execute(
        "UPDATE bookings SET active = 0 WHERE id = (SELECT max(id) FROM bookings WHERE lead_id = ? AND class_id = ?"
        " AND active AND (starts_at IS NULL OR starts_at > ?))",
        (desk.lead_id, class_id, stamp(desk.now)),
    ).rowcount
    if not cancelled:
        raise Declined(259)
    return done("Lead unsubscribed from class", 113)


def _class(desk: Desk, params: Array) -> int:
    calendar, name = text(params, "calendar_name"), text(params, "class_name")
    if not calendar:
        raise Declined(255)
    if not name:
        raise Declined(256)
    found = desk.db.execute(
        "SELECT id FROM calendars WHERE account_id = ? AND name = ? AND ready", (desk.account_id, calendar)
    ).fetchone()
    if found is None:
        raise Declined(257)
    row = desk.db.execute("SELECT id FROM classes WHERE calendar_id = ? AND name = ?", (found["id"], name)).fetchone()
    if row is None:
        raise Declined(258)
    return int(row["id"])


def _start(desk: Desk, day: str, hour: str) -> datetime | None:
    if not day and not hour:
        return None
    if not re.fullmatch(r"\d\d [A-Z][a-z]{2} \d{4}", day) or not re.fullmatch(r"\d\d:\d\d", hour):
        raise Declined(260)
    try:
        starts = datetime.strptime(f"{day} {hour}", "%d %b %Y %H:%M")  # noqa: DTZ007  (Kartra's EST)
    except ValueError:
        raise Declined(260) from None
    if starts < desk.now:
        raise Declined(261)
    return starts


# The account's names


def _names(desk: Desk, table: str) -> dict[str, Any]:
    query = f"SELECT name FROM {table} WHERE account_id = ? ORDER BY id"  # noqa: S608  (a table of ours)
    names = [row["name"] for row in desk.db.execute(query, (desk.account_id,))]
    return {"status": "Success", f"account_{table}": names}


def retrieve_account_lists(desk: Desk, params: Array) -> dict[str, Any]:
    return _names(desk, "lists")


def retrieve_account_tags(desk: Desk, params: Array) -> dict[str, Any]:
    return _names(desk, "tags")


def retrieve_account_sequences(desk: Desk, params: Array) -> dict[str, Any]:
    return _names(desk, "sequences")


def retrieve_account_pages(desk: Desk, params: Array) -> dict[str, Any]:
    return _names(desk, "pages")
