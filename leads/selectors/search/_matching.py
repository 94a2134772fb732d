"""The entries whose words hold certain parts, by the database's own indexes. Both databases answer alike.

``needles`` are parts of `Entry.words`: of each group at least one must be there. A part that begins with a space stands
at the start of a word; with a space at its end too, it is a whole word.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from string import ascii_lowercase, digits

from django.core.cache import cache
from django.db import connections
from django.db.models import QuerySet

from accounts.models import Account
from kartra_admin.lib import folding
from leads.models import Entry
from leads.search_index import PARTS, WORDS

Needles = Sequence[Sequence[str]]
_TRIGRAM = 3
_AFTER_ONE_LETTER = f" {ascii_lowercase}{digits}.@_-+"


def narrow(account: Account, entries: QuerySet[Entry], needles: Needles) -> QuerySet[Entry]:
    """Those of the account's entries that hold a part of each group."""
    if not needles:
        return entries
    if _are_several_accounts():  # or those of a larger one would have to be looked through
        needles = [[f" {folding.account_word(account.pk)} "], *needles]
    if connections[entries.db].vendor == "postgresql":
        return _postgres(entries, needles)
    is_of_words = all(part.startswith(" ") for part in chain(*needles))
    return _by_words(entries, needles) if is_of_words else _by_parts(entries, needles)


def _are_several_accounts() -> bool:
    return bool(cache.get_or_set("leads.several_accounts", lambda: Account.objects.count() > 1, timeout=60))


def newest_first(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Narrowed entries in the order in which the database gives the first few soonest."""
    index = next((name for name in (WORDS, PARTS) if name in entries.query.extra_tables), None)
    return entries.extra(order_by=[f"-{index}.rowid"]) if index else entries.order_by()


def _postgres(entries: QuerySet[Entry], needles: Needles) -> QuerySet[Entry]:
    """Of several parts one expression, for which the index is looked through once; for parts joined by OR it is for
    each, and for each again with every other group."""
    for group in needles:
        part = {"words__contains": group[0]} if len(group) == 1 else {"words__regex": "|".join(map(re.escape, group))}
        entries = entries.filter(**part)
    return entries


def _by_words(entries: QuerySet[Entry], needles: Needles) -> QuerySet[Entry]:
    groups = (
        " OR ".join(f"{_quoted(part.strip())}{'' if part.endswith(' ') else '*'}" for part in group)
        for group in needles
    )
    return _in_index(entries, WORDS, groups)


def _by_parts(entries: QuerySet[Entry], needles: Needles) -> QuerySet[Entry]:
    """The index finds who has all trigrams of a part; whether they stand together is looked at in the text itself.
    So is what is too short for a trigram and of another alphabet."""
    groups = []
    for group in needles:
        sql = " OR ".join("instr(leads_entry.words, %s) > 0" for _ in group)
        entries = entries.extra(where=[f"({sql})"], params=group)  # noqa: S610  (constants; parts are parameters)
        parts = [longer for part in group for longer in _long_enough(part)]
        if all(len(part) >= _TRIGRAM for part in parts):
            groups.append(" OR ".join(f"({_trigrams(part)})" for part in parts))
    return _in_index(entries, PARTS, groups) if groups else entries


def _in_index(entries: QuerySet[Entry], index: str, groups: Iterable[str]) -> QuerySet[Entry]:
    wanted = " AND ".join(f"({group})" for group in groups)
    return entries.extra(  # noqa: S610  (constants; what is looked for is a parameter)
        tables=[index], where=[f"{index}.rowid = leads_entry.id", f"{index} MATCH %s"], params=[wanted]
    )


def _trigrams(part: str) -> str:
    return " AND ".join(_quoted(part[start : start + _TRIGRAM]) for start in range(len(part) - _TRIGRAM + 1))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _long_enough(part: str) -> list[str]:
    if len(part) == _TRIGRAM - 1 and part.isascii():
        return [part + letter for letter in _AFTER_ONE_LETTER]
    return [part]
