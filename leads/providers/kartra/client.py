"""Sends calls to Kartra and brings answers back. The only importer of httpx.

Credentials travel in the body of each call, so a body is never named in a log line or kept in an exception. Nothing
that httpx raises leaves `_attempt`: its exceptions and the frames below them hold the request. What is raised here is
raised from frames that hold no secret in the clear, which is why a debug page may show their variables. (Django's
``sensitive_variables`` would not do: it hides nothing while DEBUG is on, and its wrapper holds the arguments.)
"""

import enum
import ipaddress
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx

from kartra_admin.lib.pacing import NoTurn, Turn
from kartra_admin.lib.redact import Secret
from leads.providers.errors import Misconfigured, OutcomeUnknown, ProviderError, RateLimited, Unavailable, Unsendable
from leads.providers.kartra import answers, wire

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

SANDBOX = "sandbox:"
LARGEST_ANSWER = 10_000_000
CREDENTIAL_VARIABLES = 3

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # so that a small answer cannot unpack into a huge one
    "User-Agent": "Kartra-Admin",
}
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, ConnectionRefusedError, NoTurn)
_PAUSE_AFTER_429 = 1.0
_PAUSES = (0.2, 0.6)


class Limiter(Protocol):
    """Paces calls over all threads and processes: `kartra_admin.lib.pacing`."""

    def wait(self, name: str, *, background: bool = False) -> Turn: ...

    def still(self, name: str, turn: Turn, *, background: bool = False) -> Turn: ...

    def sent(self, name: str, turn: Turn) -> None: ...

    def pause(self, name: str, seconds: float) -> None: ...


class Trouble(enum.Enum):
    """Why a try brought no answer, by what it allows."""

    NOTHING_SENT = enum.auto()  # Kartra cannot have seen the call
    TOO_LATE = enum.auto()  # nothing sent, and it must not be any more
    LIMITED = enum.auto()  # 429: Kartra has refused the call
    NO_ANSWER = enum.auto()  # sent, and no answer or none that can be read
    HOPELESS = enum.auto()  # sent, and the next answer would be no better: a redirect, a wrong address, too large


class _TooLate(Exception):
    """A write that must not be sent any more was about to be."""


class Failure(NamedTuple):
    trouble: Trouble
    says: str


def pause_before_retry(
    trouble: Trouble, *, is_write: bool, retries: int, seconds_gone: float, timeout: float
) -> float | None:
    """How long to wait before sending again, after so many retries; None to give up.

    A write goes again only where Kartra has surely not carried it out. No new try is begun when the person has waited
    for one and a half time limits.
    """
    if trouble is Trouble.LIMITED:
        return _PAUSE_AFTER_429 if retries < 3 else None
    if retries >= len(_PAUSES) or seconds_gone > 1.5 * timeout:
        return None
    if trouble is Trouble.NOTHING_SENT or (trouble is Trouble.NO_ANSWER and not is_write):
        return _PAUSES[retries]
    return None


