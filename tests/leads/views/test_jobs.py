"""The pages of bulk jobs: lay one down, see what would change, start it, watch it, steer it, take the results."""

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, User
from leads import pasting
from leads.access import Desk
from leads.models import Job, JobLead, Recipe
from leads.providers.changes import (
    AssignTag,
    Change,
    EditLead,
    GivePoints,
    SubscribeToList,
    SubscribeToSequence,
    UnsubscribeFromList,
)
from leads.selectors.job_progress import progress_of
from leads.services.bulk import approving, steering
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, read, send, words, writes
from tests.leads.services.bulk.conftest import TAG, _no_waiting, lay_down, leads_of, run, states, work  # noqa: F401

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
BEN = NOTABLE["ben"]
TWO = f"{ADA.email}\n{BEN.email}"


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("manager")


@pytest.fixture
def manager(at_desk: AtDesk) -> Client:
    return at_desk("manager")


def typed(**changed: Any) -> dict[str, Any]:
    """What a browser posts from the form."""
    good = {"operation_id": str(uuid4()), "name": "Spring sale", "who": TWO, "give_tags": [TAG], "pace": "20"}
    return {**good, "direction": "give", "step": "1", **changed}


def test_from_pasted_text_to_the_results(manager: Client, desk: Desk, sandbox: Sandbox) -> None:
    assert "No jobs yet" in words(manager.get("/bulk/"))
    answer = manager.post("/bulk/new/", typed(who=f"{TWO}\n{ADA.email.upper()}\nnobody@example.com", points="5"))
    job = Job.objects.get()
    assert answer["Location"] == f"/bulk/{job.pk}/"
    page = words(manager.get(answer["Location"]))
    assert "Reading the leads" in page
    assert f"Line 3: {ADA.email.upper()}" in page
    work(job)
    page = words(manager.get(answer["Location"]))
    assert "Add tag advanced 2 leads" in page
    assert "2 leads would get a tag" in page
    who = words(manager.get(f"/bulk/{job.pk}/leads/?show=starts"))
    assert "Ada Moreno" in who
    assert who.count("Add tag advanced; Give 5 points") == 2
    assert "A run takes 5 calls to Kartra" in page
    assert "Change 2 leads" in page
    assert writes(sandbox) == []
    manager.post(f"/bulk/{job.pk}/start/")
    work(job)
    page = words(manager.get(answer["Location"]))
    assert "Done" in page
    rows = words(manager.get(f"/bulk/{job.pk}/leads/?show=succeeded"))
    assert "Ada Moreno" in rows
    assert "nobody@example.com" not in rows
    file = b"".join(manager.get(f"/bulk/{job.pk}/csv/")).decode()  # type: ignore[arg-type]
    lines = file.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("\ufeffLine,Lead id,Email")
    assert ADA.email in lines[1]
    assert ',Done,"Added tag advanced, gave points.",' in lines[1]
    assert "Not in Kartra" in lines[3]
    assert AuditEntry.objects.get(action="job.export.succeeded").detail["rows"] == 3


def test_the_dry_run_says_how_many_calls_a_run_takes(manager: Client, desk: Desk, sandbox: Sandbox) -> None:
    """A reading and a change, and a reading more where fields are written or a lead is made."""
    who = f"{TWO}\nnew@example.com\n999999999"
    manager.post("/bulk/new/", typed(who=who, creates_missing="on", field_1="city", value_1="Austin"))
    job = work(Job.objects.get())
    page = words(manager.get(f"/bulk/{job.pk}/"))
    sandbox.calls()
    steering.start(actor=desk.user, job=job)
    work(job)
    took = len(sandbox.calls())
    assert took == 10
    assert f"A run takes {took} calls to Kartra" in page


