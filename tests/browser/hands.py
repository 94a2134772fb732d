"""Three ways to use a page: with the mouse, with nothing but the keyboard, and without JavaScript."""

from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

_TABS_AT_MOST = 400


class Mouse:
    """Points and clicks, and types where it clicked."""

    scripts = True

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, target: Locator) -> None:
        target.click()

    def type(self, target: Locator, text: str) -> None:
        target.click()
        target.press("ControlOrMeta+a")
        target.press_sequentially(text)

    def search(self, target: Locator, text: str) -> None:
        """Type into a search box and send it off."""
        self.type(target, text)
        target.press("Enter")

    def picker(self, label: str, within: Locator | Page | None = None) -> Locator:
        """The field of a picker, once it has taken the place of its select."""
        return (within or self.page).get_by_role("combobox", name=label, exact=True).and_(self.page.locator("input"))

    def pick(self, label: str, names: Sequence[str], within: Locator | Page | None = None) -> None:
        """Choose names in the picker with this label, beside what is chosen already."""
        for name in names:
            field = self.picker(label, within)
            field.click()
            self.page.get_by_role("option", name=name, exact=True).click()
            expect(field).to_have_attribute("aria-expanded", "false")


class Keyboard(Mouse):
    """Walks to everything with Tab; the mouse is never touched."""

    def walk_to(self, target: Locator) -> None:
        expect(target).to_be_visible()
        for _ in range(_TABS_AT_MOST):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {target}")

    def press(self, target: Locator) -> None:
        self.walk_to(target)
        self.page.keyboard.press("Enter")

    def type(self, target: Locator, text: str) -> None:
        self.walk_to(target)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def search(self, target: Locator, text: str) -> None:
        self.page.keyboard.press("/")
        expect(target).to_be_focused()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def pick(self, label: str, names: Sequence[str], within: Locator | Page | None = None) -> None:
        field = self.picker(label, within)
        first = self.page.get_by_role("listbox", name="Choices").get_by_role("option").first
        self.walk_to(field)
        for name in names:
            self.page.keyboard.type(name)
            expect(first).to_have_text(name)
            self.page.keyboard.press("Enter")
            expect(field).to_have_attribute("aria-expanded", "false")


class Plain(Mouse):
    """A browser without JavaScript, where a picker is a plain list."""

    scripts = False

    def pick(self, label: str, names: Sequence[str], within: Locator | Page | None = None) -> None:
        field = (within or self.page).get_by_label(label, exact=True)
        if not field.evaluate("element => element.multiple"):
            field.select_option(label=names[0])
            return
        for name in names:
            field.get_by_role("option", name=name, exact=True).click(modifiers=["ControlOrMeta"])


WAYS = {"mouse": Mouse, "keyboard": Keyboard, "without JavaScript": Plain}
