"""Where a provider is put together from settings and a person's credentials. Providers themselves know neither."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from accounts.models import Connection
from accounts.services import connections
from accounts.services.connections import Credentials
from kartra_admin.lib.pacing import Limiter
from leads.providers.base import Provider
from leads.providers.errors import Misconfigured, ProviderError
from leads.providers.kartra.client import SANDBOX, KartraClient
from leads.providers.kartra.provider import KartraProvider
from leads.providers.kartra.sandbox.app import app_for

Report = Callable[[ProviderError | None], None]


def provider_for(connection: Connection, *, background: bool = False) -> Provider:
    """The provider with this person's credentials. Raises `SealBroken`, or `Misconfigured` by settings."""
    credentials = connections.open_credentials(connection)
    return _provider(credentials, background=background, report=_noting(connection))


def provider_with(credentials: Credentials) -> Provider:
    """The provider with credentials that are not kept yet, to try them."""
    return _provider(credentials)


def sandbox_path() -> Path:
    """The state of the sandbox inside this process."""
    return settings.DATA_DIR / "sandbox.sqlite3"


def _provider(credentials: Credentials, *, background: bool = False, report: Report | None = None) -> Provider:
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
    )
    return KartraProvider(client)


@lru_cache
def _limiter(path: Path, calls_per_second: int) -> Limiter:
    return Limiter(path, calls_per_second)


def _noting(connection: Connection) -> Report:
    """Keep when the credentials last worked, and the last error that concerns them."""

    def report(error: ProviderError | None) -> None:
        if error is None:
            connections.note_worked(connection)
        elif isinstance(error, Misconfigured):
            connections.note_failed(connection, error.sentence)

    return report
