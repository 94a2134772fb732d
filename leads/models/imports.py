"""Files of leads on their way into the directory."""

import uuid

from django.conf import settings
from django.db import models

from accounts import subjects
from accounts.models import Account, Subject
from leads.models.sealed import Sealed, SealedRow


class Import(SealedRow):
    """A file of leads. Its rows wait in `ImportRow` until a person has said which column is what.

    It is *reading* while its rows are being put there, *matching* until a person starts it; then all rows are looked
    at (*checking*) before the first goes into the directory (*running*). ``columns`` is the file's header, ``matched``
    maps our fields to positions in it, ``take_good`` says whether good rows go in where others are bad. The counts are
    kept in step with the rows, in the same transactions. One worker has it at a time, until ``leased_until``.

    What stood in the file is sealed under a key of the import, ``key_name``, which is destroyed with its last row.
    """

    class State(models.TextChoices):
        READING = "reading", "Being read"
        MATCHING = "matching", "Waiting for columns"
        CHECKING = "checking", "Being checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        REFUSED = "refused", "Nothing was imported"

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    encoding = models.CharField(max_length=20, blank=True)
    columns = Sealed(list)
    key_name = models.UUIDField(default=uuid.uuid4, editable=False)
    matched = models.JSONField(default=dict)
    take_good = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READING)
    sentence = models.CharField(max_length=500, blank=True)
    total = models.PositiveIntegerField(default=0)
    good = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-id"], name="leads_import_newest"),
            models.Index(fields=["state"], name="leads_import_state"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def called(self) -> str:
        """By what the log names it: a file's name may hold a person's, and what is in the log stays."""
        return f"import {self.pk}"

    @property
    def place(self) -> str:
        return f"import:{self.key_name}"

    def new_whose(self) -> Subject:
        return subjects.of_many(self.place)

    @property
    def taken(self) -> int:
        """How many lines are in the directory."""
        return self.new + self.changed + self.same

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.REFUSED)


class ImportRow(SealedRow):
    """One line of the file. ``outcome`` is good or failed once it was looked at, then new, changed or same.

    ``lead_id`` and a keyed digest of the email are read from the cells when it is looked at, so that two lines about
    one lead are found.
    """

    source = models.ForeignKey(Import, models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField()
    cells = Sealed(list)
    lead_id = models.CharField(max_length=64, blank=True)
    email_digest = models.CharField(max_length=64, blank=True)
    email = ""  # as the cells tell it, while a batch is at work; no column
    outcome = models.CharField(max_length=8, blank=True)
    sentence = Sealed()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "line"], name="leads_import_line")]
        indexes = [
            models.Index(fields=["source", "outcome", "line"], name="leads_import_outcome"),
            models.Index(fields=["source", "email_digest"], name="leads_import_email"),
            models.Index(fields=["source", "lead_id"], name="leads_import_lead"),
        ]

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def place(self) -> str:
        return f"import line:{self.source_id}:{self.line}"

    def new_whose(self) -> Subject:
        return self.source.whose or self.source.new_whose()
