"""A Kartra that says what the test wrote down for it, and remembers what it was asked."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

from kartra_admin.lib.pacing import Turn
from leads.providers.errors import ProviderError
from leads.providers.kartra.client import SANDBOX, KartraClient
from leads.providers.kartra.provider import KartraProvider

PAYLOADS = Path(__file__).parents[3] / "payloads" / "kartra"

KEY = "canary-key-zq7x+/="
PASSWORD = "canary pass&word=kw9v"

Answer = dict[str, Any] | bytes | tuple[int, bytes] | Exception


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def form(body: bytes) -> dict[str, Any]:
    """A body as a reader of brackets sees it: nested maps, lists as maps of "0", "1", ..."""
    nested: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True):
        head, *rest = name.replace("]", "").split("[")
        place = nested
        for key in rest:
            place = place.setdefault(head, {})
            head = key
        place[head] = value
    return nested


class NoLimit:
    """Notes who waited, and every pause."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, bool]] = []
        self.pauses: list[tuple[str, float]] = []
        self.turns_sent: list[int] = []

    def wait(self, name: str, *, background: bool = False) -> Turn:
        self.waits.append((name, background))
        return Turn(len(self.waits), 0.0)

    def still(self, name: str, turn: Turn, *, background: bool = False) -> Turn:
        return turn

    def sent(self, name: str, turn: Turn) -> None:
        self.turns_sent.append(turn.number)

    def pause(self, name: str, seconds: float) -> None:
        self.pauses.append((name, seconds))


class Script:
    """Gives the answers in turn; an unexpected call is an error. ``calls`` holds the forms without the credentials."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.calls: list[dict[str, Any]] = []
        self.limiter = NoLimit()
        self.reports: list[ProviderError | None] = []
        self.sleeps: list[float] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        assert environ["REQUEST_METHOD"] == "POST"
        assert environ["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
        self.bodies.append(body)
        call = form(body)
        assert (call.pop("app_id"), call.pop("api_key"), call.pop("api_password")) == ("APP", KEY, PASSWORD)
        self.calls.append(call)
        assert self.answers, f"unexpected call: {call}"
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        start_response(f"{status} x", [("Content-Type", "text/html; charset=UTF-8")])
        return [content if isinstance(content, bytes) else json.dumps(content).encode()]

    def client(self, **options: Any) -> KartraClient:
        return KartraClient(
            SANDBOX,
            "APP",
            KEY,
            PASSWORD,
            limiter=self.limiter,
            wsgi_app=self,
            report=self.reports.append,
            sleep=self.sleeps.append,
            **options,
        )

    def provider(self) -> KartraProvider:
        return KartraProvider(self.client())


def answering(*answers: Answer) -> tuple[KartraProvider, Script]:
    script = Script(*answers)
    return script.provider(), script


def enveloped(*elements: tuple[str, Any]) -> dict[str, Any]:
    return {"status": "Success", "actions": [{command: element} for command, element in elements]}


def flat(number: str | int, words: str = "x") -> dict[str, Any]:
    return {"status": "Error", "message": words, "type": number}


OK = {"status": "Success", "message": "done", "type": "103"}
