"""The people that somebody means, best first.

Each way of matching is asked only while too few are found: exactly this email, id, payment or card; all terms as whole
words; as beginnings of words; as parts; with a typing mistake; and at last, where nobody is found, with one in a word
that is still being typed. Of each some candidates are taken, those met last where there are many, and put in order
here.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from django.db.models import QuerySet

from accounts.models import Account
from kartra_admin.lib import folding
from leads.models import Entry, Payment
from leads.selectors.search import ways
from leads.selectors.search._matching import Needles, narrow, newest_first
from leads.selectors.search._patience import TookTooLong, at_most
from leads.selectors.search.query import Query, parse

WANTED = 10
SECONDS = 1.0  # after which what was found by then must do
_CANDIDATES = 200


@dataclass(frozen=True)
class Hit:
    """``parts`` are the folded parts by which it was found, for marking. ``by`` says what else it was found by, such as
    "payment 9001"."""

    entry: Entry
    parts: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class Found:
    """``is_cut`` where the time was over before all ways of matching were tried."""

    query: Query
    hits: list[Hit]
    is_cut: bool = False

    @property
    def names_a_payment(self) -> bool:
        """Whether the text is the number of a payment, and no lead has it for an id."""
        return bool(self.hits) and self.hits[0].by.startswith(("payment ", "subscription "))

    @property
    def id_beside_payment(self) -> str:
        """The id that the text is, too, where it is the number of a payment; else ""."""
        return self.query.ref.id if self.names_a_payment and self.query.ref else ""

    @property
    def asks_kartra(self) -> bool:
        """Whether the text is one email or id that nobody found has, so that only Kartra can tell whose it is."""
        ref = self.query.ref
        if ref is None or self.names_a_payment:
            return False
        return not any(hit.entry.lead_id == ref.id if ref.id else hit.entry.email == ref.email for hit in self.hits)


def find(
    account: Account,
    text: str,
    *,
    wanted: int = WANTED,
    entries: QuerySet[Entry] | None = None,
    with_mistakes: bool = True,
) -> Found:
    """At most so many people of the account, or of ``entries`` alone; without mistakes those of `narrow_by` and of
    `find_exactly`. Raises nothing, whatever the text."""
    among = Entry.objects.filter(account=account) if entries is None else entries
    search = _Search(account, parse(text), among, wanted, with_mistakes=with_mistakes)
    until = time.monotonic() + SECONDS
    try:
        with at_most(SECONDS):
            for _ in search.steps():
                if len(search.found) >= wanted or time.monotonic() > until:
                    break
    except TookTooLong:
        pass
    return Found(search.query, list(search.found.values())[:wanted], is_cut=time.monotonic() > until)


def find_exactly(account: Account, text: str, *, entries: QuerySet[Entry]) -> list[int]:
    """The ids of the entries that have just this email or id, this payment, or paid this amount by this card."""
    return [hit.entry.pk for hit in _Search(account, parse(text), entries, WANTED).exact()]


def narrow_by(account: Account, entries: QuerySet[Entry], text: str) -> QuerySet[Entry]:
    """Those of the account's entries that hold every term as a part: without mistakes, order or limit. Nobody where
    signs alone were typed, such as a wildcard."""
    terms = parse(text).terms
    if text.strip() and not terms:
        return entries.none()
    return narrow(account, entries, ways.parts(terms))


class _Judged(NamedTuple):
    """What a candidate is judged by."""

    pk: int
    name: str
    words: str
    gone_at: datetime | None
    seen_at: datetime


class _Search:
    """One search, step by step; ``found`` grows with each, by the ids of the entries, best first."""

    def __init__(
        self, account: Account, query: Query, among: QuerySet[Entry], wanted: int, *, with_mistakes: bool = True
    ) -> None:
        self.query = query
        self.found: dict[int, Hit] = {}
        self._account = account
        self._among = among
        self._wanted = wanted
        self._with_mistakes = with_mistakes

    def steps(self) -> Iterator[None]:
        self._take_exact()
        yield
        terms = self.query.terms
        if not terms:
            return
        needles = ways.beginnings(terms)
        candidates = self._candidates(needles)
        # Of more than were taken, those with the words as a whole may be among the others.
        if len(candidates) == _CANDIDATES and not ways.are_short(terms):
            self._take_best(ways.whole(terms), self._candidates(ways.whole(terms)))
            yield
        self._take_best(needles, candidates)
        yield
        parts = [] if ways.are_short(terms) else [ways.parts(terms)]
        for needles in chain(parts, ways.with_mistake(self._account, terms) if self._with_mistakes else ()):
            self._take_best(needles, self._candidates(needles))
            yield
        if self._with_mistakes and not self.found and (needles := ways.begun_with_mistake(self._account, terms)):
            self._take_best(needles, self._candidates(needles))
            yield

    def _candidates(self, needles: Needles) -> list[_Judged]:
        """Some of those that match; only what they are judged by."""
        matching = newest_first(narrow(self._account, self._among, needles))
        rows = matching.values_list("pk", "name", "words", "gone_at", "seen_at")[:_CANDIDATES]
        return [_Judged(*row) for row in rows]

    def _take_best(self, needles: Needles, candidates: Sequence[_Judged]) -> None:
        """Only the best are read as a whole, and only those not found before."""
        rated = sorted(_rate(one, needles) for one in candidates if one.pk not in self.found)[: self._wanted]
        entries = self._among.in_bulk([pk for *_, pk, _ in rated]) if rated else {}
        self.found |= {pk: Hit(entries[pk], parts) for *_, pk, parts in rated if pk in entries}

    def _take_exact(self) -> None:
        for hit in self.exact():
            self.found.setdefault(hit.entry.pk, hit)

    def exact(self) -> Iterator[Hit]:
        """Whoever has just this email or id, this payment, or paid this amount by this card."""
        query, among, wanted = self.query, self._among, self._wanted
        if query.ref and query.ref.email:
            yield from (Hit(entry, (query.ref.email,)) for entry in among.filter(email=query.ref.email)[:wanted])
        elif query.ref:
            yield from (Hit(entry, by=f"id {query.ref.id}") for entry in among.filter(lead_id=query.ref.id))
        if query.number:
            yield from self._who_paid(f"payment {query.number}", transaction_id=query.number)
            yield from self._who_paid(f"subscription {query.number}", subscription_id=query.number)
        for last_four, amount in query.cards:
            yield from self._who_paid(f"{amount:.2f} by card ·· {last_four}", last_four=last_four, amount=amount)

    def _who_paid(self, by: str, **payment: object) -> Iterator[Hit]:
        paid = Payment.objects.filter(account=self._account, **payment).order_by("-pk")
        ids = dict.fromkeys(paid.values_list("entry_id", flat=True)[: self._wanted * 5])
        known = self._among.in_bulk(ids) if ids else {}
        return (Hit(known[pk], by=by) for pk in ids if pk in known)


def _rate(one: _Judged, needles: Needles) -> tuple[float, bool, int, float, int, tuple[str, ...]]:
    """The less the better: how far each term is from a whole word of the name; who is gone, and names with more in them
    than was asked for, come later; then who was seen last. At the end the id, and the parts that matched."""
    name = f" {' '.join(folding.split(one.name))} "
    distance, parts = 0.0, []
    for group in needles:
        far, part = min(_distance(needle, place, name, one.words) for place, needle in enumerate(group))
        distance += far
        parts.append(part)
    return distance, one.gone_at is not None, name.count(" "), -one.seen_at.timestamp(), one.pk, tuple(parts)


def _distance(needle: str, place: int, name: str, words: str) -> tuple[float, str]:
    """``place`` is the rank of this way of writing among the others of the term."""
    part = needle.strip()
    forms = (f" {part} ", f" {part}", part)
    for far, form in enumerate(forms[: forms.index(needle) + 1]):
        if form in words:
            return far + (0 if form in name else 0.5) + place / 100, part
    return 9, part
