"""Whose data it is: finding the subject of a lead, and the subjects of an email address or a name.

Digests are keyed by one random key, which is kept sealed under ``CREDENTIAL_KEYS``, so that turning those over changes
no digest. See `docs/decisions/13-forgetting.md`.
"""

import hashlib
import hmac
from collections.abc import Iterable
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
    see `learn`. One query where there is nothing new."""
    return _of(f"lead:{account_id}:{lead_id}", called)


def of_operation(operation_id: UUID, called: str = "") -> Subject:
    """The same for what is done before there is a lead."""
    return _of(f"operation:{operation_id}", called)


def of_many(name: str) -> Subject:
    """The subject of what holds many people of whom nobody is known yet, such as the lines of a file."""
    return _of(f"many:{name}", "")


def held(account_id: int, lead_id: str) -> Subject:
    """`of_lead`, and it is not forgotten before the caller's transaction ends."""
    digest = _digest(f"lead:{account_id}:{lead_id}")
    while True:
        if found := Subject.objects.select_for_update(no_key=True).filter(digest=digest).first():
            return found
        of_lead(account_id, lead_id)


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
    digests = {_digest(f"term:{word}") for word in terms(text)}
    known = SubjectTerm.objects.filter(subject=subject, digest__in=digests).values_list("digest", flat=True)
    missing = [SubjectTerm(subject=subject, digest=digest) for digest in digests.difference(known)]
    SubjectTerm.objects.bulk_create(missing, ignore_conflicts=True)


def find(text: str) -> list[int]:
    """The keys of all subjects that have every whole address and word of the text; none for a text without any."""
    wanted = [_digest(f"term:{word}") for word in terms(text)]
    if not wanted:
        return []
    found = Subject.objects.all()
    for digest in wanted:
        found = found.filter(terms__digest=digest)
    return list(found.values_list("pk", flat=True)[:_MOST])


def family(keys: Iterable[int]) -> list[int]:
    """These subjects, what they are part of, and all parts of that: all there is of the same people."""
    keys = list(keys)
    wholes = {whole or key for key, whole in Subject.objects.filter(pk__in=keys).values_list("pk", "part_of")}
    return sorted(wholes.union(Subject.objects.filter(part_of__in=wholes).values_list("pk", flat=True)))


def word_digest(word: str) -> int:
    """Of a word by which entries of the log are found: short, for there are many."""
    return int(_digest(f"word:{word}")[:16], 16) - 2**63


def terms(text: str) -> set[str]:
    """The whole email addresses in a text, and its other words, folded."""
    found: set[str] = set()
    for part in text.split():
        bare = part.strip("<>()[],;")
        found |= {folding.email_word(bare)} if "@" in bare else set(folding.split(bare))
    return found - {""}


# So many people of one name are shown; who looks for one of more gives another word.
_MOST = 500
_SUBJECTS, _TERMS = Subject._meta.db_table, SubjectTerm._meta.db_table


def digest_of(text: str) -> str:
    """A keyed digest for finding the same text again where it must not stand."""
    return _digest(f"text:{text}")


def _of(name: str, called: str) -> Subject:
    digest = _digest(name)
    found, is_called_so = _look_up(digest, {_digest(f"term:{word}") for word in terms(called)})
    if found is None:
        key = Fernet.generate_key().decode()
        sealed = seals.keyring().seal(key, bound_to=seals.of_subject())
        found, _ = Subject.objects.get_or_create(digest=digest, defaults={"sealed_key": sealed})
    if not is_called_so:
        learn(found, called)
    return found


def _look_up(digest: str, words: set[str]) -> tuple[Subject | None, bool]:
    """The subject, and whether it has all these words. Every entry about a lead asks this, so it is one query."""
    places = ", ".join(["%s"] * len(words)) or "NULL"
    called = f"SELECT COUNT(*) FROM {_TERMS} WHERE subject_id = s.id AND digest IN ({places})"  # noqa: S608 (constants)
    sql = f"SELECT s.id, s.sealed_key, ({called}) FROM {_SUBJECTS} s WHERE s.digest = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*words, digest])
        row = cursor.fetchone()
    if row is None:
        return None, not words
    return Subject.from_db(connection.alias, ["id", "sealed_key"], row[:2]), row[2] == len(words)


def _digest(text: str) -> str:
    return hmac.digest(_index_key(tuple(settings.CREDENTIAL_KEYS)), text.encode(), hashlib.sha256).hex()


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


def lay_index_key(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: there is one index key, made with the tables and never replaced."""
    _index_key.cache_clear()
    tables = connections[using].introspection.table_names()
    if IndexKey._meta.db_table in tables and not IndexKey.objects.exists():
        sealed = seals.keyring().seal(Fernet.generate_key().decode(), bound_to=seals.of_index())
        IndexKey.objects.get_or_create(pk=1, defaults={"sealed_key": sealed})


def register_seals() -> None:
    """The keys of subjects and the index key move to the newest key too. Called once, when the app is ready."""
    seals.register(
        seals.Sealed(
            "keys of leads",
            lambda: Subject.objects.order_by("pk").iterator(500),
            {"sealed_key": lambda subject: seals.of_subject()},
        )
    )
    seals.register(
        seals.Sealed("index key", lambda: IndexKey.objects.order_by("pk"), {"sealed_key": lambda row: seals.of_index()})
    )