@pytest.mark.parametrize(
    ("pace", "said"),
    [
        (10, "900 calls to Kartra and about 3 minutes at 10 leads a second"),  # by the calls: 900 at 5 a second
        (1, "900 calls to Kartra and about 10 minutes at 1 lead a second"),  # by the pace: 600 at 1 a second
    ],
)
def test_how_long_a_run_takes_goes_by_the_calls_or_the_pace_whichever_is_slower(
    manager: Client, desk: Desk, settings: Any, pace: int, said: str
) -> None:
    settings.KARTRA_CALLS_PER_SECOND = 5
    job = lay_down(desk, "\n".join(f"p{number}@example.com" for number in range(600)), pace=pace)
    job.leads.filter(position__lt=300).update(would="change")
    job.leads.filter(position__gte=300).update(would="same")
    Job.objects.update(state="checked")
    assert f"A run takes {said}." in words(manager.get(f"/bulk/{job.pk}/"))


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        (AssignTag(TAG), True),
        (SubscribeToList("Newsletter"), True),
        (SubscribeToSequence("Win back"), True),
        (UnsubscribeFromList("Newsletter"), False),
        (GivePoints(5), False),
    ],
    ids=repr,
)
def test_the_dry_run_says_whose_automations_may_start(
    manager: Client, desk: Desk, change: Change, starts: bool
) -> None:
    before = SubscribeToList if isinstance(change, UnsubscribeFromList) else UnsubscribeFromList
    for lead in (ADA, BEN):
        send(desk, before("Newsletter"), lead_id=lead.id)
    job = work(lay_down(desk, TWO, change))
    assert [(row.would, row.starts) for row in leads_of(job)] == [("change", starts)] * 2
    page = words(manager.get(f"/bulk/{job.pk}/"))
    said = "2 leads would get a tag, list or sequence, which may start automations in Kartra"
    assert (said in page) == starts
    assert ("automations" in page) == starts


