"""The audit log: who did what to whom, when, from where, and what became of it.

Rows are written once. The database refuses to change or remove them (`accounts.append_only`), and so does this model.
People, accounts and targets are kept by number and by name as text, without foreign keys: a row stays true whatever
becomes of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from accounts import audit_actions, permissions


class AppendOnly(TypeError):
    """Somebody wrote code that changes or removes an audit entry."""

    def __init__(self) -> None:
        super().__init__("audit entries are written once, never changed and never removed")


class AuditEntries(models.QuerySet["AuditEntry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


@dataclass(frozen=True)
class FieldChange:
    """One field of the state before and after, as texts; "" where it was absent."""

    label: str
    before: str
    after: str


class AuditEntry(models.Model):
    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=60)
    outcome = models.CharField(max_length=10, choices=list(audit_actions.OUTCOMES.items()))
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=100, default="")
    actor_role = models.CharField(max_length=20, default="")
    account_id = models.BigIntegerField(null=True)
    account_name = models.CharField(max_length=120, default="")
    target_kind = models.CharField(max_length=20, default="")
    target_id = models.CharField(max_length=100, default="")
    target_name = models.CharField(max_length=254, default="")
    operation_id = models.UUIDField(null=True)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    ip = models.CharField(max_length=45, default="")
    request_id = models.CharField(max_length=64, default="")

    # What it is part of, in words: `accounts.marks` puts them on for a page.
    marks: Sequence[str] = ()

    objects: ClassVar[models.Manager["AuditEntry"]] = AuditEntries.as_manager()

    class Meta:
        # Each filter of the audit page walks one of these backwards by id.
        indexes = [
            models.Index(fields=["actor_id", "id"], name="accounts_audit_actor"),
            models.Index(fields=["action", "id"], name="accounts_audit_action"),
            models.Index(fields=["outcome", "id"], name="accounts_audit_outcome"),
            models.Index(fields=["target_id", "id"], name="accounts_audit_target"),
            models.Index(fields=["operation_id", "id"], name="accounts_audit_operation"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.actor_name} {self.sentence}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    @property
    def sentence(self) -> str:
        """What happened, in a manager's words. An action that is no longer registered shows its name."""
        action = audit_actions.ACTIONS.get(self.action)
        return action.tell(target=self.target_name or self.target_id, detail=self.detail) if action else self.action

    @property
    def actor_role_label(self) -> str:
        """The actor's role at the time."""
        return permissions.ROLES.get(self.actor_role, self.actor_role)

    @property
    def details(self) -> list[tuple[str, str]]:
        """What else was kept, as names and texts."""
        return [(key.replace("_", " "), text) for key, text in _flat(self.detail).items() if text]

    @property
    def states(self) -> list[FieldChange]:
        """Every field of the state before and after, beside each other."""
        before, after = _flat(self.before), _flat(self.after)
        return [
            FieldChange(field.replace("_", " "), before.get(field, ""), after.get(field, ""))
            for field in dict.fromkeys([*before, *after])
        ]

    @property
    def changes(self) -> list[FieldChange]:
        """The fields that differ between before and after; none where nothing is known to have changed."""
        if self.outcome not in ("requested", "succeeded"):
            return []
        return [state for state in self.states if state.before != state.after]


def _flat(state: Mapping[str, Any] | None, prefix: str = "") -> dict[str, str]:
    """The state as texts by name, maps within it unfolded."""
    flat: dict[str, str] = {}
    for key, value in (state or {}).items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key} ")
        else:
            flat[f"{prefix}{key}"] = _text(value)
    return flat


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value)
    return str(value)
