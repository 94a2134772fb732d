"""What may be written into the audit log, and how."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest

from accounts import audit_actions
from accounts.models import AuditEntry, User
from accounts.services import audit
from kartra_admin.lib.context import asking

pytestmark = pytest.mark.django_db


def test_only_registered_actions_outcomes_and_details_are_kept() -> None:
    with pytest.raises(KeyError):
        audit.record(action="staff.crown.succeeded", outcome="succeeded")
    with pytest.raises(ValueError, match="maybe"):
        audit.record(action="staff.add.succeeded", outcome="maybe")
    with pytest.raises(ValueError, match="api_password"):
        audit.record(action="connection.place.succeeded", outcome="succeeded", detail={"api_password": "x"})
    assert not AuditEntry.objects.exists()


def test_texts_from_outside_are_cut_and_made_storable() -> None:
    junk = "a\x00b\ud800c"
    entry = audit.record(
        action="permission.denied",
        outcome="denied",
        actor_name="n" * 500,
        target_id="i" * 500,
        target_name=junk * 200,
        before={junk: [junk, {"deep": junk}]},
        after={"amount": Decimal("1.10"), "day": datetime.date(2024, 2, 29), "some": ("x", 1, None, True)},
        detail={"path": junk},
    )
    entry.refresh_from_db()
    assert (len(entry.actor_name), len(entry.target_id), len(entry.target_name)) == (100, 100, 254)
    assert entry.detail == {"path": "a\ufffdb?c"}
    assert entry.after == {"amount": "1.10", "day": "2024-02-29", "some": ["x", 1, None, True]}
    assert [state.after for state in entry.states if state.label == "some"] == ["x, 1, , yes"]


def test_sentences_are_filled_and_never_fail() -> None:
    entry = audit.record(action="permission.denied", outcome="denied", detail={"permission": "see {leads}"})
    assert entry.sentence == "Was refused: may not see {leads}"
    for action in audit_actions.ACTIONS.values():
        assert "{" not in action.tell(target="Jane", detail={})


def test_every_action_has_its_place_in_the_filter() -> None:
    offered = {value for _, options in audit_actions.grouped_choices() for value, _ in options}
    assert {audit_actions.stem(name) for name in audit_actions.ACTIONS} == offered
    assert all(audit_actions.with_stem(value) for value in offered)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        audit_actions.register("Team", {"staff.add.succeeded": audit_actions.Action("Again")})


def test_an_address_is_told_of_who_is_signed_in_there_and_of_strangers(user_of: Callable[[str], User]) -> None:
    """Not of a colleague or a program whose work that request carries out. A command's word and a sign-in's stay."""

    def ip(signed_in: User | None, actor: User | None, program: str = "") -> str:
        with asking("10.0.4.7", "f" * 32, "/", lambda: signed_in.pk if signed_in else None):
            entry = audit.record(action="permission.denied", outcome="denied", actor=actor, actor_name=program)
        assert entry.request_id == "f" * 32
        return entry.ip

    agent, admin = user_of("agent"), user_of("admin")
    assert ip(agent, agent) == ip(None, agent) == ip(None, None) == ip(agent, None) == "10.0.4.7"
    assert ip(None, None, "manage.py rotatekeys") == "10.0.4.7"
    assert ip(admin, agent) == ip(admin, None, "reconcile") == ""
