"""A Kartra that takes its time, and next to nothing of the machine's.

It asks the sandbox what it has not been asked before, keeps the answers, and gives each a while after its call arrived.
For calls that read, and where it is not Kartra that is measured: the sandbox itself works out each answer from a
database and notes each call, which would take a good part of the processors that the desk is measured on.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

_SPAWN = multiprocessing.get_context("spawn")
_MOST = 1_000_000


class Upstream:
    """Where it listens, and the calls it was sent."""

    def __init__(self, address: str, count: Any, times: Any) -> None:
        self.address = address
        self._count, self._times = count, times

    def calls(self, start: float, end: float) -> int:
        """How many arrived from ``start`` until before ``end``, in seconds since 1970."""
        return sum(start <= at < end for at in self._times[: self._count.value])


@contextmanager
def slowly(sandbox_url: str, seconds: float) -> Iterator[Upstream]:
    """The sandbox at this address, with each answer so many seconds after its call."""
    told, count, times = _SPAWN.Queue(), _SPAWN.Value("q", 0), _SPAWN.Array("d", _MOST, lock=False)
    process = _SPAWN.Process(target=_run, args=(sandbox_url, seconds, told, count, times), daemon=True)
    process.start()
    try:
        yield Upstream(told.get(timeout=60), count, times)
    finally:
        process.kill()
        process.join()


def _run(sandbox_url: str, seconds: float, told: Any, count: Any, times: Any) -> None:
    asyncio.run(_serve(sandbox_url, seconds, told, count, times))


async def _serve(sandbox_url: str, seconds: float, told: Any, count: Any, times: Any) -> None:
    kept: dict[tuple[str, bytes], asyncio.Future[bytes]] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path, body = await _call(reader)
                due = time.time() + seconds
                times[count.value] = due - seconds
                count.value += 1
                if (call := (path, body)) not in kept:
                    kept[call] = asyncio.ensure_future(asyncio.to_thread(_ask, sandbox_url, *call))
                answer = await kept[call]
                await asyncio.sleep(due - time.time())
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):  # the caller hung up
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=512)
    told.put(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


async def _call(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The path and the body of a POST."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return head[0].split(" ")[1], await reader.readexactly(int(headers["content-length"]))


def _ask(sandbox_url: str, path: str, body: bytes) -> bytes:
    connection = HTTPConnection(urlsplit(sandbox_url).netloc, timeout=60)
    connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    kind = answer.headers["Content-Type"]
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
