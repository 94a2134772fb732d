"""Many rows into the directory at once: what is new in them, found and written by as few queries as that takes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from accounts.models import Account
from kartra_admin.lib import folding
from leads.models import Entry, Mark, MarkKind, Word
from leads.selectors.search import words_in_use

Outcome = Literal["new", "changed", "same"]

_TEXTS = ("name", "email", "phone", "company", "city", "state", "country")
_FLAGS = ("blacklisted", "deleted")
_LENGTHS = {field.name: field.max_length or 0 for field in Entry._meta.fields if field.name in _TEXTS}
_WRITTEN = ("lead_id", *_TEXTS, *_FLAGS, "name_key", "words", "seen_at", "changed_at", "lead_digest", "money_digest")
_ASKED = 900  # parameters that SQLite surely takes in one query


@dataclass(frozen=True)
class Met:
    """What is told of one lead. None means not told, so what is known of it stays; ``""`` and ``()`` mean none.

    ``lead_id`` may be "" where only the email is known. ``memberships`` are names, ``lists`` and ``sequences`` those it
    is active in.
    """

    lead_id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    company: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    blacklisted: bool | None = None
    deleted: bool | None = None
    tags: Sequence[str] | None = None
    lists: Sequence[str] | None = None
    sequences: Sequence[str] | None = None
    memberships: Sequence[str] | None = None
    products: Sequence[str] | None = None

    def marks(self) -> dict[MarkKind, frozenset[str]]:
        """By kind, only what is told."""
        told = {
            MarkKind.TAG: self.tags,
            MarkKind.LIST: self.lists,
            MarkKind.SEQUENCE: self.sequences,
            MarkKind.MEMBERSHIP: self.memberships,
            MarkKind.PRODUCT: self.products,
        }
        return {
            kind: frozenset(clean(name)[:255] for name in names) - {""}
            for kind, names in told.items()
            if names is not None
        }


def remember(account: Account, rows: Sequence[Met], at: datetime) -> list[Outcome]:
    """One outcome for each row, in order. The caller holds a transaction."""
    batch = _Batch(account, rows, at)
    outcomes = [batch.take(met) for met in rows]
    batch.save()
    return outcomes


class _Batch:
    """What is known of the leads of some rows, and what the rows make of it."""

    def __init__(self, account: Account, rows: Sequence[Met], at: datetime) -> None:
        self._account = account
        self._at = at
        ids = sorted({met.lead_id for met in rows if met.lead_id})
        emails = sorted({_email(met) for met in rows} - {""})
        self._by_id = {entry.lead_id: entry for entry in _entries(account, "lead_id__in", ids)}
        self._by_email: dict[str, Entry] = {}
        for entry in sorted(
            _entries(account, "email__in", emails), key=lambda entry: entry.lead_id is None, reverse=True
        ):
            self._by_email[entry.email] = self._by_id.get(entry.lead_id, entry) if entry.lead_id else entry
        known = {entry.pk: entry for entry in (*self._by_id.values(), *self._by_email.values())}
        tells_marks = any(met.marks() for met in rows)
        self._marks = _marks_of([*known]) if tells_marks else {}
        self._words = {pk: entry.words for pk, entry in known.items()}
        self._new: dict[int, Entry] = {}
        self._changed: dict[int, Entry] = {}
        self._same: dict[int, Entry] = {}
        self._told: dict[int, dict[MarkKind, frozenset[str]]] = {}

    def take(self, met: Met) -> Outcome:
        """Put one row into its entry."""
        entry, is_new = self._entry_of(met)
        now = self._told.setdefault(id(entry), dict(self._marks.get(entry.pk, {})) if entry.pk else {})
        differs = {kind for kind, names in met.marks().items() if names != now.get(kind, frozenset())}
        now.update(met.marks())
        is_changed = _put(entry, met) | bool(differs)
        if is_new:
            self._new[id(entry)] = entry
            return "new"
        if not is_changed:
            self._same[id(entry)] = entry
            return "same"
        entry.lead_digest = ""
        if MarkKind.PRODUCT in differs:
            entry.money_digest = ""
        self._changed[id(entry)] = entry
        return "changed"

    def _entry_of(self, met: Met) -> tuple[Entry, bool]:
        """By id, or by email where the row or the entry has no id. Makes one where there is none."""
        email = _email(met)
        if not (met.lead_id or email):
            raise ValueError("a lead is met by its id or its email")
        found = self._by_id.get(met.lead_id) if met.lead_id else None
        by_email = self._by_email.get(email) if email else None
        if found is None and by_email is not None and not (met.lead_id and by_email.lead_id):
            found = by_email
            found.lead_id = found.lead_id or met.lead_id or None
        is_new = found is None
        entry = found or Entry(account=self._account, lead_id=met.lead_id or None)
        if entry.lead_id:
            self._by_id[entry.lead_id] = entry
        if email:
            self._by_email[email] = entry
        return entry, is_new

    def save(self) -> None:
        """Write the entries, their marks and their words."""
        changed = [entry for key, entry in self._changed.items() if key not in self._new]
        for entry in (*self._new.values(), *changed):
            entry.seen_at = entry.changed_at = self._at
            entry.words, entry.name_key = _words_of(entry), folding.fold(entry.name)[:100]
        _upsert([*self._new.values()], by=["account", "lead_id"])
        _upsert(changed, by=["pk"])
        written = {*self._new, *(id(entry) for entry in changed)}
        same = [entry.pk for key, entry in self._same.items() if key not in written]
        for some in _chunks(same):
            Entry.objects.filter(pk__in=some).update(seen_at=self._at)
        told = {entry: self._told[id(entry)] for entry in (*self._new.values(), *changed)}
        write_marks(self._account, told, {entry.pk: self._marks.get(entry.pk, {}) for entry in told})
        now = {word for entry in told for word in folding.spelled(entry.words)}
        before = {word for entry in changed for word in folding.spelled(self._words[entry.pk])}
        _keep_words(self._account, now - before)
        drop_unused(self._account, before - now)


def _email(met: Met) -> str:
    return clean(met.email or "").lower()[: _LENGTHS["email"]]


def clean(text: str) -> str:
    """Without what a database does not take: NUL, and halves of characters."""
    return text.replace("\0", "").encode(errors="ignore").decode().strip()


def _put(entry: Entry, met: Met) -> bool:
    """Whether anything that the row tells differs from what the entry had."""
    before = [entry.lead_id, *(getattr(entry, name) for name in (*_TEXTS, *_FLAGS))]
    for name in _TEXTS:
        if getattr(met, name) is not None:
            setattr(entry, name, _email(met) if name == "email" else clean(getattr(met, name))[: _LENGTHS[name]])
    for name in _FLAGS:
        if getattr(met, name) is not None:
            setattr(entry, name, getattr(met, name))
    return before != [entry.lead_id, *(getattr(entry, name) for name in (*_TEXTS, *_FLAGS))]


def _words_of(entry: Entry) -> str:
    others = (entry.company, entry.city, entry.state, entry.country)
    return folding.searchable(
        account_id=entry.account_id, name=entry.name, email=entry.email, phone=entry.phone, others=others
    )


def _upsert(entries: Sequence[Entry], *, by: list[str]) -> None:
    """Insert, or update where somebody was quicker. Leaves the ids in the entries."""
    entries = sorted(
        entries, key=lambda entry: (entry.lead_id or "", entry.email)
    )  # one order, so nobody locks crosswise
    Entry.objects.bulk_create(entries, update_conflicts=True, unique_fields=by, update_fields=list(_WRITTEN))


def _entries(account: Account, lookup: str, values: Sequence[str]) -> list[Entry]:
    rows = Entry.objects.filter(account=account).select_for_update()
    return [entry for some in _chunks(values) for entry in rows.filter(**{lookup: some}).order_by("pk")]


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[start : start + _ASKED] for start in range(0, len(values), _ASKED))


# Marks, words, payments


def _marks_of(entry_ids: Sequence[int]) -> dict[int, dict[MarkKind, frozenset[str]]]:
    found: dict[int, dict[MarkKind, set[str]]] = {}
    for some in _chunks(entry_ids):
        for entry_id, kind, name in Mark.objects.filter(entry__in=some).values_list("entry_id", "kind", "name"):
            found.setdefault(entry_id, {}).setdefault(MarkKind(kind), set()).add(name)
    return {pk: {kind: frozenset(names) for kind, names in kinds.items()} for pk, kinds in found.items()}


def write_marks(
    account: Account,
    wanted: Mapping[Entry, Mapping[MarkKind, frozenset[str]]],
    known: Mapping[int, Mapping[MarkKind, frozenset[str]]] | None = None,
) -> None:
    """Give each entry the marks wanted of the kinds that are told; of other kinds it keeps what it has."""
    known = _marks_of([entry.pk for entry in wanted]) if known is None else known
    for entry, told in wanted.items():
        for kind, names in told.items():
            if gone := known.get(entry.pk, {}).get(kind, frozenset()) - names:
                Mark.objects.filter(entry=entry, kind=kind, name__in=gone).delete()
    Mark.objects.bulk_create(
        [
            Mark(entry=entry, account=account, kind=kind, name=name)
            for entry, told in wanted.items()
            for kind, names in told.items()
            for name in sorted(names - known.get(entry.pk, {}).get(kind, frozenset()))
        ],
        ignore_conflicts=True,
    )


def _keep_words(account: Account, words: Collection[str]) -> None:
    texts = sorted(words)
    known = {
        text
        for some in _chunks(texts)
        for text in Word.objects.filter(account=account, text__in=some).values_list("text", flat=True)
    }
    Word.objects.bulk_create(
        [Word(account=account, text=text) for text in texts if text not in known], ignore_conflicts=True
    )


def drop_unused(account: Account, words: Collection[str]) -> None:
    unused = sorted(set(words) - words_in_use(account, words)) if words else []
    for some in _chunks(unused):
        Word.objects.filter(account=account, text__in=some).delete()
