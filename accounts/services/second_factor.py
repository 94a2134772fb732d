"""The second factor: whether somebody has one and needs one, which codes are spent, and taking it away when it is lost.

Adding and checking are allauth's; what it knows of a factor are rows of `Authenticator`.
"""

import time
from collections.abc import Set

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.selectors.users import main_factors
from accounts.services import access, audit
from accounts.services.users import NotYourself, let_set_up_factor, locked_for_managing
from kartra_admin.lib.errors import AppError

KINDS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery codes",
}
CODES = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
_SPENT = "spent_until"


def is_set(user: User) -> bool:
    """Whether the person has a factor, as `main_factors` counts."""
    return main_factors().filter(user_id=user.pk).exists()


def is_both(shown: Set[str]) -> bool:
    """Whether what was shown is knowledge and possession: password and code, or a passkey, which each time asks for
    the finger or PIN."""
    return Authenticator.Type.WEBAUTHN in shown or ("password" in shown and not shown.isdisjoint(CODES))


def is_required(user: User) -> bool:
    return user.role in settings.SECOND_FACTOR_ROLES


def may_set_up(user: User) -> bool:
    """Whether somebody who needs a factor and has none may set it up now: not by the password alone, which may be
    stolen, but within a day of a set-password link or of a command at the server. In the demo always."""
    until = user.may_set_up_until
    return settings.DEMO or (until is not None and timezone.now() < until)


def is_last(authenticator: Authenticator) -> bool:
    """Whether its owner would be without a factor if this one were removed."""
    return list(main_factors().filter(user_id=authenticator.user_id)) == [authenticator]


def spend_code(authenticator: Authenticator) -> bool:
    """Spend the code of this half minute. False where it, or a later one, was spent before: by anybody, in any process.

    allauth remembers spent codes in the cache, which a second process may not share and a restart may empty.
    """
    step = int(time.time()) // app_settings.TOTP_PERIOD
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        if row.data.get(_SPENT, -1) >= step:
            return False
        row.data[_SPENT] = step
        row.save(update_fields=["data"])
    return True


def take_away(*, actor: User, user: User) -> None:
    """Forget every factor of somebody who lost his, and end his sessions. If his role needs one he sets up another by
    a set-password link.

    Raises `Denied`, `NotYourself`, and `AppError` where there is none.
    """
    access.require(actor, "staff.manage")
    with transaction.atomic():
        user = locked_for_managing(actor=actor, user=user)
        if user.pk == actor.pk:
            raise NotYourself("Remove your own second factors in Settings. If you lost them, ask another admin.")
        if not is_set(user):
            raise AppError(f"{user} has no second factor.")
        user.may_set_up_until = None
        _forget(user, actor=actor)


def take_away_by_command(*, program: str, user: User) -> None:
    """The same from the command line, for an only admin, who may set up another within a day; also one without any."""
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        let_set_up_factor(user)
        _forget(user, program=program)


def record(action: str, *, user: User, kind: str) -> None:
    """One entry about a factor of the person's own."""
    outcome = "failed" if action.endswith("failed") else "succeeded"
    audit.record(action=action, outcome=outcome, actor=user, detail={"kind": kind})


def _forget(user: User, *, actor: User | None = None, program: str = "") -> None:
    kinds = list(Authenticator.objects.filter(user_id=user.pk).order_by("pk").values_list("type", flat=True))
    Authenticator.objects.filter(user_id=user.pk).delete()
    user.session_version += 1
    user.save(update_fields=["session_version", "may_set_up_until"])
    audit.record(
        action="factor.reset.succeeded",
        outcome="succeeded",
        actor=actor,
        actor_name=program,
        target_kind="user",
        target_id=str(user.pk),
        target_name=str(user),
        before={"factors": [KINDS[Authenticator.Type(kind)] for kind in kinds]},
        after={"factors": []},
    )
