"""Catalogues are read apart: one that fails leaves the others, and what was known of it."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from kartra_admin.lib.errors import Denied
from leads.access import Desk
from leads.providers.changes import CreateField
from leads.providers.kartra.provider import KartraProvider
from leads.providers.kartra.sandbox.catalogue import BINDERY, STUDIO
from leads.selectors import catalogues
from leads.services import catalogues as service
from leads.services import settling
from tests.leads.conftest import Sandbox
from tests.leads.helpers import send, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]

COMMANDS = {
    "tags": "retrieve_account_tags",
    "lists": "retrieve_account_lists",
    "sequences": "retrieve_account_sequences",
    "pages": "retrieve_account_pages",
    "fields": "retrieve_custom_fields",
}


def refresh(desk: Desk) -> dict[str, str]:
    return dict(service.refresh_catalogues(actor=desk.user, connection=desk.connection))


def create(desk: Desk, **changed: object) -> object:
    wanted = {"identifier": "thread", "kind": "text", "options": [], "operation_id": uuid4(), **changed}
    return service.create_field(actor=desk.user, connection=desk.connection, **wanted)  # type: ignore[arg-type]


def test_everything_the_account_has_is_read(desk_of: DeskOf) -> None:
    known = catalogues.for_account(desk_of("agent").account)
    assert set(known.tags) == set(STUDIO.tags.values())
    assert set(known.lists) == set(STUDIO.lists.values())
    assert set(known.sequences) == {name for name, _ in STUDIO.sequences.values()}
    assert set(known.pages) == set(STUDIO.pages)
    assert {definition.identifier for definition in known.fields} == {name for name, _, _ in STUDIO.fields.values()}
    glazes = next(definition for definition in known.fields if definition.identifier == "glazes")
    assert (glazes.kind, [option.label for option in glazes.options]) == ("choices", ["celadon", "shino", "tenmoku"])
    assert set(known.read_at) == set(COMMANDS)


def test_each_account_has_its_own(desk_of: DeskOf) -> None:
    desk_of("agent")
    assert set(catalogues.for_account(desk_of("manager", 1).account).tags) == set(BINDERY.tags.values())


@pytest.mark.parametrize("kind", COMMANDS)
def test_one_that_fails_leaves_the_others_fresh_and_its_old_names(desk_of: DeskOf, sandbox: Sandbox, kind: str) -> None:
    desk = desk_of("agent")
    before = catalogues.for_account(desk.account)
    sandbox.arm(COMMANDS[kind], "junk", times=3)
    failures = refresh(desk)
    after = catalogues.for_account(desk.account)
    assert set(failures) == {kind}
    assert failures[kind].endswith(".")
    assert after.read_at[kind] == before.read_at[kind]
    assert getattr(after, kind) == getattr(before, kind)
    assert all(after.read_at[other] > before.read_at[other] for other in COMMANDS if other != kind)
    assert AuditEntry.objects.filter(action="catalogue.refresh.succeeded").latest("id").detail == {"unread": [kind]}


def test_when_none_can_be_read_the_log_says_failed(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    sandbox.arm("*", "refused", times=15)
    assert set(refresh(desk)) == set(COMMANDS)
    assert AuditEntry.objects.filter(action="catalogue.refresh.failed").count() == 1


def test_a_new_field_is_known_at_once(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("admin")
    operation = create(desk, kind="choices", options=["silk", "linen"])
    assert operation.outcome == "succeeded"  # type: ignore[attr-defined]
    thread = next(row for row in catalogues.for_account(desk.account).fields if row.identifier == "thread")
    assert (thread.kind, [option.label for option in thread.options]) == ("choices", ["silk", "linen"])
    entry = AuditEntry.objects.get(action="field.create.succeeded")
    assert entry.after == {"Field thread": "choices"}


def test_a_field_that_is_made_at_the_same_time_fails_with_a_sentence(
    desk_of: DeskOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KartraProvider, "list_fields", lambda self: ())  # as it was a moment ago
    operation = create(desk_of("admin"), identifier="plan")
    assert operation.outcome == "failed"  # type: ignore[attr-defined]
    assert operation.steps.get().code == "264"  # type: ignore[attr-defined]


def test_a_lost_answer_to_a_new_field_is_settled_by_reading(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("admin")
    sandbox.arm("create_custom_field", "lost")
    operation = create(desk)
    assert operation.outcome == "unknown"  # type: ignore[attr-defined]
    settled = settling.settle(operation, connection=desk.connection, actor=desk.user)  # type: ignore[arg-type]
    assert settled.outcome == "succeeded"


@pytest.mark.parametrize("role", ["viewer", "agent", "manager", "auditor"])
def test_only_an_admin_makes_fields(desk_of: DeskOf, sandbox: Sandbox, role: str) -> None:
    with pytest.raises(Denied):
        create(desk_of(role))
    assert writes(sandbox) == []


def test_fields_are_read_for_a_form_only_where_they_never_were(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    service.fields_for_editing(desk.connection)
    assert sandbox.calls() == []
    desk.account.catalogues.filter(kind="fields").delete()
    assert service.fields_for_editing(desk.connection).fields
    assert sandbox.calls() == [("retrieve_custom_fields",)]


def test_a_form_opens_without_the_fields_where_they_cannot_be_read(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    desk.account.catalogues.filter(kind="fields").delete()
    sandbox.arm("retrieve_custom_fields", "500", times=3)
    known = service.fields_for_editing(desk.connection)
    assert (known.fields, "fields" in known.read_at) == ([], False)
    assert known.tags


def test_a_field_made_in_kartra_is_seen_after_a_refresh(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    send(desk, CreateField("made_in_kartra", "text"))
    refresh(desk)
    assert "made_in_kartra" in {row.identifier for row in catalogues.for_account(desk.account).fields}
