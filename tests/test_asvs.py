"""docs/asvs.md names what is there: files, tests and settings."""

import re

import pytest

from kartra_admin.settings import BASE_DIR

TESTS = BASE_DIR / "tests"
_NUMBER = re.compile(r"\b\d+\.\d+\.\d+\b")
_PATH = re.compile(r"`(\w[\w./-]*(?:\.py|\.md|/))`")
_SETTING = re.compile(r"`([A-Z][A-Z_]{5,})`")


def rows() -> list[list[str]]:
    """Number, what is asked, whether it is met, by what, shown by what."""
    text = (BASE_DIR / "docs" / "asvs.md").read_text()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in cells if _NUMBER.match(row[0])]


def test_there_are_rows_and_each_has_its_five_cells() -> None:
    assert len(rows()) > 90
    assert [row for row in rows() if len(row) != 5] == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    number, _, met, by, shown = row
    for name in _PATH.findall(by):
        assert any((folder / name).exists() for folder in (BASE_DIR, BASE_DIR / "accounts")), f"{number}: {name}"
    folder = TESTS
    for name in _PATH.findall(shown):  # a name alone stands beside the one before it, or at the top
        found = [place / name for place in (TESTS, folder, BASE_DIR) if (place / name).exists()]
        assert found, f"{number}: {name}"
        folder = found[0].parent
    if met.strip("*") == "Yes":
        assert shown not in ("", "by reading"), f"{number} is met, and nothing shows it"
    settings = (BASE_DIR / "kartra_admin" / "settings.py").read_text() + (BASE_DIR / ".env.example").read_text()
    for name in _SETTING.findall(by):
        assert re.search(rf"\b{name}\b", settings) or name in ("NAME_FILE", "LONG_TEXT"), f"{number}: {name}"


def test_no_requirement_is_told_twice() -> None:
    numbers = [number for row in rows() for number in _NUMBER.findall(row[0])]
    assert sorted(set(numbers)) == sorted(numbers)
