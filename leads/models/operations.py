"""What leaves the house: one row for each call that changes something outside, written before the call is made."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, Subject, User
from leads import labels
from leads.models.sealed import FORGOTTEN, Sealed, SealedManager, SealedQuerySet, SealedRow
from leads.providers import changes


class Outcome(models.TextChoices):
    """``held`` lasts until ``send_at``, and ends there or in ``withdrawn``; ``pending`` while the call is on its way;
    ``unknown`` until a reading or a person has settled it."""

    HELD = "held", "Held back"
    WITHDRAWN = "withdrawn", "Taken back"
    PENDING = "pending", "Pending"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"


class SettledBy(models.TextChoices):
    """What a settled step's outcome rests on."""

    ANSWER = "answer", "the answer to the call, or a rule by which it never left"
    NOT_TAKEN = "untaken", "the certainty that Kartra did not take the call, which it may another time"
    READING = "reading", "a reading of what stands there now"
    IGNORED = "ignored", "a reading that found nothing of what Kartra had said yes to"
    PERSON = "person", "a person, with a reason"


SETTLED = (Outcome.SUCCEEDED, Outcome.FAILED)
# An operation in one of these may still move money: nothing else may touch the same payment.
OPEN = (Outcome.HELD, Outcome.PENDING, Outcome.UNKNOWN)
# In the same words in the index and in the queries: SQLite does not see that a list of values means the same.
_IN_DOUBT = models.Q(outcome="pending") | models.Q(outcome="unknown")

# For so long a refund that a person called not done is still looked for.
DENIED_FOR = timedelta(days=1)
DENIED = ~models.Q(lock="") & models.Q(kind="transaction.refund", outcome=Outcome.FAILED, settled_by=SettledBy.PERSON)


def lock_of(account_id: int, noun: str, number: str) -> str:
    """What no second step may touch while one is open: a ``transaction`` or a ``subscription``."""
    return f"{account_id}:{noun}:{number}"


OperationQuerySet = SealedQuerySet["Operation"]


class OperationManager(SealedManager["Operation"]):
    def unsettled(self) -> "OperationQuerySet":
        """In doubt, and few among very many: found by an index of their own."""
        return self.get_queryset().filter(_IN_DOUBT)

    def due(self, now: datetime) -> "OperationQuerySet":
        """Held back long enough."""
        return self.get_queryset().filter(outcome=Outcome.HELD, send_at__lte=now)


