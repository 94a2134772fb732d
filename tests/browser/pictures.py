"""Takes the README's pictures anew: ``python -m tests.browser.pictures``.

Serves a fresh demo and its worker on a free port, works in it as support, manager and auditor do, and writes
docs/pictures/*.png.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

import run
from tests import parts
from tests.browser.looking import settle

FOLDER = run.ROOT / "docs" / "pictures"
ADA, JON = "/leads/4174086/", "/leads/4174102/"
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 780}


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, str]]:
    """A fresh demo. Yields its address, and the password of everybody in it."""
    port = run.free_port(8600)
    address = f"http://127.0.0.1:{port}"
    settings = {"DEMO": "true", "DATA_DIR": str(folder), "SITE_URL": address, "LOG_LEVEL": "WARNING"}
    settings |= {"DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}", "CACHE_URL": "locmemcache://"}
    environment = {**os.environ, **settings}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=run.ROOT, env=environment, check=True)
    told = subprocess.run([*manage, "demo"], cwd=run.ROOT, env=environment, check=True, capture_output=True, text=True)
    password = re.search(r"password (\S+)", told.stdout)
    assert password, told.stdout
    gunicorn = [sys.executable, "-m", "gunicorn", "kartra_admin.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    threads = ["--worker-class", "gthread", "--threads", "8", "--no-control-socket", "--log-level", "warning"]
    commands = [[*gunicorn, *threads], [*manage, "worker"]]
    parts_of_it = [subprocess.Popen(command, cwd=run.ROOT, env=environment) for command in commands]
    try:
        while not run.is_served(port):
            time.sleep(0.1)
        yield address, password[1]
    finally:
        run.end(parts_of_it)


def sign_in(page: Page, role: str, password: str) -> None:
    page.goto("/sign-in/")
    page.get_by_label("Email").fill(f"{role}@demo.example")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()


def work(page: Page) -> None:
    """A morning at the desk."""
    for lead in ("4174110", "4174121", "4174102", "4174086"):
        page.goto(f"/leads/{lead}/")
        settle(page)
    page.get_by_label("New note").fill("Asked for an invoice with the studio's address. Prefers email.")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_label("New note")).to_have_value("")
    page.get_by_role("button", name="Grant Kiln Club Gold access", exact=True).click()
    expect(page.get_by_role("button", name="Revoke Kiln Club Gold access", exact=True)).to_be_visible()
    edit(page, "Dallas", tags=["glaze & slip", "wholesale"], lists=["Glaze lab notes"])
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("wholesale")
    fill_refund(page, "Sale #99432", "4.00")
    page.get_by_role("button", name="Refund 4.00").click()
    expect(page.get_by_role("region", name="Money")).to_contain_text("Partial refund 4.00", timeout=60_000)
    page.goto(JON)
    fill_refund(page, "Sale #99601", "240.00")
    page.get_by_role("button", name="Ask to refund 240.00").click()
    expect(page.get_by_role("link", name="Open the request")).to_be_visible()


def fill_refund(page: Page, payment: str, amount: str) -> None:
    row = page.get_by_role("region", name="Money").get_by_role("row", name=payment)
    row.get_by_role("link", name="Refund").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Amount").fill(amount)
    dialog.get_by_label("Reason").select_option(index=1)
    expect(dialog.get_by_role("button", name=f"efund {amount}")).to_be_visible()


def edit(page: Page, city: str, *, tags: list[str], lists: list[str]) -> None:
    page.goto(f"{ADA}edit/")
    page.get_by_label("City").fill(city)
    page.get_by_label("State").fill("TX")
    for label, names in {"Tags": tags, "Lists": lists}.items():
        for name in names:
            page.locator("input").and_(page.get_by_label(label, exact=True)).fill(name)
            page.get_by_role("option", name=name, exact=True).click()


def keep(page: Page, name: str) -> None:
    settle(page)
    page.screenshot(path=FOLDER / f"{name}.png")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        demo(Path(folder)) as (address, password),
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=parts.chromium(), args=["--no-sandbox", "--disable-gpu"])
        look = {"base_url": address, "viewport": WIDE, "reduced_motion": "reduce", "color_scheme": "light"}

        def page_of(role: str, **other: str) -> Page:
            page = browser.new_context(**{**look, **other}).new_page()
            sign_in(page, role, password)
            return page

        take(page_of)
        browser.close()


def take(page_of: Callable[..., Page]) -> None:
    page = page_of("support")
    work(page)
    page.goto(ADA)
    keep(page, "lead-light")
    fill_refund(page, "Rebill 2 #99488", "9.95")
    keep(page, "refund")
    edit(page, "Austin", tags=["teacher", "porcelain"], lists=["Open studio weekends"])
    page.mouse.wheel(0, 2000)
    keep(page, "edit")
    page.goto("/")
    keep(page, "home")
    page.set_viewport_size(PHONE)
    page.goto(ADA)
    keep(page, "phone")
    page = page_of("manager")
    page.goto("/approvals/")
    page.get_by_role("link", name="Refund payment #99601").click()
    keep(page, "approval")
    page = page_of("auditor", color_scheme="dark")
    page.goto("/audit/")
    keep(page, "audit-dark")


if __name__ == "__main__":
    main()
