"""The edit page: one save is one call, nothing typed is lost, nobody's change is overwritten unseen."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from leads.access import Desk
from leads.models import Operation
from leads.providers.changes import AssignTag, EditLead, UnsubscribeFromList
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import posted_again, read, see, send, typed, values_of, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
URL = f"/leads/{ADA.id}/edit/"


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("agent")


def test_two_tags_a_list_and_a_field_are_one_call(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    lead = read(desk)
    sandbox.calls()
    posted = typed(
        desk,
        lead,
        city="Dallas",
        tags=[*lead.tags, "advanced", "🏺 collector"],
        lists=["Newsletter", "Podcast listeners"],
    )
    answer = client.post(URL, posted, follow=True)
    assert answer.redirect_chain == [(f"/leads/{ADA.id}/", 302)]
    assert writes(sandbox) == [("edit_lead", "assign_tag", "assign_tag", "subscribe_lead_to_list")]
    assert "Edited fields, added tag advanced, added tag 🏺 collector, subscribed to Podcast listeners." in words(
        answer
    )
    assert "Dallas" in words(answer)


def test_the_form_shows_what_is_there(at_desk: AtDesk) -> None:
    html = at_desk("agent").get(URL).content.decode()
    assert 'value="Boston"' in html
    assert '<option value="2" selected>studio</option>' in html
    assert html.count("checked") == 6, "two glazes, two interests, and no choice of two radios"


def test_nothing_changed_is_said_and_nothing_sent(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    answer = client.post(URL, typed(desk, read(desk)))
    assert answer.status_code == 422
    assert "Nothing was changed, so nothing was sent." in words(answer)
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    "held",
    [
        EditLead({}, {"about_me": "one\ntwo\n\nthree"}),
        EditLead({}, {"about_me": "one\r\ntwo"}),
        EditLead({}, {"about_me": "one\rtwo"}),
        EditLead({}, {"about_me": "\n one\ntwo \n"}),
        EditLead({}, {"about_me": "12345678\n" * 1_111}),
        EditLead({"company": "x" * 501}, {"about_me": "y" * 10_001}),
        EditLead({"address": "12 Sample Street\nback door", "company": " Moreno "}, {"shoe_size": "38\nwide"}),
    ],
    ids=lambda change: repr(change)[:90],
)
def test_line_breaks_and_blanks_that_nobody_touched_are_not_sent(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, held: EditLead
) -> None:
    send(desk, held)
    client, lead = at_desk("agent"), read(desk)
    writes(sandbox)
    answer = client.post(URL, typed(desk, lead))
    assert "Nothing was changed, so nothing was sent." in words(answer)
    client.post(URL, typed(desk, lead, city="Dallas"))
    (step,) = Operation.objects.get().steps.all()
    assert step.after == {"City": "Dallas"}


@pytest.mark.parametrize(
    "held", ["ada@home", "ada..m@example.com", "ädå m@example.com", "a" * 330 + "@home", "ada", ""], ids=range(6)
)
def test_an_address_that_nobody_touched_passes_valid_or_not_and_is_not_sent(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, held: str
) -> None:
    sandbox.set_facts(ADA.id, {**sandbox.facts(ADA.id), "email": held})
    client, lead = at_desk("agent"), read(desk)
    assert lead.email == held
    (box,) = re.findall(r'<input[^>]* name="email"[^>]*>', client.get(URL).content.decode())
    assert 'type="text"' in box, "a browser sends no invalid address from a field of the type email"
    assert (" required" in box) is bool(held)
    assert client.post(URL, typed(desk, lead, email=f"{held}@", city="Dallas")).status_code == 422
    writes(sandbox)
    assert client.post(URL, typed(desk, lead, city="Dallas")).status_code == 302
    (step,) = Operation.objects.get().steps.all()
    assert step.after == {"City": "Dallas"}
    assert sandbox.facts(ADA.id)["email"] == held
    assert writes(sandbox) == [("edit_lead",)]


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_what_is_added_to_a_text_is_written_with_its_own_line_breaks(
    at_desk: AtDesk, desk: Desk, line_break: str
) -> None:
    send(desk, EditLead({}, {"about_me": f"one{line_break}two"}))
    at_desk("agent").post(URL, typed(desk, read(desk), custom__about_me="one\r\ntwo\r\nthree"))
    value = read(desk).custom_field("about_me")
    assert value is not None
    assert value.text == line_break.join(["one", "two", "three"])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"email": "no address"}, "Email"),
        ({"email": ""}, "Email"),
        ({"city": "x" * 501}, "City"),
        ({"tags": ["no such tag"]}, "Tags"),
        ({"lists": ["no such list"]}, "Lists"),
        ({"sequence": "no such sequence"}, "Add to sequence"),
        ({"sequence": "Win back", "step": "one; two"}, "At step"),
        ({"custom__plan": "99"}, "plan"),
        ({"custom__glazes": ["77"]}, "glazes"),
    ],
    ids=repr,
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox, changed: dict[str, object], field: str
) -> None:
    client = at_desk("agent")
    answer = client.post(URL, typed(desk, read(desk), **{"company": "Typed <by> hand", **changed}))
    assert answer.status_code == 422
    assert f"{field} :" in words(answer)
    assert 'value="Typed &lt;by&gt; hand"' in answer.content.decode()
    assert writes(sandbox) == []


def test_a_stale_edit_shows_what_is_there_now_and_keeps_what_was_typed(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox
) -> None:
    client = at_desk("agent")
    posted = typed(desk, read(desk), city="Dallas")
    send(desk, EditLead({"city": "Austin"}))
    sandbox.calls()
    answer = client.post(URL, posted)
    assert answer.status_code == 422
    assert "Changed in Kartra while you were editing: City." in words(answer)
    assert "Now reads “Austin” in Kartra" in words(answer)
    assert posted_again(answer, "city") == ["Dallas"]
    assert posted_again(answer, "operation_id") != [posted["operation_id"]]
    assert writes(sandbox) == []
    again = {**posted, **{name: posted_again(answer, name)[0] for name in ("operation_id", "seen")}}
    assert client.post(URL, again).status_code == 302
    assert read(desk).profile["city"] == "Dallas"


def test_saving_after_a_conflict_overwrites_nothing_else(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    posted = typed(desk, read(desk), city="Dallas", tags=["customer", "vip", "beginner"])
    send(
        desk,
        EditLead({"city": "Austin", "phone": "999", "company": ""}, {"glazes": ["2"], "about_me": "new"}),
        AssignTag("advanced"),
        UnsubscribeFromList("Newsletter"),
    )
    answer = client.post(URL, posted)
    assert answer.status_code == 422
    assert client.post(URL, values_of(answer.context["form"])).status_code == 302
    now = read(desk)
    assert (now.profile["city"], now.profile["phone"], now.profile["company"]) == ("Dallas", "999", "")
    assert {value.identifier: value.display for value in now.custom_fields}["glazes"] == "shino"
    assert set(now.tags) == {"customer", "vip", "beginner", "advanced"}
    assert "Newsletter" not in [row.name for row in now.lists if row.active]
    change = Operation.objects.get().steps.get(kind="lead.edit").change
    assert change == EditLead({"city": "Dallas"}, {})


def test_a_second_click_sends_nothing_more(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    posted = typed(desk, read(desk), city="Dallas")
    client.post(URL, posted)
    sandbox.calls()
    answer = client.post(URL, posted, follow=True)
    assert "Edited fields." in words(answer)
    assert writes(sandbox) == []


def test_the_same_form_with_something_else_in_it_is_asked_for_again(
    at_desk: AtDesk, desk: Desk, sandbox: Sandbox
) -> None:
    client = at_desk("agent")
    posted = typed(desk, read(desk), city="Dallas")
    client.post(URL, posted)
    sandbox.calls()
    answer = client.post(URL, {**posted, "company": "Other"})
    assert answer.status_code == 422
    assert writes(sandbox) == []
    again = values_of(answer.context["form"])
    assert client.post(URL, again).status_code == 302
    assert (read(desk).profile["company"], read(desk).profile["city"]) == ("Other", "Dallas")


@pytest.mark.parametrize("seen", ["", "forged", "eyJhIjoxfQ:1abcde:abcdef"])
def test_a_damaged_form_is_refused(at_desk: AtDesk, desk: Desk, sandbox: Sandbox, seen: str) -> None:
    client = at_desk("agent")
    answer = client.post(URL, {**typed(desk, read(desk), city="Dallas"), "seen": seen})
    assert answer.status_code == 422
    assert "Open the lead again" in words(answer)
    assert writes(sandbox) == []


def test_the_form_of_one_lead_does_not_edit_another(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    posted = typed(desk, read(desk), company="Other")
    answer = client.post(f"/leads/{NOTABLE['ben'].id}/edit/", posted)
    assert answer.status_code == 422
    assert "Open the lead again" in words(answer)
    assert writes(sandbox) == []


def test_what_kartra_refuses_is_said_and_nothing_typed_is_lost(at_desk: AtDesk, desk: Desk) -> None:
    client = at_desk("agent")
    answer = client.post(URL, typed(desk, read(desk), email=NOTABLE["ben"].email, city="Dallas"))
    assert answer.status_code == 422
    assert posted_again(answer, "email") == [NOTABLE["ben"].email]
    assert posted_again(answer, "city") == ["Dallas"]
    assert "already" in words(answer)
    again = values_of(answer.context["form"])
    assert client.post(URL, {**again, "email": ADA.email}).status_code == 302
    assert read(desk).profile["city"] == "Dallas"


def test_an_answer_that_was_lost_says_what_to_do(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    posted = typed(desk, read(desk), city="Dallas")
    sandbox.arm("edit_lead", "lost")
    answer = client.post(URL, posted, follow=True)
    assert "It may or may not have happened; nothing is sent again." in words(answer)
    assert "Check now" in words(answer)


def test_a_value_that_kartra_kept_otherwise_is_said(at_desk: AtDesk, desk: Desk, sandbox: Sandbox) -> None:
    client = at_desk("agent")
    sandbox.configure(test_mode=True)
    answer = client.post(URL, typed(desk, read(desk), email="ada.new@example.com"), follow=True)
    assert "stored another value for Email" in words(answer)


def test_markup_survives_a_save_unchanged(at_desk: AtDesk, desk: Desk) -> None:
    client, key = at_desk("agent"), NOTABLE["markup"].id
    before = read(desk, key)
    assert client.post(f"/leads/{key}/edit/", typed(desk, before, city="Dallas")).status_code == 302
    after = read(desk, key)
    assert {**after.profile, "city": before.profile["city"]} == before.profile
    assert after.custom_fields == before.custom_fields


def test_every_lead_can_be_saved_without_changing_what_was_not_touched(at_desk: AtDesk, desk: Desk) -> None:
    client = at_desk("agent")
    for key in ("jon", "long_name", "arabic", "emoji", "apostrophe", "markup_image", "empty", "no_name"):
        number = NOTABLE[key].id
        before = read(desk, number)
        answer = client.post(f"/leads/{number}/edit/", typed(desk, before, zip="12345"))
        assert answer.status_code == 302, key
        after = read(desk, number)
        assert {**after.profile, "zip": before.profile["zip"]} == before.profile
        assert after.custom_fields == before.custom_fields
        assert (after.tags, after.lists) == (before.tags, before.lists)


def test_a_viewer_may_not(at_desk: AtDesk, sandbox: Sandbox) -> None:
    client = at_desk("viewer")
    assert client.get(URL).status_code == 403
    assert client.post(URL, {"city": "Dallas", "operation_id": str(uuid4())}).status_code == 403
    assert sandbox.calls() == []
    assert "Edit lead" not in words(see(client))
