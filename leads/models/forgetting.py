"""People who are to be forgotten."""

from django.conf import settings
from django.db import models

from accounts.models import Account


def call(lead_id: str) -> str:
    """A lead by number, and without a value of the person."""
    return f"Lead #{lead_id}" if lead_id.isdecimal() else "Somebody known by email alone"


class Forgetting(models.Model):
    """Somebody asked that a lead be forgotten, which happens after ``due_at`` unless it is taken back before.

    Nothing of the person stands here: the lead's number, and a reason chosen from a list. One who is known by email
    alone has no number and goes by the place in the directory (`Entry.handle`). ``waits_for`` says what still has to
    end first, "" where nothing has.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        WITHDRAWN = "withdrawn", "Taken back"
        DONE = "done", "Forgotten"

    class Reason(models.TextChoices):
        ASKED = "asked", "The person asked for it"
        DUTY = "duty", "The law or a contract requires it"
        NO_USE = "no-use", "The data is no longer needed"

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    lead_id = models.CharField(max_length=64)
    reason = models.CharField(max_length=10, choices=Reason.choices)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    waits_for = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["account", "lead_id", "-ended_at"], name="leads_forgetting_lead")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "lead_id"], condition=models.Q(state="waiting"), name="leads_forgetting_once"
            )
        ]

    def __str__(self) -> str:
        return f"#{self.lead_id} {self.state}"

    @property
    def is_numbered(self) -> bool:
        return self.lead_id.isdecimal()

    @property
    def called(self) -> str:
        return call(self.lead_id)