def test_the_results_hold_no_formula(manager: Client, desk: Desk, sandbox: Sandbox) -> None:
    send(desk, EditLead({"first_name": "=HYPERLINK(1)"}))
    job = run(desk, f"{ADA.email}\n=1+1@example.com\n+2@example.com")
    file = b"".join(manager.get(f"/bulk/{job.pk}/csv/")).decode("utf-8-sig")  # type: ignore[arg-type]
    cells = [cell for row in csv.reader(file.splitlines()) for cell in row]
    assert "'=1+1@example.com" in cells
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_a_double_click_lays_one_job_down(manager: Client, desk: Desk) -> None:
    form = typed()
    first, second = manager.post("/bulk/new/", form), manager.post("/bulk/new/", form)
    assert first["Location"] == second["Location"]
    other = manager.post("/bulk/new/", {**form, "name": "Other"})
    assert other.status_code == 422
    assert "already sent once" in words(other)
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"who": ""}, "Name at least one lead"),
        ({"who": "junk\nada@example.com"}, "Line 1: junk"),
        ({"who": "\n \n"}, "Name at least one lead"),
        ({"name": ""}, "This field is required"),
        ({"give_tags": []}, "Choose at least one change"),
        ({"give_tags": ["no such tag"]}, "not among the names read from Kartra"),
        ({"take_tags": [TAG]}, "chosen twice, or both to add and to remove"),
        ({"points": "0"}, "greater than or equal to 1"),
        ({"value_1": "Austin"}, "Choose the field"),
        ({"field_1": "city", "field_2": "city"}, "already set above"),
        ({"field_1": "custom.plan", "value_1": "Nonsense"}, "plan is one of"),
        ({"pace": "1000"}, "not one of the available choices"),
        ({"recipe": "grant:999"}, "not one of the available choices"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_422_and_nothing_lost(
    manager: Client, desk: Desk, sandbox: Sandbox, changed: dict[str, Any], said: str
) -> None:
    answer = manager.post("/bulk/new/", typed(**changed))
    assert answer.status_code == 422
    assert said in words(answer)
    assert not Job.objects.exists()
    assert sandbox.calls() == []


def test_a_file_names_them_by_id_or_email_and_nothing_is_lost(manager: Client, desk: Desk) -> None:
    content = f"Name;E-mail;Lead ID\nAda;{ADA.email};\nBen;;{BEN.id}\nNobody;;\n".encode("utf-16")
    refused = manager.post("/bulk/new/", typed(who="", give_tags=[], file=SimpleUploadedFile("a.csv", content)))
    assert refused.status_code == 422
    assert "Line 4: This line names no lead." in words(refused)
    assert f"{ADA.email}\n{BEN.id}" in refused.content.decode(), "shown as a paste, to be sent again"
    again = manager.post("/bulk/new/", typed(who=shown_in_the_box(refused)))
    assert again.status_code == 422
    assert "Line 4: This line names no lead." in words(again)
    assert not Job.objects.exists()
    manager.post("/bulk/new/", typed(who="", leave_out="on", file=SimpleUploadedFile("a.csv", content)))
    job = Job.objects.get()
    assert [(row.line, row.lead_id, row.email) for row in job.leads.order_by("position")] == [
        (2, "", ADA.email), (3, BEN.id, ""),
    ]  # fmt: skip


def shown_in_the_box(answer: HttpResponse) -> str:
    """The paste as a browser reads it from the page and sends it again."""
    box = re.search(r'<textarea name="who"[^>]*>\n(.*?)</textarea>', answer.content.decode(), re.DOTALL)
    assert box
    return "\r\n".join(unescape(box[1]).split("\r\n" if "\r\n" in box[1] else "\n"))


def test_the_bad_lines_of_a_file_are_refused_until_they_are_left_out_under_their_own_numbers(
    manager: Client, desk: Desk
) -> None:
    cells = [
        "Email",
        "",
        ADA.email,
        "Junk & <b>",
        "",
        f'"{BEN.email}\n{ADA.email}"',
        "",
        f'"c@d.example{" " * 120}, junk"',
    ]
    answer = manager.post("/bulk/new/", typed(who="", file=SimpleUploadedFile("a.csv", "\n".join(cells).encode())))
    for _ in range(2):
        assert answer.status_code == 422
        assert "2 lines cannot be read" in words(answer)
        for said in ("Line 4: Junk & <b>", "Line 9: c@d.example"):
            assert said in words(answer)
        assert not Job.objects.exists()
        answer = manager.post("/bulk/new/", typed(who=shown_in_the_box(answer)))
    manager.post("/bulk/new/", typed(who=shown_in_the_box(answer), leave_out="on"))
    job = Job.objects.get()
    assert [(row.line, row.email) for row in job.leads.order_by("position")] == [(3, ADA.email), (6, BEN.email)]
    results = b"".join(manager.get(f"/bulk/{job.pk}/csv/")).decode("utf-8-sig").splitlines()  # type: ignore[arg-type]
    assert [line.split(",")[0] for line in results[1:]] == ["3", "6"]


def test_ids_in_a_file_are_read_as_a_spreadsheet_writes_them(manager: Client, desk: Desk) -> None:
    content = f"Id,Email\n{ADA.id}.0,{ADA.email}\n#{BEN.id},\n0,c@d.example\n ,e@f.example\n"
    answer = manager.post("/bulk/new/", typed(who="", file=SimpleUploadedFile("a.csv", content.encode())))
    assert answer.status_code == 302, words(answer)
    assert [(row.lead_id, row.email) for row in Job.objects.get().leads.order_by("position")] == [
        (ADA.id, ""), (BEN.id, ""), ("", "c@d.example"), ("", "e@f.example"),
    ]  # fmt: skip
    assert Job.objects.get().left_out == []


@pytest.mark.parametrize("first", [ADA.id, f"#{ADA.id}", f"{ADA.id}.0"])
def test_a_column_of_ids_without_a_name_loses_nobody(manager: Client, desk: Desk, first: str) -> None:
    file = SimpleUploadedFile("a.csv", f"{first}\n{BEN.id}\n4174097\n".encode())
    answer = manager.post("/bulk/new/", typed(who="", file=file))
    assert answer.status_code == 302, words(answer)
    assert [(row.line, row.lead_id) for row in Job.objects.get().leads.order_by("position")] == [
        (1, ADA.id), (2, BEN.id), (3, "4174097"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",x", "More than 3 lines name no lead"),
        ("junk,x", "More than 3 lines name no lead"),
        (f"{ADA.email},x", "There are more than 3 duplicates"),
        (f"{ADA.email} {ADA.email} {ADA.email},x", "There are more than 3 duplicates"),
    ],
)
@pytest.mark.parametrize("is_file", [True, False], ids=["file", "paste"])
def test_a_list_of_nobody_or_of_the_same_again_is_read_no_further_and_refused(
    manager: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch, line: str, said: str, is_file: bool
) -> None:
    monkeypatch.setattr(pasting, "_MOST_UNUSED", 3)
    lines = [line] * 5 if is_file else [line.removesuffix(",x") or "x"] * 5
    content = "\n".join(["Email,Name", *lines, f"{BEN.email},x" if is_file else BEN.email])
    who = {"who": "", "file": SimpleUploadedFile("a.csv", content.encode())} if is_file else {"who": content[11:]}
    answer = manager.post("/bulk/new/", typed(leave_out="on", **who))
    assert answer.status_code == 422
    assert said in words(answer)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"PK\x03\x04junk", "zip file"),
        (b"a,b\n1,2\n", "no column named Email or Id"),
        (b"Email\n", "no lines below"),
        (b"a," * 200_000 + b"\n1,2\n", "more than 200 columns"),
        (b'Email\n"a@b.c\n', "line 2"),
    ],
    ids=range(6),
)
def test_a_file_that_cannot_be_read_is_said_in_a_sentence(
    manager: Client, desk: Desk, content: bytes, said: str
) -> None:
    answer = manager.post("/bulk/new/", typed(who="", file=SimpleUploadedFile("a.csv", content)))
    assert answer.status_code == 422
    assert said in words(answer)
    both = manager.post("/bulk/new/", typed(file=SimpleUploadedFile("a.csv", b"Email\na@b.c\n")))
    assert "not both" in words(both)
    assert not Job.objects.exists()


