"""Questions that take too long are really cut off by the database, and no others."""

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from leads.access import Desk
from leads.models import Entry
from leads.selectors import directory as selectors
from leads.selectors.search import TookTooLong, at_most
from leads.services import directory
from leads.services.directory import Met

# Within a transaction PostgreSQL keeps a bound until its end: the desk asks outside of any.
pytestmark = pytest.mark.django_db(transaction=True)
_COUNTING = """
    WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < %s)
    SELECT count(*) FROM numbers
"""
FOR_LONG, FOR_A_MOMENT = 4_000_000, 200_000  # seconds; longer than the bound below and between two looks at the clock
BOUND = 0.05


def counting(rows: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTING, [rows])
        return int(cursor.fetchone()[0])


@pytest.fixture
def entries(desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> QuerySet[Entry]:
    monkeypatch.setattr(selectors, "_SECONDS", BOUND)
    desk = desk_of("manager")
    directory.remember_rows(desk.account, [Met(str(number)) for number in range(1, 4)], at=timezone.now())
    return Entry.objects.filter(account=desk.account)


def slow(entries: QuerySet[Entry], rows: int = FOR_LONG) -> QuerySet[Entry]:
    """The same people, of whom the database thinks for long."""
    return entries.annotate(number=RawSQL(f"({_COUNTING})", [rows])).filter(number__gt=0)


def test_a_question_is_cut_and_the_next_takes_its_time(db: None) -> None:
    with pytest.raises(TookTooLong), at_most(BOUND):
        counting(FOR_LONG)
    assert counting(FOR_A_MOMENT) == FOR_A_MOMENT
    with at_most(BOUND):
        assert counting(2) == 2
    assert counting(3 * FOR_A_MOMENT) == 3 * FOR_A_MOMENT


def test_what_fails_for_another_reason_is_not_called_slow(db: None) -> None:
    with pytest.raises(OperationalError, match="another reason"), at_most(60):
        raise OperationalError("another reason")


def test_a_count_that_takes_too_long_is_given_up_and_what_comes_after_is_not(entries: QuerySet[Entry]) -> None:
    assert selectors.count_quickly(entries) == 3
    assert selectors.count_quickly(slow(entries)) is None
    assert slow(entries, 3 * FOR_A_MOMENT).count() == 3


def test_a_narrow_filter_that_takes_too_long_to_look_through_counts_as_a_wide_one(entries: QuerySet[Entry]) -> None:
    assert selectors._few(entries.values_list("pk", flat=True)) is not None
    assert selectors._few(slow(entries).values_list("pk", flat=True)) is None
