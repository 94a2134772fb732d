"""The parts of the tests that need something this machine may lack, and how to get it. Standard library only.

`run.py` and the pytest plugin `tests.lanes` both ask here, so that what is left out is what is said to be.
"""

import os
import shutil
import sys
from dataclasses import dataclass

# The one without windows comes first: it is quicker.
_CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Part:
    """``marker`` is pytest's; ``how`` says what to do so that it is run."""

    marker: str
    title: str
    how: str


PARTS = (
    Part("postgres", "PostgreSQL", "set TEST_POSTGRES_URL=postgres://user:password@host/database"),
    Part("redis", "Redis", "set TEST_REDIS_URL=redis://host:6379/15, a database that may be emptied"),
    Part("browser", "browser tests", "install Chromium, or set CHROMIUM to the path of one"),
    Part("php", "comparison with PHP", "install PHP for the command line, so that php is on the PATH"),
    Part("linux", "what only Linux tells: when a call came", "run the tests on Linux"),
)


def chromium() -> str | None:
    """The path of a Chromium: the one that CHROMIUM names, or else the first on the PATH."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else _CHROMIUM_NAMES
    return next((path for name in names if (path := shutil.which(name))), None)


def php() -> str | None:
    """The path of a PHP for the command line."""
    return shutil.which("php")


def missing() -> list[Part]:
    """What has to be left out here."""
    there = {
        "postgres": os.environ.get("TEST_POSTGRES_URL"),
        "redis": os.environ.get("TEST_REDIS_URL"),
        "browser": chromium(),
        "php": php(),
        "linux": sys.platform == "linux",
    }
    return [part for part in PARTS if not there[part.marker]]


def left_out_line(part: Part) -> str:
    return f"LEFT OUT: {part.title}. To run it, {part.how}."
