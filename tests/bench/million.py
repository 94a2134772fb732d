"""A directory of a million made-up leads, and what a clerk types to find one of them.

Names are drawn with the unevenness of real ones: a few first names and surnames are common, most are rare. About 330
first names and 5,000 surnames (100 of them common ones, the others put together as surnames are) give a million leads
some 460,000 different full names. Rows are as `leads.services.directory.remember_rows` would keep them; they are
written past it, because what is measured is searching.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from string import ascii_lowercase
from typing import Any

from django.db import connection, transaction

from accounts.models import Account
from kartra_admin.lib import folding
from leads import search_index
from leads.models import Entry, Word

LEADS = 1_000_000
_NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_BATCH = 20_000


def _words(lines: str) -> list[str]:
    return lines.split()


_FIRSTS = _words("""
    James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph
    Jessica Thomas Sarah Christopher Karen Charles Lisa Daniel Nancy Matthew Sandra Anthony Betty Mark Ashley Donald
    Emily Steven Kimberly Andrew Margaret Paul Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Melissa
    Timothy Deborah Ronald Stephanie George Rebecca Jason Sharon Edward Laura Jeffrey Cynthia Ryan Dorothy Jacob Amy
    Nicholas Kathleen Gary Angela Eric Shirley Jonathan Emma Stephen Brenda Larry Pamela Justin Nicole Scott Anna
    Brandon Samantha Benjamin Katherine Samuel Christine Gregory Debra Alexander Rachel Patrick Carolyn Frank Janet
    Raymond Maria Jack Olivia Dennis Heather Jerry Helen Tyler Catherine Aaron Diane Jose Julie Adam Victoria Nathan
    Joyce Henry Lauren Zachary Kelly Douglas Christina Peter Ruth Kyle Joan Noah Virginia Ethan Judith Jeremy Evelyn
    Walter Hannah Christian Andrea Keith Megan Roger Cheryl Terry Jacqueline Austin Madison Sean Teresa Gerald
    Abigail Carl Sophia Harold Martha Dylan Sara Arthur Gloria Lawrence Janice Jordan Kathryn Jesse Ann Bryan
    Isabella Billy Judy Bruce Charlotte Gabriel Julia Joe Grace Logan Amber Alan Alice Juan Jean Albert Denise
    Willie Frances Elijah Danielle Wayne Marilyn Randy Natalie Vincent Beverly Mason Diana Roy Brittany Ralph
    Theresa Bobby Kayla Russell Alexis Jon Bradley Doris Philip Lori Eugene Tiffany Björn Amélie Jürgen Zoë Søren
    Łukasz Małgorzata Renée Íñigo Lucía Óscar Begoña João Conceição Giosuè Niccolò Åsa Örjan Ciarán Siobhán Oisín
    Gráinne Dilşad Gökçe Çağla İbrahim Ümit Agnieszka Zbigniew Wojciech Katarzyna Svetlana Dmitri Yekaterina Nikolai
    Oksana Bohdan Taras Eleni Giorgos Dimitra Kyriakos Aarav Bhavani Chitra Dhananjay Ishaan Kavitha Lakshmi
    Meenakshi Prakash Savitri Venkatesh Rajesh Priyanka Sanjay Anjali Adaeze Babatunde Chidinma Folasade Ifeoma
    Kelechi Ngozi Temitope Oluwaseun Kwame Abena Kofi Thabo Naledi Yusuf Fatima Mohammed Aisha Khalid Layla Omar
    Noura Hassan Zainab Avi Noam Shira Itamar Tamar Haruto Sakura Kenta Naomi Takeshi Yuki Wei Xiuying Jianguo
    Minjun Seoyeon Jiwoo Huong Tuan Ngoc Khanh Putri Agus Dewi Siti Maximilian Friederike Leonhard Annika Torsten
    Katharina Matthias Ulrike Wolfgang Heike Sebastian Franziska Guillaume Margaux Thibault Clémence Baptiste Océane
    Alejandro Guadalupe Emiliano Itzel Rogelio Marisol Xiomara Fernando
""")
_LASTS = _words("""
    Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
    Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson
    Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell
    Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris
    Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward
    Richardson Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel
    Myers Long Ross Foster Jimenez
""")
_HEADS = _words("""
    Ash Black Brad Bram Brook Burn Cald Carl Chad Clay Clif Cran Crom Dal Dun East Elm Fair Farn Fen Glen Green Had
    Hart Hazel High Hol Kings Lang Lin Lock Mar Mid Mor Nor North Oak Old Pem Ray Red Rock Ros Row Rud Shel Sher
    Stan Stock Sut Thorn Tred Wake Wal War West Whit Wil Win Wood
""")
_TAILS = _words("""
    ford ham wood ton ley field worth bury more well stead son man croft gate bridge low mere by wick combe hurst
    shaw dale brook burn den hope cott thorpe
""")
_STEMS = _words("""
    Aguil Bocc Brand Cald Castel Dragom Eriks Fern Gold Grig Hendr Ivan Jans Karl Kov Krist Lind Lorenz Magn Mart
    Mikhail Nikol Olaf Pavl Petr Popesc Radov Rasm Rossett Salv Schmidt Stank Steph Szab Tomas Vasil Vond Walt Yank
    Zamor
