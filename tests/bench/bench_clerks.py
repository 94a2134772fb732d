"""A hundred clerks at once, each opening one lead after the other, before a Kartra that takes a second for each answer.

The server is gunicorn with the very arguments of docs/operations.md. A clerk opens a lead as a browser does: the page,
one call, then its money, two. Ideal is that all of them do nothing but wait for Kartra: a call a second for each clerk.
Kartra's limit of 20 calls a second is lifted on both sides, since it is not what is measured. Clerks, desk, database
and Kartra share the machine; Kartra's answers are kept, so that it takes little of it.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from run import ROOT, free_port, is_served
from tests.bench import stage, upstream
from tests.bench.table import Line, say

CLERKS, ANSWER = 100, 1.0
WARM, SECONDS = 10.0, float(os.environ.get("BENCH_SECONDS", "40"))


class Clerk(NamedTuple):
    cookie: str
    leads: list[str]


def recommended() -> list[str]:
    """Gunicorn's arguments in docs/operations.md, without where it listens; its processes are told by `.env` there."""
    told = (ROOT / "docs" / "operations.md").read_text()
    unit = re.search(r"^ExecStart=\S+/gunicorn (\S+) --bind \S+((?:.*\\\n)*.*)$", told, re.MULTILINE)
    processes = re.search(r"^`WEB_CONCURRENCY=(\d+)` in `.env`", told, re.MULTILINE)
    assert unit, "docs/operations.md has no unit for gunicorn any more"
    assert processes, "docs/operations.md does not tell how many processes any more"
    return [unit[1], "--workers", processes[1], *unit[2].replace("\\\n", " ").split()]


def measure(lane: str, folder: Path) -> None:
    with stage.sandbox(folder, leads=300) as sandbox, upstream.slowly(sandbox, ANSWER) as kartra:
        cache = os.environ.get("TEST_REDIS_URL", "locmemcache://")
        stage.open_desk(folder, kartra.address, KARTRA_CALLS_PER_SECOND="5000", CACHE_URL=cache)
        clerks = _lay_down(stage.sandbox_file(folder))
        with _served() as port:
            start = time.time() + WARM
            failed = _work(clerks, port, start + SECONDS)
        if failed:
            raise SystemExit(f"{failed} answers were no page.")
        ratio = kartra.calls(start, start + SECONDS) / (SECONDS * CLERKS / ANSWER)
    server = " ".join(recommended()[1:])
    how = f"leads and their money opened for {SECONDS:.0f} s, Kartra's limit lifted, gunicorn {server}"
    say(
        Line(f"{CLERKS} clerks, Kartra takes 1 s: throughput to the ideal, {lane}", ratio, how, goal=0.9, at_least=True)
    )


def _lay_down(sandbox: Path) -> list[Clerk]:
    """People who are signed in, each with leads of his own to open."""
    from django.conf import settings
    from django.test import Client

    from leads.providers.kartra.sandbox.state import connect

    with closing(connect(sandbox)) as db:
        rows = db.execute("SELECT id FROM leads WHERE account_id = 1 AND NOT deleted ORDER BY id DESC LIMIT 200")
        ids = [str(row["id"]) for row in rows]
    clerks = []
    for number in range(CLERKS):
        browser = Client()
        browser.force_login(stage.seat("support", number))
        cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
        clerks.append(Clerk(cookie, ids[number % len(ids) :] + ids[: number % len(ids)]))
    return clerks


@contextmanager
def _served() -> Iterator[int]:
    port = free_port(8200)
    command = [sys.executable, "-m", "gunicorn", *recommended(), "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        while not is_served(port):
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(90)


def _work(clerks: list[Clerk], port: int, until: float) -> int:
    """Let all of them open leads until then. How many answers were no page."""
    failed: list[str] = []

    def open_leads(clerk: Clerk) -> None:
        for lead_id in cycle(clerk.leads):
            for path, more in ((f"/leads/{lead_id}/", {}), (f"/leads/{lead_id}/money/", {"HX-Request": "true"})):
                if time.time() > until:
                    return
                if not _is_answered(port, path, {"Cookie": clerk.cookie, "Connection": "close", **more}):
                    failed.append(path)

    threads = [threading.Thread(target=open_leads, args=(clerk,)) for clerk in clerks]
    for thread in threads:
        thread.start()
        time.sleep(ANSWER / CLERKS)
    for thread in threads:
        thread.join()
    return len(failed)


def _is_answered(port: int, path: str, headers: dict[str, str]) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection, suppress(OSError, HTTPException):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return bool(answer.read()) and answer.status == 200
    return False


if __name__ == "__main__":
    sys.exit(stage.on_each_database(measure))
