"""How the search box does over 1,000,000 leads, beside Django admin's own search of the same table.

``python3 run.py bench`` prints ratios only, on SQLite and, where TEST_POSTGRES_URL says so, on PostgreSQL (in a
database of its own, which goes away afterwards). Building takes some minutes and 1 GB where TMPDIR points.

* *Part of a name*: what people type of somebody drawn by lot, three to six letters from within the surname, half of
  them with the beginning of the first name. Ours is the ten best, ready to be shown; admin's is its changelist with
  ``search_fields`` on the same columns: its counts and its page of 100. Each asked twice, the second time counts.
* *While typing*: whole answers of the view, over the test client, with one person typing names letter by letter.
* *With one mistake*: the full names of people drawn by lot, where more than five share one with the town; in one place
  a letter is left out, put in, changed, or swapped with the next. Found is who was meant among the first ten. Whom even
  the right spelling would not tell from ten others is left out.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.bench.table import Line, say

SEED = 20
PARTS, PEOPLE, MISTYPED = 40, 40, 300
ALIKE_AT_MOST = 5
LONGEST_ANSWER = 0.1
GOALS = {"sqlite": 1 / 50, "postgresql": 1 / 20}
LANES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> int:
    """Measure each database in a process of its own."""
    codes = []
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/search.sqlite3", os.environ.get("TEST_POSTGRES_URL", "")]
        for url in filter(None, urls):
            environment = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
                "TEST_DATABASE_URL": url,
                "DATA_DIR": folder,
            }
            command = [sys.executable, "-m", "tests.bench.bench_search", "here"]
            codes.append(subprocess.call(command, env=environment))
    return max(codes)


def measure_here() -> None:
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0)
    try:
        Bench().run()
    finally:
        connection.creation.destroy_test_db(":memory:", verbosity=0)


class Bench:
    """One database, filled."""

    def __init__(self) -> None:
        from django.db import connection

        from accounts.models import User
        from accounts.services import connections
        from leads.providers.kartra.sandbox.credentials import ACCOUNTS
        from tests.bench import million

        self.vendor = connection.vendor
        self.rng = random.Random(SEED)
        self.person = User.objects.create_user(email="clerk@example.com", name="Clerk", role="agent", password="x")
        keys = ACCOUNTS[0]
        connections.place(actor=self.person, owner=self.person, api_key=keys.api_key, api_password=keys.api_password)
        self.account = self.person.connection.account
        start = time.monotonic()
        million.build(self.account)
        self.leads = f"{million.LEADS:,} leads"
        print(f"\n{connection.vendor}: {self.leads}, built in {(time.monotonic() - start) / 60:.1f} min")
        print(f"  {os.cpu_count()} processors, of which others wanted {os.getloadavg()[0]:.1f} in the last minute")

    def run(self) -> None:
        self.parts()
        self.typing()
        self.mistakes()

    def draw(self, count: int) -> list[Any]:
        from leads.models import Entry

        first, last = (Entry.objects.order_by(order).values_list("pk", flat=True)[0] for order in ("pk", "-pk"))
        return list(Entry.objects.filter(pk__in=[self.rng.randint(first, last) for _ in range(count)]).order_by("pk"))

    def parts(self) -> None:
        from leads.selectors import search

        admin = _admin()
        typed = []
        for place, entry in enumerate(self.draw(PARTS)):
            first, last = entry.name.split(" ", 1)
            length = self.rng.randint(3, min(6, len(last)))
            start = self.rng.randint(0, len(last) - length)
            typed.append(f"{first[:3]} {last[start : start + length]}" if place % 2 else last[start : start + length])
        ours = [_second(lambda text=text: search.find(self.account, text)) for text in typed]
        theirs = [_second(lambda text=text: admin(text)) for text in typed]
        ratios = sorted(our / their for our, their in zip(ours, theirs, strict=True))
        goal = GOALS[self.vendor]
        how = f"{PARTS} drawn by lot over {self.leads}, asked twice; ours ready to show, admin's a changelist"
        self.say("part of a name, all together, to Django admin's search", sum(ours) / sum(theirs), how, goal)
        self.say("part of a name, median of single ratios", statistics.median(ratios), how, goal)
        print(f"    worst of {len(ratios)}: 1/{1 / ratios[-1]:.0f}, best 1/{1 / ratios[0]:,.0f}")

    def typing(self) -> None:
        from django.test import Client

        client = Client(headers={"host": "localhost"})
        client.force_login(self.person)
        took = []
        for entry in self.draw(PEOPLE):
            for length in range(1, len(entry.name) + 1):
                start = time.perf_counter()
                answer = client.get("/leads/", {"q": entry.name[:length]}, headers={"HX-Request": "true"})
                took.append(time.perf_counter() - start)
                assert answer.status_code == 200
        how = f"{PEOPLE} names typed letter by letter by one person over {self.leads}, whole answers of the view"
        for share in (50, 95, 99):
            slowest = statistics.quantiles(took, n=100)[share - 1] / LONGEST_ANSWER
            self.say(f"while typing, {share} of 100 answers, to 100 ms", slowest, how, 1.0 if share == 95 else None)

    def mistakes(self) -> None:
        from leads.models import Entry
        from leads.selectors import search
        from tests.bench import million

        found, asked, left_out, took = 0, 0, 0, []
        for entry in self.draw(MISTYPED):
            alike = Entry.objects.filter(account=self.account, name_key=entry.name_key)
            text = entry.name if alike.count() <= ALIKE_AT_MOST else f"{entry.name} {entry.city}"
            if len(search.find(self.account, text, wanted=11).hits) > 10 and text != entry.name:
                left_out += 1
                continue
            wrong = million.mistyped(self.rng, text)
            start = time.perf_counter()
            hits = search.find(self.account, wrong).hits
            took.append(time.perf_counter() - start)
            asked += 1
            found += any(hit.entry.pk == entry.pk for hit in hits)
        how = f"{asked} full names drawn by lot, one letter out, in, changed or swapped, over {self.leads}"
        self.say("one typing mistake, found among the first ten", found / asked, how, 0.99, at_least=True)
        print(f"    {left_out} left out: more than ten are called so in one town")
        slowest = statistics.quantiles(took, n=100)[94] / LONGEST_ANSWER
        self.say("one typing mistake, 95 of 100 answers, to 100 ms", slowest, how)

    def say(self, what: str, ratio: float, how: str, goal: float | None = None, *, at_least: bool = False) -> None:
        say(Line(f"search: {what}, {LANES[self.vendor]}", ratio, how, goal, at_least))


def _second(ask: Callable[[], object]) -> float:
    """Seconds of the second time."""
    ask()
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def _admin() -> Callable[[str], Sequence[object]]:
    """Django admin's search of the directory's table: counts, and a page of 100."""
    from django.contrib.admin import AdminSite, ModelAdmin
    from django.test import RequestFactory

    from leads.models import Entry

    class EntryAdmin(ModelAdmin):  # type: ignore[type-arg]
        search_fields = ("name", "email", "phone", "company", "city", "state", "country")
        list_per_page = 100
        actions = None

        def has_change_permission(self, request: object, obj: object = None) -> bool:
            return True

    admin = EntryAdmin(Entry, AdminSite())

    def ask(text: str) -> Sequence[object]:
        request = RequestFactory().get("/", {"q": text})
        return list(admin.get_changelist_instance(request).result_list)

    return ask


if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        measure_here()
    else:
        sys.exit(main())
