"""Text as it is searched: without accents, without case, as words; and where in a text a match stands.

Both sides of every comparison pass `fold`, so it needs no more than to be the same for what people take for the same.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

LONGEST_WORD = 24  # of those that are kept for finding what a mistyped one means
SHORTEST_WORD = 3

# Letters that Unicode does not take apart.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
_DROPPED = str.maketrans("", "", "'’‘ʼ`´")  # within words: O'Brien is found by obrien
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_NOT_IN_EMAIL = re.compile(r"[\s\x00-\x1f\x7f\"]+")


def fold(text: str) -> str:
    """Small letters without accents; digits of any script as 0 to 9."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text).casefold().translate(_PLAIN)
    kept = [char for char in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(char)]
    return "".join(str(unicodedata.digit(char)) if char.isdecimal() else char for char in kept)


def split(text: str) -> list[str]:
    """The words of a text, folded."""
    folded = fold(text).translate(_DROPPED)
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    return "".join(char if _is_of_word(char) else " " for char in folded).split()


def _is_of_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")


def digits(text: str) -> str:
    """The digits of a telephone number, without the (0) that is not dialled from abroad."""
    return "".join(re.findall("[0-9]", fold(text).replace("(0)", "")))


def email_word(text: str) -> str:
    """An address, or a part of one, as one word."""
    return _NOT_IN_EMAIL.sub("", fold(text))


def account_word(account_id: int) -> str:
    """What stands in the words of every lead of an account, and in nothing that anybody types."""
    return f"~{account_id}"


def searchable(*, account_id: int, name: str, email: str, phone: str, others: Iterable[str]) -> str:
    """All that a lead is found by: each word once, with a space before and after it; first that of its account.

    So `` smi`` is where a word starts, `` smith `` a whole one. An address is one word; so are the words before its @,
    and the digits of the phone.
    """
    words = [account_word(account_id), *split(name), email_word(email), *split(email.partition("@")[0])]
    words += [word for text in others for word in split(text)]
    words.append(digits(phone))
    return f" {' '.join(dict.fromkeys(filter(None, words)))} "


def spelled(words: str) -> set[str]:
    """Those of `searchable` words that may be mistyped: of letters only, neither very short nor very long."""
    return {word for word in words.split() if SHORTEST_WORD <= len(word) <= LONGEST_WORD and is_spelled(word)}


def is_spelled(word: str) -> bool:
    return word.isalpha()


def find_in(text: str, wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Where the wanted folded parts stand in the text as it is written: ranges, in order, none over another.

    Where a part stands at the start of a word it is marked there only; else wherever it stands first.
    """
    folded, places = _with_places(text)
    marked = [False] * len(folded)
    for part in wanted:
        for start in _starts_of(part, folded):
            marked[start : start + len(part)] = [True] * len(part)
    ranges: list[tuple[int, int]] = []
    for is_marked, run in groupby(zip(marked, places, strict=True), key=itemgetter(0)):
        run_places = [place for _, place in run]
        if is_marked:
            ranges.append((run_places[0], run_places[-1] + 1))
    return ranges


def _starts_of(part: str, folded: str) -> Iterator[int]:
    """Every word start at which the part stands; without one the first place of all."""
    if not part:
        return
    found = [match.start() for match in re.finditer(re.escape(part), folded)]
    at_words = [start for start in found if start == 0 or not _is_of_word(folded[start - 1])]
    yield from at_words or found[:1]


def find_digits_in(text: str, wanted: str) -> list[tuple[int, int]]:
    """Where these digits stand in a number, from the first to the last, whatever is written between them."""
    places = [place for place, char in enumerate(text) if char.isdecimal()]
    plain = fold("".join(text[place] for place in places))
    start = plain.find(wanted) if wanted else -1
    return [(places[start], places[start + len(wanted) - 1] + 1)] if start >= 0 else []


def _with_places(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the place in the text that it came from."""
    chars: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for folded in fold(char).translate(_DROPPED):
            chars.append(folded)
            places.append(place)
    return "".join(chars), places


def printable(text: str) -> str:
    """Without control characters and halves of characters, which no database looks for."""
    whole = text.encode(errors="ignore").decode()
    return "".join(char if char.isprintable() else " " for char in whole)