def test_ticked_rows_and_a_view_of_the_directory_are_filled_in(manager: Client, desk: Desk) -> None:
    read(desk, ADA.id), read(desk, BEN.id)
    ticked = manager.post("/bulk/new/ticked/", {"lead": [ADA.id, BEN.email]})
    assert ticked.status_code == 200
    assert f"{ADA.id}\n{BEN.email}</textarea>" in ticked.content.decode()
    assert '<form class="stack" action="/bulk/new/" method="post"' in ticked.content.decode()
    assert not Job.objects.exists()
    view = manager.get("/bulk/new/", {"view": "q=moreno"}).content.decode()
    assert f"{ADA.id}</textarea>" in view
    everybody = manager.get("/bulk/new/", {"view": ""}).content.decode()
    assert ADA.id in everybody
    assert BEN.id in everybody
    assert manager.get("/bulk/new/", {"view": "standing=junk"}).status_code == 400


def test_bad_lines_can_be_left_out_and_are_kept_with_the_job(manager: Client, desk: Desk) -> None:
    manager.post("/bulk/new/", typed(who=f"junk\n{ADA.email}", leave_out="on"))
    job = Job.objects.get()
    assert job.leads.count() == 1
    assert "Line 1: junk" in words(manager.get(f"/bulk/{job.pk}/"))


def test_every_bad_line_is_named_by_its_number(manager: Client, desk: Desk) -> None:
    lines = [f"junk {number}" for number in range(1, 421)]
    lines[399], lines[409] = ADA.email, ADA.email
    answer = manager.post("/bulk/new/", typed(who="\n".join(lines)))
    assert "Line 20: junk 20 and lines 21–399, 401–409, 411–420" in words(answer)
    manager.post("/bulk/new/", typed(who="\n".join(lines), leave_out="on"))
    page = words(manager.get(f"/bulk/{Job.objects.get().pk}/"))
    assert "Line 200: junk 200" in page
    assert "Lines 201–399, 401–409, 411–420 cannot be read" in page
    assert "Line 410: " in page


