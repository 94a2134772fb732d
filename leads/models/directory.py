"""The directory: what the desk remembers of each lead it has met, so that people can be found without asking Kartra.

Nothing here is a fact to act on: opening a lead, or changing one, reads it first.
"""

from django.conf import settings
from django.db import models

from accounts.models import Account


class MarkKind(models.TextChoices):
    """What a lead can be filtered by."""

    TAG = "tag", "Tag"
    LIST = "list", "List"
    SEQUENCE = "sequence", "Sequence"
    MEMBERSHIP = "membership", "Membership"
    PRODUCT = "product", "Product"


class Entry(models.Model):
    """One lead of one account, as it was when it was last met. An imported one may be known by its email alone.

    ``words`` is what is searched (`kartra_admin.lib.folding.searchable`), ``name_key`` what is sorted by.
    ``lead_read_at`` tells when name, fields, tags, lists, sequences and memberships were read, ``money_read_at`` when
    payments and subscriptions were; null where that was never read, as after an import. The digests are of those
    readings, of what is kept here and of what is not (custom fields), so that one that brings nothing new costs one
    update, and one that does is a change. ``gone_at``: since when the provider knows no such lead.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="directory")
    lead_id = models.CharField(max_length=64, null=True)
    name = models.CharField(max_length=500, blank=True)
    name_key = models.CharField(max_length=100, blank=True)
    email = models.CharField(max_length=320, blank=True, help_text="In small letters.")
    phone = models.CharField(max_length=60, blank=True)
    company = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=120, blank=True)
    country = models.CharField(max_length=120, blank=True)
    words = models.TextField(blank=True)
    blacklisted = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)
    gone_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="When it was last met, in whatever way.")
    changed_at = models.DateTimeField(help_text="When something here last differed from what was known before.")
    lead_read_at = models.DateTimeField(null=True, blank=True)
    money_read_at = models.DateTimeField(null=True, blank=True)
    lead_digest = models.CharField(max_length=32, blank=True)
    money_digest = models.CharField(max_length=32, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When the refresher last asked for it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "lead_id"], name="leads_entry_once")]
        indexes = [
            models.Index(fields=["account", "email"], name="leads_entry_email"),
            models.Index(fields=["account", "-seen_at", "-id"], name="leads_entry_seen"),
            models.Index(fields=["account", "-changed_at", "-id"], name="leads_entry_changed"),
            models.Index(fields=["account", "name_key", "id"], name="leads_entry_name"),
            models.Index(fields=["account", "lead_read_at", "id"], name="leads_entry_read"),
            models.Index(fields=["account"], name="leads_entry_gone", condition=models.Q(gone_at__isnull=False)),
            models.Index(fields=["account"], name="leads_entry_deleted", condition=models.Q(deleted=True)),
            models.Index(fields=["account"], name="leads_entry_blacklisted", condition=models.Q(blacklisted=True)),
        ]

    def __str__(self) -> str:
        return self.name or self.email or f"#{self.lead_id}"

    @property
    def handle(self) -> str:
        """The lead's id, else the place here, which is no lead's id; `leads.selectors.forgetting` finds it by both."""
        return self.lead_id or f"entry:{self.pk}"


class Mark(models.Model):
    """Something a lead has: a tag, a list it is on, a sequence it is in, a membership, a product it bought."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="marks")
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=MarkKind.choices)
    name = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entry", "kind", "name"], name="leads_mark_once")]
        indexes = [models.Index(fields=["account", "kind", "name", "entry"], name="leads_mark_of")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Payment(models.Model):
    """A payment by which a lead can be found. Never shown as the lead's money: that is read."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="payments")
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    transaction_id = models.CharField(max_length=64, blank=True)
    subscription_id = models.CharField(max_length=64, blank=True)
    last_four = models.CharField(max_length=4, blank=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "transaction_id"], name="leads_payment_transaction"),
            models.Index(fields=["account", "subscription_id"], name="leads_payment_subscription"),
            models.Index(fields=["account", "last_four", "amount"], name="leads_payment_card"),
        ]

    def __str__(self) -> str:
        return self.transaction_id or self.subscription_id


class Word(models.Model):
    """A word of letters that occurs in the directory, for finding what a mistyped one means."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    text = models.CharField(max_length=24)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "text"], name="leads_word_once")]

    def __str__(self) -> str:
        return self.text


class SavedView(models.Model):
    """A search with its filters, order and columns (the query string), under a name: one's own, or shared."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["account", "owner", "name"], name="leads_view_name")]

    def __str__(self) -> str:
        return self.name
