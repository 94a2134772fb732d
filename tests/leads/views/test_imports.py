"""Importing a file of leads: upload, match, preview, run, and what became of each line."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from kartra_admin.lib.tables import BadTable
from leads.access import Desk
from leads.models import Entry, Import, ImportRow
from leads.services import directory
from leads.services.directory import Met
from leads.services.imports import running, staging
from tests.leads.conftest import Sandbox
from tests.leads.helpers import HTMX, together, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
FILE = (
    "Lead ID;E-Mail;First Name;Last Name;Phone;City;Tags\n"
    "11;Ada@Example.com;Ada;Moreno;555 0142;Boston;vip|member\n"
    "12;bo@example.com;Bo;=1+1;;;\n"
    ";cy@example.com;Cy;;;;\n"
    ";;nobody;;;;\n"
    "x12;dd@example.com;;;;;\n"
    "11;ada@example.com;Ada;again;;;\n"
)


def upload(client: Client, content: str | bytes = FILE, name: str = "leads.csv") -> Any:
    content = content if isinstance(content, bytes) else content.encode()
    return client.post("/directory/import/", {"file": SimpleUploadedFile(name, content)})


def start(client: Client, source: Import, take: str = "good", **chosen: str) -> Any:
    matched = {f"column-{position}": field for field, position in source.matched.items()}
    posted = {**matched, "take": take, **{key.replace("_", "-", 1): value for key, value in chosen.items()}}
    return client.post(f"/directory/import/{source.pk}/start/", posted)


def run(source: Import) -> Import:
    while running.work(source.pk):
        pass
    source.refresh_from_db()
    return source


def counts(source: Import) -> tuple[int, ...]:
    return (source.new, source.changed, source.same, source.failed)


def staged(desk: Desk, content: str | bytes = FILE) -> Import:
    content = content if isinstance(content, bytes) else content.encode()
    return staging.stage(actor=desk.user, account=desk.account, file=io.BytesIO(content), file_name="leads.csv")


# Upload


def test_a_file_is_laid_down_and_nothing_is_in_the_directory_yet(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("manager")
    answer = upload(client)
    source = Import.objects.get()
    assert answer["Location"] == f"/directory/import/{source.pk}/"
    assert (source.state, source.total, source.file_name) == ("matching", 6, "leads.csv")
    assert list(source.rows.order_by("line").values_list("line", flat=True)) == [2, 3, 4, 5, 6, 7]
    assert not Entry.objects.exists()
    assert sandbox.calls() == []
    assert AuditEntry.objects.get(action="import.upload.succeeded").detail == {"rows": 6}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty."),
        (b"Email\n", "no lines below them"),
        (b"PK\x03\x04junk", "not a CSV"),
        (b'Email,Name\na@b.c,"x\n', "The quotes that open in line 2 are never closed."),
        (b"a," * 1_000_000, "more than 200 columns"),
        (b"Email\na\0@b.c", "Line 2 contains a character"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_line_and_nothing_is_kept(
    at_desk: AtDesk, content: bytes, says: str
) -> None:
    answer = upload(at_desk("manager"), content)
    assert answer.status_code == 422
    assert says in words(answer)
    assert not Import.objects.exists()
    assert not ImportRow.objects.exists()


def test_without_a_file_the_form_says_so(at_desk: AtDesk) -> None:
    assert at_desk("manager").post("/directory/import/", {}).status_code == 422
    assert at_desk("manager").post("/directory/import/", {"file": "text"}).status_code == 422


def test_a_file_that_is_too_large_is_refused_unread(at_desk: AtDesk, settings: Any) -> None:
    settings.IMPORT_MAX_MB = 1

    class Endless(io.BytesIO):
        def read(self, *size: int | None) -> bytes:
            raise AssertionError("somebody read it")

    client = at_desk("manager")
    answer = client.generic(
        "POST", "/directory/import/", b"", "multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(500 * 1024 * 1024), **{"wsgi.input": Endless()},
    )  # fmt: skip
    assert answer.status_code == 413
    assert "larger than 1 MB" in words(answer)
    over = upload(client, b"Email\n" + b"a@b.c\n" * 175_000)
    assert (over.status_code, "larger than 1 MB" in words(over)) == (422, True)
    assert not Import.objects.exists()


def test_a_broken_row_down_in_a_large_file_leaves_nothing(desk_of: DeskOf) -> None:
    content = "Email\n" + "a@b.c\n" * 5000 + '"x"y\n'
    with pytest.raises(BadTable):
        staged(desk_of("manager"), content)
    assert not Import.objects.exists()


# Matching


def test_columns_are_guessed_and_the_first_lines_are_shown_as_they_would_go_in(at_desk: AtDesk) -> None:
    client = at_desk("manager")
    upload(client)
    source = Import.objects.get()
    assert source.matched == {
        "lead_id": 0, "email": 1, "first_name": 2, "last_name": 3, "phone": 4, "city": 5, "tags": 6,
    }  # fmt: skip
    page = words(client.get(f"/directory/import/{source.pk}/"))
    assert "Ada Moreno #11 ada@example.com 555 0142" in page
    assert "vip , member New" in page
    assert "This line names no lead" in page
    assert "This line has no lead id where one should be: ‘x12’." in page


def test_the_preview_follows_what_is_chosen_and_changes_nothing(at_desk: AtDesk, desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    source = staged(desk)
    directory.remember_rows(desk.account, [Met("11")], at=timezone.now())
    client = at_desk("manager")
    page = words(client.post(f"/directory/import/{source.pk}/", {"column-0": "lead_id", "column-5": "name"}))
    assert "Boston #11 – Known" in page.replace("  ", " ") or "Boston #11" in page
    assert "Known" in page
    source.refresh_from_db()
    assert (source.state, source.matched["city"]) == ("matching", 5)


def test_two_columns_cannot_be_the_same(at_desk: AtDesk, desk_of: DeskOf) -> None:
    source = staged(desk_of("manager"))
    answer = start(at_desk("manager"), source, column_2="email")
    assert answer.status_code == 422
    assert "Column ‘E-Mail’ is already imported as this" in words(answer)


def test_without_a_column_that_names_leads_it_does_not_start(at_desk: AtDesk, desk_of: DeskOf) -> None:
    source = staged(desk_of("manager"))
    answer = start(at_desk("manager"), source, column_0="", column_1="")
    assert answer.status_code == 422
    assert "Choose which column is the email or the lead id" in words(answer)
    source.refresh_from_db()
    assert source.state == "matching"


def test_junk_in_the_form_does_not_start_it(at_desk: AtDesk, desk_of: DeskOf) -> None:
    source = staged(desk_of("manager"))
    assert start(at_desk("manager"), source, column_0="<junk>").status_code == 422
    assert start(at_desk("manager"), source, take="junk").status_code == 422


def test_a_file_is_discarded_with_its_lines_until_it_is_started(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client, source = at_desk("manager"), staged(desk_of("manager"))
    assert client.post(f"/directory/import/{source.pk}/discard/").status_code == 302
    assert not ImportRow.objects.exists()
    assert AuditEntry.objects.filter(action="import.discard.succeeded").exists()
    source = staged(desk_of("manager"))
    start(client, source)
    assert client.post(f"/directory/import/{source.pk}/discard/").status_code == 409


# Running


def test_good_lines_go_in_and_bad_ones_are_told_with_their_reasons(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    client, source = at_desk("manager"), staged(desk_of("manager"))
    start(client, source)
    assert counts(run(source)) == (3, 0, 0, 3)
    assert source.state == "done"
    ada = Entry.objects.get(lead_id="11")
    assert (ada.name, ada.email, ada.phone, ada.city) == ("Ada Moreno", "ada@example.com", "555 0142", "Boston")
    assert set(ada.marks.values_list("kind", "name")) == {("tag", "vip"), ("tag", "member")}
    assert ada.lead_read_at is None
    assert Entry.objects.get(lead_id="12").name == "Bo =1+1"
    assert Entry.objects.get(email="cy@example.com").lead_id is None
    assert {row.line: row.sentence for row in source.rows.all()} == {
        5: "This line names no lead: it has neither an id nor an email.",
        6: "This line has no lead id where one should be: ‘x12’.",
        7: "Line 2 already names this lead.",
    }
    assert sandbox.calls() == []
    entry = AuditEntry.objects.get(action="import.start.succeeded")
    assert entry.detail == {"new": 3, "changed": 0, "same": 0, "failed": 3}


def test_all_or_nothing_takes_nothing_where_a_line_is_bad(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client, source = at_desk("manager"), staged(desk_of("manager"))
    start(client, source, take="all")
    assert counts(run(source)) == (0, 0, 0, 3)
    assert source.state == "refused"
    assert "3 of 6 lines cannot be used" in words(client.get(f"/directory/import/{source.pk}/"))
    assert not Entry.objects.exists()
    assert AuditEntry.objects.filter(action="import.start.failed").exists()


def test_all_or_nothing_takes_all_where_none_is_bad(desk_of: DeskOf) -> None:
    source = staged(desk_of("manager"), "Email,Name\na@b.example,A\nb@b.example,B\n")
    running.start(actor=source.actor, source=source, matched=source.matched, take_good=False)
    assert counts(run(source)) == (2, 0, 0, 0)


def test_a_file_of_bad_lines_only_imports_nothing(desk_of: DeskOf) -> None:
    source = staged(desk_of("manager"), "Email,Name\nx,A\ny,B\n")
    running.start(actor=source.actor, source=source, matched=source.matched, take_good=True)
    assert (run(source).state, source.failed) == ("refused", 2)


def test_what_is_known_is_changed_or_same_and_a_blank_cell_changes_nothing(desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    at = timezone.now()
    known = [Met("1", "A", "a@b.example", phone="1"), Met("2", "B", "b@b.example", tags=["x"])]
    directory.remember_rows(desk.account, known, at=at)
    Entry.objects.update(lead_read_at=at)
    source = staged(desk, "Id,Name,Email,Phone,Tags\n1,A,,,\n2,Bo,b@b.example,,\n,C,c@b.example,,\n")
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    assert counts(run(source)) == (1, 1, 1, 0)
    same, changed = Entry.objects.get(lead_id="1"), Entry.objects.get(lead_id="2")
    assert (same.phone, same.lead_read_at) == ("1", at)
    assert (changed.name, changed.lead_read_at) == ("Bo", None)  # no longer as it was read
    assert list(changed.marks.values_list("name", flat=True)) == ["x"]


def test_an_id_and_an_email_of_two_leads_fail(desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    directory.remember_rows(desk.account, [Met("1", email="a@b.example"), Met("2")], at=timezone.now())
    source = staged(desk, "Id,Email\n2,a@b.example\n3,a@b.example\n1,A@b.example\n")
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    run(source)
    assert [(row.line, row.sentence) for row in source.rows.order_by("line")] == [
        (2, "The email a@b.example belongs to lead #1, not to #2."),
        (3, "The email a@b.example belongs to lead #1, not to #3."),
    ]


def test_all_that_a_lead_can_be_filtered_by_may_stand_in_a_file(desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    content = (
        "Email;Tags;List Name;Sequences;Membership Names;Products\n"
        '"a@b.example";"vip, gold";News|Offers;Welcome;Club Gold;"Course A, Course B"\n'
        "b@b.example;|;;;;\n"
    )
    directory.remember_rows(desk.account, [Met("", email="b@b.example", tags=["kept"])], at=timezone.now())
    source = staged(desk, content)
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    assert counts(run(source)) == (1, 0, 1, 0)
    assert set(Entry.objects.get(email="a@b.example").marks.values_list("kind", "name")) == {
        ("tag", "vip"), ("tag", "gold"), ("list", "News"), ("list", "Offers"), ("sequence", "Welcome"),
        ("membership", "Club Gold"), ("product", "Course A"), ("product", "Course B"),
    }  # fmt: skip
    assert Entry.objects.get(email="b@b.example").marks.get().name == "kept"


def test_a_long_cell_is_kept_whole(at_desk: AtDesk, desk_of: DeskOf) -> None:
    tags = [f"workshop {number:03} in spring" for number in range(150)]
    assert len(";".join(tags)) > 3000
    source = staged(desk_of("manager"), f"Email,Tags\na@b.example,{';'.join(tags)}\nnobody,{';'.join(tags)}\n")
    page = words(at_desk("manager").get(f"/directory/import/{source.pk}/"))
    assert (tags[59] in page, tags[60] in page, "and more" in page) == (True, False, True)
    start(at_desk("manager"), source)
    assert counts(run(source)) == (1, 0, 0, 1)
    assert sorted(Entry.objects.get().marks.values_list("name", flat=True)) == tags
    assert source.rows.get(line=3).cells == ["nobody", ";".join(tags)]


def test_a_cell_of_more_names_than_are_taken_fails_its_line(desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    names = ";".join(str(number) for number in range(1001))
    source = staged(desk, f"Email,Tags\na@b.example,{names}\nb@b.example,{names.removesuffix(';1000')}\n")
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    assert counts(run(source)) == (1, 0, 0, 1)
    failed = source.rows.get(line=2)
    assert failed.sentence == "This line has 1,001 names in one cell, more than the 1,000 that are taken."


def test_a_lead_known_by_email_only_is_joined_once_its_id_is_known(desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    for content in ("Email,Name\na@b.example,A\n", "Id,Email,Name\n7,A@B.example,Ann\n"):
        source = staged(desk, content)
        running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
        run(source)
    entry = Entry.objects.get()
    assert (entry.lead_id, entry.name) == ("7", "Ann")


def test_doubles_are_found_across_batches(desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_AT_ONCE", 2)
    lines = "".join(f"{number},n{number}@b.example\n" for number in range(1, 8))
    source = staged(desk_of("manager"), f"Id,Email\n{lines}9,N1@b.example\n3,\n")
    running.start(actor=source.actor, source=source, matched=source.matched, take_good=True)
    assert counts(run(source)) == (7, 0, 0, 2)
    assert {row.line: row.sentence for row in source.rows.all()} == {
        9: "Line 2 already names this lead.",
        10: "Line 4 already names this lead.",
    }


def test_a_second_start_does_nothing(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client, source = at_desk("manager"), staged(desk_of("manager"))
    start(client, source)
    run(source)
    assert start(client, source).status_code == 302
    assert counts(run(source)) == (3, 0, 0, 3)
    assert AuditEntry.objects.filter(action="import.start.requested").count() == 1


class Killed(BaseException):
    """As a SIGKILL would be."""


@pytest.mark.parametrize("after", range(0, 24, 2))
def test_killed_at_any_point_it_goes_on_and_counts_each_line_once(
    desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(running, "_AT_ONCE", 3)
    lines = "".join(f"{number},n{number}@b.example\n" for number in range(1, 20))
    source = staged(desk_of("manager"), f"Id,Email\n{lines},bad\n")
    running.start(actor=source.actor, source=source, matched=source.matched, take_good=True)
    left = [after]

    def dying(step: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any, **kwargs: Any) -> Any:
            done = step(*args, **kwargs)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return done

        return inner

    with monkeypatch.context() as patch:
        for name in ("_save", "_call_unread", "_step", "delete_rows", "_conclude_checking", "_finish"):
            patch.setattr(running, name, dying(getattr(running, name)))
        with pytest.raises(Killed):
            run(source)
    Import.objects.update(leased_until=None)  # the lease ran out
    run(source)
    assert counts(source) == (19, 0, 0, 1)
    assert (source.good, source.state, Entry.objects.count()) == (19, "done", 19)
    assert AuditEntry.objects.filter(action="import.start.succeeded").count() == 1
    running.prune()
    assert source.rows.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_workers_do_it_once(desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_AT_ONCE", 7)
    lines = "".join(f"{number},n{number}@b.example\n" for number in range(1, 101))
    source = staged(desk_of("manager"), f"Id,Email\n{lines}")
    running.start(actor=source.actor, source=source, matched=source.matched, take_good=True)
    together(*[lambda: running.work(source.pk)] * 3)
    assert counts(run(source)) == (100, 0, 0, 0)


def test_what_a_dead_worker_left_is_nudged_by_the_sweep(desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    nudged: list[int] = []
    monkeypatch.setattr(running._queue, "run_import", lambda pk, after=0.0: nudged.append(pk))
    source = staged(desk_of("manager"))
    running.sweep()
    running.start(actor=source.actor, source=source, matched=source.matched, take_good=True)
    running.sweep()
    Import.objects.update(leased_until=timezone.now() + running._LEASE)
    running.sweep()
    assert nudged == [source.pk, source.pk]


# Pages


def test_progress_is_asked_for_until_it_is_over(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client, source = at_desk("manager"), staged(desk_of("manager"))
    start(client, source)
    url = f"/directory/import/{source.pk}/progress/"
    page = client.get(f"/directory/import/{source.pk}/")
    assert 'hx-trigger="every 2s"' in page.content.decode()
    assert "0 of 6 lines checked" in words(client.get(url, headers=HTMX))
    run(source)
    assert client.get(url, headers=HTMX)["HX-Refresh"] == "true"
    assert "every 2s" not in client.get(f"/directory/import/{source.pk}/").content.decode()


def test_failed_lines_have_a_page_and_a_file_that_can_be_mended_and_read_again(
    at_desk: AtDesk, desk_of: DeskOf
) -> None:
    content = FILE.replace("nobody", "=SUM(A1)")
    client, source = at_desk("manager"), staged(desk_of("manager"), content)
    start(client, source)
    run(source)
    page = words(client.get(f"/directory/import/{source.pk}/failed/"))
    assert "This line names no lead" in page
    answer = client.get(f"/directory/import/{source.pk}/failed/csv/")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][:4] == ["Line", "Reason", "Lead ID", "E-Mail"]
    assert [row[0] for row in rows[1:]] == ["5", "6", "7"]
    assert "'=SUM(A1)" in rows[1]
    assert AuditEntry.objects.filter(action="import.export.succeeded").exists()


def test_the_file_of_failed_lines_is_read_again_as_it_was_once(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client = at_desk("manager")
    source = staged(desk_of("manager"), "Email,Phone,Tags\nnobody,+1 512 555,-50%;'ot\n")
    start(client, source)
    run(source)
    answer = client.get(f"/directory/import/{source.pk}/failed/csv/")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert "'+1 512 555,'-50%;'ot" in text
    again = staged(desk_of("manager"), text.replace("nobody", "bo@example.com"))
    start(client, again)
    assert counts(run(again)) == (1, 0, 0, 0)
    bo = Entry.objects.get(email="bo@example.com")
    assert bo.phone == "+1 512 555"
    assert set(bo.marks.values_list("kind", "name")) == {("tag", "-50%"), ("tag", "'ot")}


def test_a_stale_session_takes_no_file_of_failed_lines_along(client_of: Callable[..., Client], desk_of: DeskOf) -> None:
    source = staged(desk_of("manager"))
    answer = client_of("manager", stale=True).get(f"/directory/import/{source.pk}/failed/csv/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in/again/")
    assert not AuditEntry.objects.filter(action="import.export.succeeded").exists()


def test_the_failed_lines_go_on_page_by_page(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client = at_desk("manager")
    source = staged(desk_of("manager"), "Email,Name\n" + "bad,x\n" * 150 + "a@b.example,x\n")
    start(client, source)
    run(source)
    url = f"/directory/import/{source.pk}/failed/"
    assert "?after=101" in client.get(url).content.decode()
    rest = words(client.get(f"{url}?after=101"))
    assert "102" in rest
    assert "Next lines" not in rest
    assert client.get(f"{url}?after=junk").status_code == 400


def test_imports_of_another_account_do_not_exist_here(at_desk: AtDesk, desk_of: DeskOf) -> None:
    source = staged(desk_of("admin"))
    other = at_desk("manager", account=1)
    for part in ("", "progress/", "failed/", "failed/csv/"):
        assert other.get(f"/directory/import/{source.pk}/{part}").status_code == 404
    assert start(other, source).status_code == 404
    assert "leads.csv" not in words(other.get("/directory/import/"))


def test_old_files_are_forgotten_but_not_what_they_came_to(desk_of: DeskOf) -> None:
    desk = desk_of("manager")
    waiting, done = staged(desk), staged(desk)
    running.start(actor=desk.user, source=done, matched=done.matched, take_good=True)
    run(done)
    running.prune()
    assert Import.objects.count() == 2
    old = timezone.now() - running._KEPT * 2
    Import.objects.update(created_at=old)
    Import.objects.filter(pk=done.pk).update(finished_at=old)
    running.prune()
    assert not Import.objects.filter(pk=waiting.pk).exists()
    assert Import.objects.get(pk=done.pk).failed == 3
    assert not ImportRow.objects.exists()
