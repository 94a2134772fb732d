"""Who is asking, from where: set once a request, read by the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    """``ip`` is the client's address as text, or what ran instead of a request, such as ``command``."""

    ip: str = ""
    request_id: str = ""
    path: str = ""


current: ContextVar[RequestContext] = ContextVar("request_context", default=RequestContext())  # noqa: B039 (it is frozen)


@contextmanager
def asking(ip: str, request_id: str = "", path: str = "") -> Iterator[None]:
    """Everything within is done for this address, or for a program: ``with asking("command")``."""
    token = current.set(RequestContext(ip, request_id, path))
    try:
        yield
    finally:
        current.reset(token)
