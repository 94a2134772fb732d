"""The sandbox as a server of its own: HTTP/1.1, a thread for each connection, and really broken connections.

On loopback it also takes ``POST /_sandbox/faults`` (JSON: command, mode, times, seconds) and
``GET /_sandbox/calls`` (JSON: the last 100 calls, never with credentials).
"""

import io
import json
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from wsgiref.types import WSGIEnvironment

from leads.providers.kartra.sandbox import faults, traffic
from leads.providers.kartra.sandbox.app import create_app
from leads.providers.kartra.sandbox.form import MAX_BYTES
from leads.providers.kartra.sandbox.state import connect

SHOWN_CALLS = 100
_TIME = struct.Struct("@ll")
_STAMPED = 35  # SO_TIMESTAMPNS: what is received comes with the time at which it came
HTML = "text/html; charset=UTF-8"


class SandboxServer(socketserver.ThreadingTCPServer):
    """Serves the sandbox of one file. Port 0 takes a free one; see ``url``."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.path = path
        self.app = create_app(path)
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        if sys.platform == "linux":  # the connections that come have it too
            self.socket.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
        # As long as one connection is open, a call that closes its own has no log to tidy up and no disk to wait for.
        self._held = connect(path)
        self._held.execute("SELECT 1 FROM leads LIMIT 1").fetchone()

    def server_close(self) -> None:
        super().server_close()
        self._held.close()

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def shutdown_request(self, request: "socket.socket | tuple[bytes, socket.socket]") -> None:
        """Close a connection; one that was reset is not said goodbye to first."""
        if isinstance(request, socket.socket) and not _resets(request):
            super().shutdown_request(request)
        else:
            self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hung up is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def running(path: Path) -> Iterator[str]:
    """A server on a free loopback port, for as long as the block runs. Gives its address."""
    with SandboxServer(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


class Received(io.RawIOBase):
    """What comes on a connection. ``at`` is when the last that was read had come, in seconds since 1970: by the kernel
    where it tells, for a server that shares a busy machine with its callers may read it much later."""

    at = 0.0

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        size, told, _, _ = self._connection.recvmsg_into([buffer], socket.CMSG_SPACE(_TIME.size))
        self.at = time.time()
        for level, kind, value in told:
            if (level, kind) == (socket.SOL_SOCKET, _STAMPED):
                seconds, nanoseconds = _TIME.unpack(value)
                self.at = seconds + nanoseconds / 1e9
        return size


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.received = Received(self.connection)
        self.rfile = io.BufferedReader(self.received)

    def parse_request(self) -> bool:
        self.arrived = self.received.at
        return super().parse_request()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BYTES:
            self.close_connection = True
            self._reply("413 Content Too Large" if length.isdigit() else "411 Length Required", b"")
            return
        body = self.rfile.read(int(length))
        if self.path == "/_sandbox/faults" and self._is_local():
            self._arm(body)
        else:
            self._call(body)

    def do_GET(self) -> None:
        if self.path == "/_sandbox/calls" and self._is_local():
            recent = [call._asdict() for call in traffic.calls(self.server.path)[-SHOWN_CALLS:]]
            self._reply("200 OK", json.dumps(recent).encode(), "application/json")
        else:
            self._call(b"")

    def _call(self, body: bytes) -> None:
        """Hand the request to the application, and break the connection where it says so."""
        answered: list[str] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            answered.append(status)

        try:
            page = b"".join(self.server.app(self._environ(body), start_response))  # type: ignore[arg-type]
        except ConnectionRefusedError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        except ConnectionResetError:
            self.close_connection = True
        except faults.LateReply as late:
            time.sleep(late.seconds)
            self._reply("200 OK", late.body)
        else:
            self._reply(answered[0], page)

    def _environ(self, body: bytes) -> WSGIEnvironment:
        return {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": self.path.partition("?")[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.url_scheme": "http",
            "sandbox.arrived": self.arrived,
            "wsgi.input": io.BytesIO(body),
        }

    def _arm(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
            faults.arm(
                self.server.path,
                str(asked["command"]),
                str(asked["mode"]),
                int(asked.get("times", 1)),
                float(asked.get("seconds", 5)),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._reply("400 Bad Request", str(error).encode(), "text/plain; charset=UTF-8")
        else:
            self._reply("204 No Content", b"")

    def _reply(self, status: str, body: bytes, kind: str = HTML) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        self.send_header("Content-Type", kind)
        if code != "204":
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _is_local(self) -> bool:
        return ip_address(self.client_address[0]).is_loopback

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the base class's)
        """Calls are recorded in the file; there is nothing to print."""


def _resets(connection: socket.socket) -> bool:
    on, _ = struct.unpack("ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    return bool(on)
