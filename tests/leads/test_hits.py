"""How somebody who was found looks."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from leads.models import Entry, Mark
from leads.providers.base import Stamp
from leads.selectors.search import Hit
from leads.templatetags import desk
from leads.templatetags import directory as tags

NOW = timezone.now()


def test_what_matched_is_marked_and_all_of_it_is_escaped() -> None:
    assert tags.marked("<b>Jürgen</b>", ["jur"]) == "&lt;b&gt;<mark>Jür</mark>gen&lt;/b&gt;"
    assert tags.marked("+1 (555) 123", ["555123"]) == "+1 (<mark>555) 123</mark>"
    assert tags.marked("", ["x"]) == ""


@pytest.mark.parametrize(("minutes_ago", "words"), [(0, " s ago"), (3, "read 3 min ago"), (None, "never read")])
def test_each_says_how_fresh_it_is(minutes_ago: int | None, words: str) -> None:
    read_at = None if minutes_ago is None else timezone.now() - timedelta(minutes=minutes_ago)
    assert words in tags.freshness(Entry(lead_read_at=read_at))


def test_one_that_is_gone_says_since_when() -> None:
    gone = Entry(lead_read_at=NOW, gone_at=NOW)
    assert f"gone since {timezone.localtime(NOW).day} " in tags.freshness(gone)


def test_what_was_read_long_ago_looks_stale() -> None:
    assert "is-fresh" in tags.freshness(Entry(lead_read_at=NOW))
    assert "is-stale" in tags.freshness(Entry(lead_read_at=NOW - timedelta(days=30)))


def test_what_is_not_known_leaves_its_cell_empty() -> None:
    assert (tags.cell(Entry(), "place"), tags.cell(Entry(), "company")) == ("", "")


def test_an_email_breaks_before_its_domain() -> None:
    assert ">ada.moreno<wbr>@example.com<" in tags.cell(Entry(email="ada.moreno@example.com"), "email")


def test_a_time_reads_as_dates_do_elsewhere() -> None:
    stamp = Stamp("2026-10-06 11:14:00", "EST", datetime(2026, 10, 6, 11, 14, tzinfo=UTC))
    assert desk.clock(stamp) == "6 Oct 2026, 11:14 EST"
    assert desk.clock(Stamp("soon", "EST", None)) == "soon EST"


def test_whoever_is_known_by_email_alone_is_looked_up_by_it() -> None:
    assert tags.lead_url(Entry(lead_id="7")) == "/leads/7/"
    assert tags.lead_url(Entry(email="a+b@example.com")) == "/leads/?q=a%2Bb%40example.com"


def test_a_cell_shows_three_marks_whole_on_hover_and_counts_the_others() -> None:
    entry = Entry(pk=1)
    entry._prefetched_objects_cache = {"marks": [Mark(kind="tag", name=f"<t{number}>") for number in range(5)]}
    cell = tags.cell(entry, "tags")
    assert cell.count('class="chip"') == 3
    assert 'title="&lt;t0&gt;"' in cell
    assert "and 2 more" in cell
    assert tags.cell(entry, "lists") == ""


@pytest.mark.parametrize(
    ("parts", "shown"),
    [(("5551",), "+1 (555) 123"), (("leeds",), "Leeds"), (("acme",), "Acme"), ((), "Acme"), (("jon",), "Acme")],
)
def test_what_it_was_found_by_is_shown_beside_name_and_email(parts: tuple[str, ...], shown: str) -> None:
    entry = Entry(name="Jon", email="j@example.com", phone="+1 (555) 123", company="Acme", city="Leeds")
    assert tags.rest_of_hit(Hit(entry, parts)) == shown
