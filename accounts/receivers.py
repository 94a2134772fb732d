"""Sign-in, sign-out and second factors, as Django and allauth tell of them, go to the audit log."""

from collections.abc import Mapping
from typing import Any

from allauth.account import signals as allauth_signals
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth import signals
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import audit_terms
from accounts.models import User
from accounts.models.users import normalise
from accounts.services import audit, second_factor, sessions


@receiver(signals.user_logged_in)
def signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    sessions.begin(request.session)
    ways = {record.get("type") or record["method"] for record in get_authentication_records(request, user)}
    by = ", ".join(sorted(second_factor.KINDS.get(way, way) for way in ways))
    audit.record(action="session.start.succeeded", outcome="succeeded", actor=user, detail={"by": by} if by else None)


@receiver(signals.user_login_failed)
def sign_in_failed(credentials: dict[str, Any], **kwargs: Any) -> None:
    record_failed_sign_in(credentials)


def record_failed_sign_in(credentials: Mapping[str, Any]) -> None:
    """Names the staff account whose address was typed. Another may be a customer's, or a password in the wrong field:
    the log shows nothing of it, and is searched by it as a whole."""
    typed = str(credentials.get("email") or credentials.get("username") or "")
    user = User.objects.filter(email=normalise(typed)).first()
    with transaction.atomic():
        entry = audit.record(
            action="session.start.failed",
            outcome="failed",
            target_kind="user" if user else "",
            target_id=str(user.pk) if user else "",
            target_name=str(user or "an address that is nobody’s here"),
        )
        audit_terms.keep_addresses(entry.pk, typed)


def record_failed_passkey() -> None:
    """Of one that was to sign in alone: nobody said who he is."""
    audit.record(action="session.start.failed", outcome="failed", target_name="a passkey")


@receiver(signals.user_logged_out)
def signed_out(user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit.record(action="session.end.succeeded", outcome="succeeded", actor=user)


@receiver(allauth_signals.authentication_step_completed)
def confirmed(request: HttpRequest, user: User, method: str, **kwargs: Any) -> None:
    """A password at sign-in completes a step too, and is told by `signed_in`."""
    if kwargs.get("reauthenticated"):
        sessions.renew(request.session)
        by = second_factor.KINDS.get(kwargs.get("type"), method)
        if kwargs.get("type") in second_factor.CODES:
            by = f"{by}, password"
        audit.record(action="session.confirm.succeeded", outcome="succeeded", actor=user, detail={"by": by})


@receiver(mfa_signals.authenticator_added)
def factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """The code that was just shown is spent by that, and whoever could show it has confirmed who he is."""
    second_factor.record("factor.add.succeeded", user=user, kind=second_factor.KINDS[authenticator.type])
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        return
    if authenticator.type == Authenticator.Type.TOTP:
        second_factor.spend_code(authenticator)
    record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


@receiver(mfa_signals.authenticator_removed)
def factor_removed(user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    second_factor.record("factor.remove.succeeded", user=user, kind=second_factor.KINDS[authenticator.type])


@receiver(mfa_signals.authenticator_reset)
def recovery_codes_made(user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    second_factor.record("factor.renew.succeeded", user=user, kind=second_factor.KINDS[authenticator.type])


@receiver(mfa_signals.authentication_failed)
def code_refused(user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """At sign-in; at step-up the form tells the log by itself."""
    second_factor.record("factor.check.failed", user=user, kind=second_factor.KINDS[authenticator.type])
