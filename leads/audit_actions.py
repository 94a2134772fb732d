"""What the desk tells the audit log. Every kind of change has an entry for its request and one for each outcome."""

from accounts.audit_actions import Action, register
from leads.labels import CHANGE_WORDS

_KEEPS = frozenset(
    {"subject", "label", "code", "words", "settled_by", "sentence", "amount", "reason", "note", "approved_by", "seen"}
)

# Chosen from a list, so that no word of the person stays.
_FORGETTING = frozenset({"after", "reason", "requester"})

# The heading of the log's filter for each noun.
_GROUPS = {
    "lead": "Leads",
    "tag": "Tags, lists, sequences",
    "list": "Tags, lists, sequences",
    "sequence": "Tags, lists, sequences",
    "points": "Points and calendars",
    "calendar": "Points and calendars",
    "field": "Account",
    "transaction": "Money",
    "subscription": "Money",
}


# outcome -> the sentence around what is to be done ({do}) or was done ({did})
_SENTENCES = {
    "requested": "Asked to: {do}",
    "sent": "Sending to Kartra: {do}",
    "succeeded": "{did}",
    "failed": "Not done: {do}. {{sentence}}",
    "unknown": "No clear answer: {do}",
    "read": "Checked without a result: {do}. {{seen}}",
    "unread": "Could not be checked: {do}. {{seen}}",
    "withdrawn": "Took back before it was sent: {do}",
}


def _register_changes() -> None:
    for kind, (to_do, done) in CHANGE_WORDS.items():
        do, did = to_do.format("{subject}"), done.format("{subject}")
        label = to_do.format("").strip(" #")
        actions = {
            f"{kind}.{outcome}": Action(sentence.format(do=do, did=did[0].upper() + did[1:]), _KEEPS, label=label)
            for outcome, sentence in _SENTENCES.items()
        }
        register(_GROUPS[kind.partition(".")[0]], actions)


