"""What the desk tells the audit log. Every kind of change has an entry for its request and one for each outcome."""

from accounts.audit_actions import Action, register
from leads.labels import CHANGE_WORDS

_KEEPS = frozenset({"subject", "label", "code", "words", "settled_by", "sentence"})

# The heading of the log's filter for each noun.
_GROUPS = {
    "lead": "Leads",
    "tag": "Tags, lists, sequences",
    "list": "Tags, lists, sequences",
    "sequence": "Tags, lists, sequences",
    "points": "Points and calendars",
    "calendar": "Points and calendars",
    "field": "Account",
}


def _register_changes() -> None:
    for kind, (to_do, done) in CHANGE_WORDS.items():
        do, did = to_do.format("{subject}"), done.format("{subject}")
        register(
            _GROUPS[kind.partition(".")[0]],
            {
                f"{kind}.requested": Action(f"Asked to: {do}", _KEEPS, label=to_do.format("").strip()),
                f"{kind}.succeeded": Action(did[0].upper() + did[1:], _KEEPS, label=to_do.format("").strip()),
                f"{kind}.failed": Action(f"Not done: {do}. {{sentence}}", _KEEPS, label=to_do.format("").strip()),
                f"{kind}.unknown": Action(f"No clear answer: {do}", _KEEPS, label=to_do.format("").strip()),
            },
        )


_register_changes()
register(
    "Leads",
    {
        "lead.view.viewed": Action("Viewed the lead", label="View lead"),
        "lead.read_back.failed": Action(
            "Kartra answered Success but kept another value: {subject}", _KEEPS, label="Read back"
        ),
        "note.add.succeeded": Action("Wrote a note", label="Write note"),
        "note.delete.succeeded": Action("Deleted a note", label="Delete note"),
    },
)
register(
    "Account",
    {
        "recipe.save.succeeded": Action("Saved recipe {target}", label="Save recipe"),
        "recipe.delete.succeeded": Action("Deleted recipe {target}", label="Delete recipe"),
        "catalogue.refresh.succeeded": Action(
            "Refreshed the catalogues", frozenset({"unread"}), label="Refresh catalogues"
        ),
        "catalogue.refresh.failed": Action(
            "Could not refresh the catalogues", frozenset({"unread"}), label="Refresh catalogues"
        ),
    },
)
