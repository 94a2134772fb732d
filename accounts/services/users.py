"""The team: who belongs to it, in which role. Each change is one transaction with its audit entry."""

from collections.abc import Mapping
from datetime import timedelta

from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import permissions
from accounts.models import User
from accounts.models.users import normalise
from accounts.services import access, audit
from accounts.tokens import SetPasswordTokens
from kartra_admin.lib.errors import AppError, Conflict

# For so long whoever used a link, or was at the server's terminal, may set up his first second factor.
SET_UP_WITHIN = timedelta(days=1)


class EmailTaken(Conflict):
    """Somebody, perhaps deactivated, has this address."""

    def __init__(self) -> None:
        super().__init__("Somebody on the team has this email address already, perhaps deactivated.")


class NotYourself(AppError):
    """What an admin does to others only."""


def add_staff(*, actor: User, email: str, name: str, role: str) -> User:
    """Somebody new, who sets a password by a `set_password_link` first. Raises `Denied`, `EmailTaken`."""
    access.require(actor, "staff.manage")
    return _create(actor=actor, email=email, name=name, role=role)


def create_by_command(*, program: str, email: str, name: str, role: str, password: str) -> User:
    """Somebody new, from the command line; ``program`` is written as the actor. Raises `EmailTaken`."""
    return _create(program=program, email=email, name=name, role=role, password=password)


def _create(
    *, actor: User | None = None, program: str = "", email: str, name: str, role: str, password: str | None = None
) -> User:
    try:
        with transaction.atomic():
            user = User.objects.create_user(email=email, name=name, role=role, password=password)
            if program:
                let_set_up_factor(user)
                user.save(update_fields=["may_set_up_until"])
            _record("staff.add.succeeded", actor, user, program=program, after=_state(user))
    except IntegrityError:
        raise EmailTaken from None
    return user


def edit_staff(*, actor: User, user: User, name: str, role: str) -> User:
    """Another name or role. A new role ends the person's sessions. Raises `Denied`, `NotYourself`."""
    access.require(actor, "staff.manage")
    with transaction.atomic():
        user = locked_for_managing(actor=actor, user=user)
        if user.pk == actor.pk and role != user.role:
            raise NotYourself("You cannot change your own role. Ask another admin.")
        before = _state(user)
        if role != user.role:
            user.session_version += 1
        user.name, user.role = name, role
        if _state(user) != before:
            user.save(update_fields=["name", "role", "session_version"])
            _record("staff.edit.succeeded", actor, user, before=before, after=_state(user))
    return user


def deactivate_staff(*, actor: User, user: User) -> User:
    """Shut somebody out, at once and with all his sessions. Raises `Denied`, `NotYourself`."""
    access.require(actor, "staff.manage")
    with transaction.atomic():
        user = locked_for_managing(actor=actor, user=user)
        if user.pk == actor.pk:
            raise NotYourself("You cannot deactivate yourself. Ask another admin.")
        if user.is_active:
            before = _state(user)
            user.is_active = False
            user.session_version += 1
            user.save(update_fields=["is_active", "session_version"])
            _record("staff.deactivate.succeeded", actor, user, before=before, after=_state(user))
    return user


def reactivate_staff(*, actor: User, user: User) -> User:
    """Let somebody in again, with the password he had."""
    access.require(actor, "staff.manage")
    with transaction.atomic():
        user = locked_for_managing(actor=actor, user=user)
        if not user.is_active:
            before = _state(user)
            user.is_active = True
            user.save(update_fields=["is_active"])
            _record("staff.reactivate.succeeded", actor, user, before=before, after=_state(user))
    return user


def set_password_link(*, actor: User, user: User) -> str:
    """A link with which the person sets a password, good once and for a limited time. It is kept nowhere.

    Ends the person's sessions and every earlier link. Raises `NotYourself`, and `AppError` for somebody deactivated.
    """
    access.require(actor, "staff.manage")
    with transaction.atomic():
        user = locked_for_managing(actor=actor, user=user)
        if user.pk == actor.pk:
            raise NotYourself("You change your own password on your profile.")
        if not user.is_active:
            raise AppError(f"{user} is deactivated. Reactivate first, then make the link.")
        user.session_version += 1
        user.save(update_fields=["session_version"])
        _record("staff.link.succeeded", actor, user)
    return _password_link(user)


def mail_password_link(email: str) -> None:
    """Send somebody who forgot his password a link; do nothing where the address is nobody's or is shut out.

    In the background, so that who asks cannot tell by the time it takes whether the address is known.
    """
    user = User.objects.filter(email=normalise(email), is_active=True).first()
    if user is None:
        return
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    words = (
        f"Somebody, probably you, asked for a link to set a new password for {settings.SITE_URL}.\n\n"
        f"{_password_link(user)}\n\n"
        f"It works once, for {hours} hours. If it was not you, do nothing: your password is as it was.\n"
    )
    audit.record(
        action="password.forgotten.sent",
        outcome="sent",
        target_kind="user",
        target_id=str(user.pk),
        target_name=str(user),
    )
    send_mail("Set a new password for Kartra Admin", words, None, [user.email])


def set_password(user: User, password: str, *, by_link: bool) -> None:
    """A new password for oneself, in ``user`` too; who has used a link may set up a second factor.

    ``user`` is as the request found it. Raises `Conflict` where a link, a role or a deactivation came meanwhile, or
    another new password.
    """
    with transaction.atomic():
        now = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not now.is_active or (now.password, now.session_version) != (user.password, user.session_version):
            raise Conflict("Your account has just been changed. The password was not: sign in and try again.")
        user.set_password(password)
        if by_link:
            let_set_up_factor(user)
        user.save(update_fields=["password", "may_set_up_until"])
        audit.record(action=f"password.{'reset' if by_link else 'change'}.succeeded", outcome="succeeded", actor=user)


def let_set_up_factor(user: User) -> None:
    """Somebody has shown more than the password just now. The caller saves it."""
    user.may_set_up_until = timezone.now() + SET_UP_WITHIN


def _password_link(user: User) -> str:
    key = SetPasswordTokens().make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return f"{settings.SITE_URL.rstrip('/')}{path}"


def rename_self(*, actor: User, name: str) -> User:
    """One's own name, the only thing of the profile that one may change."""
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        before = {"name": user.name}
        if name != user.name:
            user.name = name
            user.save(update_fields=["name"])
            _record("profile.edit.succeeded", user, user, before=before, after={"name": name})
    return user


def locked_for_managing(*, actor: User, user: User) -> User:
    """The person's row, locked together with the actor's. Raises `Denied` where the actor may not manage the team.

    Whoever takes an admin away is thus an active admin himself at that moment, and stays one: nobody changes himself,
    and of two who remove each other the second no longer may. So the last admin cannot be lost.
    """
    rows = {
        row.pk: row
        for row in User.objects.select_for_update(no_key=True).filter(pk__in=[actor.pk, user.pk]).order_by("pk")
    }
    permissions.require(rows[actor.pk], "staff.manage")
    return rows[user.pk]


def _state(user: User) -> dict[str, object]:
    """What of a person the audit log keeps before and after."""
    return {"email": user.email, "name": user.name, "role": user.role_label, "active": user.is_active}


def _record(
    action: str,
    actor: User | None,
    user: User,
    *,
    program: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    audit.record(
        action=action,
        outcome="succeeded",
        actor=actor,
        actor_name=program,
        target_kind="user",
        target_id=str(user.pk),
        target_name=str(user),
        before=before,
        after=after,
    )