class Operation(SealedRow):
    """One call to the provider. ``id`` is made with the form, so a second click finds the first.

    ``request_digest`` tells a replay of the same form from a form that was changed and sent again under the same id.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.ForeignKey(Account, models.PROTECT, related_name="operations")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="operations")
    lead_id = models.CharField(max_length=64, blank=True)
    lead_name = Sealed(forgotten=FORGOTTEN)
    lead_email = Sealed()
    label = models.CharField(max_length=200, blank=True, help_text="Why it was done, such as the name of a recipe.")
    request_digest = models.CharField(max_length=64)
    undoes = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="undone_by")
    undoes_step = models.ForeignKey("leads.OperationStep", models.PROTECT, null=True, related_name="undone_by")
    outcome = models.CharField(max_length=9, choices=Outcome.choices, default=Outcome.PENDING)
    reason = models.CharField(max_length=120, blank=True)
    note = Sealed()
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    run = models.ForeignKey("leads.PlaybookRun", models.PROTECT, null=True, related_name="operations")
    created_at = models.DateTimeField(auto_now_add=True)
    send_at = models.DateTimeField(null=True, blank=True, help_text="When it leaves, where it is held back.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="Since when it may have been on the wire.")
    finished_at = models.DateTimeField(null=True, blank=True)
    readings = models.PositiveSmallIntegerField(default=0, help_text="How often it was read for in vain.")
    next_reading_at = models.DateTimeField(null=True, blank=True)

    # What is held so long after its time does not leave, because no worker runs.
    LEFT_LYING = timedelta(minutes=5)

    objects: ClassVar[OperationManager] = OperationManager()

    class Meta:
        indexes = [
            models.Index(fields=["account", "lead_id", "-created_at"]),
            models.Index(fields=["account", "actor", "-created_at"]),
            models.Index(
                fields=["account", "created_at"],
                condition=_IN_DOUBT,
                name="leads_operation_unsettled",
            ),
            models.Index(
                fields=["account", "send_at"], condition=models.Q(outcome="held"), name="leads_operation_held"
            ),
            models.Index(
                fields=["account", "actor", "finished_at"],
                condition=models.Q(outcome="failed"),
                name="leads_operation_failed",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["undoes"],
                condition=~models.Q(outcome__in=("failed", "withdrawn")),
                name="leads_operation_undone_once",
            ),
            models.UniqueConstraint(
                fields=["undoes_step"],
                condition=~models.Q(outcome__in=("failed", "withdrawn")),
                name="leads_operation_step_undone_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.outcome}"

    @property
    def place(self) -> str:
        return f"operation:{self.pk}"

    def new_whose(self) -> Subject:
        """Its own, where there is no lead yet."""
        return subjects.of_lead(self.account_id, self.lead_id) if self.lead_id else subjects.of_operation(self.pk)

    @property
    def lead_label(self) -> str:
        """The lead as the log names it."""
        return labels.person(self.lead_name, self.lead_email)

    @property
    def is_settled(self) -> bool:
        return self.outcome in SETTLED

    @property
    def is_in_doubt(self) -> bool:
        """Whether it was sent, or is being sent, and nobody knows yet what came of it."""
        return self.outcome in (Outcome.PENDING, Outcome.UNKNOWN)

    @property
    def is_money(self) -> bool:
        """Whether it touches a payment or a subscription. Reads ``steps``."""
        return any(step.lock for step in self.steps.all())

    @property
    def waits_for_person(self) -> bool:
        """Whether the readings of the first minutes have proved nothing, and those minutes are over: several that come
        together are no better than one."""
        is_read = self.outcome == Outcome.UNKNOWN and self.readings >= settings.SETTLE_READINGS
        return is_read and timezone.now() >= self.waits_from

    @property
    def waits_from(self) -> datetime:
        """Before this it cannot come to wait for a person."""
        return (self.sent_at or self.created_at) + timedelta(seconds=settings.SETTLE_WITHIN)

    @property
    def is_left_lying(self) -> bool:
        """Whether it should have left by now, and nothing sends it."""
        if self.outcome != Outcome.HELD or self.send_at is None:
            return False
        return timezone.now() - self.send_at > self.LEFT_LYING

    @property
    def is_refused(self) -> bool:
        """Whether surely nothing of it was done. Reads ``steps``."""
        return all(step.outcome == Outcome.FAILED for step in self.steps.all())

    @property
    def is_undone(self) -> bool:
        """Whether an undo of all of it succeeded, or is still in doubt."""
        return any(other.outcome != Outcome.FAILED for other in self.undone_by.all())

    @property
    def steps_to_undo(self) -> "list[OperationStep]":
        """What an undo would take back. Reads ``undone_by``, ``steps`` and their ``undone_by``: prefetch for lists."""
        if self.undoes_id or self.undoes_step_id or not self.is_settled or self.is_undone:
            return []
        return [step for step in self.steps.all() if step.has_inverse and not step.is_undone]

    @property
    def can_undo(self) -> bool:
        """Whether an undo may be offered."""
        return bool(self.steps_to_undo)


class OperationStep(SealedRow):
    """One change of an operation, with its own outcome.

    ``asked`` is the change as JSON; ``before`` and ``after`` are what a person reads (label to text), ``after`` as
    expected until it is known; ``evidence`` is what a reading will compare with (ids of refunds that were there
    before); ``lock`` names what no second step may touch while this one is open; ``amount`` is the money it moves.
    ``inverse`` is the change that would undo it (``{"kind", "asked"}``), or null.
    ``code`` and ``words`` are the provider's own, ``sentence`` says what went wrong in plain English. ``settled_by``
    says what the outcome rests on, "" until there is one; ``decided_by`` is the person where it is a person.
    ``read_back_at`` is set as long as what was written has still to be compared with what stands there: whoever comes
    after that may do it, if whoever sent it does not.

    Evidence, amount and lock hold numbers alone and stay when the person is forgotten: what went back of a payment
    counts as long as somebody could refund it again.
    """

    operation = models.ForeignKey(Operation, models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=40)
    subject = Sealed(forgotten=lambda step: step.number)
    asked = Sealed(dict)
    before = Sealed(dict)
    after = Sealed(dict)
    inverse = Sealed(lambda: None)
    evidence: Any = models.JSONField(default=dict)
    lock = models.CharField(max_length=100, blank=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    outcome = models.CharField(max_length=9, choices=Outcome.choices, default=Outcome.PENDING)
    code = models.CharField(max_length=20, blank=True)
    words = Sealed()
    sentence = Sealed()
    settled_by = models.CharField(max_length=7, choices=SettledBy.choices, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    read_back_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["operation", "position"]
        indexes = [
            models.Index(fields=["lock"], name="leads_step_of_lock"),
            # For queries that leave out what has no lock: money alone, among very many steps of bulk jobs.
            models.Index(fields=["kind", "operation"], condition=~models.Q(lock=""), name="leads_step_money"),
            models.Index(
                fields=["read_back_at"], condition=models.Q(read_back_at__isnull=False), name="leads_step_read_back"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["operation", "position"], name="leads_step_position"),
            models.UniqueConstraint(
                fields=["lock"],
                condition=~models.Q(lock="") & models.Q(outcome__in=("held", "pending", "unknown")),
                name="leads_step_lock",
            ),
            models.CheckConstraint(
                condition=models.Q(~models.Q(settled_by=""), outcome__in=("succeeded", "failed"))
                | models.Q(~models.Q(outcome__in=("succeeded", "failed")), settled_by=""),
                name="leads_step_settled_by",
            ),
            models.CheckConstraint(
                condition=models.Q(settled_by="person", decided_by__isnull=False)
                | models.Q(~models.Q(settled_by="person"), decided_by=None),
                name="leads_step_decided_by",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.outcome}".replace("  ", " ")

    @property
    def place(self) -> str:
        return f"step:{self.operation_id}:{self.position}"

    def new_whose(self) -> Subject:
        return self.operation.whose or self.operation.new_whose()

    @property
    def number(self) -> str:
        """The payment's or subscription's that it has to do with; "" for others."""
        return self.lock.rpartition(":")[2]

    @property
    def is_open(self) -> bool:
        return self.outcome in (Outcome.PENDING, Outcome.UNKNOWN)

    @property
    def is_denied(self) -> bool:
        """Whether it is a refund that a person called not done: `DENIED`, of a row at hand."""
        is_refused = self.kind == "transaction.refund" and self.outcome == Outcome.FAILED
        return is_refused and self.settled_by == SettledBy.PERSON

    @property
    def remark(self) -> str:
        """What there is to say about the outcome; "" for nothing."""
        return "Saved, not read back yet." if self.read_back_at else str(self.sentence)

    @property
    def settler(self) -> str:
        """Who or what has cleared a doubt: 'reading', or the name of who decided. "" where there was an answer."""
        if self.settled_by == SettledBy.PERSON:
            return str(self.decided_by)
        return str(self.settled_by) if self.settled_by == SettledBy.READING else ""

    def settle(self, outcome: str, by: SettledBy, person: User | None = None) -> None:
        """Set the outcome, and what it rests on; ``person`` for `SettledBy.PERSON` alone. Saves nothing."""
        self.outcome, self.settled_by, self.decided_by = outcome, by, person

    @property
    def has_inverse(self) -> bool:
        """Whether it did something that can be taken back."""
        return self.outcome == Outcome.SUCCEEDED and bool(self.inverse)

    @property
    def is_undone(self) -> bool:
        """Whether an undo of this step alone succeeded, or is still in doubt."""
        return any(other.outcome != Outcome.FAILED for other in self.undone_by.all())

    @property
    def change(self) -> changes.Change:
        return changes.from_json(self.kind, self.asked)

    @property
    def undoing(self) -> changes.Change:
        """What would undo it; only for a step that has an ``inverse``."""
        return changes.from_json(self.inverse["kind"], self.inverse["asked"])