""")
_ENDS = _words(
    "sen son sson ez es ov ova enko ski ska opoulos idis ian yan elli etti oni ini eau ard mann berger stein"
)
_TOWNS = [
    f"{head}{tail}" for head in ("Spring", "River", "Lake", "Green", "Oak", "Maple", "Clear", "Fair", "Mill", "Stone")
    for tail in ("field", "ton", "view", "dale", "wood", "port", "ville", "haven", "brook", "ridge", "mont", "side")
]  # fmt: skip
_STATES = _words(
    "Alabama Alaska Arizona Colorado Denmark Ohio Oregon Bavaria Ontario Kerala Lagos Kent Texas Utah Vermont"
)
_COUNTRIES = ("United States", "Canada", "United Kingdom", "Germany", "France", "India", "Nigeria", "Brazil", "Poland")
_TRADES = _words(
    "Pottery Studio Partners Coaching Fitness Consulting Bakery Media Labs Academy Design Legal Dental Travel"
)
_DOMAINS = _words("example.com example.org example.net mail.example post.example")


@dataclass(frozen=True)
class Person:
    first: str
    last: str
    email: str
    phone: str
    company: str
    city: str
    state: str
    country: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def people(count: int = LEADS) -> Iterator[Person]:
    """The same people in every run."""
    rng = random.Random("directory")
    firsts, lasts = _FIRSTS, _surnames(rng)
    first_weights = [*accumulate(1 / (place + 8) ** 0.7 for place in range(len(firsts)))]
    last_weights = [*accumulate(1 / (place + 20) ** 0.75 for place in range(len(lasts)))]
    for number in range(count):
        first = rng.choices(firsts, cum_weights=first_weights)[0]
        last = rng.choices(lasts, cum_weights=last_weights)[0]
        handle = f"{folding.fold(first)}.{folding.fold(last)}"
        yield Person(
            first,
            last,
            f"{handle}{number % 1000 if rng.random() < 0.7 else ''}@{rng.choice(_DOMAINS)}",
            f"+1 ({rng.randint(200, 989)}) {rng.randint(200, 999)}-{rng.randint(0, 9999):04}"
            if rng.random() < 0.6
            else "",
            f"{rng.choice(lasts)} {rng.choice(_TRADES)}" if rng.random() < 0.3 else "",
            rng.choice(_TOWNS),
            rng.choice(_STATES),
            rng.choice(_COUNTRIES),
        )


def _surnames(rng: random.Random) -> list[str]:
    made = {head + tail for head in _HEADS for tail in _TAILS}
    made |= {stem + middle + end for stem in _STEMS for end in _ENDS for middle in ("", "a", "i", "o")}
    return [*_LASTS, *rng.sample(sorted(made), min(len(made), 4900))]


def build(account: Account, count: int = LEADS) -> None:
    """Fill the directory; indexes are made afterwards."""
    search_index.remove(connection)
    with connection.schema_editor() as editor:
        for index in Entry._meta.indexes:
            editor.remove_index(Entry, index)
    words: set[str] = set()
    columns = [field.column for field in Entry._meta.fields if field.column != "id"]
    rows: list[list[Any]] = []
    for number, person in enumerate(people(count), start=1):
        rows.append(_row(account, number, person, words))
        if len(rows) == _BATCH:
            _insert(columns, rows)
            rows.clear()
    _insert(columns, rows)
    Word.objects.bulk_create([Word(account=account, text=text) for text in sorted(words)])
    with connection.schema_editor() as editor:
        for index in Entry._meta.indexes:
            editor.add_index(Entry, index)
    search_index.install(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            search_index.fill(connection)
        cursor.execute("ANALYZE")


def _row(account: Account, number: int, person: Person, words: set[str]) -> list[Any]:
    others = (person.company, person.city, person.state, person.country)
    found = folding.searchable(
        account_id=account.pk, name=person.name, email=person.email, phone=person.phone, others=others
    )
    words |= folding.spelled(found)
    at = _NOW - timedelta(minutes=number * 7919 % LEADS)
    entry = Entry(
        account=account,
        lead_id=str(4_000_000 + number),
        name=person.name,
        name_key=folding.fold(person.name)[:100],
        email=person.email,
        phone=person.phone,
        company=person.company,
        city=person.city,
        state=person.state,
        country=person.country,
        words=found,
        seen_at=at,
        changed_at=at,
        lead_read_at=at if number % 3 else None,
    )
    return [getattr(entry, field.attname) for field in Entry._meta.fields if field.column != "id"]


def _insert(columns: list[str], rows: list[list[Any]]) -> None:
    table, names = Entry._meta.db_table, ", ".join(columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            adapted = [
                [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in row] for row in rows
            ]
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(columns))})", adapted)


def mistyped(rng: random.Random, text: str) -> str:
    """The text with one mistake in one of its words: a letter left out, put in, changed, or two swapped."""
    places = [place for place in range(len(text)) if text[place].isalpha()]
    at = rng.choice(places)
    match rng.choice(("out", "in", "other", "swapped")):
        case "out":
            return text[:at] + text[at + 1 :]
        case "in":
            return text[:at] + rng.choice(ascii_lowercase) + text[at:]
        case "other":
            return text[:at] + rng.choice([letter for letter in ascii_lowercase if letter != text[at]]) + text[at + 1 :]
    pairs = [place for place in places if place + 1 in places and text[place] != text[place + 1]]
    at = rng.choice(pairs)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
