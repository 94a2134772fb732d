"""Money locks a person and an account; who only names them goes on, or both would wait for each other at the log."""

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection, transaction

from accounts.models import Account, User
from leads.access import Desk
from leads.models import Note
from leads.services import limits, notes
from tests.entries import LockedAgainstReferences
from tests.leads.conftest import ADA

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_a_note_is_written_while_a_refund_is_held_to_its_limits(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("support")

    def write() -> None:
        try:
            notes.add_note(actor=desk.user, account=desk.account, lead_id=ADA.id, lead_label="Ada", text="She rang.")
        finally:
            connection.close()

    with transaction.atomic():
        limits.require_within(
            actor=desk.user, account=desk.account, lead_id=ADA.id, transaction_id="1", amount=Decimal(1)
        )
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        writer.join(10)
        assert not writer.is_alive(), "it waits for the refund, which will wait for the end of the log"
    assert Note.objects.count() == 1


@pytest.mark.parametrize("model", [Account, User])
def test_locking_them_against_who_names_them_is_noticed_in_tests(model: type[Account | User]) -> None:
    with transaction.atomic(), pytest.raises(LockedAgainstReferences):
        model._default_manager.select_for_update().first()
