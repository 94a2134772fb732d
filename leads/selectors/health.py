"""How the desk is, line by line. A new line is one function in `LINES`."""

import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import django
from django.conf import settings
from django.core import checks
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.models import Connection, User
from accounts.selectors.checkpoints import standing
from accounts.selectors.users import has_factor
from leads.models import Heartbeat

ALIVE_WITHIN = timedelta(minutes=3)


@dataclass(frozen=True)
class Line:
    """``kind``: succeeded, waiting, failed or neutral. ``at``: when that was seen last, where it matters."""

    name: str
    word: str
    kind: str
    says: str = ""
    at: datetime | None = None


def lines() -> list[Line]:
    """Everything that is looked at, in the order of the page."""
    return [line() for line in LINES]


def failing_connections() -> list[Connection]:
    """Credentials of active people that were refused when last used."""
    held = Connection.objects.filter(user__is_active=True, last_error_at__isnull=False)
    return [one for one in held.select_related("user", "account").order_by("user__name") if one.is_failing]


def without_factor() -> list[User]:
    """Active people whose role needs a second factor and who have none."""
    needing = User.objects.filter(is_active=True, role__in=settings.SECOND_FACTOR_ROLES)
    return list(needing.exclude(has_factor()).order_by("name"))


def check_messages() -> Iterator[Line]:
    """What ``manage.py check --deploy`` says of this process's settings."""
    for message in checks.run_checks(include_deployment_checks=not (settings.DEMO or settings.DEBUG)):
        kind, word = ("failed", "Error") if message.is_serious() else ("waiting", "Warning")
        yield Line(str(message.id), word, kind, " ".join(filter(None, (str(message.msg), str(message.hint or "")))))


def _worker() -> Line:
    return _alive(Heartbeat.WORKER, "Worker", "Held changes are not sent, and no job continues.")


def _reconciliation() -> Line:
    return _alive(Heartbeat.RECONCILIATION, "Reconciliation", "Unclear outcomes are not being checked.")


def _alive(name: str, title: str, otherwise: str) -> Line:
    beat = Heartbeat.objects.filter(name=name).first()
    if beat is None:
        return Line(title, "Never started", "failed", f"{otherwise} Start manage.py worker.")
    if beat.at < timezone.now() - ALIVE_WITHIN:
        return Line(title, "Not responding", "failed", f"{otherwise} Start manage.py worker.", beat.at)
    return Line(title, "Running", "succeeded", at=beat.at)


def _database() -> Line:
    started = time.perf_counter()
    try:
        waiting = MigrationExecutor(connection).migration_plan(MigrationExecutor(connection).loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Line("Database", "Failing", "failed", type(error).__name__)
    says = f"{connection.display_name}, answered in {(time.perf_counter() - started) * 1000:.0f} ms"
    if waiting:
        return Line("Database", "Not migrated", "failed", f"{says}. Run manage.py migrate.")
    return Line("Database", "Working", "succeeded", says)


def _cache() -> Line:
    kind = str(settings.CACHES["default"]["BACKEND"]).rpartition(".")[2]
    said = uuid4().hex
    try:
        cache.set("health", said, 60)
        works = cache.get("health") == said
    except Exception as error:  # noqa: BLE001  (each kind of cache fails in its own way)
        return Line("Cache", "Failing", "failed", f"{kind}: {type(error).__name__}")
    if not works:
        return Line("Cache", "Failing", "failed", f"{kind} does not keep what is stored in it.")
    if "LocMem" in kind:
        return Line("Cache", "One process only", "neutral", "Failed sign-ins are counted in each web process alone.")
    return Line("Cache", "Working", "succeeded", kind)


def _evidence() -> Line:
    now = standing()
    if now.last is None:
        return Line("Last checkpoint", "Never signed", "waiting", "The worker signs the audit log within a minute.")
    if now.failing:
        places = "; ".join(f"{attempt.place}: {attempt.error}" for attempt in now.failing)
        return Line("Last checkpoint", "Sending fails", "failed", places, now.last.at)
    late = timedelta(minutes=settings.AUDIT_CHECKPOINT_MINUTES) + ALIVE_WITHIN
    if now.last.at < timezone.now() - late:
        return Line(
            "Last checkpoint",
            "Late",
            "failed",
            "The audit log is not being signed. Start manage.py worker.",
            now.last.at,
        )
    if not now.has_places:
        return Line("Last checkpoint", "Not sent outside", "waiting", "Set AUDIT_ANCHORS.", now.last.at)
    return Line("Last checkpoint", "Signed and sent", "succeeded", f"Entry {now.last.number}", now.last.at)


def _kartra() -> Line:
    if settings.KARTRA_API_URL == "sandbox:":
        return Line("Kartra", "Sandbox", "neutral", "Nothing reaches Kartra.")
    return Line("Kartra", "Live", "succeeded", settings.KARTRA_API_URL)


def _version() -> Line:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return Line("Version", project["version"], "neutral", f"Django {django.get_version()}")


LINES: tuple[Callable[[], Line], ...] = (_worker, _reconciliation, _evidence, _database, _cache, _kartra, _version)
