"""Bulk changes: a job does the same to many leads, each by an operation of its own."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts import subjects
from accounts.models import Account, Subject
from leads.models.operations import Operation
from leads.models.sealed import Sealed, SealedRow


class Job(SealedRow):
    """The same changes for many leads.

    ``actions`` are `leads.bulk_actions.Action` as JSON, in the order in which they travel. A job reads every lead first
    (*checking*, the dry run) and waits in *checked* for its actor to start it. ``findings`` tells of each action how
    many leads it would change. ``left_out`` holds what was pasted and is not among the leads (``{"line", "text",
    "why"}``, and one for all beyond the first 200, with their ``numbers`` and no text), ``decision_note`` why it was
    declined; both are sealed under a key of the job.

    ``pace`` is leads a second at most, once it runs; ``next_at`` is when the next one may begin. ``undoes`` is set
    where it takes back what another did. Above a settable size ``approved_by`` must be set. ``sentence`` says why it
    stands still.
    """

    class State(models.TextChoices):
        CHECKING = "checking", "Reading the leads"
        CHECKED = "checked", "Ready to start"
        ASKED = "asked", "Waiting for approval"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        CANCELLED = "cancelled", "Cancelled"
        DONE = "done", "Done"

    FASTEST = 20
    # A request that nobody decided by then is closed.
    OPEN_FOR = timedelta(hours=24)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.ForeignKey(Account, models.PROTECT, related_name="jobs")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=120)
    request_digest = models.CharField(max_length=64)
    actions: Any = models.JSONField(default=list)
    creates_missing = models.BooleanField(default=False)
    left_out = Sealed(list)
    decision_note = Sealed()
    findings: Any = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.CHECKING)
    resumes_as = models.CharField(max_length=10, blank=True, help_text="What it goes back to after a pause.")
    sentence = models.CharField(max_length=500, blank=True)
    pace = models.PositiveSmallIntegerField(default=10)
    next_at = models.DateTimeField(null=True, blank=True)
    undoes = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="undone_by")
    asked_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-created_at"], name="leads_job_newest"),
            models.Index(fields=["state"], name="leads_job_state"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> str:
        return f"job:{self.pk}"

    def new_whose(self) -> Subject:
        return subjects.of_many(f"job:{self.pk}")

    @property
    def is_working(self) -> bool:
        """Whether workers are at it."""
        return self.state in (Job.State.CHECKING, Job.State.RUNNING)

    @property
    def leads_a_second(self) -> int:
        """At most. A dry run, which changes nothing, goes as fast as Kartra lets it."""
        return self.pace if self.started_at else Job.FASTEST

    @property
    def is_over(self) -> bool:
        return self.state in (Job.State.CANCELLED, Job.State.DONE)

    @property
    def is_late(self) -> bool:
        """Whether it was asked for too long ago to be approved."""
        return (
            self.state == Job.State.ASKED
            and self.asked_at is not None
            and (timezone.now() - self.asked_at > Job.OPEN_FOR)
        )


class JobLead(SealedRow):
    """One lead of a job. Whoever takes it holds it until ``leased_until``; then another may, who looks first at what
    the operation of this attempt came to.

    ``would`` is the dry run's finding, ``would_do`` the places of the actions that would change something, and
    ``starts`` says whether one of those may start automations. A lead that two lines name is done once: the database
    lets one row of a job have its id. As long as its id is not known it is sealed under the job's key.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SUCCEEDED = "succeeded", "Done"
        SAME = "same", "No change needed"
        MISSING = "missing", "Not in Kartra"
        DOUBLE = "double", "Duplicate"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"

    class Would(models.TextChoices):
        CHANGE = "change", "Would change"
        CREATE = "create", "Would be created"
        SAME = "same", "No change needed"
        MISSING = "missing", "Not in Kartra"
        DOUBLE = "double", "Duplicate"
        FAILED = "failed", "Cannot be changed"

    job = models.ForeignKey(Job, models.CASCADE, related_name="leads")
    position = models.PositiveIntegerField()
    line = models.PositiveIntegerField(null=True, blank=True, help_text="Where it stood in what was pasted.")
    lead_id = models.CharField(max_length=64, blank=True)
    email = Sealed()
    name = Sealed()
    would = models.CharField(max_length=8, choices=Would.choices, blank=True)
    would_do: Any = models.JSONField(default=list)
    starts = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempt = models.PositiveSmallIntegerField(default=0)
    operation = models.ForeignKey(Operation, models.PROTECT, null=True, related_name="+")
    undoes = models.ForeignKey(Operation, models.PROTECT, null=True, related_name="+")
    sentence = Sealed()
    leased_until = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "position"], name="leads_job_position"),
            models.UniqueConstraint(
                fields=["job", "lead_id"], condition=~models.Q(lead_id=""), name="leads_job_lead_once"
            ),
        ]
        indexes = [
            models.Index(fields=["job", "state", "position"], name="leads_job_lead_state"),
            models.Index(fields=["job", "would", "position"], name="leads_job_lead_would"),
            models.Index(fields=["job"], condition=models.Q(state="unknown"), name="leads_job_lead_unknown"),
        ]

    def __str__(self) -> str:
        return str(self.name or self.email or f"#{self.lead_id}")

    @property
    def place(self) -> str:
        return f"job lead:{self.job_id}:{self.position}"

    def new_whose(self) -> Subject:
        return subjects.of_lead(self.job.account_id, self.lead_id) if self.lead_id else self.job.new_whose()

    def id_of_attempt(self, attempt: int) -> uuid.UUID:
        """The id of the operation of that attempt, the same for whoever makes it."""
        return uuid.uuid5(self.job_id, f"{self.position}.{attempt}")


class JobSlot(models.Model):
    """A place at a job: so many workers are at it at once. Whoever takes it holds it until ``leased_until``."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    leased_until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="leads_job_slot")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.number}"
