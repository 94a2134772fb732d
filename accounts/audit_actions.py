"""The registry of everything the audit log can tell. An action that is not here cannot be recorded.

Names are ``noun.verb.outcome``. The sentence is read by managers, without the actor, whom the page shows beside it;
it may hold ``{target}`` and any key of ``keeps``. ``keeps`` are the only keys that ``detail`` may carry: no credential
is ever among them.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

OUTCOMES = {
    "requested": "Requested",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "unknown": "Unknown",
    "denied": "Denied",
    "viewed": "Viewed",
    "sent": "Sent",
    "read": "Read",
    "unread": "Not read",
    "withdrawn": "Taken back",
    "approved": "Approved",
    "declined": "Declined",
    "expired": "Expired",
}

# Programs that act without a person. The name they are recorded by is a word of the one that people read, so that what
# is read on an old entry finds it.
PROGRAMS = {
    "reconcile": "Kartra Admin, to reconcile",
    "worker": "Kartra Admin, its worker",
    "expiry": "Kartra Admin, at expiry",
    "signing": "Kartra Admin, signing",
}


@dataclass(frozen=True)
class Action:
    """``label`` names the act in the filter; without it, ``tag.assign`` reads 'Assign tag'."""

    sentence: str
    keeps: frozenset[str] = frozenset()
    label: str = ""

    def tell(self, *, target: str, detail: Mapping[str, object]) -> str:
        """The sentence with its places filled, unknown ones with nothing."""
        return self.sentence.format_map(defaultdict(str, {**detail, "target": target}))


ACTIONS: dict[str, Action] = {}
GROUPS: dict[str, list[str]] = {}


def register(group: str, actions: Mapping[str, Action]) -> None:
    """Add actions under a heading of the filter. Raises ValueError for a name that is taken."""
    for name, action in actions.items():
        if name in ACTIONS:
            raise ValueError(f"audit action {name} is registered twice")
        ACTIONS[name] = action
        GROUPS.setdefault(group, []).append(name)


def stem(name: str) -> str:
    """``tag.assign.succeeded`` and ``tag.assign.failed`` are outcomes of one act, ``tag.assign``."""
    head, _, tail = name.rpartition(".")
    return head if tail in OUTCOMES and "." in head else name


def with_stem(wanted: str) -> list[str]:
    """All registered actions of one act; empty where there is none."""
    return [name for name in ACTIONS if stem(name) == wanted]


def label_of(name: str) -> str:
    """What the act of a registered action is called."""
    noun, _, verb = stem(name).rpartition(".")
    return ACTIONS[name].label or f"{verb} {noun}".replace("_", " ").capitalize()


def grouped_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Acts under their headings, as Django's choice fields take them."""
    choices = []
    for group, names in GROUPS.items():
        labels: dict[str, str] = {}
        for name in names:
            labels.setdefault(stem(name), label_of(name))
        choices.append((group, list(labels.items())))
    return choices


register(
    "Sign-in",
    {
        "session.start.succeeded": Action("Signed in", frozenset({"by"}), label="Sign in"),
        "session.start.failed": Action("Failed to sign in as {target}", label="Sign in"),
        "session.end.succeeded": Action("Signed out", label="Sign out"),
        "session.confirm.succeeded": Action("Confirmed again who it is", frozenset({"by"}), label="Confirm who it is"),
        "session.confirm.failed": Action("Failed to confirm who it is", frozenset({"by"}), label="Confirm who it is"),
        "session.expire.succeeded": Action("Was signed out: {why}", frozenset({"why"}), label="Sign-in ran out"),
        "session.revoke.succeeded": Action(
            "Ended a session from {address}, {browser}", frozenset({"address", "browser"}), label="End a session"
        ),
        "session.address.denied": Action(
            "Was refused: the role {role} may not be used from this address",
            frozenset({"role"}),
            label="Refused by address",
        ),
        "factor.check.failed": Action("Failed to sign in: the {kind} was refused", frozenset({"kind"})),
        "factor.add.succeeded": Action("Added a second factor: {kind}", frozenset({"kind"}), label="Add second factor"),
        "factor.remove.succeeded": Action(
            "Removed a second factor: {kind}", frozenset({"kind"}), label="Remove second factor"
        ),
        "factor.renew.succeeded": Action("Made new {kind}", frozenset({"kind"}), label="Make recovery codes"),
        "password.change.succeeded": Action("Changed the password"),
        "password.reset.succeeded": Action("Set a new password by a link", label="Set password by link"),
        "password.forgotten.sent": Action(
            "A link to set a password was sent to {target}", label="Mail a password link"
        ),
        "profile.edit.succeeded": Action("Changed the profile"),
        "permission.denied": Action(
            "Was refused: may not {permission}", frozenset({"permission", "path"}), label="Refused by permission"
        ),
    },
)
register(
    "Team",
    {
        "staff.add.succeeded": Action("Added {target} to the team", label="Add to the team"),
        "staff.edit.succeeded": Action("Changed {target}", label="Change name or role"),
        "staff.deactivate.succeeded": Action("Deactivated {target}", label="Deactivate"),
        "staff.reactivate.succeeded": Action("Reactivated {target}", label="Reactivate"),
        "factor.reset.succeeded": Action("Took away the second factor of {target}", label="Take away second factor"),
        "staff.link.succeeded": Action("Made a set-password link for {target}", label="Make a set-password link"),
    },
)
register(
    "Connections",
    {
        "connection.place.succeeded": Action("Placed credentials for {target}", label="Place credentials"),
        "connection.remove.succeeded": Action("Removed the credentials of {target}", label="Remove credentials"),
        "account.rename.succeeded": Action("Renamed the account", label="Rename account"),
        "checkpoint.sign.requested": Action("Asked for a checkpoint of the log", label="Sign a checkpoint"),
        "keys.rotate.succeeded": Action(
            "Sealed everything with the newest key: {connections} connections, {accounts} accounts, {others} others",
            frozenset({"connections", "accounts", "others"}),
            label="Rotate keys",
        ),
        "keys.turn.succeeded": Action(
            "Rotated the signing key of the log, from {older} to {newer}",
            frozenset({"older", "newer"}),
            label="Rotate the signing key",
        ),
    },
)
_EXPORT = frozenset({"filters", "format", "rows"})
register(
    "Evidence",
    {
        "audit.export.requested": Action("Asked for the log as {format}: {filters}", _EXPORT, label="Export the log"),
        "audit.export.succeeded": Action(
            "Exported {rows} entries of the log as {format}: {filters}", _EXPORT | {"sha256"}, label="Export the log"
        ),
        "audit.export.failed": Action(
            "Export of the log as {format} broken off after {rows} entries: {filters}", _EXPORT, label="Export the log"
        ),
        "audit.export.denied": Action(
            "Was refused an export of the log: {why}", frozenset({"why"}), label="Export the log"
        ),
        "audit.pack.succeeded": Action(
            "Made an evidence pack of {rows} entries: {about}",
            frozenset({"about", "rows", "sha256"}),
            label="Make an evidence pack",
        ),
        "audit.pack.denied": Action(
            "Was refused an evidence pack: {why}", frozenset({"why"}), label="Make an evidence pack"
        ),
    },
)
