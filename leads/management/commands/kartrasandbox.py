"""Serve the sandbox over HTTP: a made-up Kartra for load tests, fault tests and other programs."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from leads.providers.kartra.sandbox import faults, state
from leads.providers.kartra.sandbox.credentials import ACCOUNTS, APP_ID
from leads.providers.kartra.sandbox.seed import LEADS, seed, seed_missing
from leads.providers.kartra.sandbox.server import SandboxServer


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="Where to listen. Loopback only, unless told otherwise."
        )
        parser.add_argument("--port", type=int, default=8100)
        parser.add_argument("--path", type=Path, default=settings.DATA_DIR / "sandbox.sqlite3", help="Its state.")
        parser.add_argument("--leads", type=int, default=LEADS, help="How many leads to make up in a new file.")
        parser.add_argument("--reset", action="store_true", help="Throw the state away and make it up anew.")
        parser.add_argument(
            "--fault", action="append", default=[], type=_fault, metavar="CMD:MODE[:TIMES]",
            help=f"Fail on purpose: a command, or * for any, in one of the modes {', '.join(faults.MODES)}.",
        )  # fmt: skip
        parser.add_argument(
            "--switch", action="append", default=[], type=_switch, metavar="NAME=VALUE",
            help=f"Behave otherwise: {', '.join(f'{name}={value}' for name, value in state.SWITCHES.items())}.",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"]
        if options["reset"]:
            seed(path, options["leads"])
        else:
            seed_missing(path, options["leads"])
        try:
            state.configure(path, **dict(options["switch"]))
            for command, mode, times in options["fault"]:
                faults.arm(path, command, mode, times)
            server = SandboxServer(path, options["host"], options["port"])
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        with server:
            self.stdout.write(f"A made-up Kartra listens at {server.url}/api (state: {path}). Stop it with Ctrl-C.")
            self.stdout.write(f"App id       {APP_ID}")
            for account in ACCOUNTS:
                self.stdout.write(
                    f"{account.name}\n  API key      {account.api_key}\n  API password {account.api_password}"
                )
            self.stdout.flush()
            with suppress(KeyboardInterrupt):
                server.serve_forever()


def _fault(written: str) -> tuple[str, str, int]:
    command, _, rest = written.partition(":")
    mode, _, times = rest.partition(":")
    if not command or not mode or (times and not times.isdigit()):
        raise argparse.ArgumentTypeError("A fault is written CMD:MODE or CMD:MODE:TIMES, such as get_lead:lost:2.")
    return command, mode, int(times or 1)


def _switch(written: str) -> tuple[str, object]:
    """A switch in the type of its default."""
    name, _, value = written.partition("=")
    default = state.SWITCHES.get(name)
    if isinstance(default, bool):
        return name, value.lower() in ("1", "true", "yes", "on")
    if isinstance(default, int):
        if not value.isdigit():
            raise argparse.ArgumentTypeError(f"{name} is a number.")
        return name, int(value)
    return name, value
