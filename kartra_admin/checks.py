"""Settings that would let the product start and then fail, or leak, are refused at the start: one sentence each."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from kartra_admin.lib.crypto import Keyring

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@checks.register("kartra_admin")
def check_settings(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Everything that is wrong with the environment."""
    return [*_secrets(), *_addresses(), *_sharing()]


def refuse_unsound() -> None:
    """Raise `ImproperlyConfigured` for what is wrong. Commands check by themselves; a web server is to call this."""
    wrong = [message.msg for message in check_settings(None) if message.is_serious()]
    if wrong:
        raise ImproperlyConfigured(" ".join(wrong))


def _secrets() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if len(settings.SECRET_KEY) < 40 or len(set(settings.SECRET_KEY)) < 10:
        found.append(
            checks.Error("SECRET_KEY is too weak: give it at least 40 random characters.", id="kartra_admin.secret_key")
        )
    try:
        Keyring(settings.CREDENTIAL_KEYS)
    except ValueError:
        found.append(
            checks.Error(
                "CREDENTIAL_KEYS must be one or more Fernet keys (32 random bytes in URL-safe base64), "
                "comma-separated, newest first.",
                id="kartra_admin.credential_keys",
            )
        )
    return found


def _addresses() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    site = _split(settings.SITE_URL)
    if site is None or site.scheme not in ("http", "https") or not site.hostname or site.path not in ("", "/"):
        found.append(
            checks.Error(
                "SITE_URL must be the address people type, such as https://desk.example.com, without a path.",
                id="kartra_admin.site_url",
            )
        )
    url = settings.KARTRA_API_URL
    api = _split(url)
    if url != "sandbox:" and not (
        api and api.hostname and (api.scheme == "https" or (api.scheme == "http" and api.hostname in _LOOPBACK))
    ):
        found.append(
            checks.Error(
                "KARTRA_API_URL must start with https:// (http:// only for this machine), or be sandbox: for the "
                "Kartra in the box.",
                id="kartra_admin.kartra_api_url",
            )
        )
    if not settings.KARTRA_APP_ID:
        found.append(
            checks.Error(
                "KARTRA_APP_ID is not set: it is the App ID that Kartra shows beside the API key.",
                id="kartra_admin.kartra_app_id",
            )
        )
    return found


def _sharing() -> list[checks.CheckMessage]:
    if settings.DEBUG or settings.DEMO or "LocMem" not in settings.CACHES["default"]["BACKEND"]:
        return []
    return [
        checks.Warning(
            "CACHE_URL is not set, so each web process counts failed sign-ins alone: set it where more than one runs.",
            id="kartra_admin.cache",
        )
    ]


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        return None
