"""Who is asking, from where: set once a request, read by the audit log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


def _nobody() -> None:
    return None


@dataclass(frozen=True)
class RequestContext:
    """``ip`` is the client's address as text, or what ran instead of a request, such as ``command``.

    ``signed_in`` gives the primary key of who is signed in by now, which signing in and out change on the way.
    """

    ip: str = ""
    request_id: str = ""
    path: str = ""
    signed_in: Callable[[], object] = _nobody

    def ip_of(self, person: object) -> str:
        """Where that person, by primary key, acts from: nowhere known, where the request is somebody else's."""
        return self.ip if self.signed_in() in (None, person) else ""


current: ContextVar[RequestContext] = ContextVar("request_context", default=RequestContext())  # noqa: B039 (it is frozen)


@contextmanager
def asking(ip: str, request_id: str = "", path: str = "", signed_in: Callable[[], object] = _nobody) -> Iterator[None]:
    """Everything within is done for this address, or for a program: ``with asking("command")``."""
    token = current.set(RequestContext(ip, request_id, path, signed_in))
    try:
        yield
    finally:
        current.reset(token)