class _WithinProcess(httpx.WSGITransport):
    """Tells of the steps of sending as a connection does, though there is none. A call arrives as it is sent, however
    long who is told of that takes."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for step in ("headers.started", "body.started"):
            request.extensions["trace"](f"within_process.send_request_{step}", {})
        arrived = {"sandbox.arrived": time.time()}
        request.extensions["trace"]("within_process.send_request_body.complete", {})
        at_its_time = httpx.WSGITransport(lambda environ, start: self.app(environ | arrived, start))
        return at_its_time.handle_request(request)


class KartraClient:
    """One holder's calls. Cheap to make: connections are shared by all clients of a process.

    ``api_url`` is Kartra's, https except for loopback, or ``sandbox:`` with the ``wsgi_app`` that plays Kartra.
    ``report`` is told after each call what went wrong with the connection, or None where it works. ``is_late`` is asked
    each time a write is about to leave: where it is, nothing is sent. Raises `Misconfigured` for an address that must
    not be used and for credentials that are missing.
    """

    _url = "no address"  # for the repr, until one is found good

    def __init__(
        self,
        api_url: str,
        app_id: str,
        key: str,
        password: str,
        *,
        limiter: Limiter,
        timeout: float = 30.0,
        wsgi_app: "WSGIApplication | None" = None,
        background: bool = False,
        report: Callable[[ProviderError | None], None] | None = None,
        before_waiting: Callable[[], None] = lambda: None,
        is_late: Callable[[], bool] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        has_credentials = bool(key and password)
        credentials = _encoded({"app_id": app_id, "api_key": key, "api_password": password})
        del key, password  # what raises below must not hold them
        if credentials is None or not has_credentials:
            raise Misconfigured("The API key or password is missing or cannot be sent. Enter both again.")
        if not app_id:
            raise Misconfigured("This desk has no App Id. The administrator has to set KARTRA_APP_ID.")
        self._credentials = credentials
        self._app_id = app_id
        self._limiter = limiter
        self._timeout = timeout
        self._background = background
        self._report = report
        self._before_waiting = before_waiting
        self._is_late = is_late
        self._sleep = sleep
        if api_url == SANDBOX and wsgi_app is not None:
            self._url = "http://sandbox/api"
            self._http = httpx.Client(transport=_WithinProcess(wsgi_app), trust_env=False)
        else:
            self._url = _checked(api_url)
            self._http = _pool(self._url, os.getpid())

    def __repr__(self) -> str:
        return f"KartraClient({self._url})"

    def call(self, params: Mapping[str, Any], *, is_write: bool) -> answers.Body:
        """The answer to one call, which may be an error of Kartra's.

        Raises `RateLimited` or `Unavailable` where nothing changed, `OutcomeUnknown` for a write that was sent and not
        clearly answered, Unsendable for what must not be sent.
        """
        body = wire.encode(params)
        if wire.count(body) + CREDENTIAL_VARIABLES > wire.MAX_VARIABLES:
            raise Unsendable("too much for one call: PHP would drop the rest without a word")
        self._before_waiting()
        result = self._send(body, is_write=is_write)
        if isinstance(result, Failure):
            error = _error(result, is_write=is_write)
            self._tell(error)
            raise error
        self._tell(_setup_error(result))
        return result

    def _send(self, body: bytes, *, is_write: bool) -> answers.Body | Failure:
        started = time.monotonic()
        retries = 0
        while True:
            result = self._attempt_in_turn(body, is_write=is_write)
            if not isinstance(result, Failure):
                return result
            pause = pause_before_retry(
                result.trouble,
                is_write=is_write,
                retries=retries,
                seconds_gone=time.monotonic() - started,
                timeout=self._timeout,
            )
            logger.warning("Kartra: %s, %s", result.says, "given up" if pause is None else "trying again")
            if pause is None:
                return result
            retries += 1
            if result.trouble is not Trouble.LIMITED or not self._pause_all(pause):
                self._sleep(pause)

    def _attempt_in_turn(self, body: bytes, *, is_write: bool) -> answers.Body | Failure:
        try:
            turn = self._limiter.wait(self._app_id, background=self._background)
        except NoTurn as error:
            return Failure(Trouble.NOTHING_SENT, f"no turn to be had, {error}")

        def check() -> None:
            if is_write and self._is_late and self._is_late():
                raise _TooLate

        def follow(event: str, info: object) -> None:
            nonlocal turn
            if event.endswith("send_request_headers.started"):  # connected by now, however long that took
                turn = self._limiter.still(self._app_id, turn, background=self._background)
                check()
            elif event.endswith("send_request_body.started"):
                check()
            elif event.endswith("send_request_body.complete"):
                with suppress(NoTurn):
                    self._limiter.sent(self._app_id, turn)

        return self._attempt(body, check, follow)

    def _pause_all(self, seconds: float) -> bool:
        """Let nobody call for so long. False where the others can't be told."""
        try:
            self._limiter.pause(self._app_id, seconds)
        except NoTurn:
            return False
        return True

    def _attempt(
        self, body: bytes, check: Callable[[], None], follow: Callable[[str, object], None]
    ) -> answers.Body | Failure:
        """Send once, unless ``check`` says no; ``follow`` is told of each step. Never raises: whatever went wrong is
        told without its exception, which would hold the body."""
        limits = httpx.Timeout(connect=5.0, write=10.0, read=self._timeout, pool=10.0)
        try:
            check()
            with self._http.stream(
                "POST",
                self._url,
                content=self._credentials.reveal() + b"&" + body,
                headers=_HEADERS,
                timeout=limits,
                extensions={"trace": follow},
            ) as response:
                return _read(response, deadline=time.monotonic() + self._timeout)
        except Exception as error:  # noqa: BLE001 (whatever it is, it holds the body)
            logger.info("Kartra: %s", type(error).__name__)
            return _broken(error)

    def _tell(self, error: ProviderError | None) -> None:
        if self._report is None:
            return
        try:
            self._report(error)
        except Exception:  # what Kartra did must not be lost over keeping books
            logger.exception("could not note how the connection does")


