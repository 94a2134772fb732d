"""The sandbox's leads as a file taken out of Kartra would hold them: facts, tags and lists, and nothing of money."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from leads.providers.kartra.sandbox.state import connect, reading


@dataclass(frozen=True)
class Exported:
    """``facts`` by Kartra's names, such as ``first_name``."""

    lead_id: str
    facts: dict[str, str]
    tags: list[str]
    lists: list[str]


def leads_of(path: Path, api_key: str) -> Iterator[Exported]:
    """Every lead of the account that is not deleted, in the order of the ids."""
    with closing(connect(path)) as db, reading(db):
        (account_id,) = db.execute("SELECT id FROM accounts WHERE api_key = ?", (api_key,)).fetchone()
        rows = db.execute(
            "SELECT id, facts, (SELECT json_group_array(name) FROM lead_tags JOIN tags ON tags.id = tag_id"
            " WHERE lead_id = leads.id) AS tags, (SELECT json_group_array(name) FROM lead_lists"
            " JOIN lists ON lists.id = list_id WHERE lead_id = leads.id AND active) AS lists"
            " FROM leads WHERE account_id = ? AND NOT deleted ORDER BY id",
            (account_id,),
        )
        for row in rows:
            facts = {name: str(value) for name, value in json.loads(row["facts"]).items()}
            yield Exported(str(row["id"]), facts, json.loads(row["tags"]), json.loads(row["lists"]))
