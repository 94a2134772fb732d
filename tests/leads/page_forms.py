"""The forms of a page, as a browser would post them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class PageForm:
    """``values`` are what is posted as the page stands; ``names`` every field, also of boxes that are not ticked and of
    buttons."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def posted(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.values:
            found.setdefault(name, []).append(value)
        return found


def forms_on(html: str, url: str) -> Iterator[PageForm]:
    """Those of a page at this address, one for each button that goes elsewhere or says something of its own."""
    reader = _Reader(url)
    reader.feed(html)
    for form, buttons in reader.found:
        for action, name, value in buttons or [("", "", "")]:
            values = [*form.values, (name, value)] if name else form.values
            yield PageForm(urljoin(form.action, action), form.method, values, form.names)


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.found: list[tuple[PageForm, list[tuple[str, str, str]]]] = []
        self._is_in = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        name, value = has.get("name", ""), has.get("value", "")
        if tag == "form":
            form = PageForm(urljoin(self.url, has.get("action", "")), has.get("method", "get").lower())
            self.found.append((form, []))
            self._is_in = True
        elif self._is_in:
            form, buttons = self.found[-1]
            kind = has.get("type", "submit" if tag == "button" else "text")
            if name:
                form.names.add(name)
            if tag == "button" and kind == "submit":
                buttons.append((has.get("formaction", ""), name, value))
            elif tag == "input" and name and (kind not in ("checkbox", "radio", "file") or "checked" in has):
                form.values.append((name, value))
            elif tag == "select":
                self._select = name
            elif tag == "option" and self._select and "selected" in has:
                form.values.append((self._select, value))
            elif tag == "textarea":
                self._area = name
                form.values.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._is_in and self._area:
            form, _ = self.found[-1]
            form.values[-1] = (self._area, data)
