"""What makes the log usable: the words by which an entry is found, and filters that people keep."""

from django.conf import settings
from django.db import models

from accounts.models.audit import AuditEntry
from accounts.models.subjects import Subject


class AuditTerm(models.Model):
    """One word of an entry: a keyed digest, which says nothing to who reads the table.

    ``subject`` is whose word it is; none where it is a word of the staff's or of the act.
    """

    pk = models.CompositePrimaryKey("digest", "entry_id")  # walked backwards by entry for a digest
    digest = models.BigIntegerField()
    entry = models.ForeignKey(AuditEntry, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="terms")
    subject = models.ForeignKey(
        Subject, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(fields=["subject"], condition=models.Q(subject__isnull=False), name="accounts_term_subject")
        ]

    def __str__(self) -> str:
        return f"a word of entry {self.entry_id}"


class SavedFilter(models.Model):
    """Filters of the log (the query string), under a name: one's own, or shared with all who read the log."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="accounts_saved_filter_name")]

    def __str__(self) -> str:
        return self.name
