"""What is kept of a person, sealed under that person's own key in one column of its row.

A model names its values with `Sealed`; they are read and written like fields, and no query can ask for them. Each row
belongs to a subject (``whose``), and its seal is bound to its ``place``, so that it opens nowhere else. Once the person
is forgotten the values read as nothing, and never as an error.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from accounts import subjects
from accounts.models import Forgotten, Subject

FORGOTTEN = "a forgotten person"

Row = TypeVar("Row", bound="SealedRow")


class Sealed(property):
    """A value within a row's seal. ``empty`` makes what it is without one, ``forgotten`` what is read of a forgotten
    person: a value, or a function of the row."""

    def __init__(self, empty: Callable[[], Any] = str, forgotten: Any = None) -> None:
        super().__init__(self._read, self._write)
        self._empty, self._forgotten = empty, forgotten

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def _read(self, row: "SealedRow") -> Any:
        values = row.values_inside()
        if values is None:
            gone = self._empty() if self._forgotten is None else self._forgotten
            return gone(row) if callable(gone) else gone
        return values.setdefault(self.name, self._empty())

    def _write(self, row: "SealedRow", value: Any) -> None:
        values = row.values_inside()
        if values is None:
            raise Forgotten
        values[self.name] = value


class SealedQuerySet(models.QuerySet[Row]):
    def bulk_create(self, objs: Iterable[Row], *args: Any, **kwargs: Any) -> list[Row]:
        rows = list(objs)
        for row in rows:
            row.seal()
        return super().bulk_create(rows, *args, **kwargs)

    def select_for_update(
        self, nowait: bool = False, skip_locked: bool = False, of: Sequence[str] = ("self",), no_key: bool = False
    ) -> Self:
        """Of the row alone: its subject is read beside it, by an outer join, which PostgreSQL does not lock."""
        return super().select_for_update(nowait, skip_locked, of, no_key)


class SealedManager(models.Manager[Row]):
    """Reads each row with its subject."""

    def get_queryset(self) -> SealedQuerySet[Row]:
        return SealedQuerySet(self.model, using=self._db).select_related("whose")


class SealedRow(models.Model):
    """``sealed`` holds the row's `Sealed` values as JSON; "" for none, and ``whose`` may be null then only."""

    whose = models.ForeignKey(Subject, models.PROTECT, null=True, editable=False, related_name="+", db_index=False)
    sealed = models.TextField(editable=False, default="")

    objects = SealedManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is not None:
            names = set(update_fields)
            plain = {name for name in names if not self.has_sealed(name)}
            update_fields = plain | {"sealed", "whose"} if plain != names else plain
        if update_fields is None or "sealed" in update_fields:
            self.seal()
        super().save(*args, update_fields=update_fields, **kwargs)

    @property
    def place(self) -> str:
        """Where the seal belongs: the row's model, and what is never changed of the row."""
        raise NotImplementedError

    def new_whose(self) -> Subject:
        """The subject of a row that has none yet. Those of a lead have its own."""
        return subjects.of_lead(self.account_id, self.lead_id)  # type: ignore[attr-defined]

    @property
    def is_forgotten(self) -> bool:
        return self.values_inside() is None

    def values_inside(self) -> dict[str, Any] | None:
        """The sealed values as they stand in this object, to be read and changed; None for a forgotten person."""
        if "_values" not in self.__dict__:
            if not self.sealed or self.whose is None:
                self._values: dict[str, Any] | None = {}
            elif self.whose.is_forgotten:
                self._values = None
            else:
                self._values = json.loads(self.whose.open(self.sealed, bound_to=self.place))
        return self._values

    def belong_to(self, whose: Subject) -> None:
        """From now on it is sealed under this subject. What a forgotten person left is dropped."""
        values = self.values_inside()
        self._values = {} if values is None else values
        self.whose = whose

    def seal(self) -> None:
        """Bring ``sealed`` up to what was read or written in this object."""
        values = self.__dict__.get("_values")
        if values is None:
            return
        kept = {name: value for name, value in values.items() if value not in ("", None, [], {})}
        if kept and self.whose is None:
            self.whose = self.new_whose()
        text = json.dumps(kept, cls=DjangoJSONEncoder)
        self.sealed = self.whose.seal(text, bound_to=self.place) if kept and self.whose else ""

    def sealing(self, **changes: Any) -> dict[str, Any]:
        """The changes as a queryset's ``update`` takes them, after setting them here."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.seal()
        plain = {name: value for name, value in changes.items() if not self.has_sealed(name)}
        return {**plain, "sealed": self.sealed, "whose": self.whose}

    @classmethod
    def has_sealed(cls, name: str) -> bool:
        return isinstance(getattr(cls, name, None), Sealed)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self.__dict__.pop("_values", None)
