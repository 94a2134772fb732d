"""Takes the README's pictures anew: ``python -m tests.browser.pictures``.

Serves a fresh demo on a free port, works in it as the agent does, and writes docs/pictures/*.png.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

import run
from tests import parts
from tests.browser.looking import settle

FOLDER = run.ROOT / "docs" / "pictures"
ADA = "/leads/4174086/"
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
    server = subprocess.Popen([*gunicorn, *threads], cwd=run.ROOT, env=environment)
    try:
        assert run.is_served(port, server)
        yield address, password[1]
    finally:
        server.terminate()
        server.wait()


def sign_in(page: Page, role: str, password: str) -> None:
    page.goto("/sign-in/")
    page.get_by_label("Email").fill(f"{role}@demo.example")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Menu")).to_be_visible()


def work(page: Page) -> None:
    """A morning at the desk."""
    for lead in ("4174102", "4174110", "4174118", "4174086"):
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
    settle(page)


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
        light = {"base_url": address, "viewport": WIDE, "reduced_motion": "reduce", "color_scheme": "light"}
        context = browser.new_context(**light)
        page = context.new_page()
        sign_in(page, "agent", password)
        work(page)
        keep(page, "lead-light")
        edit(page, "Austin", tags=["teacher", "porcelain"], lists=["Open studio weekends"])
        page.mouse.wheel(0, 2000)
        keep(page, "edit")
        page.goto("/")
        keep(page, "home")
        page.set_viewport_size(PHONE)
        page.goto(ADA)
        keep(page, "phone")
        dark = {**light, "color_scheme": "dark"}
        page = browser.new_context(**dark, storage_state=context.storage_state()).new_page()
        page.goto(ADA)
        keep(page, "lead-dark")
        page = browser.new_context(**dark).new_page()
        sign_in(page, "auditor", password)
        page.goto("/audit/")
        keep(page, "audit-dark")
        browser.close()


if __name__ == "__main__":
    main()
