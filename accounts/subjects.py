"""Whose data it is: finding the subject of a lead, and the subjects of an email address or a name.

Digests are keyed by one random key, which is kept sealed under ``CREDENTIAL_KEYS``, so that turning those over changes
no digest. See `docs/decisions/13-forgetting.md`.
"""

import hmac
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection, connections

from accounts import seals
from accounts.models import AuditTerm, IndexKey, Subject, SubjectTerm
from kartra_admin.lib import folding
from kartra_admin.lib.crypto import SealBroken


def of_lead(account_id: int, lead_id: str, called: str = "") -> Subject:
    """The subject of a lead of an account, made where there is none. It is found by what it is ``called`` from now on,
    see `learn`. It is not forgotten before the caller's transaction ends. One query where there is nothing new."""
    return _of(f"lead:{account_id}:{lead_id}", called)


def of_operation(operation_id: UUID, called: str = "") -> Subject:
    """The same for what is done before there is a lead."""
    return _of(f"operation:{operation_id}", called)


def of_many(name: str) -> Subject:
    """The subject of what holds many people of whom nobody is known yet, such as the lines of a file."""
    return _of(f"many:{name}", "")


def find_lead(account_id: int, lead_id: str) -> Subject | None:
    """The subject of a lead, if anything was ever sealed for it and it was not forgotten."""
    return Subject.objects.filter(digest=_digest(f"lead:{account_id}:{lead_id}")).first()


def join(part: Subject, whole: Subject) -> None:
    """What was sealed under ``part`` belongs to ``whole``, whose lead it turned out to be."""
    Subject.objects.filter(pk=part.pk).update(part_of=whole)


def destroy(keys: Iterable[int]) -> int:
    """Nothing that was sealed under these subjects opens again, and nothing finds them. Returns how many had a key."""
    keys = list(keys)
    SubjectTerm.objects.filter(subject__in=keys).delete()
    AuditTerm.objects.filter(subject__in=keys).delete()
    return Subject.objects.filter(pk__in=keys).exclude(sealed_key="").update(sealed_key="", digest=None)


def learn(subject: Subject, text: str) -> None:
    """Let the subject be found by the email addresses and the words of this text from now on."""
    _learn(subject, _term_digests(text))


def find(text: str) -> list[int]:
    """The keys of the subjects that have every whole address and word of the text; none for a text without any.

    Where there are more than `MOST`, it gives one more than that, and these are not all.
    """
    wanted = _term_digests(text)
    if not wanted:
        return []
    found = Subject.objects.all()
    for digest in wanted:
        found = found.filter(terms__digest=digest)
    return list(found.values_list("pk", flat=True)[: MOST + 1])


def family(keys: Iterable[int]) -> list[int]:
    """These subjects, what they are part of, and all parts of that: all there is of the same people."""
    keys = list(keys)
    wholes = {whole or key for key, whole in Subject.objects.filter(pk__in=keys).values_list("pk", "part_of")}
    return sorted(wholes.union(Subject.objects.filter(part_of__in=wholes).values_list("pk", flat=True)))


def word_digests(words: Iterable[str]) -> list[int]:
    """Of words by which entries of the log are found: short, for there are many."""
    key = index_key()
    digests = (hmac.digest(key, f"word:{word}".encode(), "sha256") for word in words)
    return [int.from_bytes(digest[:8], "big") - 2**63 for digest in digests]


def terms(text: str) -> set[str]:
    """The whole email addresses in a text, and its other words, folded."""
    found: set[str] = set()
    for part in text.split():
        bare = part.strip("<>()[],;")
        found |= {folding.email_word(bare)} if "@" in bare else set(folding.split(bare))
    return found - {""}


# So many people of one name are shown; who looks for one of more gives another word.
MOST = 500
_SUBJECTS, _TERMS = Subject._meta.db_table, SubjectTerm._meta.db_table
_HOLD = {"sqlite": "", "postgresql": " FOR KEY SHARE OF s"}


def digest_of(text: str) -> str:
    """A keyed digest for finding the same text again where it must not stand."""
    return _digest(f"text:{text}")


