"""Whose data it is: a key for each person outside the house, which seals what is kept of that person.

Nothing of a person stands in a subject in the clear. It is found by keyed digests of the lead it stands for, of the
email addresses and of the words of the names; with its key destroyed nothing that was sealed under it opens again.
"""

from functools import cached_property, lru_cache
from typing import NoReturn

from django.conf import settings
from django.db import models

from accounts import seals
from kartra_admin.lib.crypto import Keyring
from kartra_admin.lib.errors import AppError


class Forgotten(AppError):
    """The key was destroyed."""

    def __init__(self) -> None:
        super().__init__("This person was forgotten: nothing that was kept about them can be read any more.")


class Subject(models.Model):
    """``digest`` and ``sealed_key`` are empty once the person was forgotten.

    What is done before a lead has an id, such as creating it, is sealed under a subject of its own, which is
    ``part_of`` the lead's as soon as the id is known.
    """

    digest = models.CharField(max_length=64, unique=True, null=True)
    sealed_key = models.TextField()
    part_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="parts")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"subject {self.pk}"

    def __getstate__(self) -> NoReturn:
        raise TypeError("a subject is not pickled: its key stays in the process that opened it")

    @property
    def is_forgotten(self) -> bool:
        return not self.sealed_key

    @cached_property
    def _ring(self) -> Keyring:
        if self.is_forgotten:
            raise Forgotten
        return _ring(self.sealed_key, tuple(settings.CREDENTIAL_KEYS))

    def seal(self, text: str, *, bound_to: str) -> str:
        """Raises `Forgotten`, and `SealBroken` where ``CREDENTIAL_KEYS`` lacks the key that sealed this one's."""
        return self._ring.seal(text, bound_to=bound_to)

    def open(self, token: str, *, bound_to: str) -> str:
        """What `seal` was given. Raises `Forgotten` and `SealBroken`."""
        return self._ring.open(token, bound_to=bound_to)


@lru_cache(maxsize=512)
def _ring(sealed_key: str, keys: tuple[str, ...]) -> Keyring:
    """Opened once where the same person comes again and again. A destroyed key is asked for by nobody."""
    return Keyring([seals.keyring().open(sealed_key, bound_to=seals.of_subject())])


class SubjectTerm(models.Model):
    """One email address, or one word of a name, that the person has had: a keyed digest."""

    subject = models.ForeignKey(Subject, models.CASCADE, related_name="terms")
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest", "subject"], name="accounts_subject_term")]

    def __str__(self) -> str:
        return self.digest[:8]


class IndexKey(models.Model):
    """The one key of all keyed digests that stand in the database, sealed. Lost, nothing is found any more."""

    sealed_key = models.TextField()

    def __str__(self) -> str:
        return "index key"
