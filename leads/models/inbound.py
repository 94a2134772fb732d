"""What the provider tells by itself: hints that a lead be read again, never facts."""

from django.conf import settings
from django.db import models

from accounts import subjects
from accounts.models import Account, Subject
from leads.models.directory import Entry
from leads.models.sealed import Sealed, SealedRow


class Hook(models.Model):
    """The secret address of one account. Known by the digest of its secret; a new one replaces the old.

    ``last_event_at`` is when something readable came last, be it a double.

    What is not kept is counted: ``doubles`` of a post that had just come, ``flooded`` ones above so many a minute,
    ``refused`` ones that could not be read or lacked the secret key, and ``unqueued``: kept, but its lead was not
    queued to be read again because too many were. The first three are written once a minute (`services.events`).
    """

    account = models.OneToOneField(Account, models.CASCADE, related_name="hook")
    secret_digest = models.CharField(max_length=64, unique=True)
    sealed_secret = models.TextField(help_text="Sealed, so that the address can be shown again to who may manage it.")
    sealed_ipn_key = models.TextField(blank=True, help_text="Compared with what a payment notification carries.")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    last_event_at = models.DateTimeField(null=True, blank=True)
    doubles = models.PositiveBigIntegerField(default=0)
    flooded = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0)
    unqueued = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"hook of {self.account}"


def events_of_nobody(account_id: int) -> Subject:
    """Under what events are sealed that tell of nobody who is known here."""
    return subjects.of_many(f"events:{account_id}")


class Event(SealedRow):
    """One post, as it came. ``about`` is what it said in a few words; ``sealed_body`` is all of it, sealed apart: lists
    do without.

    Of a lead that nobody here knows it is sealed under a key of all such events of the account. ``digest`` is keyed, so
    that an equal post is found and what it said is not guessed. So is ``act_digest``, of what was done to which
    payment, by which one act is known that was told in two ways; "" where that is not known.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="events")
    form = models.CharField(max_length=4, choices=[("json", "Event"), ("ipn", "Payment notification")])
    action = models.CharField(max_length=60)
    about = Sealed()
    lead_id = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)
    sealed_body = models.TextField()
    act_digest = models.CharField(max_length=64, blank=True)
    is_known = models.BooleanField(default=True)
    # Those that came before this was kept count as such: they are not "read since" until the money is.
    tells_of_money = models.BooleanField(default=True)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "lead_id", "-received_at"], name="leads_event_of_lead"),
            models.Index(fields=["account", "digest", "-received_at"], name="leads_event_double"),
            models.Index(fields=["account", "-id"], name="leads_event_newest"),
            models.Index(fields=["account", "form", "action"], name="leads_event_action"),
            models.Index(fields=["received_at"], name="leads_event_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.lead_id}"

    @property
    def place(self) -> str:
        return f"event:{self.account_id}:{self.digest}"

    def new_whose(self) -> Subject:
        """The lead's own where anything is kept of it; else the account's, for a post may name anybody."""
        if self.lead_id and (
            subjects.find_lead(self.account_id, self.lead_id)
            or Entry.objects.filter(account=self.account_id, lead_id=self.lead_id).exists()
        ):
            return subjects.of_lead(self.account_id, self.lead_id)
        return events_of_nobody(self.account_id)

    @property
    def said(self) -> str:
        """What it said of the lead, or what it is called where nobody here knows it."""
        return str(self.about or self.named)

    @property
    def named(self) -> str:
        """The provider's word for it, as a person reads it."""
        return self.action.replace("_", " ")


class Reread(models.Model):
    """A lead that is to be read again soon: one row however many events asked for it.

    ``with_money``: something told of a payment or subscription, so those are to be read too. ``times`` counts who
    asked, so that `leads.services.rereads.finish` knows whether somebody did while it was being read.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    lead_id = models.CharField(max_length=64)
    wanted_at = models.DateTimeField()
    with_money = models.BooleanField(default=False)
    times = models.PositiveIntegerField(default=1)
    leased_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "lead_id"], name="leads_reread_once")]
        indexes = [models.Index(fields=["wanted_at"], name="leads_reread_oldest")]

    def __str__(self) -> str:
        return self.lead_id
