"""Looking at a page as it stands: what axe finds, in both themes, and whether anything is wider than the window.

With BROWSER_SHOTS=folder a picture of everything looked at is kept there.
"""

import os
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

WIDTHS = (1440, 1024, 390)
_TALL = {1440: 1000, 1024: 900, 390: 844}

# Things wider than the window, and boxes that had to grow a sideways scrollbar; a region that takes the focus, and so
# scrolls by keyboard, is meant to.
_TOO_WIDE = """() => {
  const root = document.documentElement;
  const found = root.scrollWidth > root.clientWidth ? [`the page is ${root.scrollWidth} px wide`] : [];
  for (const box of document.querySelectorAll("body *")) {
    const style = getComputedStyle(box);
    if (!/auto|scroll/.test(style.overflowX) || box.matches("textarea, select, [role=region][tabindex]")) continue;
    if (box.scrollWidth > box.clientWidth + 1) found.push(`${box.tagName} ${box.className || box.id} scrolls sideways`);
  }
  return found;
}"""


# A theme is there when the transitions to it have ended, and they need frames to end.
_PAINTED = """() => new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)))
  .then(() => Promise.allSettled(document.getAnimations().map(animation => animation.finished)))
  .then(() => true)"""
_EVERYTHING: dict[str, Any] = {"resultTypes": ["violations"]}
_COLOURS = {**_EVERYTHING, "runOnly": ["color-contrast"]}


def settle(page: Page) -> None:
    """Wait until what loads beside the page is there."""
    for sign in ("[data-loading]", ".htmx-request", ".htmx-swapping", ".htmx-settling", ".htmx-added"):
        expect(page.locator(sign)).to_have_count(0)


def look_at(page: Page, title: str, *, also_on_a_phone: bool = False) -> list[str]:
    """Everything wrong with the page as it stands, in sentences; the window is left as it was found.

    What axe says of the dark theme can differ in colours only; what it says on a phone, in what is shown.
    """
    settle(page)
    found = []
    for width in WIDTHS:
        found += too_wide(page, title, width)
        if width == WIDTHS[0]:
            found += [f"{title}: {what}" for what in axe(page, _EVERYTHING)]
            page.emulate_media(color_scheme="dark")
            page.evaluate(_PAINTED)
            found += [f"{title}, dark: {what}" for what in axe(page, _COLOURS)]
            page.emulate_media(color_scheme="light")
        elif width == WIDTHS[-1] and also_on_a_phone:
            found += [f"{title} on a phone: {what}" for what in axe(page, _EVERYTHING)]
        _keep_pictures(page, f"{title} {width}")
    page.set_viewport_size({"width": WIDTHS[0], "height": _TALL[WIDTHS[0]]})
    page.evaluate(_PAINTED)
    return found


def too_wide(page: Page, title: str, width: int) -> list[str]:
    """What is wider than a window of this width, which is left so."""
    page.set_viewport_size({"width": width, "height": _TALL[width]})
    return [f"{title} at {width}: {what}" for what in page.evaluate(_TOO_WIDE)]


def axe(page: Page, options: dict[str, Any]) -> list[str]:
    """What axe finds, one line for each element."""
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in violations
        for node in violation["nodes"]
    ]


def _keep_pictures(page: Page, name: str) -> None:
    folder = os.environ.get("BROWSER_SHOTS")
    if not folder:
        return
    is_overlaid = page.locator("dialog[open], .user-menu[open], :popover-open").count() > 0
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        page.evaluate(_PAINTED)
        path = Path(folder) / f"{name.replace(' ', '-')}-{theme}.png"
        page.screenshot(path=path, full_page=not is_overlaid)
