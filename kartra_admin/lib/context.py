"""Who is asking, from where: set once a request, read by the audit log."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    """``ip`` is the client's address as text, or what ran instead of a request, such as ``command``."""

    ip: str = ""
    request_id: str = ""


current: ContextVar[RequestContext] = ContextVar("request_context", default=RequestContext())  # noqa: B039 (it is frozen)
