"""Every address by every role and signed out. A new address without its line here fails.

``TABLE`` says for each URL name what it needs: `PUBLIC`, `SIGNED_IN` or a permission, and the method it is asked with.
``ARGUMENTS`` gives a value for each part of an address. Both are data: add to them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import AuditEntry, User
from accounts.permissions import BY_ROLE, PERMISSIONS, ROLES
from accounts.services import audit

PUBLIC = "public"
SIGNED_IN = "signed in"


@dataclass(frozen=True)
class Line:
    """``answers``: what a public address says to a request that holds nothing."""

    needs: str
    method: str = "get"
    answers: int = 200


TABLE = {
    "account_login": Line(PUBLIC),
    "account_logout": Line(PUBLIC),
    "account_inactive": Line(PUBLIC),
    "account_reset_password": Line(PUBLIC),
    "account_reset_password_done": Line(PUBLIC),
    "account_reset_password_from_key": Line(PUBLIC),
    "account_reset_password_from_key_done": Line(PUBLIC),
    "account_reauthenticate": Line(SIGNED_IN),
    "mfa_reauthenticate": Line(SIGNED_IN),
    "mfa_reauthenticate_webauthn": Line(SIGNED_IN),
    "mfa_authenticate": Line(PUBLIC),
    "mfa_login_webauthn": Line(PUBLIC),
    "mfa_index": Line(SIGNED_IN),
    "mfa_activate_totp": Line(SIGNED_IN),
    "mfa_deactivate_totp": Line(SIGNED_IN),
    "mfa_view_recovery_codes": Line(SIGNED_IN),
    "mfa_generate_recovery_codes": Line(SIGNED_IN),
    "mfa_add_webauthn": Line(SIGNED_IN),
    "mfa_remove_webauthn": Line(SIGNED_IN),
    "csp-report": Line(PUBLIC, "post", answers=204),
    "account_change_password": Line(SIGNED_IN),
    "account_set_password": Line(SIGNED_IN),
    "typed": Line(SIGNED_IN),
    "accounts:profile": Line(SIGNED_IN),
    "accounts:team": Line("staff.manage"),
    "accounts:team-add": Line("staff.manage"),
    "accounts:team-edit": Line("staff.manage"),
    "accounts:team-deactivate": Line("staff.manage"),
    "accounts:team-reactivate": Line("staff.manage", "post"),
    "accounts:team-link": Line("staff.manage", "post"),
    "accounts:team-factor": Line("staff.manage"),
    "accounts:sessions": Line(SIGNED_IN),
    "accounts:session-end": Line(SIGNED_IN, "post"),
    "accounts:sessions-end-others": Line(SIGNED_IN, "post"),
    "accounts:keys": Line("health.view"),
    "leads:health": Line("health.view"),
    "accounts:audit": Line("audit.view"),
    "accounts:audit-entry": Line("audit.view"),
    "accounts:audit-export": Line("audit.export"),
    "accounts:audit-pack": Line("audit.export"),
    "accounts:audit-pack-operation": Line("audit.export"),
    "accounts:audit-verifier": Line("audit.view"),
    "accounts:audit-keys": Line("audit.view"),
    "accounts:audit-filter-save": Line("audit.view", "post"),
    "accounts:audit-filter-delete": Line("audit.view", "post"),
    "accounts:audit-sign": Line("audit.view", "post"),
    "leads:home": Line("lead.view"),
    "leads:find": Line("lead.view"),
    "leads:directory": Line("lead.view"),
    "leads:directory-csv": Line("directory.export"),
    "leads:view-save": Line("lead.view", "post"),
    "leads:view-delete": Line("lead.view", "post"),
    "leads:create": Line("lead.create"),
    "leads:detail": Line("lead.view"),
    "leads:evidence": Line("audit.export"),
    "leads:edit": Line("lead.edit"),
    "leads:money": Line("money.view"),
    "leads:transaction": Line("money.view"),
    "leads:refund": Line("transaction.refund"),
    "leads:refund-outlook": Line("transaction.refund"),
    "leads:subscription": Line("money.view"),
    "leads:subscription-pause": Line("subscription.pause"),
    "leads:subscription-resume": Line("subscription.pause"),
    "leads:subscription-edit": Line("subscription.edit"),
    "leads:subscription-cancel": Line("subscription.cancel"),
    "leads:activity": Line("lead.view"),
    "leads:forget": Line("lead.forget"),
    "leads:forget-imported": Line("lead.forget"),
    "leads:forgettings": Line("lead.forget"),
    "leads:forgetting-withdraw": Line("lead.forget", "post"),
    "leads:notes": Line("note.write", "post"),
    "leads:change": Line("lead.tag"),  # each card its own; asked for with "tags"
    "leads:recipe-run": Line("recipe.run", "post"),
    "leads:operation": Line("lead.view"),
    "leads:operation-status": Line("lead.view"),
    "leads:operation-withdraw": Line("lead.view", "post"),
    "leads:operation-undo": Line("lead.view", "post"),
    "leads:operation-undo-step": Line("lead.view", "post"),
    "leads:operation-settle": Line("operation.settle", "post"),
    "leads:operation-decide": Line("operation.settle", "post"),
    "leads:recipes": Line("recipe.run"),
    "leads:recipe-create": Line("recipe.manage"),
    "leads:recipe-edit": Line("recipe.manage"),
    "leads:recipe-delete": Line("recipe.manage"),
    "leads:jobs": Line("bulk.run"),
    "leads:job-create": Line("bulk.run"),
    "leads:job-create-ticked": Line("bulk.run", "post"),
    "leads:job": Line("bulk.run"),
    "leads:job-progress": Line("bulk.run"),
    "leads:job-start": Line("bulk.run", "post"),
    "leads:job-steer": Line("bulk.run", "post"),
    "leads:job-pace": Line("bulk.run", "post"),
    "leads:job-decide": Line("bulk.approve", "post"),
    "leads:job-retry": Line("bulk.run", "post"),
    "leads:job-undo": Line("bulk.run", "post"),
    "leads:job-leads": Line("bulk.run"),
    "leads:job-csv": Line("bulk.run"),
    "leads:approvals": Line("transaction.refund"),
    "leads:approval": Line("transaction.refund"),
    "leads:approval-decide": Line("approval.decide", "post"),
    "leads:approval-withdraw": Line("transaction.refund", "post"),
    "leads:limits": Line("limit.manage"),
    "leads:limit-create": Line("limit.manage"),
    "leads:limit-edit": Line("limit.manage"),
    "leads:limit-remove": Line("limit.manage"),
    "leads:reasons": Line("limit.manage"),
    "leads:reason-edit": Line("limit.manage"),
    "leads:reason-move": Line("limit.manage", "post"),
    "leads:reason-remove": Line("limit.manage", "post"),
    "leads:playbooks": Line("playbook.run"),
    "leads:playbook-create": Line("playbook.manage"),
    "leads:playbook-edit": Line("playbook.manage"),
    "leads:playbook-delete": Line("playbook.manage"),
    "leads:playbook-run": Line("playbook.run"),
    "leads:playbook-progress": Line("lead.view"),
    "leads:playbook-status": Line("lead.view"),
    "leads:playbook-withdraw": Line("playbook.run", "post"),
    "leads:playbook-resume": Line("playbook.run", "post"),
    "leads:playbook-close": Line("playbook.run", "post"),
    "leads:report": Line("report.view"),
    "leads:unusual": Line("audit.view"),
    "leads:report-csv": Line("report.view"),
    "leads:catalogues": Line("lead.view"),
    "leads:catalogues-refresh": Line("catalogue.refresh", "post"),
    "leads:field-create": Line("field.create"),
    "leads:imports": Line("directory.import"),
    "leads:import": Line("directory.import"),
    "leads:import-start": Line("directory.import", "post"),
    "leads:import-discard": Line("directory.import", "post"),
    "leads:import-progress": Line("directory.import"),
    "leads:import-failed": Line("directory.import"),
    "leads:import-failed-csv": Line("directory.import"),
    "leads:changed": Line("lead.view"),
    "leads:events": Line("hook.manage"),
    "leads:event": Line("hook.manage"),
    "leads:hook": Line("hook.manage"),
    "leads:hook-key": Line("hook.manage", "post"),
    "leads:hook-post": Line(PUBLIC, "post", answers=404),
    "leads:connection": Line("connection.own"),
    "leads:connection-remove": Line("connection.own"),
    "leads:connection-of": Line("connection.manage"),
    "leads:connection-remove-of": Line("connection.manage"),
}

ARGUMENTS: dict[str, Callable[[], object]] = {
    "user_id": lambda: User.objects.get(email="viewer@example.com").pk,
    "entry_id": lambda: audit.record(action="session.start.failed", outcome="failed").pk,
    "uidb36": lambda: "1",
    "key": lambda: "set-password",
    "form": lambda: "ndjson",
    "lead_id": lambda: "4174091",
    "card": lambda: "tags",
    "transaction_id": lambda: "99432",
    "subscription_id": lambda: "14833",
    "operation_id": uuid4,
    "position": lambda: 0,
    "recipe_id": lambda: 1,
    "playbook_id": lambda: 1,
    "run_id": uuid4,
    "approval_id": uuid4,
    "job_id": uuid4,
    "view_id": lambda: 1,
    "filter_id": lambda: 1,
    "limit_id": lambda: 1,
    "reason_id": lambda: 1,
    "import_id": lambda: 1,
    "event_id": lambda: 1,
    "forgetting_id": lambda: 1,
    "imported_id": lambda: 1,
    "pk": lambda: 1,
    "session_id": lambda: 1,
    "secret": lambda: "nobody-knows",
}


def patterns(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from patterns(pattern, inner)
        else:
            yield f"{namespace}{pattern.name}", pattern


PATTERNS = dict(patterns(get_resolver()))


def address(name: str) -> str:
    pattern = PATTERNS[name].pattern
    parts = [*pattern.converters, *getattr(pattern.regex, "groupindex", {})]
    return reverse(name, kwargs={part: ARGUMENTS[part]() for part in dict.fromkeys(parts)})


def test_every_address_has_a_line_and_every_line_an_address() -> None:
    assert set(TABLE) == set(PATTERNS)
    assert {line.needs for line in TABLE.values()} <= {PUBLIC, SIGNED_IN, *PERMISSIONS}


@pytest.mark.django_db
@pytest.mark.parametrize("name", TABLE)
def test_signed_out_only_public_pages_answer(name: str, user_of: Callable[[str], User]) -> None:
    user_of("viewer")
    answer = getattr(Client(), TABLE[name].method)(address(name))
    if TABLE[name].needs == PUBLIC:
        assert answer.status_code == TABLE[name].answers or answer["Location"] == reverse("account_login")
    else:
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", TABLE)
def test_signed_in_the_role_decides(
    name: str, role: str, user_of: Callable[[str], User], client_of: Callable[[str], Client]
) -> None:
    user_of("viewer")
    line = TABLE[name]
    answer = getattr(client_of(role), line.method)(address(name))
    denied = AuditEntry.objects.filter(action="permission.denied", actor_id=user_of(role).pk)
    if line.needs in (PUBLIC, SIGNED_IN) or line.needs in BY_ROLE[role]:
        assert answer.status_code < 500
        assert answer.status_code not in (401, 403, 405)
        assert not answer.get("Location", "").startswith(reverse("account_login") + "?")
        assert not denied.exists()
    else:
        assert answer.status_code == 403
        assert PERMISSIONS[line.needs][0] in answer.content.decode().replace("&#x27;", "'")
        assert denied.get().detail["path"] == answer.wsgi_request.path