def _of(name: str, called: str) -> Subject:
    digest, words = _digest(name), _term_digests(called)
    while (found := _look_up(digest, words)) is None:
        sealed = seals.keyring().seal(Fernet.generate_key().decode(), bound_to=seals.of_subject())
        Subject.objects.bulk_create([Subject(digest=digest, sealed_key=sealed)], ignore_conflicts=True)
    subject, is_called_so = found
    if not is_called_so:
        _learn(subject, words)
    return subject


def _look_up(digest: str, words: Collection[str]) -> tuple[Subject, bool] | None:
    """The subject, and whether it has all these words. Every entry about a lead asks this, so it is one query.

    On PostgreSQL it waits for whoever is forgetting the person, and he for the caller's transaction; SQLite's
    transactions wait for each other anyway.
    """
    places = ", ".join(["%s"] * len(words)) or "NULL"
    called = f"SELECT COUNT(*) FROM {_TERMS} WHERE subject_id = s.id AND digest IN ({places})"  # noqa: S608 (constants)
    sql = f"SELECT s.id, s.sealed_key, ({called}) FROM {_SUBJECTS} s WHERE s.digest = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql + _HOLD[connection.vendor], [*words, digest])
        row = cursor.fetchone()
    if row is None:
        return None
    return Subject.from_db(connection.alias, ["id", "sealed_key"], row[:2]), row[2] == len(words)


def _learn(subject: Subject, digests: Iterable[str]) -> None:
    words = [SubjectTerm(subject=subject, digest=digest) for digest in digests]
    SubjectTerm.objects.bulk_create(words, ignore_conflicts=True)


def _term_digests(text: str) -> list[str]:
    return [_digest(f"term:{word}") for word in sorted(terms(text))]


def _digest(text: str) -> str:
    return hmac.digest(index_key(), text.encode("utf-8", "replace"), "sha256").hex()


def index_key() -> bytes:
    """The key of all digests. Raises `SealBroken`, see `_index_key`."""
    return _index_key(tuple(settings.CREDENTIAL_KEYS))


@lru_cache(maxsize=4)
def _index_key(keys: tuple[str, ...]) -> bytes:
    """Raises `SealBroken` where none of the keys opens it: a new one would find nothing of what is there."""
    row = IndexKey.objects.get()
    return seals.keyring().open(row.sealed_key, bound_to=seals.of_index()).encode()


def opens_index_key() -> bool:
    """Whether the present keys open it, or there is none yet. Raises DatabaseError where there is no table yet."""
    row = IndexKey.objects.first()
    try:
        if row:
            seals.keyring().open(row.sealed_key, bound_to=seals.of_index())
    except SealBroken:
        return False
    return True


def has_lost_index_key() -> bool:
    """Whether there is none though something was found by it. A new one would find nothing, and say nothing."""
    tables = connection.introspection.table_names()
    used = (model for model in (Subject, SubjectTerm, AuditTerm) if model._meta.db_table in tables)
    return not IndexKey.objects.exists() and any(model._default_manager.exists() for model in used)


def lay_index_key(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: there is one index key, made with the tables and never replaced."""
    _index_key.cache_clear()
    tables = connections[using].introspection.table_names()
    if IndexKey._meta.db_table in tables and not IndexKey.objects.exists() and not has_lost_index_key():
        sealed = seals.keyring().seal(Fernet.generate_key().decode(), bound_to=seals.of_index())
        IndexKey.objects.get_or_create(pk=1, defaults={"sealed_key": sealed})


def register_seals() -> None:
    """The keys of subjects and the index key move to the newest key too. Called once, when the app is ready."""
    seals.register(
        seals.Sealed(
            "keys of leads",
            lambda: Subject.objects.order_by("pk"),
            {"sealed_key": lambda subject: seals.of_subject()},
        )
    )
    seals.register(
        seals.Sealed("index key", lambda: IndexKey.objects.order_by("pk"), {"sealed_key": lambda row: seals.of_index()})
    )
