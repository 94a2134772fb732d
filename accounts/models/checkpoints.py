"""Signed heads of the audit log, the keys that signed them, and what became of sending them out of the house."""

from typing import Any, NoReturn

from django.db import models

from accounts.evidence.chain import as_text
from accounts.evidence.checkpoints import SIGNED


class Checkpoint(models.Model):
    """See `evidence.checkpoints` for what each field is. Written once, as entries are."""

    id = models.BigIntegerField(primary_key=True)
    number = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    at = models.DateTimeField()
    count = models.BigIntegerField()
    root = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    def __str__(self) -> str:
        return f"checkpoint {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("checkpoints are never removed")

    def as_evidence(self) -> dict[str, Any]:
        """The fields as they were signed, and the signature."""
        return {name: getattr(self, name) for name in (*SIGNED, "signature")} | {"at": as_text(self.at)}


class KeyVoucher(models.Model):
    """That the signing key was turned: see `evidence.checkpoints`. Nothing is believed of a row but its signature."""

    older = models.CharField(max_length=64)
    by = models.CharField(max_length=64)
    signature = models.CharField(max_length=128, unique=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.by[:16]} for {self.older[:16]}"

    def as_evidence(self) -> dict[str, str]:
        return {"older": self.older, "by": self.by, "signature": self.signature}


class AnchorAttempt(models.Model):
    """That checkpoints up to this one were sent to a place outside; ``error`` is "" where they arrived.

    ``checkpoint_id`` is 0 where nothing was due: a folder cannot be read, or can again. ``key`` is `anchors.key_of` the
    place, ``place`` its label for a page.
    """

    key = models.CharField(max_length=64)
    place = models.CharField(max_length=200)
    checkpoint_id = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)
    error = models.CharField(max_length=300, default="")

    class Meta:
        indexes = [models.Index(fields=["key", "id"], name="accounts_anchor_place")]

    def __str__(self) -> str:
        return f"{self.checkpoint_id} to {self.place}"


class SigningTurn(models.Model):
    """The one row says until when a worker is at signing and sending out, unless he ends sooner."""

    leased_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"leased until {self.leased_until}"