def test_fields_points_sequences_and_recipes_become_actions(manager: Client, desk: Desk) -> None:
    recipe = Recipe.objects.create(account=desk.account, name="Gold", give_tag="kiln-club-gold", take_tag="vip")
    posted = typed(
        field_1="city", value_1="Austin", field_2="phone", value_2="", points="7", direction="take",
        join_sequence="Win back", step="2", leave_lists=["Newsletter"], recipe=f"grant:{recipe.pk}",
    )  # fmt: skip
    manager.post("/bulk/new/", posted)
    job = Job.objects.get()
    page = words(manager.get(f"/bulk/{job.pk}/"))
    for said in (
        "Set City to Austin, clear Phone", "Add tag advanced", "Unsubscribe from Newsletter", "Remove 7 points",
        "Add to sequence Win back at step 2", "Add tag kiln-club-gold (Grant Gold)", "Remove tag vip (Grant Gold)",
    ):  # fmt: skip
        assert said in page


def test_progress_is_a_fragment_that_stops_asking(manager: Client, desk: Desk) -> None:
    job = lay_down(desk, TWO)
    part = manager.get(f"/bulk/{job.pk}/progress/?was=checking", headers=HTMX)
    assert 'hx-trigger="every 2s"' in part.content.decode()
    assert "<html" not in part.content.decode()
    work(job)
    moved = manager.get(f"/bulk/{job.pk}/progress/?was=checking", headers=HTMX)
    assert moved["HX-Refresh"] == "true"
    assert "every 2s" not in manager.get(f"/bulk/{job.pk}/").content.decode()


def test_progress_says_how_many_are_left_and_until_when(manager: Client, desk: Desk) -> None:
    job = work(lay_down(desk, TWO, pace=1))
    steering.start(actor=desk.user, job=job)
    row = leads_of(job)[0]
    JobLead.objects.filter(pk=row.pk).update(state="succeeded", done_at=timezone.now())
    part = manager.get(f"/bulk/{job.pk}/progress/", headers=HTMX)
    assert "1 of 2 less than a minute left, ends Today" in words(part)
    assert re.search(r"Waiting 1 Done 1", words(part))
    assert f'href="/bulk/{job.pk}/leads/?show=succeeded"' in part.content.decode()
    minutes = run(desk, "\n".join(f"p{n}@example.com" for n in range(2)), creates_missing=True, pace=1)
    minutes.leads.update(state="waiting", done_at=None)
    Job.objects.filter(pk=minutes.pk).update(state="running", started_at=timezone.now() - timedelta(seconds=40))
    JobLead.objects.filter(pk=leads_of(minutes)[0].pk).update(state="succeeded", done_at=timezone.now())
    assert progress_of(Job.objects.get(pk=minutes.pk)).seconds_left == 40, "by the rate of the last minute"


def test_pause_resume_pace_and_cancel(manager: Client, desk: Desk) -> None:
    job = lay_down(desk, TWO)
    for do, state in (("pause", "paused"), ("resume", "checking"), ("cancel", "cancelled")):
        manager.post(f"/bulk/{job.pk}/steer/", {"do": do})
        job.refresh_from_db()
        assert job.state == state
    again = manager.post(f"/bulk/{job.pk}/steer/", {"do": "resume"}, follow=True)
    assert "This job is now cancelled" in words(again)
    assert "damaged" in words(manager.post(f"/bulk/{job.pk}/steer/", {"do": "junk"}, follow=True))
    other = lay_down(desk, TWO, pace=10)
    manager.post(f"/bulk/{other.pk}/pace/", {"pace": "2"})
    other.refresh_from_db()
    assert other.pace == 2
    assert "Choose one of the paces" in words(manager.post(f"/bulk/{other.pk}/pace/", {"pace": "3"}, follow=True))
    over = manager.post(f"/bulk/{job.pk}/pace/", {"pace": "1"}, follow=True)
    assert "This job is now cancelled" in words(over)


