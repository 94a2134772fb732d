"""Taking the log out of the desk: an auditor clicks, and verifies what came on a machine without the desk."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from leads.access import Desk
from leads.providers.changes import AssignTag
from tests.browser.looking import Eye
from tests.leads.conftest import ADA
from tests.leads.helpers import do

pytestmark = pytest.mark.browser


def take(page: Page, link: str, to: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("link", name=link, exact=True).click()
    download.value.save_as(to)
    return to


def verify(folder: Path, export: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "verify.py", export, "public-keys.txt"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_an_auditor_exports_verifies_edits_one_byte_and_is_told_which_entry(
    eye: Eye, page: Page, sit_down: Callable[..., Desk], desk_of: Callable[..., Desk], tmp_path: Path
) -> None:
    do(desk_of("agent"), AssignTag("advanced"))
    sit_down("auditor")
    page.goto("/audit/")
    export = take(page, "NDJSON", tmp_path / "log.ndjson")
    take(page, "verify.py", tmp_path / "verify.py")
    take(page, "public keys", tmp_path / "public-keys.txt")
    done = verify(tmp_path, export.name)
    assert (done.returncode, done.stderr) == (0, "")
    text = export.read_text()
    assert text.count("Agent Person") >= 2
    export.write_text(text.replace("Agent Person", "Agent Perso_", 1))
    number = next(line for line in text.splitlines() if "Agent Person" in line).split(",")[1]
    done = verify(tmp_path, export.name)
    assert done.returncode == 1
    assert f"entry {number}: is not what its hash was made of" in done.stdout
    assert "Ada" in take(page, "CSV", tmp_path / "log.csv").read_text()


def test_a_pack_is_taken_from_the_entry_the_operation_and_the_lead(
    eye: Eye, page: Page, sit_down: Callable[..., Desk], desk_of: Callable[..., Desk], tmp_path: Path
) -> None:
    operation = do(desk_of("agent"), AssignTag("advanced"))
    sit_down("manager")
    for number, (address, link) in enumerate(
        (
            (f"/leads/{ADA.id}/activity/", "Evidence pack"),
            (f"/operations/{operation.pk}/", "Evidence pack"),
            (f"/audit/?operation={operation.pk}", "Evidence pack of this lead"),
        )
    ):
        page.goto(address)
        if address.startswith("/audit/"):
            page.locator("td.num a").first.click()
        folder = tmp_path / str(number)
        with zipfile.ZipFile(take(page, link, tmp_path / f"{number}.zip")) as pack:
            pack.extractall(folder)
        done = verify(folder, "entries.ndjson")
        assert (done.returncode, done.stderr) == (0, "")
    page.goto("about:blank")
    page.set_content((folder / "report.html").read_text())
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ada")
    eye.see("report of a pack")
