"""Files that the desk gives out."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kartra_admin.downloads import as_file
from tests.test_architecture import OURS, sources


def pieces() -> Iterator[str]:
    yield "one,"
    yield "two"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("leads.csv", pieces(), "text/csv; charset=utf-8"),
        ("audit.ndjson", pieces(), "application/x-ndjson"),
        ("pack.zip", b"one,two", "application/zip"),
        ("verify.py", "one,two", "text/x-python; charset=utf-8"),
    ],
)
def test_it_is_kept_as_a_file_and_in_no_cache(name: str, content: str | bytes | Iterator[str], kind: str) -> None:
    answer = as_file(name, content)
    assert answer.streaming == isinstance(content, Iterator)
    assert b"".join(answer) == b"one,two"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert (answer["Content-Type"], answer["Cache-Control"]) == (kind, "no-store")


def test_a_name_cannot_add_a_header() -> None:
    assert as_file('a"b.csv', "")["Content-Disposition"] == 'attachment; filename="a\\"b.csv"'


def test_an_ending_that_none_of_our_files_has_is_an_error() -> None:
    with pytest.raises(KeyError):
        as_file("page.html", "")


def test_nothing_else_answers_with_a_file() -> None:
    words = ("Content-Disposition", "StreamingHttpResponse", "FileResponse")
    breaches = [
        f"{path}:{getattr(node, 'lineno', 0)}"
        for path, tree in sources(*OURS)
        if path != Path("kartra_admin/downloads.py") and "views" in path.parts
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and node.value in words) or (isinstance(node, ast.Name) and node.id in words)
    ]
    assert not breaches
