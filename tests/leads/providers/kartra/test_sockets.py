"""The client against servers that break, over real connections on loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kartra_admin.lib.pacing import Limiter, NoTurn, Turn
from kartra_admin.lib.pacing_slots import FileSlots
from leads.providers.base import LeadRef
from leads.providers.changes import AssignTag
from leads.providers.errors import OutcomeUnknown, RateLimited, Unavailable
from leads.providers.kartra.client import KartraClient
from leads.providers.kartra.provider import KartraProvider
from tests.leads.providers.kartra.script import KEY, PASSWORD, NoLimit, form

CALL = {"actions": [{"cmd": "retrieve_account_tags"}]}
FINE = b'{"status":"Success","account_tags":["a"],"actions":[]}'

Behave = Callable[[socket.socket], None]


def answer(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Behave:
    def behave(connection: socket.socket) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    return behave


def hang_up(connection: socket.socket) -> None:
    """Close without a word."""


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def sleep_on(connection: socket.socket) -> None:
    time.sleep(1.2)


def drip(connection: socket.socket) -> None:
    """Each piece comes in time, and the answer never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(40):
        time.sleep(0.05)
        connection.sendall(b" ")


def flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    sent = 0
    try:
        while sent < 200_000_000:
            connection.sendall(b" " * 1_000_000)
            sent += 1_000_000
    except OSError:
        assert sent < 50_000_000
        return
    raise AssertionError("all of it was read")


