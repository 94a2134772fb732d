"""The audit log: who did what to whom, when, from where, and what became of it.

Rows are written once, by `services.chain`. The database refuses to change or remove them (`accounts.append_only`), and
so does this model. People, accounts and targets are kept by number and by name as text, without foreign keys: a row
stays true whatever becomes of them. What it tells of a lead is sealed under that lead's own key.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NoReturn, Self

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.utils import timezone

from accounts import audit_actions, permissions
from accounts.evidence.chain import FIELDS, as_text
from accounts.models.subjects import Forgotten, Subject
from kartra_admin.lib.crypto import SealBroken

FORGOTTEN = "a forgotten person"
UNREADABLE = "somebody whose seal does not open"


class AppendOnly(TypeError):
    """Somebody wrote code that changes or removes an audit entry."""

    def __init__(self) -> None:
        super().__init__("audit entries are written once, never changed and never removed")


class AuditEntries(models.QuerySet["AuditEntry"]):
    def readable(self) -> Self:
        """To be opened, with one query for all whom these are about."""
        return self.prefetch_related("subject")

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
    """``id`` is its gapless number. ``body`` is what `told` reads: JSON, sealed where there is a ``subject``.

    ``target_id`` is "" and ``amount`` in the clear for what was done to a lead.
    """

    id = models.BigIntegerField(primary_key=True)
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
    subject = models.ForeignKey(
        Subject, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="entries"
    )
    operation_id = models.UUIDField(null=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    ip = models.CharField(max_length=45, default="")
    request_id = models.CharField(max_length=64, default="")
    body = models.TextField()
    hash = models.CharField(max_length=64)

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
            models.Index(fields=["subject_id", "id"], name="accounts_audit_subject"),
            models.Index(fields=["operation_id", "id"], name="accounts_audit_operation"),
            models.Index(fields=["account_id", "id"], name="accounts_audit_account"),
            models.Index(fields=["ip", "id"], name="accounts_audit_ip"),
            models.Index(
                fields=["id", "amount"], condition=models.Q(amount__isnull=False), name="accounts_audit_amount"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.who} {self.sentence}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def as_evidence(self) -> dict[str, object]:
        """The fields as they stand in the chain; see `evidence.chain`."""
        fields: dict[str, object] = {name: getattr(self, name) for name in FIELDS}
        fields["at"] = as_text(self.at)
        fields["operation_id"] = str(self.operation_id) if self.operation_id else None
        fields["amount"] = None if self.amount is None else f"{self.amount:.2f}"
        return fields

    @cached_property
    def told(self) -> dict[str, Any]:
        """What is kept of the target: its id and name, the states, the details. Without them once it was forgotten."""
        if self.subject_id is None:
            return dict(json.loads(self.body))
        try:
            return dict(json.loads(self.subject.open(self.body, bound_to=self.sealed_for)))  # type: ignore[union-attr]
        except Forgotten:
            name = FORGOTTEN
        except (SealBroken, ObjectDoesNotExist):
            name = UNREADABLE
        return {"target_id": "", "target_name": name, "before": None, "after": None, "detail": {}}

    @property
    def sealed_for(self) -> str:
        """What the seal of the body is bound to, so that it opens in no other entry."""
        return f"entry:{self.pk}"

    @property
    def about_id(self) -> str:
        """Of the lead, or of whatever else it was done to."""
        return str(self.told["target_id"])

    @property
    def target_name(self) -> str:
        return str(self.told["target_name"])

    @property
    def before(self) -> dict[str, Any] | None:
        return self.told["before"]  # type: ignore[no-any-return]

    @property
    def after(self) -> dict[str, Any] | None:
        return self.told["after"]  # type: ignore[no-any-return]

    @property
    def detail(self) -> dict[str, Any]:
        return self.told["detail"]  # type: ignore[no-any-return]

    @property
    def is_withheld(self) -> bool:
        """Whether what it tells cannot be read any more."""
        return self.subject_id is not None and self.target_name in (FORGOTTEN, UNREADABLE)

    @property
    def sentence(self) -> str:
        """What happened, in a manager's words. An action that is no longer registered shows its name."""
        action = audit_actions.ACTIONS.get(self.action)
        if action is None:
            return self.action
        if self.is_withheld:  # the kind of act, for the sentence would be full of holes
            return f"{audit_actions.label_of(self.action)}: {self.get_outcome_display().lower()}"
        return action.tell(target=self.target_name or self.about_id, detail=self.detail)

    @property
    def who(self) -> str:
        """Who did it, as people read it: a person's name at the time, or a program's."""
        return self.actor_name if self.actor_id else audit_actions.PROGRAMS.get(self.actor_name, self.actor_name)

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


class ChainHead(models.Model):
    """The number and hash of the last entry: one row, locked from an entry to the end of its transaction."""

    number = models.BigIntegerField()
    hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.number}: {self.hash}"


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
