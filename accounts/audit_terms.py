"""The words by which an entry of the log is found: who did it, what the act is called, and what is told of it.

They are kept as keyed digests beside the entry, for nothing of what was sealed may be read in the database. Words of a
person go with that person, see `subjects.destroy`. See `docs/decisions/14-using-the-log.md`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, connections, transaction

from accounts import audit_actions, subjects
from accounts.models import AuditEntry, AuditTerm

# Digests, each with the subject whose word it is.
Terms = Sequence[tuple[int, int | None]]

# So many words of what is told are kept of one entry, and so many are looked for at once.
MOST_KEPT = 40
MOST_SOUGHT = 10

# They stand in so many entries that they tell none apart.
_LITTLE = {
    "a", "an", "and", "as", "at", "by", "did", "for", "from", "in", "is", "it", "of", "on", "or", "that", "the", "to",
    "was", "were", "who", "with",
}  # fmt: skip
_INSERT = f'INSERT INTO "{AuditTerm._meta.db_table}" (digest, entry_id, subject_id) VALUES'
_PLACE = re.compile(r"\{.*?\}")


def of(entry: AuditEntry, told: Mapping[str, Any], subject_id: int | None) -> Terms:
    """The words of an entry that is about to be written."""
    of_act = _of_act(subjects.index_key(), entry.who, entry.action, entry.outcome)
    of_person = [word for word in _words(_of_told(told)) if word not in of_act][:MOST_KEPT]
    act: Terms = [(digest, None) for digest in of_act.values()]
    return [*act, *((digest, subject_id) for digest in subjects.word_digests(of_person))]


def insert(entry_id: int, terms: Terms) -> tuple[str, list[int | None]]:
    """The statement that lets the entry be found by these, written by hand: everybody waits for it, as in
    `services.chain`. Words left over from entries that somebody took away must not stop the log."""
    rows = ", ".join(["(%s, %s, %s)"] * len(terms))
    values = [value for digest, whose in terms for value in (digest, entry_id, whose)]
    return f"{_INSERT} {rows} ON CONFLICT DO NOTHING", values


def keep_addresses(entry_id: int, text: str) -> None:
    """Let the entry be found by the whole email addresses in a text that must not stand in the log."""
    if terms := [(digest, None) for digest in _of_addresses([text])]:
        with connection.cursor() as cursor:
            cursor.execute(*insert(entry_id, terms))


def forget_addresses(texts: Iterable[str]) -> None:
    """Nothing that staff or strangers typed is found by these addresses any more."""
    AuditTerm.objects.filter(digest__in=_of_addresses(texts), subject=None).delete()


def digests(text: str) -> list[int]:
    """Of the words of a text that tell entries apart, each once."""
    return subjects.word_digests(_words([text]))


def fill(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: entries that are older than the table get their words."""
    if AuditTerm._meta.db_table not in connections[using].introspection.table_names() or AuditTerm.objects.exists():
        return
    last = 0
    with transaction.atomic(), connection.cursor() as cursor:
        while entries := AuditEntry.objects.readable().filter(pk__gt=last).order_by("pk")[:500]:
            for entry in entries:
                last = entry.pk
                terms = of(entry, _NOTHING if entry.is_withheld else entry.told, entry.subject_id)
                cursor.execute(*insert(last, terms))


_NOTHING: dict[str, Any] = {"target_id": "", "target_name": "", "before": None, "after": None, "detail": {}}


def _of_addresses(texts: Iterable[str]) -> list[int]:
    return subjects.word_digests(word for word in _words(texts) if "@" in word)


def _words(texts: Iterable[str]) -> list[str]:
    """In order, each once."""
    found: dict[str, None] = {}
    for text in dict.fromkeys(texts):
        found |= dict.fromkeys(sorted(subjects.terms(text) - _LITTLE))
    return [*found]


@lru_cache(maxsize=1024)
def _of_act(key: bytes, actor: str, name: str, outcome: str) -> dict[str, int]:
    """The words of the staff's and of the act, with their digests under the present index key."""
    texts = [actor, audit_actions.OUTCOMES.get(outcome, "")]
    if action := audit_actions.ACTIONS.get(name):
        texts += [audit_actions.label_of(name), _PLACE.sub(" ", action.sentence)]
    words = _words(texts)
    return dict(zip(words, subjects.word_digests(words), strict=True))


def _of_told(told: Mapping[str, Any]) -> Iterator[str]:
    """What says most comes first: not everything may be kept."""
    yield from (told["target_name"], told["target_id"])
    yield from _texts(told["detail"])
    before, after = told["before"] or {}, told["after"] or {}
    changed = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    for state in (after, before):
        yield from _texts({name: state[name] for name in changed if name in state})
    yield from _texts(after)
    yield from _texts(before)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
