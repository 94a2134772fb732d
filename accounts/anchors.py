"""Places outside, which keep checkpoints where the program cannot rewrite them: a folder, a mailbox, an HTTPS address.

Each is written as one text in ``AUDIT_ANCHORS``: an absolute path, ``mailto:a@example.com``, or ``https://...``.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from smtplib import SMTPException
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email

TIMEOUT = 10.0
_FILE = re.compile("checkpoint-[0-9]{8,}.json")
Checkpoints = Sequence[Mapping[str, Any]]


class NotDelivered(Exception):
    """Says why, in words that hold no secret."""


def label(place: str) -> str:
    """What a place is called on a page and in a log: without what may be secret in an address, however mistyped."""
    parts = urlsplit(place)
    if is_folder(place) or parts.scheme == "mailto":
        return place[:200]
    return f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else "one of them"


def key_of(place: str) -> str:
    """Which place it is, in 64 hex digits: two may have one label, and an address with its secret is not kept."""
    return hashlib.sha256(place.encode()).hexdigest()


def check(place: str) -> None:
    """Raise ValueError for what is no place, in words that hold no secret."""
    try:
        parts = urlsplit(place)
        is_address = parts.scheme == "https" and bool(httpx.URL(place).host) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        raise ValueError("one of them has a host or a port that cannot be read") from None
    if parts.scheme == "mailto":
        try:
            validate_email(_address(place))
        except ValidationError:
            raise ValueError(f"{place} is not an email address") from None
    elif not is_address and not place.startswith("/"):
        raise ValueError(f"{label(place)} is neither an absolute path, nor mailto:, nor https://")


def is_folder(place: str) -> bool:
    return place.startswith("/")


def last_in(folder: str) -> int:
    """The highest id of the checkpoints in a folder, 0 where there is none. Raises `NotDelivered`."""
    try:
        names = [name.removesuffix(".json").rpartition("-")[2] for name in os.listdir(folder) if _FILE.fullmatch(name)]
    except OSError as error:
        raise NotDelivered(error.strerror or type(error).__name__) from None
    return max(map(int, names), default=0)


def deliver(place: str, checkpoints: Checkpoints) -> None:
    """Bring the checkpoints there. Raises `NotDelivered`."""
    try:
        if is_folder(place):
            _to_folder(Path(place), checkpoints)
        elif place.startswith("mailto:"):
            _by_mail(_address(place), checkpoints)
        else:
            _by_post(place, checkpoints)
    except OSError as error:
        raise NotDelivered(error.strerror or type(error).__name__) from None
    except (SMTPException, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: a host's name
        raise NotDelivered(type(error).__name__) from None


def name_of(checkpoint: Mapping[str, Any]) -> str:
    """The file of a checkpoint in a folder."""
    return f"checkpoint-{checkpoint['id']:08}.json"


def _to_folder(folder: Path, checkpoints: Checkpoints) -> None:
    """One file each, on the disk before it counts as delivered. A file that is there is never overwritten: another one
    of its name means another past."""
    for checkpoint in checkpoints:
        path, data = folder / name_of(checkpoint), _text(checkpoint).encode()
        if path.exists():
            if path.read_bytes() != data:
                raise NotDelivered(f"{path.name} already exists, and belongs to another log")
            continue
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    _sync(folder)


def _sync(folder: Path) -> None:
    """The names of its files too: without that a power cut may take back a file whose content is safe."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _by_mail(address: str, checkpoints: Checkpoints) -> None:
    last = checkpoints[-1]
    words = "".join(_text(checkpoint) for checkpoint in checkpoints)
    subject = f"Audit checkpoint {last['id']}: {last['number']} entries"
    EmailMessage(subject, f"Keep this email: it proves what the audit log held.\n\n{words}", None, [address]).send()


def _by_post(url: str, checkpoints: Checkpoints) -> None:
    answer = httpx.post(url, json=[dict(checkpoint) for checkpoint in checkpoints], timeout=TIMEOUT)
    if not answer.is_success:
        raise NotDelivered(f"It answered {answer.status_code}")


def _address(place: str) -> str:
    return unquote(place.removeprefix("mailto:"))


def _text(checkpoint: Mapping[str, Any]) -> str:
    return json.dumps(dict(checkpoint), sort_keys=True) + "\n"
