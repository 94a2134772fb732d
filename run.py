#!/usr/bin/env python3
"""Kartra Admin's one entry: ``python3 run.py`` serves the demo, ``python3 run.py serve`` a small server, ``python3
run.py test`` passes the tests.

Needs Python 3.11 and nothing else: it keeps its own environment in ``.venv``, filled from the locked requirements.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

if sys.version_info < (3, 11):  # before anything that an older Python would stumble over
    sys.exit(f"Kartra Admin needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")

PRODUCT, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"  # the second holds all of the first
KNOWN_FLAWS = "flask==0.5"
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"  # what was installed by this program
RESULTS = ROOT / "test-results"
AGAIN_AFTER = 3.0  # seconds, before what ended by itself is started again


def main() -> int:
    if os.name != "posix":
        stop("Kartra Admin runs on Linux and macOS. On Windows, run it inside WSL.")
    parser = argparse.ArgumentParser(prog="run.py", description="Serve Kartra Admin or its demo, or check its code.")
    commands = parser.add_subparsers(dest="command", metavar="command")
    demo = commands.add_parser("demo", help="serve the demo (the default)")
    serve = commands.add_parser("serve", help="serve a small server: web and worker, by the settings in .env")
    for each, default in (
        (parser, os.environ.get("PORT") or "8000"),
        *((each, argparse.SUPPRESS) for each in (demo, serve)),
    ):
        each.add_argument("--port", type=int, default=default, help="of the web server; else PORT, else 8000")
    commands.add_parser("test", help="run all tests; what follows is handed to pytest", add_help=False)
    commands.add_parser("lint", help="check style, templates and layers")
    commands.add_parser("types", help="check types")
    commands.add_parser("format", help="format the code")
    commands.add_parser("audit", help="look for known holes in what is installed")
    commands.add_parser(
        "bench", help="measure, and print one table; what follows names what to measure", add_help=False
    )
    commands.add_parser(
        "rig", help="break refunds, bulk or keys on purpose; what follows is handed to it", add_help=False
    )
    options, rest = parser.parse_known_args()
    if rest and options.command not in ("test", "rig", "bench"):
        parser.error(f"unknown: {' '.join(rest)}")
    if options.command in (None, "demo"):
        return serve_demo(options.port)
    if options.command == "serve":
        return serve_here(options.port)
    prepare_environment(DEVELOPMENT)
    if options.command == "test":
        return test(rest)
    if options.command in ("rig", "bench"):
        return subprocess.call([str(PYTHON), "-m", f"tests.{options.command}", *rest], cwd=ROOT)
    return {"lint": lint, "types": types, "format": format_code, "audit": audit}[options.command]()


# The environment


def prepare_environment(lock: str) -> None:
    """Make ``.venv`` where it is missing, and install ``lock`` unless just that is installed already."""
    stamp = STAMP
    hashes = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in (PRODUCT, DEVELOPMENT)}
    hashes["python"] = ".".join(map(str, sys.version_info[:3]))
    installed = json.loads(stamp.read_text()) if stamp.exists() and PYTHON.exists() else {}
    is_usable = installed.get("python", hashes["python"]) == hashes["python"] and (VENV / "bin" / "pip").exists()
    if is_usable and installed.get(lock) == hashes[lock]:
        return
    stamp.unlink(missing_ok=True)
    if not (is_usable and PYTHON.exists()):
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            stop("This Python cannot make environments. On Debian and Ubuntu: apt install python3-venv")
        say("Making .venv")
        checked([sys.executable, "-m", "venv", "--clear", str(VENV)])
    say(f"Installing {lock}")
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    checked([*pip, "--require-hashes", "-r", str(ROOT / lock)])
    if lock == PRODUCT:
        del hashes[DEVELOPMENT]
    stamp.write_text(json.dumps(hashes))


# Serving


def serve_here(port: int) -> int:
    """Serve by the environment's own settings. Changes nothing first: an operator installs and migrates himself."""
    if STAMP.exists() or not PYTHON.exists():  # or else it was made by hand
        prepare_environment(PRODUCT)
    manage = [str(PYTHON), "manage.py"]
    checked([*manage, "check"])
    if subprocess.call([*manage, "migrate", "--check"], cwd=ROOT, stdout=subprocess.DEVNULL):
        stop("The database is not ready for this version: make a backup, then run manage.py migrate.")
    commands = {
        "web server": [*gunicorn(port), "--timeout", "120", "--graceful-timeout", "35"],
        "worker": [*manage, "worker"],
    }
    ready = f"Kartra Admin listens on 127.0.0.1:{port}."
    return run_together(commands, None, lambda: is_served(port) and (print(ready, flush=True) or True))