class Server:
    """Takes one connection for each behaviour, in turn, and reads the request before it behaves."""

    def __init__(self, behaviours: list[Behave]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api"
        self.bodies: list[bytes] = []
        self.faults: list[BaseException] = []
        self._behaviours = behaviours
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for behave in self._behaviours:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    self.bodies.append(self._request(connection))
                    behave(connection)
                except AssertionError as fault:
                    self.faults.append(fault)
                except OSError:
                    continue  # the client has gone

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        def receive() -> bytes:
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError("it went without a word, or in the middle of one")
            return data

        data = b""
        while b"\r\n\r\n" not in data:
            data += receive()
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /api HTTP/1.1\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += receive()
        return body

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join(timeout=5)


@contextmanager
def server(*behaviours: Behave) -> Iterator[Server]:
    running = Server(list(behaviours))
    try:
        yield running
    finally:
        running.close()
    assert not running.faults


def client(url: str, **options: Any) -> KartraClient:
    return KartraClient(
        url, "APP", KEY, PASSWORD, **{"limiter": NoLimit(), "timeout": 0.5, "sleep": lambda _: None, **options}
    )


def test_a_call_over_a_real_connection_carries_the_form_and_the_credentials() -> None:
    with server(answer(FINE)) as kartra:
        assert client(kartra.url).call(CALL, is_write=False)["account_tags"] == ["a"]
    assert form(kartra.bodies[0]) == {
        "app_id": "APP",
        "api_key": KEY,
        "api_password": PASSWORD,
        "actions": {"0": {"cmd": "retrieve_account_tags"}},
    }


BREAKS = {
    "hang up": hang_up,
    "reset": reset,
    "no answer in time": sleep_on,
    "an answer that does not end": drip,
    "half an answer": answer(FINE[:20], length=len(FINE)),
    "half a JSON": answer(FINE[:20]),
    "a page": answer(b"<html>maintenance</html>", "200 OK", "Content-Type: text/html"),
    "no HTTP": lambda connection: connection.sendall(b"220 mail.example ready\r\n"),
    "500": answer(b"oops", "500 Internal Server Error"),
    "a bad gateway": answer(b"<html>", "502 Bad Gateway"),
}
ENDS = {
    "a redirect": answer(b"", "302 Found", "Location: http://127.0.0.1:1/elsewhere"),
    "a permanent redirect": answer(b"", "308 Permanent Redirect", "Location: http://127.0.0.1:1/"),
    "too much": flood,
    "not found": answer(b"nothing here", "404 Not Found"),
}


@pytest.mark.parametrize("name", [*BREAKS, *ENDS])
def test_a_write_is_sent_once_and_its_outcome_unknown(name: str) -> None:
    with server({**BREAKS, **ENDS}[name], answer(FINE)) as kartra:
        with pytest.raises(OutcomeUnknown):
            client(kartra.url).call(CALL, is_write=True)
        assert len(kartra.bodies) == 1


@pytest.mark.parametrize("name", BREAKS)
def test_a_read_is_sent_again(name: str) -> None:
    with server(BREAKS[name], answer(FINE)) as kartra:
        assert client(kartra.url, timeout=1.0 if name == "no answer in time" else 0.5).call(CALL, is_write=False)
        assert len(kartra.bodies) == 2


@pytest.mark.parametrize("name", ENDS)
def test_a_read_without_hope_is_sent_once(name: str) -> None:
    with server(ENDS[name], answer(FINE)) as kartra:
        with pytest.raises(Unavailable):
            client(kartra.url).call(CALL, is_write=False)
        assert len(kartra.bodies) == 1


@pytest.mark.parametrize("is_write", [True, False])
def test_a_refused_connection_changed_nothing_and_is_tried_three_times(is_write: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    limiter = NoLimit()
    with pytest.raises(Unavailable, match="could not be reached"):
        client(f"http://127.0.0.1:{port}/api", limiter=limiter).call(CALL, is_write=is_write)
    assert len(limiter.waits) == 3


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_a_write_whose_connection_took_too_long_does_not_leave(asked: int) -> None:
    """It is too late the first, second or third time that it is asked: each time before the body leaves."""
    answers = iter([False] * (asked - 1) + [True])
    with server(answer(FINE)) as kartra, pytest.raises(Unavailable, match="Nothing was sent"):
        client(kartra.url, is_late=lambda: next(answers)).call(CALL, is_write=True)
    assert next(answers, None) is None
    assert kartra.bodies == []


def test_a_limited_write_goes_again() -> None:
    limited = answer(b"Too many requests", "429 Too Many Requests")
    limiter = NoLimit()
    with server(limited, limited, answer(FINE)) as kartra:
        assert client(kartra.url, limiter=limiter).call(CALL, is_write=True)
    assert limiter.pauses == [("APP", 1.0)] * 2


def test_a_write_that_stays_limited_failed_for_sure() -> None:
    with server(*[answer(b"", "429 Too Many Requests")] * 4) as kartra, pytest.raises(RateLimited):
        client(kartra.url).call(CALL, is_write=True)


def test_threads_share_one_client_and_get_their_own_answers() -> None:
    echoes = 24

    def echo(connection: socket.socket) -> None:
        name = form(kartra.bodies[-1])["actions"]["0"]["tag_name"]
        element = f'{{"status":"Success","message":"{name}"}}'
        answer(f'{{"actions":[{{"assign_tag":{element}}}]}}'.encode())(connection)

    with server(*[echo] * echoes) as kartra:
        provider = KartraProvider(client(kartra.url, timeout=10.0))
        said: dict[str, str] = {}

        def send(name: str) -> None:
            (outcome,) = provider.send(LeadRef(id="7"), [AssignTag(name)])
            said[name] = outcome.words

        threads = [threading.Thread(target=send, args=(f"tag {number}",)) for number in range(echoes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert said == {f"tag {number}": f"tag {number}" for number in range(echoes)}


def test_each_call_tells_when_it_is_on_the_wire() -> None:
    limiter = NoLimit()
    with server(answer(FINE), answer(FINE)) as kartra:
        for _ in range(2):
            client(kartra.url, limiter=limiter).call(CALL, is_write=False)
    assert limiter.turns_sent == [1, 2]


def test_a_call_that_takes_long_to_connect_is_not_sent_among_those_that_passed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls a second. While one connects, a second goes by, and with it the turn that was waited for."""
    came: list[float] = []

    def note(connection: socket.socket) -> None:
        came.append(time.time())
        answer(FINE)(connection)

    def connect(*args: Any, **kwargs: Any) -> socket.socket:
        if threading.current_thread().name == "slow":
            time.sleep(1.3)
        return open_connection(*args, **kwargs)

    open_connection = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", connect)
    with server(*[note] * 4) as kartra, closing(Limiter(FileSlots(tmp_path / "calls.sqlite3"), 2)) as limiter:

        def call() -> None:
            client(kartra.url, limiter=limiter).call(CALL, is_write=False)

        slow = threading.Thread(target=call, name="slow")
        slow.start()
        time.sleep(0.2)
        for _ in range(3):
            call()
        slow.join(timeout=20)
    assert len(came) == 4
    assert all(third - first >= 1 for first, third in zip(came, came[2:], strict=False))


def test_nothing_is_sent_where_the_turn_is_lost_while_connecting() -> None:
    class Lost(NoLimit):
        def still(self, name: str, turn: Turn, *, background: bool = False) -> Turn:
            raise NoTurn("the table of slots")

    with server(*[hang_up] * 3) as kartra, pytest.raises(Unavailable, match="Nothing was changed"):
        client(kartra.url, limiter=Lost()).call(CALL, is_write=True)
    assert kartra.bodies == []
