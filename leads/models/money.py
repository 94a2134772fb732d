"""What money needs beside the write path: limits, requests for approval, reasons, playbooks and their runs."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts import permissions
from accounts.models import Account
from leads import labels
from leads.models.operations import Operation
from leads.models.sealed import FORGOTTEN, Sealed, SealedRow
from leads.providers import changes


class Reason(models.Model):
    """Why money goes back, as the admin names it. 'Other' is always there and asks for a note."""

    text = models.CharField(max_length=120, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "text"]

    def __str__(self) -> str:
        return self.text


class Limit(models.Model):
    """How much may be refunded without asking: for a role, or for one person, whose own limit replaces his role's.

    Amounts are as the provider gives them, whatever the currency. Null is no limit, zero allows nothing.
    """

    role = models.CharField(max_length=20, blank=True, choices=list(permissions.ROLES.items()))
    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="refund_limit"
    )
    per_transaction = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    per_lead = models.DecimalField("per lead in 30 days", max_digits=12, decimal_places=2, null=True, blank=True)
    count_per_day = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["role"], condition=~models.Q(role=""), name="leads_limit_role"),
            models.CheckConstraint(
                condition=models.Q(role="", person__isnull=False) | (~models.Q(role="") & models.Q(person=None)),
                name="leads_limit_for_one",
            ),
        ]

    def __str__(self) -> str:
        return f"limit of {self.whose}"

    @property
    def whose(self) -> str:
        return str(self.person) if self.person else permissions.ROLES.get(self.role, self.role)

    @property
    def figures(self) -> dict[str, Decimal | int | None]:
        """Label to limit; None is no limit."""
        return {
            "One payment": self.per_transaction,
            "A day": self.per_day,
            "Lead, 30 days": self.per_lead,
            "Refunds a day": self.count_per_day,
        }


class Approval(SealedRow):
    """A request to do what is above somebody's limit, bound to the figures that were shown.

    ``figures`` is label to text; ``figures_digest`` stands for the sale as it was, so that an approval of a sale that
    has changed since does not go through. ``cools_until`` is set where the only approver approved his own.
    ``request_digest`` tells a replay of the form from one that asks for something else.
    """

    OPEN_FOR = timedelta(hours=24)

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        COOLING = "cooling", "Cooling off"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Taken back"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.ForeignKey(Account, models.PROTECT, related_name="approvals")
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requester_role = models.CharField(max_length=20)
    run = models.ForeignKey("leads.PlaybookRun", models.PROTECT, null=True, related_name="approvals")
    lead_id = models.CharField(max_length=64)
    lead_name = Sealed(forgotten=FORGOTTEN)
    lead_email = Sealed()
    kind = models.CharField(max_length=40)
    asked = Sealed(dict)
    request_digest = models.CharField(max_length=64)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    reason = models.CharField(max_length=120)
    note = Sealed()
    figures = Sealed(dict)
    figures_digest = models.CharField(max_length=64)
    above = models.CharField(max_length=300, help_text="Which limit it is above, in words.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    created_at = models.DateTimeField(auto_now_add=True)
    cools_until = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decision_note = Sealed()
    operation = models.OneToOneField(Operation, models.PROTECT, null=True, related_name="approval")

    class Meta:
        indexes = [
            models.Index(fields=["account", "status", "-created_at"]),
            models.Index(fields=["account", "requester", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"

    @property
    def place(self) -> str:
        return f"approval:{self.pk}"

    @property
    def change(self) -> changes.Change:
        return changes.from_json(self.kind, self.asked)

    @property
    def subject(self) -> str:
        """The number of the payment, "" where the person was forgotten."""
        return self.change.subject if self.asked else ""

    @property
    def lead_label(self) -> str:
        return labels.person(self.lead_name, self.lead_email)

    @property
    def is_open(self) -> bool:
        """Whether it may still become a refund."""
        return self.status in (self.Status.WAITING, self.Status.COOLING) and not self.is_late

    @property
    def is_overdue(self) -> bool:
        """Whether somebody has been asked for more than an hour."""
        return self.status == self.Status.WAITING and self.created_at < timezone.now() - timedelta(hours=1)

    @property
    def is_late(self) -> bool:
        """Whether it was asked for too long ago to be decided, or sent, any more."""
        is_undone = self.status in (self.Status.WAITING, self.Status.COOLING)
        return is_undone and self.created_at + self.OPEN_FOR <= timezone.now()


class Playbook(models.Model):
    """Steps that staff run together, composed by an admin.

    A step is ``{"act": ..., "name": ...}``; ``name`` is the tag, list or sequence, and empty for money.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    steps: Any = models.JSONField(default=list)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="leads_playbook_name")]

    def __str__(self) -> str:
        return self.name


# Confirmed, and not begun: it can be taken back.
HELD_RUN = models.Q(begin_at__isnull=False, ended_at=None)


class PlaybookRun(SealedRow):
    """One run of a playbook on one lead. ``steps`` are the playbook's as they were then.

    The operation of each part has an id made from the run's and the part's number, so that resuming finds what was
    done already and never does it again. ``ended_at`` is set when the last step is done, or the run is closed before
    that (``is_closed``): then ``closed_note`` says why, and ``closed_by`` who did it, None for the program itself.

    ``begin_at`` is set while it is held back, and stays where it was taken back; beginning empties it. ``leased_until``
    only tells pages that somebody is at it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    steps = Sealed(list)
    lead_id = models.CharField(max_length=64)
    lead_name = Sealed(forgotten=FORGOTTEN)
    lead_email = Sealed()
    subscription_id = models.CharField(max_length=64, blank=True)
    transaction_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=120, blank=True)
    note = Sealed()
    figures_digest = models.CharField(max_length=64)
    goes_on = models.BooleanField(
        default=False, help_text="Whether the worker goes on with it once the first part has surely succeeded."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    begin_at = models.DateTimeField(null=True, help_text="When it begins, where it is held back.")
    leased_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    closed_note = Sealed()
    is_closed = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["account", "-created_at"], condition=models.Q(ended_at=None), name="leads_run_not_ended"
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["account", "lead_id"], condition=HELD_RUN, name="leads_run_held_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.lead_id}"

    @property
    def place(self) -> str:
        return f"run:{self.pk}"

    @property
    def is_held(self) -> bool:
        """Whether it can be taken back: nothing of it was done yet."""
        return self.begin_at is not None and self.ended_at is None

    @property
    def is_withdrawn(self) -> bool:
        return self.begin_at is not None and self.ended_at is not None

    @property
    def is_left_lying(self) -> bool:
        """Whether it should have begun by now, and nothing begins it."""
        if self.begin_at is None or self.ended_at is not None:
            return False
        return timezone.now() - self.begin_at > Operation.LEFT_LYING
