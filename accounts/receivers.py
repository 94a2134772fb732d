"""Sign-in, sign-out and passwords, as Django and allauth tell of them, go to the audit log."""

from typing import Any

from allauth.account import signals as allauth_signals
from django.contrib.auth import signals
from django.dispatch import receiver

from accounts.models import User
from accounts.services import audit


@receiver(signals.user_logged_in)
def signed_in(user: User, **kwargs: Any) -> None:
    audit.record(action="session.start.succeeded", outcome="succeeded", actor=user)


@receiver(signals.user_login_failed)
def sign_in_failed(credentials: dict[str, Any], **kwargs: Any) -> None:
    """The address is kept as it was typed: it may be nobody's."""
    typed = str(credentials.get("email") or credentials.get("username") or "")
    audit.record(action="session.start.failed", outcome="failed", target_name=typed)


@receiver(signals.user_logged_out)
def signed_out(user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit.record(action="session.end.succeeded", outcome="succeeded", actor=user)


@receiver(allauth_signals.authentication_step_completed)
def confirmed(user: User, **kwargs: Any) -> None:
    """A password at sign-in completes a step too, and is told by `signed_in`."""
    if kwargs.get("reauthenticated"):
        audit.record(action="session.confirm.succeeded", outcome="succeeded", actor=user)


@receiver([allauth_signals.password_changed, allauth_signals.password_set])
def password_changed(user: User, **kwargs: Any) -> None:
    audit.record(action="password.change.succeeded", outcome="succeeded", actor=user)


@receiver(allauth_signals.password_reset)
def password_reset(user: User, **kwargs: Any) -> None:
    audit.record(action="password.reset.succeeded", outcome="succeeded", actor=user)