def _broken(error: Exception) -> Failure:
    """What an exception means; one that nobody expected may have come after the call was sent."""
    if isinstance(error, _TooLate):
        return Failure(Trouble.TOO_LATE, "too late to be sent")
    if isinstance(error, _NOTHING_SENT):
        return Failure(Trouble.NOTHING_SENT, "not reached")
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Failure(Trouble.NO_ANSWER, "no answer in time")
    return Failure(Trouble.NO_ANSWER, "the connection broke")


def _read(response: httpx.Response, *, deadline: float) -> answers.Body | Failure:
    """The answer's map, read no further than it may be long and no longer than it may take."""
    status = response.status_code
    if status == 429:
        return Failure(Trouble.LIMITED, "too many calls (429)")
    if status >= 500:
        return Failure(Trouble.NO_ANSWER, f"a fault over there ({status})")
    if not 200 <= status < 300:
        return Failure(Trouble.HOPELESS, f"an answer that is not Kartra's ({status})")
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            return Failure(Trouble.HOPELESS, "an answer of more than 10 MB")
        if time.monotonic() > deadline:
            return Failure(Trouble.NO_ANSWER, "an answer that does not end")
    try:
        return answers.decode(bytes(content))
    except ValueError:
        return Failure(Trouble.NO_ANSWER, "an answer that cannot be read")


def _error(failure: Failure, *, is_write: bool) -> ProviderError:
    match failure.trouble:
        case Trouble.LIMITED:
            return RateLimited(
                "Kartra is not accepting more calls right now. Nothing was changed. Try again in a minute."
            )
        case Trouble.NOTHING_SENT:
            return Unavailable("Kartra could not be reached. Nothing was changed. Try again in a minute.")
        case Trouble.TOO_LATE:
            return Unavailable("It could not be sent in time and was given up. Nothing was sent.")
        case _ if is_write:
            return OutcomeUnknown(f"{answers.UNCLEAR} What came: {failure.says}.")
        case Trouble.HOPELESS:
            return Unavailable(
                f"Kartra's address gave {failure.says}. Nothing was changed. The administrator has to check "
                "KARTRA_API_URL."
            )
    return Unavailable(
        f"Kartra did not answer as it should: {failure.says}. Nothing was changed. Try again in a minute."
    )


def _setup_error(body: answers.Body) -> Misconfigured | None:
    error = answers.flat_error(body)
    return error if isinstance(error, Misconfigured) else None


def _encoded(credentials: Mapping[str, str]) -> Secret[bytes] | None:
    try:
        return Secret(wire.encode(credentials))
    except (TypeError, ValueError):
        return None


def _checked(api_url: str) -> str:
    """The address without a trailing slash. Raises `Misconfigured` for plain http beyond this machine, and for junk."""
    try:
        parts = urlsplit(api_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise Misconfigured(
            "Kartra's address is not the address of a server. The administrator has to correct KARTRA_API_URL."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Misconfigured("Kartra can be reached over https only. The administrator has to correct KARTRA_API_URL.")
    return api_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache  # one address in earnest; a pool that were dropped would leave its sockets open
def _pool(url: str, process: int) -> httpx.Client:
    """The connections of this process to one address; httpx's client is safe for threads. A fork makes its own."""
    # The environment may name certificates to trust (SSL_CERT_FILE), and no proxy or password file to send bodies by.
    # There are as many connections as threads that call, so that none waits for another's.
    return httpx.Client(
        verify=httpx.create_ssl_context(),
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0),
    )