def test_above_the_limit_somebody_else_approves(
    manager: Client, at_desk: AtDesk, desk: Desk, settings: Any, sandbox: Sandbox
) -> None:
    settings.BULK_APPROVAL_ABOVE = 1
    job = work(lay_down(desk, TWO))
    assert "Ask for approval" in words(manager.get(f"/bulk/{job.pk}/"))
    manager.post(f"/bulk/{job.pk}/start/")
    job.refresh_from_db()
    assert job.state == "asked"
    own = manager.post(f"/bulk/{job.pk}/decide/", {"do": "approve"}, follow=True)
    assert "cannot approve your own" in words(own)
    admin = at_desk("admin")
    assert "Spring sale" in words(admin.get("/"))
    assert admin.post(f"/bulk/{job.pk}/decide/", {"do": "decline"}).status_code == 422
    assert writes(sandbox) == []
    admin.post(f"/bulk/{job.pk}/decide/", {"do": "approve"})
    assert work(job).state == "done"
    assert "approved by Admin Person" in words(manager.get(f"/bulk/{job.pk}/"))
    assert states(job) == ["succeeded"] * 2


def test_starting_and_deciding_ask_for_the_password_again(manager: Client, desk: Desk, settings: Any) -> None:
    job = work(lay_down(desk, TWO))
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    assert "Confirm your identity" in words(manager.get(f"/bulk/{job.pk}/"))
    for what in ("start", "decide", "retry"):
        answer = manager.post(f"/bulk/{job.pk}/{what}/", {"do": "approve"})
        assert answer["Location"].startswith("/sign-in/")
    job.refresh_from_db()
    assert job.state == "checked"


def test_only_who_laid_it_down_starts_it(desk: Desk, at_desk: AtDesk) -> None:
    job = work(lay_down(desk, TWO))
    admin = at_desk("admin")
    assert "can start it" in words(admin.get(f"/bulk/{job.pk}/"))
    assert "Only Manager Person can start this" in words(admin.post(f"/bulk/{job.pk}/start/", follow=True))


def test_a_run_with_a_lead_in_doubt_says_who_it_is_and_offers_no_undo(manager: Client, desk: Desk) -> None:
    job = run(desk, TWO)
    job.leads.filter(position=1).update(state=JobLead.State.UNKNOWN)
    answer = manager.get(f"/bulk/{job.pk}/")
    assert "Done, some unknown" in words(answer)
    assert "Done, some unknown" in words(manager.get("/bulk/"))
    assert "no clear answer about 1 lead" in words(answer)
    assert "has settled it, nothing more is sent to it" in words(answer)
    assert f"/bulk/{job.pk}/leads/?show=unknown" in answer.content.decode()
    assert "Undo this run" not in words(answer)
    shown = words(manager.get(f"/bulk/{job.pk}/leads/?show=unknown"))
    assert BEN.email in shown
    assert ADA.email not in shown
    job.leads.update(state=JobLead.State.SUCCEEDED)
    after = words(manager.get(f"/bulk/{job.pk}/"))
    assert "no clear answer" not in after
    assert "some unknown" not in after
    assert "Undo this run" in after


def test_undo_is_a_job_of_its_own(manager: Client, desk: Desk) -> None:
    job = run(desk, TWO, AssignTag(TAG), GivePoints(5))
    score = read(desk).score or 0
    own_id = str(uuid4())
    for _ in range(2):
        answer = manager.post(f"/bulk/{job.pk}/undo/", {"operation_id": own_id})
    undoing = work(Job.objects.get(undoes=job))
    assert answer["Location"] == f"/bulk/{undoing.pk}/"
    page = words(manager.get(answer["Location"]))
    assert "undoes Spring sale" in page
    steering.start(actor=desk.user, job=undoing)
    assert work(undoing).state == "done"
    lead = read(desk)
    assert TAG not in lead.tags
    assert lead.score == score - 5
    assert states(undoing) == ["succeeded"] * 2
    again = manager.post(f"/bulk/{job.pk}/undo/", {"operation_id": str(uuid4())}, follow=True)
    assert "Nothing in this job can be undone" in words(again)


