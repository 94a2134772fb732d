"""The WSGI application: credentials, the envelope, and what goes wrong when told to."""

import json
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from leads.providers.kartra.sandbox import faults, form
from leads.providers.kartra.sandbox.commands import COMMANDS
from leads.providers.kartra.sandbox.commands.leads import get_lead
from leads.providers.kartra.sandbox.desk import Desk, find_lead, text
from leads.providers.kartra.sandbox.errors import Declined
from leads.providers.kartra.sandbox.form import Array
from leads.providers.kartra.sandbox.seed import seed_missing
from leads.providers.kartra.sandbox.state import connect, est_now, read_settings, reading, writing
from leads.providers.kartra.sandbox.traffic import admit

PATHS = ("", "/", "/api", "/api/")
OK = "200 OK"

ERROR_PAGE = b"<!DOCTYPE html><html><head><title>500</title></head><body><h1>Something went wrong</h1></body></html>"
SIGN_IN_PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body><form>Your password</form></body></html>"

Action = tuple[str, Array]

_apps: dict[Path, WSGIApplication] = {}
_apps_lock = threading.Lock()


def app_for(path: Path) -> WSGIApplication:
    """The application on this file, one for each path in a process. Seeds the file first where it is missing."""
    path = path.absolute()
    with _apps_lock:
        seed_missing(path)
        return _apps.setdefault(path, create_app(path))