_register_changes()
register(
    "Leads",
    {
        "lead.view.viewed": Action("Viewed the lead", label="View lead"),
        "lead.read_back.failed": Action(
            "Kartra reported success but stored another value: {subject}", _KEEPS, label="Read back"
        ),
        "lead.forget.requested": Action(
            "Requested to forget this person after {after}: {reason}", _FORGETTING, label="Forget a person"
        ),
        "lead.forget.withdrawn": Action(
            "Took back the request to forget this person", _FORGETTING, label="Forget a person"
        ),
        "lead.forget.succeeded": Action(
            "Forgot this person, requested by {requester}: {reason}", _FORGETTING, label="Forget a person"
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

_APPROVAL_KEEPS = frozenset({"amount", "subject", "reason", "note", "above", "requester", "alone", "until"})
_REFUND = "the refund of {amount} of payment #{subject}"
register(
    "Money",
    {
        "approval.request.requested": Action(
            f"Requested approval of {_REFUND}, above {{above}}", _APPROVAL_KEEPS, label="Ask for approval"
        ),
        "approval.cool.requested": Action(
            f"Approved alone, to be sent after {{until}}: {_REFUND}", _APPROVAL_KEEPS, label="Approve alone"
        ),
        "approval.decide.approved": Action(
            f"Approved {_REFUND}, requested by {{requester}}", _APPROVAL_KEEPS, label="Decide a request"
        ),
        "approval.decide.declined": Action(
            f"Declined {_REFUND}, requested by {{requester}}: {{note}}", _APPROVAL_KEEPS, label="Decide a request"
        ),
        "approval.decide.withdrawn": Action(
            f"Took back the request for {_REFUND}", _APPROVAL_KEEPS, label="Decide a request"
        ),
        "approval.decide.expired": Action(
            f"The request for {_REFUND} expired: {{note}}", _APPROVAL_KEEPS, label="Decide a request"
        ),
    },
)
register(
    "Limits and reasons",
    {
        "limit.save.succeeded": Action("Set the refund limits of {target}", label="Set limits"),
        "limit.remove.succeeded": Action("Removed the refund limits of {target}", label="Remove limits"),
        "reason.save.succeeded": Action("Saved reason {target}", label="Save reason"),
        "reason.move.succeeded": Action("Moved reason {target}", label="Move reason"),
        "reason.remove.succeeded": Action("Removed reason {target}", label="Remove reason"),
    },
)

_RUN_KEEPS = frozenset({"label", "reason", "note", "sentence"})
register(
    "Playbooks and reports",
    {
        "playbook.save.succeeded": Action("Saved playbook {target}", label="Save playbook"),
        "playbook.delete.succeeded": Action("Deleted playbook {target}", label="Delete playbook"),
        "playbook.start.requested": Action("Started playbook {label}", _RUN_KEEPS, label="Start playbook"),
        "playbook.start.withdrawn": Action(
            "Took back before it started: playbook {label}", _RUN_KEEPS, label="Start playbook"
        ),
        "playbook.resume.requested": Action("Resumed playbook {label}", _RUN_KEEPS, label="Resume playbook"),
        "playbook.close.succeeded": Action("Closed playbook {label}: {sentence}", _RUN_KEEPS, label="Close playbook"),
        "playbook.stop.failed": Action("Playbook {label} stopped: {sentence}", _RUN_KEEPS, label="Playbook stopped"),
        "report.export.succeeded": Action(
            "Exported the report of {month}, {rows} rows", frozenset({"month", "rows"}), label="Export report"
        ),
    },
)

_JOB_KEEPS = frozenset({"leads", "actions", "note", "sentence", "requester", "pace", "undoes", "rows"})
register(
    "Bulk",
    {
        "job.create.succeeded": Action(
            "Created bulk job {target}: {actions}, for {leads} leads", _JOB_KEEPS, label="Create bulk job"
        ),
        "job.start.requested": Action("Started bulk job {target}", _JOB_KEEPS, label="Start bulk job"),
        "job.ask.requested": Action(
            "Requested approval of bulk job {target}, {leads} leads", _JOB_KEEPS, label="Ask to start a bulk job"
        ),
        "job.decide.approved": Action(
            "Approved bulk job {target}, requested by {requester}", _JOB_KEEPS, label="Decide bulk job"
        ),
        "job.decide.declined": Action(
            "Declined bulk job {target}, requested by {requester}: {note}", _JOB_KEEPS, label="Decide bulk job"
        ),
        "job.decide.withdrawn": Action(
            "Took back the request to start bulk job {target}", _JOB_KEEPS, label="Decide bulk job"
        ),
        "job.decide.expired": Action(
            "The request to start bulk job {target} expired", _JOB_KEEPS, label="Decide bulk job"
        ),
        "job.pause.succeeded": Action("Paused bulk job {target}", _JOB_KEEPS, label="Pause bulk job"),
        "job.pause.failed": Action("Bulk job {target} stopped: {sentence}", _JOB_KEEPS, label="Bulk job stopped"),
        "job.resume.succeeded": Action("Resumed bulk job {target}", _JOB_KEEPS, label="Resume bulk job"),
        "job.cancel.succeeded": Action("Cancelled bulk job {target}", _JOB_KEEPS, label="Cancel bulk job"),
        "job.pace.succeeded": Action(
            "Set the pace of bulk job {target} to {pace} leads a second", _JOB_KEEPS, label="Set pace of bulk job"
        ),
        "job.retry.requested": Action(
            "Retried the {leads} failed leads of bulk job {target}", _JOB_KEEPS, label="Retry bulk job"
        ),
        "job.finish.succeeded": Action("Bulk job {target} ended: {sentence}", _JOB_KEEPS, label="Bulk job ended"),
        "job.lead.succeeded": Action(
            "Bulk job {label}: {sentence}", frozenset({"label", "sentence"}), label="Lead of a bulk job"
        ),
        "job.lead.failed": Action(
            "Not done in bulk job {label}: {sentence}", frozenset({"label", "sentence"}), label="Lead of a bulk job"
        ),
        "job.line.failed": Action(
            "Line {line} of bulk job {target} not done: {sentence}",
            frozenset({"line", "sentence"}),
            label="Line of a bulk job",
        ),
        "job.export.succeeded": Action(
            "Exported the results of bulk job {target}, {rows} rows", _JOB_KEEPS, label="Export results of bulk job"
        ),
    },
)

register(
    "Account",
    {
        "hook.make.succeeded": Action("Created an address for Kartra's events", label="Create event address"),
        "hook.rotate.succeeded": Action("Replaced the address for Kartra's events", label="Replace event address"),
        "hook.key.succeeded": Action("Changed the key of payment notifications", label="Change notification key"),
        "import.upload.succeeded": Action(
            "Read a file of leads as {target}, {rows} lines", frozenset({"rows"}), label="Read a file of leads"
        ),
        "import.start.requested": Action("Started {target}", label="Import leads"),
        "import.start.succeeded": Action(
            "Imported {target}: {new} new, {changed} changed, {same} unchanged, {failed} rejected",
            frozenset({"new", "changed", "same", "failed"}),
            label="Import leads",
        ),
        "import.start.failed": Action(
            "Imported nothing from {target}: {sentence}", frozenset({"sentence"}), label="Import leads"
        ),
        "import.discard.succeeded": Action("Discarded {target}", label="Discard a file of leads"),
        "import.export.succeeded": Action(
            "Exported the rejected lines of {target} as CSV", frozenset({"rows"}), label="Export rejected lines"
        ),
    },
)
register(
    "Directory",
    {
        "directory.export.succeeded": Action(
            "Exported {rows} leads of the directory: {filters}",
            frozenset({"rows", "filters"}),
            label="Export directory",
        ),
    },
)
