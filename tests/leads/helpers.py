"""What the tests of the desk say often: read a lead, change it behind the desk's back, post a lead's form again."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.db import connections as databases
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from leads.access import Desk
from leads.forms.lead import LeadForm
from leads.models import SETTLED, Event, Operation
from leads.models.sealed import SealedRow
from leads.providers.base import Lead, LeadRef, Outcome
from leads.providers.changes import Change
from leads.providers.kartra.commands import READS
from leads.selectors import catalogues
from leads.services import events, money
from leads.services.changes import change_lead
from leads.services.money import Terms, Whose
from leads.wiring import provider_for
from tests.leads.conftest import ADA, Sandbox

HTMX = {"HX-Request": "true"}


def writes(sandbox: Sandbox) -> list[tuple[str, ...]]:
    """The calls since last asked that could have changed something."""
    return [commands for commands in sandbox.calls() if any(command not in READS for command in commands)]


def read(desk: Desk, lead_id: str = ADA.id) -> Lead:
    """The lead as Kartra has it."""
    return provider_for(desk.connection).get_lead(LeadRef(id=lead_id))


def send(desk: Desk, *changes: Change, lead_id: str = ADA.id) -> list[Outcome]:
    """Change a lead straight at Kartra, as its owner would in Kartra itself."""
    return list(provider_for(desk.connection).send(LeadRef(id=lead_id), changes))


def do(desk: Desk, *changes: Change, lead_id: str = ADA.id, **also: Any) -> Operation:
    """Change a lead from the desk."""
    wanted = {"operation_id": uuid4(), **also}
    return change_lead(actor=desk.user, connection=desk.connection, lead_id=lead_id, changes=changes, **wanted)


def refund_part(desk: Desk) -> Operation:
    """5.00 of the 19.95 of Ada's last payment, #99488, from the desk."""
    whose = Whose(ADA.id, "Ada Moreno", ADA.email)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, "99488")
    return money.refund_transaction(
        actor=desk.user,
        connection=desk.connection,
        whose=whose,
        transaction_id="99488",
        amount=Decimal("5.00"),
        terms=Terms("Goodwill", "", sale.digest),
        operation_id=uuid4(),
    )


def ending(outcome: str) -> dict[str, Any]:
    """The fields of a step that an answer has left with this outcome."""
    return {"outcome": outcome, "settled_by": "answer" if outcome in SETTLED else ""}


def grow_old(operation: Operation) -> None:
    """Let an hour pass."""
    hour_ago = timezone.now() - timedelta(hours=1)
    Operation.objects.filter(pk=operation.pk).update(created_at=hour_ago, sent_at=hour_ago)
    operation.refresh_from_db()


def come_to_wait(operation: Operation) -> None:
    """Let the readings and the minutes pass after which a person may decide."""
    sent_at = timezone.now() - timedelta(seconds=settings.SETTLE_WITHIN + 1)
    Operation.objects.filter(pk=operation.pk).update(sent_at=sent_at, readings=settings.SETTLE_READINGS)
    operation.refresh_from_db()


def typed(desk: Desk, lead: Lead | None = None, **changed: Any) -> dict[str, Any]:
    """What a browser posts from the form of a lead (or of a new one), with some fields changed."""
    posted = values_of(LeadForm(catalogues=catalogues.for_account(desk.account), lead=lead))
    return {**posted, **{key.replace("custom__", "custom."): value for key, value in changed.items()}}


def opened() -> str:
    """Every row that is sealed and every event, as far as they open with the keys that are there."""
    texts = [str(row.values_inside()) for model in SealedRow.__subclasses__() for row in model.objects.all()]
    return "\n".join([*texts, *map(events.body_of, Event.objects.all())])


def values_of(form: forms.Form) -> dict[str, Any]:
    """What a browser posts from a form as it is shown: CRLF for line breaks, and none from a single line."""
    return {
        bound.name: value if isinstance(value, list | tuple) else _posted(str(bound), str(value))
        for bound in form
        if (value := bound.value()) is not None
    }


def _posted(html: str, value: str) -> str:
    return re.sub(r"\r\n?|\n", "\r\n" if "<textarea" in html else "", value)


def words(answer: HttpResponse) -> str:
    """What a person reads: no tags, single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def posted_again(answer: HttpResponse, name: str) -> list[str]:
    """The values that a form in the answer would post under this name (hidden and text inputs)."""
    found = re.findall(rf'<input[^>]*name="{re.escape(name)}"[^>]*>', answer.content.decode())
    return [unescape(value[1]) if (value := re.search(r'value="([^"]*)"', tag)) else "" for tag in found]


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run the jobs at the same moment, each in a thread of its own. Gives what each returned or raised."""
    barrier = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(place: int) -> None:
        barrier.wait()
        try:
            results[place] = jobs[place]()
        except Exception as error:  # noqa: BLE001  (handed to the test)
            results[place] = error
        finally:
            databases.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def see(client: Client, lead_id: str = ADA.id) -> HttpResponse:
    return client.get(f"/leads/{lead_id}/")