def create_app(path: Path) -> WSGIApplication:
    """A WSGI application on a seeded file.

    Raises out of the application, where told to by `faults.arm`: ConnectionRefusedError (nothing was done),
    ConnectionResetError (done, no reply), `faults.LateReply` (done, the reply comes late).
    """

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        arrived = environ.get("sandbox.arrived") or time.time()
        if environ.get("PATH_INFO", "") not in PATHS:
            return _page(start_response, "404 Not Found", b"<h1>Not found</h1>")
        post = form.decode(_body(environ))
        with closing(connect(path)) as db:
            settings = read_settings(db)
            with writing(db):
                commands = _commands(post)
                known_app = _row(db, "apps", "id", text(post, "app_id"))
                account = _row(db, "accounts", "api_key", text(post, "api_key"))
                admitted = admit(
                    db,
                    known_app["id"] if known_app else "",
                    account["name"] if account else "",
                    commands,
                    settings["calls_per_second"],
                    arrived,
                )
                fault = faults.claim(db, commands) if admitted else None
            mode = fault.mode if fault else ""
            if not admitted or mode == "429":
                return _page(start_response, "429 Too Many Requests", b"Too many requests")
            if mode == "refused":
                raise ConnectionRefusedError("The sandbox was told to refuse this call.")
            if mode == "500":
                return _page(start_response, "500 Internal Server Error", ERROR_PAGE)
            if mode == "junk":
                return _page(start_response, OK, SIGN_IN_PAGE)
            with writing(db) if _writes(commands) else reading(db):
                try:
                    answer = _answer(db, environ, settings, post, mode)
                    if fault and mode == "short":
                        faults.leave_out(answer, fault.command)
                    body = _json(answer)
                except Declined as declined:
                    body = _json(declined.body)
        if mode == "lost":
            raise ConnectionResetError("The sandbox was told to lose this reply.")
        if fault and mode == "late":
            raise faults.LateReply(body, fault.seconds)
        return _page(start_response, OK, body[: len(body) // 2] if mode == "half" else body)

    return app


def _body(environ: WSGIEnvironment) -> bytes:
    """The form that was posted; PHP reads no other kind of body into ``$_POST``."""
    length = environ.get("CONTENT_LENGTH") or "0"
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if environ["REQUEST_METHOD"] != "POST" or kind != "application/x-www-form-urlencoded" or not length.isdigit():
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _page(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/html; charset=UTF-8"), ("Content-Length", str(len(body)))])
    return [body]


def _json(body: dict[str, Any]) -> bytes:
    """As PHP's json_encode writes it: ASCII only, slashes escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def _row(db: Connection, table: str, column: str, value: str) -> Any:
    return db.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,)).fetchone()  # noqa: S608  (names of ours)


def _commands(post: Array) -> list[str]:
    """The names of what is asked, for the record and the faults; a name Kartra does not know is kept as ``unknown``."""
    names = ["get_lead"] if "get_lead" in post else []
    actions = post.get("actions", {})
    if isinstance(actions, dict):
        asked = [text(action, "cmd") if isinstance(action, dict) else "" for action in actions.values()]
        names += [name if name in COMMANDS else "unknown" for name in asked]
    return names


def _writes(commands: list[str]) -> bool:
    return any(name in COMMANDS and COMMANDS[name].writes for name in commands)


def _answer(
    db: Connection, environ: WSGIEnvironment, settings: dict[str, Any], post: Array, fault: str
) -> dict[str, Any]:
    """Do what was asked. Raises `Declined` where the whole call is answered with one flat error."""
    if settings["require_https"] and environ["wsgi.url_scheme"] != "https":
        raise Declined(201)
    may_write = _check_app(db, environ, text(post, "app_id"))
    desk = Desk(
        db=db,
        account_id=_check_account(db, text(post, "api_key"), text(post, "api_password")),
        now=est_now(settings["clock_days"]),
        test_mode=settings["test_mode"],
        lead={},
        fault=fault,
    )
    if "get_lead" in post:
        wanted = post["get_lead"]
        if not isinstance(wanted, dict):
            raise Declined(236)
        known_by: Array = {"email": wanted.get("email", "")} if settings["email_only"] else wanted
        return get_lead(desk, known_by)
    lead = post.get("lead", {})
    if not isinstance(lead, dict):
        raise Declined(223)
    desk.lead = lead
    actions = _check_actions(post, may_write=may_write)
    return _envelope(_run(desk, actions), settings)


def _check_app(db: Connection, environ: WSGIEnvironment, app_id: str) -> bool:
    """Whether the App may write. Raises `Declined` where it may do nothing."""
    if not app_id:
        raise Declined(238)
    row = _row(db, "apps", "id", app_id)
    if row is None or not row["active"]:
        raise Declined(239)
    if not row["developer_active"]:
        raise Declined(240)
    if row["only_ip"] and row["only_ip"] != environ.get("REMOTE_ADDR"):
        raise Declined(242)
    return bool(row["may_write"])


def _check_account(db: Connection, key: str, password: str) -> int:
    if not key:
        raise Declined(202)
    row = _row(db, "accounts", "api_key", key)
    if row is None:
        raise Declined(203)
    if not row["active"]:
        raise Declined(204)
    if password != row["api_password"]:
        raise Declined(233)
    return int(row["id"])


def _check_actions(post: Array, *, may_write: bool) -> list[Action]:
    entries = post.get("actions")
    if not isinstance(entries, dict) or not entries:
        raise Declined(224)
    actions: list[Action] = []
    for entry in entries.values():
        if not isinstance(entry, dict) or not text(entry, "cmd"):
            raise Declined(254)
        actions.append((text(entry, "cmd"), entry))
    if any(cmd not in COMMANDS or (COMMANDS[cmd].writes and not may_write) for cmd, _ in actions):
        raise Declined(262)
    return actions


def _run(desk: Desk, actions: list[Action]) -> list[tuple[str, dict[str, Any]]]:
    """Run the actions in order. One that fails does not keep the later ones from running.

    Raises `Declined` where there is only one, or where the first leaves the rest without a lead.
    """
    first = actions[0][0]
    if first != "create_lead" and COMMANDS[first].needs_lead:
        _load_lead(desk)
    results: list[tuple[str, dict[str, Any]]] = []
    for cmd, params in actions:
        command = COMMANDS[cmd]
        try:
            if command.needs_lead and cmd != "create_lead" and desk.lead_id is None:
                _load_lead(desk)
            result = command.run(desk, params)
        except Declined as declined:
            if len(actions) == 1 or (not results and cmd == "create_lead"):
                raise
            result = declined.body
        results.append((cmd, result))
    return results


def _load_lead(desk: Desk) -> None:
    desk.lead_id = find_lead(desk, desk.lead, missing=243)["id"]


def _envelope(results: list[tuple[str, dict[str, Any]]], settings: dict[str, Any]) -> dict[str, Any]:
    if len(results) == 1:
        cmd, result = results[0]
        command = COMMANDS[cmd]
        place = command.single if settings["envelope"] == "actions" else command.bare
        if place == "flat":
            return result
        if place == "fragment":
            return {cmd: result}
    failed = any(result.get("status") == "Error" for _, result in results)
    status = settings["chained_status"] if failed else "Success"
    return {"status": status, "actions": [{cmd: result} for cmd, result in results]}
