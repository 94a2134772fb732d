"""What was found unusual."""

from django.conf import settings
from django.db import models

from accounts.models import Account
from leads import unusual


class Finding(models.Model):
    """One rule met by one person or one lead (`leads.unusual`): ``count`` between ``since`` and ``until``.

    It grows while the same goes on, and is written by the desk alone. ``lead_id`` is set where the rule counts by lead,
    ``person`` where it counts by person.
    """

    rule = models.CharField(max_length=20)
    account = models.ForeignKey(Account, models.CASCADE, null=True, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    lead_id = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(fields=["rule", "person", "lead_id", "-until"], name="leads_finding_same")]

    def __str__(self) -> str:
        return f"{self.rule}: {self.count}"

    @property
    def title(self) -> str:
        return unusual.BY_NAME[self.rule].title

    @property
    def act(self) -> str:
        """The one act of the log that it is about, or ""."""
        acts = unusual.BY_NAME[self.rule].acts
        return acts[0] if len(acts) == 1 else ""

    @property
    def sentence(self) -> str:
        """How much of what."""
        return f"{self.count} {unusual.BY_NAME[self.rule].what}"
