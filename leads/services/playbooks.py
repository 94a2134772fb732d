"""Playbooks as an admin composes them. `runs` is where they are run."""

from collections.abc import Mapping

from django.db import transaction

from accounts.models import User
from accounts.services import access, audit
from leads.models import Playbook
from leads.playbook_steps import steps_of


def save_playbook(*, actor: User, playbook: Playbook) -> Playbook:
    """Create or change a playbook, with its log entry. Runs that have begun keep the steps they began with."""
    access.require(actor, "playbook.manage")
    with transaction.atomic():
        old = Playbook.objects.filter(pk=playbook.pk).first() if playbook.pk else None
        playbook.save()
        _log("save", actor, playbook, before=_state(old) if old else None, after=_state(playbook))
    return playbook


def delete_playbook(*, actor: User, playbook: Playbook) -> None:
    access.require(actor, "playbook.manage")
    with transaction.atomic():
        Playbook.objects.filter(pk=playbook.pk).delete()
        _log("delete", actor, playbook, before=_state(playbook))


def _state(playbook: Playbook) -> dict[str, str]:
    steps = {f"Step {number}": step.order for number, step in enumerate(steps_of(playbook.steps), 1)}
    return {"Name": playbook.name, "Description": playbook.description, **steps}


def _log(verb: str, actor: User, playbook: Playbook, **states: Mapping[str, str] | None) -> None:
    audit.record(
        action=f"playbook.{verb}.succeeded",
        outcome="succeeded",
        actor=actor,
        account=playbook.account,
        target_kind="playbook",
        target_id=str(playbook.pk),
        target_name=playbook.name,
        **states,  # type: ignore[arg-type]
    )
