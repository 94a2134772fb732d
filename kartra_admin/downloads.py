"""Answers that a browser keeps as a file."""

from collections.abc import Iterator
from typing import cast

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "py": "text/x-python; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "zip": "application/zip",
}


def as_file(name: str, content: str | bytes | Iterator[str] | Iterator[bytes]) -> HttpResponse:
    """The content under this name, whose ending says of what type it is; an iterator is sent piece by piece. It stays
    in no cache. Raises KeyError for an ending that none of our files has."""
    kind = StreamingHttpResponse if isinstance(content, Iterator) else HttpResponse
    headers = {"Content-Disposition": content_disposition_header(True, name) or "", "Cache-Control": "no-store"}
    return cast(HttpResponse, kind(content, content_type=_TYPES[name.rpartition(".")[2]], headers=headers))
