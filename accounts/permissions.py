"""Who may do what: one table. A role is nothing but the permissions that name it."""

from typing import Protocol

from kartra_admin.lib.errors import Denied

ROLES = {
    "viewer": "Viewer",
    "agent": "Agent",
    "support": "Support",
    "manager": "Manager",
    "auditor": "Auditor",
    "admin": "Admin",
}

_EVERYONE = frozenset(ROLES)
_DESK = frozenset({"agent", "support", "manager", "admin"})
_REFUNDING = frozenset({"support", "manager", "admin"})
_LEADING = frozenset({"manager", "admin"})
_ADMIN = frozenset({"admin"})

# permission: (what it lets a person do, the roles that have it)
PERMISSIONS: dict[str, tuple[str, frozenset[str]]] = {
    "lead.view": ("see leads", _EVERYONE),
    "lead.create": ("create leads", _DESK),
    "lead.edit": ("edit leads", _DESK),
    "lead.tag": ("change the tags of leads", _DESK),
    "lead.subscribe": ("change the lists, sequences and calendars of leads", _DESK),
    "lead.points": ("give and remove points", _DESK),
    "money.view": ("see transactions and subscriptions", _EVERYONE),
    "transaction.refund": ("refund", _REFUNDING),
    "subscription.cancel": ("cancel subscriptions", _REFUNDING),
    "subscription.pause": ("pause and resume subscriptions", _REFUNDING),
    "subscription.edit": ("edit subscriptions", _LEADING),
    "approval.decide": ("approve and decline what is above a limit", _LEADING),
    "playbook.run": ("run playbooks", _REFUNDING),
    "playbook.manage": ("change playbooks", _ADMIN),
    "limit.manage": ("change limits and reasons", _ADMIN),
    "report.view": ("see the report of refunds and cancellations", _LEADING | {"auditor"}),
    "bulk.run": ("change many leads at once", _LEADING),
    "bulk.approve": ("approve bulk changes that somebody else asked for", _LEADING),
    "lead.forget": ("forget people", _ADMIN),
    "note.write": ("write notes", _DESK),
    "recipe.run": ("grant and revoke access by recipes", _DESK),
    "recipe.manage": ("change recipes", _ADMIN),
    "catalogue.refresh": ("refresh the account's tags, lists, sequences and fields", _DESK),
    "account.rename": ("name the Kartra account", _LEADING),
    "field.create": ("create custom fields", _ADMIN),
    "operation.settle": ("settle operations whose outcome is unknown", _DESK),
    "directory.export": ("export the directory", _LEADING),
    "view.share": ("share views of the directory", _DESK),
    "directory.import": ("import leads into the directory", _LEADING),
    "hook.manage": ("manage the address for Kartra's events", _ADMIN),
    "audit.view": ("read the audit log", _LEADING | {"auditor"}),
    "audit.export": ("export the audit log", _LEADING | {"auditor"}),
    "health.view": ("see how the desk is and which keys seal it", _ADMIN),
    "staff.manage": ("manage the team", _ADMIN),
    "connection.own": ("place and remove your own credentials", _EVERYONE),
    "connection.manage": ("place and remove credentials for others", _ADMIN),
}

BY_ROLE: dict[str, frozenset[str]] = {
    role: frozenset(name for name, (_, roles) in PERMISSIONS.items() if role in roles) for role in ROLES
}


class Holder(Protocol):
    """Whoever can be asked for a permission."""

    @property
    def role_label(self) -> str: ...

    def has_permission(self, permission: str, /) -> bool: ...


def require(holder: Holder, permission: str) -> None:
    """Raise `Denied` with a sentence unless ``holder`` has the permission."""
    if not holder.has_permission(permission):
        raise Denied(refusal(holder, permission))


def refusal(holder: Holder, permission: str) -> str:
    """What is said to who does not have the permission."""
    return f"Your role ({holder.role_label}) does not let you {PERMISSIONS[permission][0]}."
