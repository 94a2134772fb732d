"""Where a provider is put together from settings and a person's credentials. Providers themselves know neither."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.db import connection as db

from accounts.models import Connection
from accounts.services import connections
from accounts.services.connections import Credentials
from kartra_admin.lib.pacing import Limiter
from kartra_admin.lib.pacing_slots import DatabaseSlots, FileSlots
from leads.providers.base import Provider
from leads.providers.errors import Misconfigured, ProviderError
from leads.providers.events import Told
from leads.providers.kartra import exports, webhooks
from leads.providers.kartra.client import SANDBOX, KartraClient
from leads.providers.kartra.provider import KartraProvider
from leads.providers.kartra.sandbox.app import app_for
from leads.remembering import Remembering

Report = Callable[[ProviderError | None], None]
_SLOWEST = 0.2  # calls a second; any slower, threads that wait would keep others from work


def provider_for(
    connection: Connection,
    *,
    background: bool = False,
    is_met: bool = True,
    to_keep: bool = False,
    is_late: Callable[[], bool] | None = None,
) -> Provider:
    """The provider with this person's credentials. Raises `SealBroken`, or `Misconfigured` by settings.

    What it reads and changes is kept in the account's directory; unless ``is_met``, nobody had a reason to look at a
    lead, so that reading it is not meeting it. Where reading is ``to_keep``, one that could not be kept raises
    `NotKept`. ``is_late`` is asked before a change leaves: where it is, nothing is sent.
    """
    credentials = connections.open_credentials(connection)
    provider = _provider(credentials, background=background, report=_noting(connection), is_late=is_late)
    return cast(Provider, Remembering(provider, connection.account, is_met=is_met, to_keep=to_keep))


def provider_with(credentials: Credentials) -> Provider:
    """The provider with credentials that are not kept yet, to try them."""
    return _provider(credentials)


def read_post(body: bytes, content_type: str) -> Told:
    """What the provider posted by itself. Raises `Unreadable`."""
    return webhooks.read_post(body, content_type)


def example_post() -> str:
    """A post as the provider would send it, for trying an address by hand."""
    return webhooks.EXAMPLE


def set_out_post(text: str) -> str:
    """A post that was kept, as a person reads it."""
    return webhooks.set_out(text)


def export_headings() -> Mapping[str, tuple[str, ...]]:
    """What the provider calls a lead's fields in a file: small words, by our field."""
    return exports.HEADINGS


def sandbox_path() -> Path:
    """The state of the sandbox inside this process."""
    return settings.DATA_DIR / "sandbox.sqlite3"


def _provider(
    credentials: Credentials,
    *,
    background: bool = False,
    report: Report | None = None,
    is_late: Callable[[], bool] | None = None,
) -> Provider:
    client = KartraClient(
        settings.KARTRA_API_URL,
        settings.KARTRA_APP_ID,
        credentials.key,
        credentials.password,
        limiter=_limiter(settings.DATA_DIR / "calls.sqlite3", settings.KARTRA_CALLS_PER_SECOND),
        timeout=settings.KARTRA_TIMEOUT,
        wsgi_app=app_for(sandbox_path()) if settings.KARTRA_API_URL == SANDBOX else None,
        background=background,
        report=report,
        before_waiting=_let_go_of_database,
        is_late=is_late,
    )
    return KartraProvider(client)


def _let_go_of_database() -> None:
    """Give this thread's connection back to the pool: who waits for the provider keeps nobody from the database.

    Not within a transaction, nor where no pool is: SQLite's connection is this thread's alone.
    """
    if db.settings_dict["OPTIONS"].get("pool") and not db.in_atomic_block:
        db.close()


def wait_for_share(calls: int) -> None:
    """Return when reading that nobody waits for may make so many calls: its share of all, over all processes, or one
    call in five seconds where that is less. Each of them waits for its place among all calls besides."""
    a_second = max(_SLOWEST, settings.REFRESH_SHARE * settings.KARTRA_CALLS_PER_SECOND)
    limiter = _limiter(settings.DATA_DIR / "calls.sqlite3", max(1, int(a_second)))
    # Below one call a second there is one place in each, and a call takes several.
    for _ in range(calls if a_second >= 1 else ceil(calls / a_second)):
        limiter.wait(f"share of {settings.KARTRA_APP_ID}", background=True)


@lru_cache
def _limiter(path: Path, calls_per_second: int) -> Limiter:
    """The slots lie where the database lies, so that all machines that share it share them."""
    return Limiter(database_slots() if db.vendor == "postgresql" else FileSlots(path), calls_per_second)


@lru_cache
def database_slots() -> DatabaseSlots:
    """By a connection to PostgreSQL beside Django's pool, which commits by itself."""

    def connect() -> Any:
        import psycopg  # late: not needed where everything lies in files

        return psycopg.connect(**db.get_connection_params(), autocommit=True)

    return DatabaseSlots(connect)


def _noting(connection: Connection) -> Report:
    """Keep when the credentials last worked, and the last error that concerns them."""

    def report(error: ProviderError | None) -> None:
        if error is None:
            connections.note_worked(connection)
        elif isinstance(error, Misconfigured):
            connections.note_failed(connection, error.sentence)

    return report
