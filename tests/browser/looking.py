"""Looking at a page as it stands, in both themes: what axe finds, wide and on a phone, and what is too wide.

With BROWSER_SHOTS=folder a picture of everything looked at is kept there.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.urls import Resolver404, resolve
from playwright.sync_api import Page, expect

WIDTHS = (1440, 1024, 390)
_BETWEEN = (961, 900, 800, 769)  # a tablet, half a window: least room for tables, and where columns change
_TALL = {1440: 1000, 1024: 900, 390: 844}
_THEMES = ("dark", "light")
# What axe is asked, where: a theme changes colours only (`test_themes_differ_in_colours_alone`), a phone what is shown,
# and between the two nothing changes but widths.
_ALL: dict[str, object] = {}
_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
_LOOKED_AT = {(1440, "dark"): _ALL, (1440, "light"): _COLOURS, (390, "light"): _ALL}

# As odd as people type.
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LONG_TEXT = f"{LONG_WORD} ليلى المصري 👩🏽‍🎨 <b>not bold</b>"

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
# Of what axe can load beforehand no rule that runs needs the style sheets, which take it long.
_AXE = """rules => axe.run({resultTypes: ["violations"], preload: {assets: ["media"]}, ...rules})
  .then(({violations}) => violations.flatMap(({id, nodes}) =>
    nodes.map(({target, failureSummary}) => `${id}: ${target} ${failureSummary}`)))"""


class Eye:
    """Goes through pages and remembers what is wrong, so that one run tells all of it.

    ``seen`` are the names of the addresses it looked at, ``""`` for one that nothing answers to.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: list[str] = []
        self.seen: set[str] = set()

    def see(self, title: str, address: str = "") -> None:
        """Everything there is to see of a page, or of the page as it stands; the window is left as it was found."""
        if address:
            self.page.goto(address)
        self.seen.add(_name_of(self.page.url))
        settle(self.page)
        for width in WIDTHS:
            self._fit(title, width)
            for theme in _THEMES:
                self.page.emulate_media(color_scheme=theme)
                self.page.evaluate(_PAINTED)
                rules = _LOOKED_AT.get((width, theme))
                if rules is not None:
                    self.found += [f"{title}, {theme} at {width}: {what}" for what in axe(self.page, rules)]
                _keep_picture(self.page, f"{title} {width} {theme}")
        for width in _BETWEEN:
            self._fit(title, width)
        self.page.set_viewport_size({"width": WIDTHS[0], "height": _TALL[WIDTHS[0]]})
        self.page.evaluate(_PAINTED)

    def measure(self, title: str, address: str) -> None:
        """Only its width, for a page of a kind that axe has seen already."""
        self.page.goto(address)
        settle(self.page)
        for width in (*WIDTHS, *_BETWEEN):
            self._fit(title, width)

    def _fit(self, title: str, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": _TALL.get(width, 900)})
        self.found += [f"{title} at {width}: {what}" for what in self.page.evaluate(_TOO_WIDE)]


def settle(page: Page) -> None:
    """Wait until the page is there, and what loads beside it: a click on a link waits for no more than its address."""
    page.wait_for_load_state()
    for sign in ("[data-loading]", ".htmx-request", ".htmx-swapping", ".htmx-settling", ".htmx-added"):
        expect(page.locator(sign)).to_have_count(0)


def axe(page: Page, rules: dict[str, object]) -> list[str]:
    """What axe finds, one line for each element; ``rules`` are its options that choose some."""
    if not page.evaluate("() => 'axe' in window"):  # half a megabyte: once for each page is enough
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(_AXE, rules)
    return found


def _name_of(url: str) -> str:
    try:
        return resolve(urlsplit(url).path).view_name
    except Resolver404:
        return ""


def _keep_picture(page: Page, name: str) -> None:
    folder = os.environ.get("BROWSER_SHOTS")
    if not folder:
        return
    is_overlaid = page.locator("dialog[open], .user-menu[open], :popover-open").count() > 0
    page.screenshot(path=Path(folder) / f"{name.replace(' ', '-')}.png", full_page=not is_overlaid)
