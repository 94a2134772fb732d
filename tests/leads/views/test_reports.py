"""The monthly report: a chart with the same numbers as a table, and CSV that is logged."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import AuditEntry
from leads.access import Desk
from leads.charts import bar_chart
from leads.models import Playbook
from leads.selectors import reports
from leads.services import runs
from leads.services.money import Terms
from leads.services.playbook_preview import preview_playbook
from tests.leads.conftest import ADA
from tests.leads.helpers import words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]


@pytest.fixture
def done(desk_of: DeskOf, settings: Any) -> None:
    """One subscription cancelled and 19.95 refunded, with a note that a spreadsheet would run."""
    settings.MONEY_HOLD = 0
    desk = desk_of("support")
    steps = [{"act": "cancel"}, {"act": "refund"}]
    playbook = Playbook.objects.create(account=desk.account, name="+Cancel", steps=steps)
    asked: dict[str, Any] = {"actor": desk.user, "connection": desk.connection, "playbook": playbook, "lead_id": ADA.id}
    seen = preview_playbook(**asked).digest
    terms = Terms("Goodwill", "=HYPERLINK(1)", seen)
    runs.start_playbook(**asked, chosen="", terms=terms, run_id=uuid4())


def read_csv(answer: HttpResponse) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_the_month_is_told_by_person_reason_and_outcome(at_desk: AtDesk, done: None) -> None:
    text = words(at_desk("manager").get("/report/"))
    assert "Refunds 1 Refunded 19.95 Cancelled 1 Failed 0 Not settled 0" in text
    assert "Support Person 1 19.95 1 0" in text
    assert "Goodwill 1 19.95 1 0" in text
    assert "without their currency" in text


def test_the_chart_says_the_same_as_the_table(at_desk: AtDesk, done: None) -> None:
    html = at_desk("manager").get("/report/").content.decode()
    this = reports.this_month()
    chart = html[html.index('<svg class="chart"') : html.index("</svg>", html.index('<svg class="chart"'))]
    assert 'role="img"' in chart
    assert "<title" in chart
    assert f"{this:%B %Y}: 19.95" in chart
    assert len(re.findall(r"<rect ", chart)) == 12
    assert len(re.findall(r"<rect [^>]*is-marked", chart)) == 1
    assert "style=" not in chart
    assert f'href="/report/?month={this:%Y-%m}" aria-current="true"' in html


@pytest.mark.parametrize("month", ["9999-01", "0001-01"])
def test_a_month_too_far_away_is_the_nearest_there_is(at_desk: AtDesk, month: str) -> None:
    assert at_desk("auditor").get("/report/", {"month": month}).status_code == 200


@pytest.mark.parametrize("month", ["", "x", "2026-13", "2026", "=1+1", "2026-11-30"])
@pytest.mark.parametrize("url", ["/report/", "/report/csv/"])
def test_a_month_that_is_none_is_400(at_desk: AtDesk, url: str, month: str) -> None:
    assert at_desk("auditor").get(url, {"month": month}).status_code == 400


def test_earlier_months_can_be_reached(at_desk: AtDesk, done: None) -> None:
    before = reports.after(reports.this_month(), -1)
    text = words(at_desk("manager").get("/report/", {"month": f"{before:%Y-%m}"}))
    assert f"Export {before:%B %Y}" in text
    assert "Nothing in this month." in text
    long_ago = words(at_desk("manager").get("/report/", {"month": "2001-05"}))
    assert "May 2001" in long_ago


def test_the_export_holds_each_act_safely_and_is_logged(at_desk: AtDesk, done: None) -> None:
    month = f"{reports.this_month():%Y-%m}"
    answer = at_desk("auditor").get("/report/csv/", {"month": month})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="refunds-{month}.csv"'
    head, cancel, refund = read_csv(answer)
    row = dict(zip(head, refund, strict=True))
    assert (row["Amount"], row["Outcome"], row["Person"]) == ("19.95", "Succeeded", "Support Person")
    assert (row["Note"], row["Playbook"]) == ("'=HYPERLINK(1)", "'+Cancel")
    assert (row["Lead id"], row["Email"]) == (ADA.id, ADA.email)
    assert dict(zip(head, cancel, strict=True))["Amount"] == ""
    entry = AuditEntry.objects.get(action="report.export.succeeded")
    assert (entry.detail, entry.actor_name) == ({"month": month, "rows": 2}, "Auditor Person")


def test_another_accounts_figures_are_not_in_it(at_desk: AtDesk, done: None) -> None:
    stranger = at_desk("admin", 1)
    assert "Support Person" not in words(stranger.get("/report/"))
    assert len(read_csv(stranger.get("/report/csv/"))) == 1


def test_an_export_asks_for_the_password_again(at_desk: AtDesk, done: None, settings: Any) -> None:
    client = at_desk("manager")
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = client.get("/report/csv/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")
    assert client.get("/report/").status_code == 200
    assert not AuditEntry.objects.filter(action="report.export.succeeded").exists()


def test_queries_do_not_grow(at_desk: AtDesk, done: None, django_assert_max_num_queries: Any) -> None:
    client = at_desk("manager")
    with django_assert_max_num_queries(14):
        client.get("/report/")


@pytest.mark.parametrize(
    ("values", "top"),
    [([], 10), (["0"], 10), (["9.99"], 10), (["11"], 20), (["5570.15"], 6000), (["99999999.99"], 100000000)],
    ids=repr,
)
def test_the_axis_ends_just_above_the_highest_bar(values: list[str], top: int) -> None:
    chart = bar_chart("t", "d", [(str(place), Decimal(value)) for place, value in enumerate(values)])
    assert chart.lines[-1].value == top
    assert all(bar.height >= 0 and bar.y >= chart.lines[-1].y for bar in chart.bars)


def test_months_before_the_first_are_not_offered(at_desk: AtDesk) -> None:
    html = at_desk("manager").get("/report/", {"month": "1999-01"}).content.decode()
    assert f'month={date(1999, 12, 1):%Y-%m}"><' not in html
    assert "January 2000" in html
