"""The sandbox over real HTTP on loopback."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from leads.providers.kartra.sandbox import faults
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.providers.kartra.sandbox.server import SandboxServer, running
from leads.providers.kartra.sandbox.traffic import calls
from tests.leads.providers.kartra.sandbox.box import FORM, Box, action, credentials

TAG = urlencode({**credentials(), "lead[id]": NOTABLE["ada"].id, **action("assign_tag", tag_name="beginner")})
HEADERS = {"Content-Type": FORM}


@pytest.fixture
def line(box: Box) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server on the box."""
    with running(box.path) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        yield connection
        connection.close()


def post(line: http.client.HTTPConnection, body: str = TAG, path: str = "/api") -> tuple[int, str, str]:
    line.request("POST", path, body, HEADERS)
    answer = line.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()


def test_answers_like_kartra_and_keeps_the_connection(line: http.client.HTTPConnection) -> None:
    for path in ("/", "/api", "/api/"):
        status, kind, page = post(line, path=path)
        assert (status, kind.partition(";")[0]) == (200, "text/html")
        assert json.loads(page)["status"] == "Success"
        assert line.sock is not None


@pytest.mark.linux
def test_a_call_counts_from_when_it_came_however_late_the_server_comes_to_read_it(box: Box) -> None:
    with SandboxServer(box.path) as server:
        line = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
        sent = time.time()
        line.request("POST", "/api", TAG, HEADERS)
        time.sleep(0.3)
        server.handle_request()
        assert line.getresponse().status == 200
        line.close()
    assert calls(box.path)[-1].at - sent < 0.2


def test_answers_promptly(line: http.client.HTTPConnection) -> None:
    def timed() -> float:
        started = time.perf_counter()
        post(line)
        return time.perf_counter() - started

    assert min(timed() for _ in range(10)) < 0.035  # a delayed acknowledgement alone would take 40 ms each time


@pytest.mark.parametrize("mode", ["lost", "refused"])
def test_a_broken_connection_is_really_broken(box: Box, line: http.client.HTTPConnection, mode: str) -> None:
    faults.arm(box.path, "assign_tag", mode)
    with pytest.raises(ConnectionError):
        post(line)
    line.close()
    assert ("beginner" in box.tags("ada")) is (mode == "lost")
    assert post(line)[0] == 200


def test_a_refused_call_is_reset(box: Box, line: http.client.HTTPConnection) -> None:
    faults.arm(box.path, "*", "refused")
    with pytest.raises(ConnectionResetError):
        post(line)


def test_a_lost_reply_ends_the_connection_in_order(box: Box, line: http.client.HTTPConnection) -> None:
    faults.arm(box.path, "*", "lost")
    with pytest.raises(http.client.RemoteDisconnected):
        post(line)


def test_a_late_reply_comes_late(box: Box, line: http.client.HTTPConnection) -> None:
    faults.arm(box.path, "*", "late", seconds=0.3)
    started = time.perf_counter()
    assert post(line)[0] == 200
    assert time.perf_counter() - started >= 0.3


def test_a_late_reply_holds_up_nobody_else(box: Box, line: http.client.HTTPConnection) -> None:
    faults.arm(box.path, "assign_tag", "late", seconds=1.5)
    waiting = threading.Thread(target=post, args=(line,))
    waiting.start()
    while "beginner" not in box.tags("ada"):
        time.sleep(0.01)
    other = http.client.HTTPConnection(line.host, line.port, timeout=10)
    started = time.perf_counter()
    assert post(other, urlencode({**credentials(), "get_lead[id]": NOTABLE["ada"].id}))[0] == 200
    assert time.perf_counter() - started < 1.2
    waiting.join()
    other.close()


@pytest.mark.parametrize(
    ("mode", "status", "starts"),
    [("429", 429, "Too many"), ("500", 500, "<!DOC"), ("junk", 200, "<!DOC"), ("half", 200, '{"')],
)
def test_answers_that_are_none(box: Box, line: http.client.HTTPConnection, mode: str, status: int, starts: str) -> None:
    faults.arm(box.path, "*", mode)
    got, _, page = post(line)
    assert got == status
    assert page.startswith(starts)
    assert post(line)[0] == 200


def test_faults_are_armed_and_calls_are_read_over_http(line: http.client.HTTPConnection) -> None:
    armed = json.dumps({"command": "assign_tag", "mode": "429", "times": 2})
    assert post(line, armed, "/_sandbox/faults")[0] == 204
    assert [post(line)[0] for _ in range(3)] == [429, 429, 200]
    line.request("GET", "/_sandbox/calls")
    page = line.getresponse().read().decode()
    assert [call["commands"] for call in json.loads(page)] == [["assign_tag"]] * 3
    assert not any(secret in page for secret in credentials().values())


NONSENSE = ["", "[]", "{}", '{"command": "*", "mode": "none"}', '{"command": "*", "mode": "429", "times": "x"}']


@pytest.mark.parametrize("body", NONSENSE)
def test_a_fault_that_makes_no_sense_is_answered_400(line: http.client.HTTPConnection, body: str) -> None:
    assert post(line, body, "/_sandbox/faults")[0] == 400


def test_a_call_without_a_body_is_an_error_of_kartras(line: http.client.HTTPConnection) -> None:
    line.request("GET", "/api")
    answer = line.getresponse()
    assert (answer.status, json.loads(answer.read())["type"]) == (200, "238")


def test_a_body_without_a_length_is_refused(line: http.client.HTTPConnection) -> None:
    with socket.create_connection((line.host, line.port or 0), timeout=10) as bare:
        bare.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert bare.recv(100).startswith(b"HTTP/1.1 411")


def test_a_caller_that_hangs_up_is_no_trouble(line: http.client.HTTPConnection) -> None:
    with socket.create_connection((line.host, line.port or 0), timeout=10) as bare:
        bare.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nabc")
    assert post(line)[0] == 200
