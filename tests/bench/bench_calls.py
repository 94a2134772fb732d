"""How many calls Kartra gets from the desk, beside one call for each thing that is asked: what connectors make.

Counted by the sandbox. One for each is, for a lead's page, the lead, each of the two lists of his money, and the
details of each row; for a save, each change. The desk's own count has all its readings in it: a save reads the lead
first, and once more where fields were written.
"""

import sys
from pathlib import Path
from typing import Any

from tests.bench import stage
from tests.bench.table import Line, say

ADA, BEN = "4174086", "4174090"  # two subscriptions with their payments; nothing but a name
CHANGES = (1, 5, 10, 20)


def measure(lane: str, folder: Path) -> None:
    with stage.sandbox(folder, leads=60) as address:
        stage.open_desk(folder, address, KARTRA_CALLS_PER_SECOND="5000")
        from django.test import Client

        from leads.access import desk_for, get_money_for
        from leads.models import Operation
        from leads.services.catalogues import refresh_catalogues
        from tests.leads.conftest import Sandbox

        person, arrived = stage.seat("support"), Sandbox(stage.sandbox_file(folder))
        refresh_catalogues(actor=person, connection=person.connection)
        desk, browser = desk_for(person), Client(headers={"host": "localhost"})
        browser.force_login(person)
        money = get_money_for(desk, ADA)
        rows = len(money.transactions) + len(money.subscriptions)
        arrived.calls()
        browser.get(f"/leads/{ADA}/")
        browser.get(f"/leads/{ADA}/money/", headers={"HX-Request": "true"})
        ours = len(arrived.calls())
        how = (
            f"{ours} for a lead with {rows} rows of money, where one for each makes {3 + rows}; counted by the sandbox"
        )
        say(Line("calls: a lead page, to one call for each", ours / (3 + rows), how))
        for wanted in CHANGES:
            posted = _changed(desk, wanted)
            arrived.calls()
            browser.post(f"/leads/{BEN}/edit/", posted)
            ours = len(arrived.calls())
            assert Operation.objects.latest("created_at").steps.filter(outcome="succeeded").count() == wanted
            how = f"{ours} with all readings; a field, tags and lists by the edit form"
            say(Line(f"calls: a save of {wanted} change{'s' * (wanted > 1)}, to one call for each", ours / wanted, how))


def _changed(desk: Any, wanted: int) -> dict[str, Any]:
    """What a browser posts from Ben's form with so many changes: a field, some lists, and else tags."""
    from leads.access import get_lead_for
    from leads.selectors.catalogues import for_account
    from tests.leads.helpers import typed

    lead, catalogues = get_lead_for(desk, BEN), for_account(desk.account)
    on = [row.name for row in lead.lists]
    lists = [name for name in catalogues.lists if name not in on][: wanted // 5]
    tags = [name for name in catalogues.tags if name not in lead.tags][: wanted - 1 - len(lists)]
    return typed(desk, lead, city=f"City {wanted}", tags=[*lead.tags, *tags], lists=[*on, *lists])


if __name__ == "__main__":
    sys.exit(stage.on_sqlite(measure))
