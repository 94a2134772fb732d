"""Sessions: how long one lasts, and ending one from another."""

import time
from collections.abc import MutableMapping
from datetime import timedelta
from importlib import import_module
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from accounts.models import User
from accounts.services import audit

_BEGAN, _SEEN = "began_at", "seen_at"
NOTE_EVERY = 60


def begin(session: MutableMapping[str, Any]) -> None:
    """Start the clocks, at sign-in."""
    session[_BEGAN] = session[_SEEN] = int(time.time())


def over(session: MutableMapping[str, Any]) -> str:
    """Why the session is over, in words that follow 'because'; "" for one that is not."""
    now = time.time()
    began = session.get(_BEGAN, now)
    if now - began >= settings.SESSION_HOURS * 3600:
        return f"a session lasts at most {settings.SESSION_HOURS} hours"
    if now - session.get(_SEEN, began) >= settings.SESSION_IDLE_MINUTES * 60:
        return f"there was no activity for {settings.SESSION_IDLE_MINUTES} minutes"
    return ""


def note_use(session: MutableMapping[str, Any]) -> bool:
    """Set the idle clock back, once a minute at most. Whether it was."""
    now = int(time.time())
    session.setdefault(_BEGAN, now)
    if now - session.get(_SEEN, 0) < NOTE_EVERY:
        return False
    session[_SEEN] = now
    return True


def renew(session: SessionBase) -> None:
    """Give the session another key, when somebody has confirmed who he is; what is known of it stays."""
    before = session.session_key
    session.cycle_key()
    UserSession.objects.filter(session_key=before).update(session_key=session.session_key)


def list_of(user: User) -> list[UserSession]:
    """The person's sessions, the one used last first; those that ended meanwhile are forgotten."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda one: one.last_seen_at, reverse=True)


def end(*, actor: User, session_id: int, key: str) -> bool:
    """End one of one's own, other than the one with this key. False where there is none of that id, or no more."""
    found = UserSession.objects.filter(user_id=actor.pk, pk=session_id).exclude(session_key=key).first()
    if found is not None:
        _end(found, actor)
    return found is not None


def end_others(*, actor: User, key: str) -> int:
    """End all of one's own but the one with this key; how many."""
    others = UserSession.objects.filter(user_id=actor.pk).exclude(session_key=key)
    for one in others:
        _end(one, actor)
    return len(others)


def prune() -> None:
    """Forget sessions that ran out, and what is known of them."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    longest = timedelta(hours=settings.SESSION_HOURS)
    UserSession.objects.filter(created_at__lt=timezone.now() - longest).delete()


def _end(session: UserSession, actor: User) -> None:
    session.end()
    audit.record(
        action="session.revoke.succeeded",
        outcome="succeeded",
        actor=actor,
        detail={"address": session.ip, "browser": session.user_agent[:100]},
    )
