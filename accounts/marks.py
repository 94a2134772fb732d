"""Marks beside entries of the audit log. Whoever knows what an entry is part of registers a marker."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from accounts.models import AuditEntry

# Entries -> the words beside some of them, by key.
Marker = Callable[[Sequence[AuditEntry]], Mapping[int, Iterable[str]]]

_MARKERS: list[Marker] = []


def register(marker: Marker) -> None:
    _MARKERS.append(marker)


def put_on(entries: Sequence[AuditEntry]) -> None:
    """Give each entry its ``marks``."""
    found = [marker(entries) for marker in _MARKERS]
    for entry in entries:
        entry.marks = [mark for marks in found for mark in marks.get(entry.pk, ())]
