"""Entries of the log on their way out: which, in order, a few at a time, with what proves them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import Count, Max, Min

from accounts.evidence import merkle
from accounts.evidence.chain import START
from accounts.models import AuditEntry, ChainHead, Checkpoint
from accounts.models.audit import AuditEntries

AT_ONCE = 500


@dataclass(frozen=True)
class Scope:
    """What a file is about, as it is when it is asked for. ``words`` hold no value of a lead."""

    entries: AuditEntries
    words: str
    first: int
    last: int
    count: int


def scope_of(entries: AuditEntries, words: str) -> Scope:
    """What is not of the chain is left out: nothing can prove it, and `auditverify` names it."""
    entries = entries.filter(pk__gte=1, pk__lte=ChainHead.objects.get(pk=1).number)
    found = entries.order_by().aggregate(first=Min("pk"), last=Max("pk"), count=Count("pk"))
    return Scope(entries, words, found["first"] or 0, found["last"] or 0, found["count"])


def rows(scope: Scope) -> Iterator[tuple[AuditEntry, str]]:
    """The entries by number, each with the hash of the one before it. Three queries for each `AT_ONCE`."""
    after = scope.first - 1
    while after < scope.last:
        found = list(scope.entries.readable().filter(pk__gt=after, pk__lte=scope.last).order_by("pk")[:AT_ONCE])
        if not found:
            return
        before = AuditEntry.objects.filter(pk__in=[entry.pk - 1 for entry in found])
        hashes = {0: START, **dict(before.values_list("pk", "hash"))}
        for entry in found:
            yield entry, hashes.get(entry.pk - 1, "")
        after = found[-1].pk


def covered(scope: Scope) -> Iterator[tuple[AuditEntry, str, Checkpoint]]:
    """The same, each with the first checkpoint that covers it. There has to be one for the last."""
    signed = Checkpoint.objects.filter(number__gte=scope.first).order_by("pk").iterator(AT_ONCE)
    checkpoint = next(signed, None)
    for entry, before in rows(scope):
        while checkpoint and checkpoint.number < entry.pk:
            checkpoint = next(signed, None)
        if checkpoint is None:
            raise LookupError(f"no checkpoint covers entry {entry.pk}")
        yield entry, before, checkpoint


def proofs_of(numbers: Collection[int], checkpoint: Checkpoint) -> dict[int, merkle.Proof]:
    """That these entries, by number, are in what the checkpoint signed; of others nothing."""
    first = checkpoint.number - checkpoint.count + 1
    leaves = AuditEntry.objects.filter(pk__gte=first, pk__lte=checkpoint.number).order_by("pk")
    places = {number - first for number in numbers if first <= number <= checkpoint.number}
    if not places:
        return {}
    found = merkle.proofs(leaves.values_list("hash", flat=True).iterator(5000), places)
    return {place + first: proof for place, proof in found.items()}