def test_what_changed_since_is_not_undone(manager: Client, desk: Desk) -> None:
    from leads.providers.changes import UnassignTag
    from leads.services.bulk import making

    job = run(desk, TWO)
    send(desk, UnassignTag(TAG))
    undoing = work(making.undo_job(actor=desk.user, job=job, job_id=uuid4()))
    steering.start(actor=desk.user, job=undoing)
    work(undoing)
    assert states(undoing) == ["failed", "succeeded"]
    assert "changed since" in undoing.leads.get(position=0).sentence


def test_an_operation_leads_to_its_job(manager: Client, at_desk: AtDesk, desk: Desk) -> None:
    job = run(desk, ADA.email)
    path = f"/operations/{job.leads.get().operation_id}/"
    assert f'href="/bulk/{job.pk}/"' in manager.get(path).content.decode()
    assert f"/bulk/{job.pk}/" not in at_desk("agent").get(path).content.decode()


def waiting_at(client: Client) -> tuple[int, bool]:
    """How many jobs the menu counts, and whether Home shows ours."""
    home = client.get("/")
    count = re.search(r"Bulk\s+(\d+)\s+waiting for you", words(home))
    return int(count[1]) if count else 0, 'href="/bulk/' in home.content.decode().partition("<main")[2]


def test_home_and_the_menu_tell_of_jobs_that_wait_for_a_person(
    manager: Client, at_desk: AtDesk, desk: Desk, settings: Any
) -> None:
    admin = at_desk("admin")
    settings.BULK_APPROVAL_ABOVE = 1
    job = work(lay_down(desk, TWO))
    assert (waiting_at(manager), waiting_at(admin)) == ((1, True), (0, False)), "ready: for who laid it down"
    steering.start(actor=desk.user, job=job)
    assert (waiting_at(manager), waiting_at(admin)) == ((0, False), (1, True)), "asked: for who may approve"
    approving.approve(actor=User.objects.get(role="admin"), account=desk.account, job=job)
    assert (waiting_at(manager), waiting_at(admin)) == ((0, False), (0, False)), "running: for nobody"
    steering.stop(job, "It cannot go on.")
    assert (waiting_at(manager), waiting_at(admin)) == ((1, True), (1, True)), "stopped: for who may resume"
    assert "Spring sale" not in words(at_desk("agent").get("/"))


def test_a_job_of_which_leads_failed_waits_a_week_for_who_laid_it_down(
    manager: Client, at_desk: AtDesk, desk: Desk
) -> None:
    job = run(desk, TWO, SubscribeToSequence("No such sequence"))
    assert states(job) == ["failed"] * 2
    assert waiting_at(manager) == (1, True)
    assert "Done, some failed" in words(manager.get("/"))
    assert waiting_at(at_desk("admin")) == (0, False)
    Job.objects.update(finished_at=timezone.now() - timedelta(days=8))
    assert waiting_at(manager) == (0, False)


def test_another_account_sees_nothing_of_it(at_desk: AtDesk, desk: Desk) -> None:
    job = run(desk, TWO)
    stranger = at_desk("admin", 1)
    for path in ("", "progress/", "leads/", "csv/"):
        assert stranger.get(f"/bulk/{job.pk}/{path}").status_code == 404
    for path in ("start", "steer", "pace", "decide", "retry", "undo"):
        assert stranger.post(f"/bulk/{job.pk}/{path}/", {"do": "cancel"}).status_code == 404
    assert "Spring sale" not in words(stranger.get("/bulk/"))


@pytest.mark.parametrize("query", ["show=junk", "after=x", "after=-1", "after=99999999999", "show=succeeded&after=1e9"])
def test_a_page_that_does_not_exist_is_400(manager: Client, desk: Desk, query: str) -> None:
    job = lay_down(desk, TWO)
    assert manager.get(f"/bulk/{job.pk}/leads/?{query}").status_code == 400


def test_names_from_outside_are_shown_as_text(manager: Client, desk: Desk) -> None:
    job = lay_down(desk, TWO, name="<script>alert(1)</script>")
    job.left_out = [{"line": 1, "text": "<b>x</b>", "why": "cannot be read"}]
    job.save()
    html = manager.get(f"/bulk/{job.pk}/").content.decode()
    assert "<script>alert(1)" not in html
    assert "<b>x</b>" not in html
