"""What a mistyped word may have meant: words of the directory that are one mistake away, or begin with what is.

A mistake is a letter left out, put in, taken for another, or two letters that changed places. Every word that lies one
mistake away is made (some 400) and looked up: a few hundred look-ups in one index are quicker than anything that has to
be kept beside the words, and need no room.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from string import ascii_lowercase

from django.db import connections

from accounts.models import Account
from kartra_admin.lib import folding
from leads.models import Word

MOST = 20
_SHORTEST_BEGINNING = 4  # one mistake in fewer letters may mean anything
_ASKED = 900
_BLOCK = 0x80  # alphabets lie in blocks of Unicode; those of thousands of signs are not typed letter by letter
_LAST_ALPHABET = 0x2000


def near(account: Account, word: str) -> list[str]:
    """The words of the account one mistake away from this one, those with the same first letter first."""
    if not (folding.SHORTEST_WORD - 1 <= len(word) <= folding.LONGEST_WORD + 1 and folding.is_spelled(word)):
        return []
    made = sorted(one_mistake_away(word))
    found: set[str] = set()
    for start in range(0, len(made), _ASKED):
        some = Word.objects.filter(account=account, text__in=made[start : start + _ASKED])
        found.update(some.values_list("text", flat=True))
    return sorted(found, key=lambda other: (other[0] != word[0], abs(len(other) - len(word)), other))[:MOST]


# Each made beginning is looked up in an index by itself, whatever the database takes the whole question for.
_BEGUN = {
    "sqlite": """
        SELECT made.value FROM json_each(%s) made WHERE EXISTS (SELECT 1 FROM leads_word
            WHERE account_id = %s AND text >= made.value AND text < made.value || char(1114111))""",
    "postgresql": """
        SELECT made.value FROM json_array_elements_text(%s) made, LATERAL (SELECT 1 FROM leads_word
            WHERE account_id = %s AND text ~>=~ made.value AND text ~<~ (made.value || chr(1114111)) LIMIT 1) found""",
}


def beginnings_near(account: Account, begun: str) -> list[str]:
    """One mistake away from a word that is still being typed: beginnings that words of the account have. Those with the
    same first letter come first, those that doubt only the letter typed last come at the end."""
    if not (_SHORTEST_BEGINNING <= len(begun) <= folding.LONGEST_WORD and folding.is_spelled(begun)):
        return []
    # Without those that are looked for anyway, and without the beginning less its last letter, which is no mistake.
    made = [text for text in one_mistake_away(begun) if not text.startswith(begun) and text != begun[:-1]]
    connection = connections[Word.objects.db]
    with connection.cursor() as cursor:
        cursor.execute(_BEGUN[connection.vendor], [json.dumps(sorted(made)), account.pk])
        found = [text for (text,) in cursor.fetchall()]
    return sorted(found, key=lambda text: (text[0] != begun[0], text[:-1] == begun[:-1], text))[:MOST]


def one_mistake_away(word: str) -> set[str]:
    """Every text that becomes this one, or that this one becomes, by one mistake."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    letters = "".join(dict.fromkeys("".join(_alphabet(char) for char in word)))
    shorter = {head + tail[1:] for head, tail in cuts if tail}
    swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    longer = {head + letter + tail for head, tail in cuts for letter in letters}
    other = {head + letter + tail[1:] for head, tail in cuts if tail for letter in letters}
    return (shorter | swapped | longer | other) - {word}


@lru_cache(maxsize=256)
def _alphabet(char: str) -> str:
    """The letters that may have been meant instead of this one."""
    if char.isascii():
        return ascii_lowercase
    if ord(char) >= _LAST_ALPHABET:
        return ""
    first = ord(char) // _BLOCK * _BLOCK
    return "".join(_folded_letters(range(first, first + _BLOCK)))


def _folded_letters(points: Iterable[int]) -> Iterable[str]:
    return (chr(point) for point in points if chr(point).isalpha() and folding.fold(chr(point)) == chr(point))
