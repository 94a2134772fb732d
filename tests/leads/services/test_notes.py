"""Notes stay in the house, and only their author takes them away."""

from collections.abc import Callable

import pytest

from accounts.models import AuditEntry
from kartra_admin.lib.errors import Denied
from leads.access import Desk
from leads.models import Note
from leads.selectors.lead_page import list_notes
from leads.services.notes import add_note, delete_note
from tests.leads.conftest import ADA, NOTABLE, Sandbox

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]


def write(desk: Desk, text: str = "Call her on Tuesday 🏺", lead_id: str = ADA.id) -> Note:
    return add_note(actor=desk.user, account=desk.account, lead_id=lead_id, lead_label="Ada Moreno", text=text)


def test_a_note_is_kept_here_and_kartra_never_hears_of_it(desk_of: DeskOf, sandbox: Sandbox) -> None:
    desk = desk_of("agent")
    note = write(desk)
    assert list(list_notes(desk.account, ADA.id)) == [note]
    assert sandbox.calls() == []


def test_the_log_says_that_one_was_written_and_not_what(desk_of: DeskOf) -> None:
    write(desk_of("agent"), "Her husband is called Bartholomew")
    entry = AuditEntry.objects.get(action="note.add.succeeded")
    assert (entry.about_id, entry.target_name, entry.actor_name) == (ADA.id, "Ada Moreno", "Agent Person")
    assert "Bartholomew" not in str(vars(entry))


def test_the_newest_comes_first_and_only_those_of_the_lead(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    write(desk, "elsewhere", NOTABLE["ben"].id)
    first, second = write(desk, "first"), write(desk, "second")
    assert list(list_notes(desk.account, ADA.id)) == [second, first]


def test_its_author_deletes_it_on_the_record(desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    delete_note(actor=desk.user, note=write(desk))
    assert not Note.objects.exists()
    assert AuditEntry.objects.filter(action="note.delete.succeeded").count() == 1


def test_nobody_deletes_somebody_elses(desk_of: DeskOf) -> None:
    note = write(desk_of("agent"))
    with pytest.raises(Denied):
        delete_note(actor=desk_of("admin").user, note=note)
    assert Note.objects.exists()
