"""The outside accounts, and each person's sealed credentials for one of them."""

from django.db import models

from accounts.models.users import User


class Account(models.Model):
    """One account at a provider. What is kept of it belongs to it alone and never mixes with another's.

    It is known by a keyed digest of its API key (``fingerprint``); the unkeyed digest is kept sealed, so that the
    fingerprint can be made anew when keys are rotated, without the API key itself.
    """

    provider = models.CharField(max_length=20, default="kartra")
    fingerprint = models.CharField(max_length=64, unique=True)
    sealed_digest = models.TextField()
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.name} {self.tail}"

    @property
    def tail(self) -> str:
        """Enough to tell two accounts apart, and nothing of the key."""
        return self.fingerprint[-4:]


class Connection(models.Model):
    """One person's credentials, sealed and bound to that person. Nobody reads them back."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="connection")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="connections")
    sealed_key = models.TextField()
    sealed_password = models.TextField()
    placed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    last_worked_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, default="")
    last_error_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user} at {self.account}"

    @property
    def is_failing(self) -> bool:
        """Whether the last thing heard of it was an error."""
        if self.last_error_at is None:
            return False
        return self.last_worked_at is None or self.last_worked_at <= self.last_error_at
