import pytest
from django.db.models import QuerySet

from accounts.models import User
from kartra_admin.lib.errors import BadRequest
from kartra_admin.lib.pagination import Page, page_by_field, page_by_id, urls_beside

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> QuerySet[User]:
    for number in range(7):
        User.objects.create_user(email=f"{number}@example.com", name=str(number), role="viewer")
    return User.objects.all()


def names(page: Page[User]) -> str:
    return "".join(row.name for row in page.rows)


def test_pages_walk_to_the_oldest_and_back(rows: QuerySet[User]) -> None:
    first = page_by_id(rows, cursor="", size=3)
    second = page_by_id(rows, cursor=first.older, size=3)
    third = page_by_id(rows, cursor=second.older, size=3)
    assert [names(page) for page in (first, second, third)] == ["654", "321", "0"]
    assert (first.newer, third.older) == ("", "")
    back = page_by_id(rows, cursor=third.newer, size=3)
    assert names(back) == "321"
    newest = page_by_id(rows, cursor=back.newer, size=3)
    assert (names(newest), newest.newer) == ("654", "")
    assert names(page_by_id(rows, cursor=newest.older, size=3)) == "321"


def test_the_addresses_beside_a_page_keep_its_filters_and_are_empty_at_the_ends(rows: QuerySet[User]) -> None:
    newest = page_by_id(rows, cursor="", size=3)
    assert urls_beside(newest, "/log/") == {"newer_url": "", "older_url": f"/log/?cursor={newest.older}"}
    oldest = page_by_id(rows, cursor=f"b{rows[2].pk}", size=7)
    found = urls_beside(oldest, "/log/", "person=3&lead=7")
    assert found == {"newer_url": f"/log/?person=3&lead=7&cursor={oldest.newer}", "older_url": ""}


def test_a_full_last_page_has_nothing_older(rows: QuerySet[User]) -> None:
    assert page_by_id(rows, cursor="", size=7).older == ""
    assert page_by_id(rows.none(), cursor="", size=7) == Page([], "", "")


def test_a_page_beyond_the_end_is_empty(rows: QuerySet[User]) -> None:
    assert page_by_id(rows, cursor="b1", size=3).rows == []
    assert page_by_id(rows, cursor="a999999999999999999", size=3).rows == []


@pytest.mark.parametrize("cursor", ["x", "b", "b-1", "b1 ", "b٣", "9", "a" + "9" * 19, "b1\n", "b1;drop", "\x00"])
def test_junk_cursors_are_refused(rows: QuerySet[User], cursor: str) -> None:
    with pytest.raises(BadRequest):
        page_by_id(rows, cursor=cursor, size=3)


@pytest.mark.parametrize("cursor", ["x", "b", "a!", "bMQ", "b" + "A" * 400, "bMSAy", "cMSAyMDI2", "b\0", "bMSAA"])
def test_a_cursor_of_a_field_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest):
        page_by_field(User.objects.all(), "date_joined", descending=True, cursor=cursor, size=2)
