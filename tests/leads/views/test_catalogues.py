"""Catalogues: what the account calls its things, refreshed by hand; an admin makes a field."""

import sqlite3
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from leads.access import Desk
from leads.models import Operation
from tests.leads.conftest import Sandbox
from tests.leads.helpers import posted_again, words

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
URL, REFRESH, FIELD = "/settings/catalogues/", "/settings/catalogues/refresh/", "/settings/catalogues/fields/new/"
THREAD = {"identifier": "thread", "kind": "choices", "options": "silk\nlinen"}


def test_all_names_are_shown_and_escaped(at_desk: AtDesk, sandbox: Sandbox) -> None:
    answer = at_desk("viewer").get(URL)
    text = words(answer)
    for piece in ("Tags", "vip & friends", "Élèves du mardi", "Raku weekend: before you come", "Members' library"):
        assert piece in text, piece
    assert "shoe_size" in text
    assert "celadon, shino, tenmoku" in text
    assert "<b>bold</b>" not in answer.content.decode()
    assert sandbox.calls() == []


def test_a_refresh_brings_what_is_new(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    kartra = sqlite3.connect(sandbox.path)
    with kartra:
        kartra.execute("INSERT INTO tags (account_id, name) VALUES (1, 'brand new')")
    kartra.close()
    assert "brand new" not in words(client.get(URL))
    answer = client.post(REFRESH, follow=True)
    assert "refreshed from Kartra" in words(answer)
    assert "brand new" in words(answer)


def test_one_that_fails_is_named_and_stays(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    sandbox.arm("retrieve_account_lists", "junk", times=3)
    answer = client.post(REFRESH, follow=True)
    assert "The lists could not be read, so the old ones stay." in words(answer)
    assert "Newsletter" in words(answer)


def test_never_read_is_said(at_desk: AtDesk, desk_of: DeskOf) -> None:
    client = at_desk("viewer")
    desk_of("viewer").account.catalogues.all().delete()
    assert "never read" in words(client.get(URL))


def test_an_admin_makes_a_field(at_desk: AtDesk) -> None:
    client = at_desk("admin")
    answer = client.post(FIELD, {**THREAD, "operation_id": str(uuid4())}, follow=True)
    assert answer.redirect_chain == [(URL, 302)]
    assert "Created custom field thread." in words(answer)
    assert "silk, linen" in words(answer)


@pytest.mark.parametrize(
    "changed",
    [
        {"identifier": "two words"},
        {"identifier": ""},
        {"identifier": "x" * 101},
        {"kind": "cube"},
        {"options": "only one"},
        {"options": "same\nsame"},
        {"kind": "text"},
        {"operation_id": "junk"},
    ],
    ids=repr,
)
def test_what_is_wrong_is_422_and_nothing_sent(at_desk: AtDesk, sandbox: Sandbox, changed: dict[str, str]) -> None:
    answer = at_desk("admin").post(FIELD, {**THREAD, "operation_id": str(uuid4()), **changed})
    assert answer.status_code == 422
    assert sandbox.calls() == []


def test_what_kartra_refuses_is_said_and_can_be_mended(at_desk: AtDesk) -> None:
    client = at_desk("admin")
    posted = {**THREAD, "identifier": "plan", "operation_id": str(uuid4())}
    answer = client.post(FIELD, posted)
    assert answer.status_code == 422
    assert posted_again(answer, "identifier") == ["plan"]
    fresh = posted_again(answer, "operation_id")[0]
    assert client.post(FIELD, {**posted, "identifier": "thread", "operation_id": fresh}).status_code == 302


def test_a_form_that_was_used_up_gets_a_new_id(at_desk: AtDesk) -> None:
    client = at_desk("admin")
    posted = {**THREAD, "operation_id": str(uuid4())}
    client.post(FIELD, posted)
    answer = client.post(FIELD, {**posted, "identifier": "other"})
    assert answer.status_code == 422
    fresh = posted_again(answer, "operation_id")[0]
    assert client.post(FIELD, {**posted, "identifier": "other", "operation_id": fresh}).status_code == 302


def test_a_lost_answer_leads_to_the_operation(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("admin")
    sandbox.arm("create_custom_field", "lost")
    answer = client.post(FIELD, {**THREAD, "operation_id": str(uuid4())}, follow=True)
    operation = Operation.objects.get()
    assert answer.redirect_chain == [(f"/operations/{operation.pk}/", 302)]
    assert "Succeeded" in words(client.post(f"/operations/{operation.pk}/settle/", follow=True))


def test_who_may_not_is_refused(at_desk: AtDesk) -> None:
    assert at_desk("viewer").post(REFRESH).status_code == 403
    assert at_desk("manager").get(FIELD).status_code == 403
    assert FIELD not in at_desk("agent").get(URL).content.decode()