def serve_demo(wanted_port: int) -> int:
    prepare_environment(PRODUCT)
    port = free_port(wanted_port)
    address = f"http://127.0.0.1:{port}"
    data = Path(os.environ.get("DATA_DIR") or ROOT / "var" / "demo").resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never the database of a real installation, whatever .env and the environment say.
    environment = {
        **os.environ,
        "DEMO": "true",
        "DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'db.sqlite3'}",
        "CACHE_URL": "locmemcache://",
        "SITE_URL": address,
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }
    say("Preparing the demo")
    checked([str(PYTHON), "manage.py", "migrate", "--verbosity", "0"], environment)
    people = checked([str(PYTHON), "manage.py", "demo"], environment, capture=True)
    quiet = ["--log-level", "warning", "--graceful-timeout", "5"]
    commands = {"web server": [*gunicorn(port), *quiet], "worker": [str(PYTHON), "manage.py", "worker"]}
    taken = f"  (port {wanted_port} is taken)" if port != wanted_port else ""
    ready = f"\n{people.rstrip()}\n\n  Kartra Admin    {address}{taken}\n  Ctrl-C ends it.\n"
    return run_together(commands, environment, lambda: is_served(port) and (print(ready, flush=True) or True))


def gunicorn(port: int) -> list[str]:
    """One process, whose cache is that of all; a thread for each who waits."""
    at = ["kartra_admin.wsgi:application", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    return [str(PYTHON), "-m", "gunicorn", *at, "--worker-class", "gthread", "--workers", "1", "--threads", "64"]


def run_together(
    commands: dict[str, list[str]], environment: dict[str, str] | None, is_ready: Callable[[], bool]
) -> int:
    """Run programs side by side until Ctrl-C, SIGTERM, or the end of the first of them, which ends the others too. One
    of the others that ends by itself is started again.

    ``is_ready`` is asked until it says True once.
    """

    def start(name: str) -> subprocess.Popen[bytes]:
        # In a session of its own, so that Ctrl-C reaches only this program, which ends the parts in good order.
        return subprocess.Popen(commands[name], cwd=ROOT, env=environment, start_new_session=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parts: dict[str, subprocess.Popen[bytes]] = {}
    first, *others = commands
    ended: dict[str, float] = {}
    try:
        for name in commands:
            parts[name] = start(name)
        was_ready = False
        while parts[first].poll() is None:
            was_ready = was_ready or is_ready()
            for name in (each for each in others if parts[each].poll() is not None):
                if name not in ended:
                    say_error(f"The {name} ended by itself and is started again. The lines above say why.")
                    ended[name] = time.monotonic()
                elif time.monotonic() - ended[name] >= AGAIN_AFTER:
                    parts[name] = start(name)
                    del ended[name]
            time.sleep(0.1)
        say_error(f"The {first} ended by itself, so everything ends. The lines above say why.")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        end(parts.values())
        print("\nEnded.", flush=True)


def end(parts: Collection[subprocess.Popen[bytes]]) -> None:
    """Let the programs finish what they are at; kill what takes too long, or all on a second Ctrl-C."""
    try:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait(40)  # a call to Kartra takes at most 30 seconds
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        for part in parts:
            part.kill()
            part.wait()


def free_port(wanted: int) -> int:
    """The port wanted, or the next one that is free."""
    for port in range(max(wanted, 1), min(wanted + 100, 65536)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    return stop(f"No port from {wanted} on is free. Choose another: python3 run.py --port 9000")


def is_served(port: int) -> bool:
    """Whether the web server answers."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.settimeout(30)
        probe.connect(("127.0.0.1", port))
        probe.sendall(b"GET /sign-in/ HTTP/1.0\r\n\r\n")
        return bool(probe.recv(12))
    return False


# The tests


def test(arguments: list[str]) -> int:
    """Run the tests on SQLite, then on PostgreSQL where there is one; name what was left out."""
    sys.path.insert(0, str(ROOT))
    from tests import parts

    lanes = {"SQLite": ""}
    if os.environ.get("TEST_POSTGRES_URL"):
        lanes["PostgreSQL"] = os.environ["TEST_POSTGRES_URL"]
    results = {lane: run_lane(lane, url, arguments) for lane, url in lanes.items()}
    print(flush=True)
    for lane, (_, counts) in results.items():
        print(f"{lane:<12}{counts}")
    left_out = parts.missing()
    for part in left_out:
        print(parts.left_out_line(part))
    is_complete = not left_out or os.environ.get("TEST_REQUIRE_ALL", "") in ("", "0")
    if not is_complete:
        print("FAILED: TEST_REQUIRE_ALL is set, and something was left out.")
    return 0 if is_complete and all(is_passed for is_passed, _ in results.values()) else 1


def run_lane(lane: str, url: str, arguments: list[str]) -> tuple[bool, str]:
    """Run pytest once; whether it passed, and its counts in words."""
    print(f"\n== {lane}", flush=True)
    report = RESULTS / f"{lane.lower()}.xml"
    report.unlink(missing_ok=True)
    workers = str(min(4, os.cpu_count() or 1))
    pytest = [
        str(PYTHON),
        "-m",
        "pytest",
        "-q",
        "-n",
        workers,
        "--dist",
        "loadgroup",  # each takes the next test when it is done with one, so that none is at work long after the others
        f"--junitxml={report}",
        *arguments,
    ]
    environment = {**os.environ, "TEST_DATABASE_URL": url, "TEST_LANES": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every worker and rig compiles all the code again
    code = subprocess.call(pytest, cwd=ROOT, env=environment)
    if not report.exists():
        return False, "did not run"
    counts = dict.fromkeys(("tests", "failures", "errors"), 0)
    seconds = 0.0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        seconds += float(suite.get("time", 0))
        for name in counts:
            counts[name] += int(suite.get(name, 0))
    broken = counts["failures"] + counts["errors"]
    passed = f"{counts['tests'] - broken} passed"
    nothing_chosen = code == 5 and bool(arguments)
    return code == 0 or nothing_chosen, f"{passed}{f', {broken} FAILED' if broken else ''} in {seconds:.0f} s"


# The other checks


def lint() -> int:
    return run_all(
        [str(VENV / "bin" / "ruff"), "check", "."],
        [str(VENV / "bin" / "ruff"), "format", "--check", "."],
        [str(VENV / "bin" / "djlint"), "--quiet", "--lint", "templates"],
        [str(VENV / "bin" / "lint-imports"), "--no-cache"],
    )


def types() -> int:
    return run_all([str(VENV / "bin" / "mypy")])


def format_code() -> int:
    return run_all([str(VENV / "bin" / "ruff"), "check", "--fix", "."], [str(VENV / "bin" / "ruff"), "format", "."])


def audit() -> int:
    """Ask the advisory database about every locked package; needs the net. What it cannot say counts as a failure.

    It is asked about a release with known flaws first: a mirror that knows no advisories would pass everything.
    """
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "bad.txt"
        bad.write_text(f"{KNOWN_FLAWS}\n")
        _, found, trouble = ask_advisories("--no-deps", "--requirement", str(bad))
    if not found:
        say_error(f"FAILED: no advisories were to be had, so nothing is known of any package. {trouble}")
        return 1
    is_clean, found, trouble = ask_advisories("--require-hashes", "--requirement", str(ROOT / DEVELOPMENT))
    print(found, end="")
    if is_clean:
        print(f"No flaw is known in any package of {DEVELOPMENT}.")
    elif found:
        say_error("FAILED: flaws are known in the packages above.")
    else:
        say_error(f"FAILED: not every package could be asked about. {trouble}")
    return int(not is_clean)


def ask_advisories(*about: str) -> tuple[bool, str, str]:
    """Whether nothing is wrong, the table of flaws, and the last line of what went wrong with asking."""
    command = [str(VENV / "bin" / "pip-audit"), "--strict", "--disable-pip", "--progress-spinner", "off", *about]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout, done.stderr.strip().rpartition("\n")[2][:300]


# Small things


def run_all(*commands: list[str]) -> int:
    """Run every command, also after one that failed; 1 where any failed."""
    codes = []
    for command in commands:
        print(f"\n== {Path(command[0]).name} {' '.join(command[1:])}", flush=True)
        codes.append(subprocess.call(command, cwd=ROOT))
    return int(any(codes))


def checked(command: list[str], environment: dict[str, str] | None = None, *, capture: bool = False) -> str:
    """Run a command and return what it printed, if captured. Stops the run where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE if capture else None, text=True, check=False
    )
    if done.returncode:
        print(done.stdout or "", end="")
        stop(f"Failed: {' '.join(command)}")
    return done.stdout or ""


def say(step: str) -> None:
    print(f"{step} ...", flush=True)


def say_error(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def stop(sentence: str) -> NoReturn:
    say_error(sentence)
    raise SystemExit(1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nEnded.")
