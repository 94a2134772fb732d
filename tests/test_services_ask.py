"""Hiding a button is courtesy, and a view may forget to ask: each service that acts for a person asks by itself."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

import accounts.services
import leads.services
from accounts import permissions
from accounts.models import Account, AuditEntry, User
from kartra_admin.lib.errors import Denied
from leads.bulk_actions import Action
from leads.models import Job, Limit, Operation, PlaybookRun
from leads.providers.changes import AssignTag, PauseSubscription
from leads.services.leads import Snapshot
from tests.leads.helpers import ending

# These ask nothing, and why.
FREE = {
    "accounts.services.access.require": "asks",
    "accounts.services.access.deny": "refuses",
    "accounts.services.audit.record": "the log, written by who has asked",
    "accounts.services.exports.refuse": "notes what was refused",
    "accounts.services.packs.refuse": "notes what was refused",
    "accounts.services.sessions.end": "one's own",
    "accounts.services.sessions.end_others": "one's own",
    "accounts.services.users.locked_for_managing": "inside the transactions of those that have asked",
    "accounts.services.users.rename_self": "one's own",
    "leads.services._operations.log_step": "below the services",
    "leads.services._operations.withdraw": "below the services: `outcomes.withdraw` asks",
    "leads.services.approvals.withdraw": "one's own",
    "leads.services.bulk.approving.withdraw": "one's own",
    "leads.services.bulk.steering.log": "the log, written by who has asked",
    "leads.services.catalogues.read_catalogues": "for who has placed credentials",
    "leads.services.leads.note_name": "one's own list of leads",
    "leads.services.leads.record_view": "the log, written by who has asked",
    "leads.services.leads.record_visit": "the log, written by who has asked",
    "leads.services.limits.require_within": "asks for limits, not for permissions",
    "leads.services.limits.why_above": "only reads",
    "leads.services.money.intent_of": "below the services",
    "leads.services.playbook_preview.preview_playbook": "only reads; `runs.start_playbook` asks",
    "leads.services.settling.note_unread": "notes that a reading failed",
}


def services() -> Iterator[tuple[str, Callable[..., Any]]]:
    """All that act for somebody, by name."""
    for package in (accounts.services, leads.services):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ != found.name or name.startswith("_"):
                    continue
                if "actor" in inspect.signature(function).parameters:
                    yield f"{found.name}.{name}", function


SERVICES = dict(services())


def test_whatever_asks_nothing_says_why() -> None:
    assert set(FREE) <= set(SERVICES)


@pytest.fixture
def nobody(user_of: Callable[[str], User], monkeypatch: pytest.MonkeyPatch) -> User:
    """Somebody on the staff whose role lets him do nothing at all."""
    monkeypatch.setitem(permissions.BY_ROLE, "viewer", frozenset())
    return user_of("viewer")


def done(actor: User) -> Operation:
    """A refund and a tag, both of which were done."""
    account = Account.objects.create(fingerprint="a" * 64)
    operation = Operation.objects.create(account=account, actor=actor, request_digest="x", outcome="succeeded")
    inverse = {"kind": "tag.unassign", "asked": {"tag": "vip"}}
    operation.steps.create(position=0, kind="transaction.refund", lock="1:transaction:1", **ending("succeeded"))
    operation.steps.create(position=1, kind="tag.assign", inverse=inverse, **ending("succeeded"))
    return operation


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(FREE)))
def test_a_service_refuses_who_may_not(name: str, nobody: User, user_of: Callable[[str], User]) -> None:
    operation = done(nobody)
    tag, pause = AssignTag("vip"), PauseSubscription("1")
    job = Job(actor=nobody, name="Spring sale", actions=[Action(tag).as_json()])
    meant: dict[str, Any] = {
        "actor": nobody,
        "owner": user_of("agent"),
        "user": user_of("agent"),
        "changes": [tag],
        "change": pause,
        "also": [tag],
        "actions": [Action(tag)],
        "job": job,
        "run": PlaybookRun(actor=nobody, steps=[]),
        "limit": Limit(role="agent"),
        "is_shared": True,
        "operation": operation,
        "account": operation.account,
        "operation_id": job.pk,
        "who": SimpleNamespace(bad=[], doubles=[], leads=[]),
        "name": "Spring sale",
        "seen": Snapshot("", {}, {}, [], []),
        "wanted": Snapshot("", {}, {}, ["vip"], []),
        "kind": "input_field",
        "identifier": "size",
        "options": [],
        "permission": "",
    }
    taken = inspect.signature(SERVICES[name]).parameters.values()
    given = {
        row.name: meant.get(row.name, MagicMock()) for row in taken if row.default is row.empty or row.name == "actor"
    }
    with pytest.raises(Denied):
        SERVICES[name](**given)
    assert AuditEntry.objects.get().action == "permission.denied"
