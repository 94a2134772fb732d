"""The ways in which terms may match: as whole words, as beginnings, as parts, with a mistake."""

from collections.abc import Iterator, Sequence

from accounts.models import Account
from kartra_admin.lib import folding
from leads.models import Word
from leads.selectors.search._matching import Needles
from leads.selectors.search.near import beginnings_near, near
from leads.selectors.search.query import Term

SHORTEST_PART = 3


def whole(terms: Sequence[Term]) -> Needles:
    return [[f" {form} " for form in term.forms] for term in terms]


def beginnings(terms: Sequence[Term]) -> Needles:
    return [_beginning(term) for term in terms]


def parts(terms: Sequence[Term]) -> Needles:
    """One or two letters are rather the beginning of more: as a part they would be found everywhere."""
    return [_part(term) for term in terms]


def are_short(terms: Sequence[Term]) -> bool:
    """Whether nothing longer than one or two letters was typed, in an alphabet where a word is longer."""
    return all(len(term.text) < SHORTEST_PART and term.text.isascii() for term in terms)


def _part(term: Term) -> list[str]:
    return [form if len(form) >= SHORTEST_PART else f" {form}" for form in term.forms]


def _beginning(term: Term) -> list[str]:
    return [f" {form}" for form in term.forms]


def with_mistake(account: Account, terms: Sequence[Term]) -> Iterator[Needles]:
    """One term mistyped, each in turn; a space left out or put in; then every term perhaps mistyped."""
    # Of an address only what stands before its @ are words; what follows is a part of it.
    around = _part if any("@" in term.text for term in terms) else _beginning
    terms = [Term((word,)) for term in terms for word in folding.split(term.text)]
    meant = [[f" {word} " for word in near(account, term.text)] for term in terms]
    for place, words in enumerate(meant):
        if words:
            yield [words if here == place else around(term) for here, term in enumerate(terms)]
    yield from _with_other_spaces(account, terms)
    if len([words for words in meant if words]) > 1:
        yield [_beginning(term) + words for term, words in zip(terms, meant, strict=True)]


def begun_with_mistake(account: Account, terms: Sequence[Term]) -> Needles:
    """The last term is still being typed and has a mistake; nothing where it cannot be so."""
    if any("@" in term.text for term in terms):
        return []
    begun = beginnings_near(account, terms[-1].text)
    return [*(_beginning(term) for term in terms[:-1]), [f" {text}" for text in begun]] if begun else []


def _with_other_spaces(account: Account, terms: Sequence[Term]) -> Iterator[Needles]:
    for place, term in enumerate(terms):
        others = [[_beginning(other) for other in part] for part in (terms[:place], terms[place + 1 :])]
        for head, tail in _halves(account, term.text):
            yield [*others[0], [f" {head} "], [f" {tail}"], *others[1]]
        if place + 1 < len(terms):
            yield [*others[0], [f" {term.text}{terms[place + 1].text}"], *others[1][1:]]


def _halves(account: Account, text: str) -> list[tuple[str, str]]:
    """Ways to take it for two words of the directory."""
    cuts = [
        (text[:place], text[place:]) for place in range(folding.SHORTEST_WORD, len(text) - folding.SHORTEST_WORD + 1)
    ]
    if not cuts or not folding.is_spelled(text):
        return []
    words = {word for cut in cuts for word in cut}
    known = set(Word.objects.filter(account=account, text__in=words).values_list("text", flat=True))
    return [cut for cut in cuts if known.issuperset(cut)][:2]
