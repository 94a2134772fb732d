"""What the desk keeps beside the provider: catalogues, leads opened, notes, recipes. All of it for one account."""

from django.conf import settings
from django.db import models

from accounts.models import Account
from leads.models.sealed import FORGOTTEN, Sealed, SealedRow


class Catalogue(models.Model):
    """The account's tags, lists, sequences, pages (names) or fields (dicts), as read at ``read_at``."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="catalogues")
    kind = models.CharField(max_length=20)
    items = models.JSONField(default=list)
    read_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind"], name="leads_catalogue_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.account}"


class Recent(SealedRow):
    """A lead that somebody opened, newest first on the home page. Names as they were when it was opened."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    lead_id = models.CharField(max_length=64)
    name = Sealed(forgotten=FORGOTTEN)
    email = Sealed()
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "user", "lead_id"], name="leads_recent_once")]
        indexes = [models.Index(fields=["account", "user", "-opened_at"])]

    def __str__(self) -> str:
        return str(self.name or self.email)

    @property
    def place(self) -> str:
        return f"recent:{self.account_id}:{self.user_id}:{self.lead_id}"


class Note(SealedRow):
    """What staff tell each other about a lead. Never sent to the provider."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    lead_id = models.CharField(max_length=64)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    text = Sealed()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["account", "lead_id", "-created_at"])]

    def __str__(self) -> str:
        return str(self.text[:80])

    @property
    def place(self) -> str:
        """Of all notes that its author wrote on the lead: its number is not known when it is sealed."""
        return f"note:{self.account_id}:{self.lead_id}:{self.author_id}"


class Recipe(models.Model):
    """A named grant: give one tag, perhaps take another. The provider's own automation does the rest.

    Revoking is the reverse: take ``give_tag``, give ``take_tag`` back where there is one.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    give_tag = models.CharField(max_length=255)
    take_tag = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="leads_recipe_name")]

    def __str__(self) -> str:
        return self.name
