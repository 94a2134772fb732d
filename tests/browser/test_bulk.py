"""Bulk in a browser: paste, dry run, start, watch, pause, results; by keyboard, without JavaScript, in both themes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from leads.access import Desk
from leads.models import Job
from leads.services.bulk import slices
from tests.browser.conftest import Watch, enter
from tests.browser.hands import Keyboard, Plain
from tests.browser.looking import Eye
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.services.bulk.conftest import _no_waiting, lay_down, run, work  # noqa: F401

pytestmark = pytest.mark.browser
PASTED = f"{ADA.email}\n{NOTABLE['ben'].email}\nnobody@example.com\n{ADA.email}"


@pytest.fixture
def desk(sit_down: Callable[..., Desk]) -> Desk:
    return sit_down("manager")


def do_one_lead(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker begin one lead, and no second one."""
    turns = iter([0.0])
    with monkeypatch.context() as patched:
        patched.setattr(slices, "_take_turn", lambda _: next(turns, None))
        slices.work(Job.objects.select_related("account", "actor", "approved_by").get(pk=job.pk), 0)


@pytest.mark.looks_at("leads:job-create", "leads:job", "leads:job-leads")
def test_from_a_paste_to_the_results(
    eye: Eye, page: Page, desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page.goto("/bulk/")
    page.get_by_role("link", name="Change many leads").click()
    hands = Keyboard(page)
    hands.type(page.get_by_label("Emails or ids"), PASTED + "\nnot a lead")
    hands.pick("Add tags", ["advanced"])
    hands.type(page.get_by_label("Name", exact=True), "Spring sale")
    hands.press(page.get_by_role("button", name="Start dry run"))
    expect(page.get_by_role("alert")).to_contain_text("1 line cannot be read")
    expect(page.locator("main")).to_contain_text("Line 5: not a lead")
    eye.see("bulk refused")
    page.get_by_label("Leave out the lines that cannot be read").check()
    page.get_by_role("button", name="Start dry run").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Spring sale")
    expect(page.get_by_role("progressbar", name="Leads read")).to_be_visible()
    eye.see("bulk reading")
    job = Job.objects.get()
    do_one_lead(job, monkeypatch)
    expect(page.locator("#job-progress")).to_contain_text("1 of 3")
    work(job)
    expect(page.get_by_role("heading", name="What the dry run found")).to_be_visible()  # the page has loaded anew
    expect(page.locator("main")).to_contain_text("may start automations")
    eye.see("bulk checked")

    page.get_by_role("button", name="Change 2 leads").click()
    expect(page.get_by_role("progressbar", name="Leads done")).to_be_visible()
    do_one_lead(job, monkeypatch)
    expect(page.locator("#job-progress")).to_contain_text("1 of 3")
    eye.see("bulk running")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    work(job)
    expect(page.locator("#job-progress")).to_contain_text("3 of 3")
    expect(page.get_by_role("button", name="Undo this run")).to_be_visible()
    expect(page.locator("[hx-trigger='every 2s']")).to_have_count(0)
    eye.see("bulk done")

    with page.expect_download() as file:
        page.get_by_role("link", name="Results as CSV").click()
    file.value.save_as(tmp_path / "results.csv")
    lines = (tmp_path / "results.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(",")[5] for line in lines] == ["Outcome", "Done", "Done", "Not in Kartra"]
    page.get_by_role("link", name="Show leads").click()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("row")).to_have_count(3)
    eye.see("bulk leads")


def test_without_javascript(
    desk: Desk, new_context: Callable[..., BrowserContext], watch: Watch, client_of: Callable[..., object]
) -> None:
    context = new_context(java_script_enabled=False)
    watch.over(context)
    enter(context, client_of("manager"))  # type: ignore[arg-type]
    page = context.new_page()
    hands = Plain(page)
    page.goto("/bulk/new/")
    hands.type(page.get_by_label("Emails or ids"), ADA.email)
    hands.pick("Add tags", ["advanced"])
    hands.type(page.get_by_label("Name", exact=True), "Spring sale")
    hands.press(page.get_by_role("button", name="Start dry run"))
    job = work(Job.objects.get())
    page.reload()
    hands.press(page.get_by_role("button", name="Change 1 lead"))
    work(job)
    page.reload()
    expect(page.locator("#job-progress")).to_contain_text("1 of 1")
    hands.press(page.get_by_role("button", name="Undo this run"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Undo Spring sale")


def test_somebody_else_approves(
    page: Page, desk: Desk, desk_of: Callable[..., Desk], browser_of: Callable[..., Page], settings: object
) -> None:
    settings.BULK_APPROVAL_ABOVE = 1  # type: ignore[attr-defined]
    job = work(lay_down(desk, PASTED))
    page.goto(f"/bulk/{job.pk}/")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_role("heading", name="Waiting for approval", exact=True)).to_be_visible()
    desk_of("admin")
    other = browser_of("admin")
    other.goto("/")
    other.get_by_role("link", name="Spring sale").click()
    looking = Eye(other)
    looking.see("bulk decide")
    other.get_by_role("button", name="Approve and start").click()
    expect(other.get_by_role("progressbar")).to_be_visible()
    assert looking.found == []


def test_who_is_in_doubt_is_one_click_away(eye: Eye, page: Page, desk: Desk) -> None:
    job = run(desk, PASTED)
    job.leads.filter(position=0).update(state="unknown")
    page.goto(f"/bulk/{job.pk}/")
    eye.see("bulk in doubt")
    eye.see("jobs in doubt", "/bulk/")
    page.goto(f"/bulk/{job.pk}/")
    page.get_by_role("link", name="1 lead", exact=True).click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("table")).to_contain_text(ADA.email)


def test_a_job_is_cancelled_only_when_asked_twice(page: Page, desk: Desk) -> None:
    job = lay_down(desk, PASTED)
    page.goto(f"/bulk/{job.pk}/")
    expect(page.get_by_role("button", name="Cancel job")).to_be_hidden()
    page.get_by_text("Cancel this job…").click()
    page.get_by_role("button", name="Cancel job").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cancelled")


@pytest.mark.looks_at("leads:jobs", "leads:home")
def test_the_list_of_jobs(eye: Eye, page: Page, desk: Desk) -> None:
    page.goto("/bulk/")
    eye.see("no jobs")
    run(desk, PASTED)
    work(lay_down(desk, PASTED, name="An unusually long name for a bulk job that goes on and on " * 2))
    page.goto("/bulk/")
    eye.see("jobs")
    page.goto("/")
    eye.see("home with jobs")
