"""What a change does to a lead, as people read it, and what brings the lead back."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from leads import effects
from leads.access import Desk
from leads.providers import changes
from leads.providers.base import (
    FieldDefinition,
    FieldValue,
    Lead,
    ListSubscription,
    Option,
    SequenceSubscription,
)
from leads.providers.changes import Change
from leads.selectors import catalogues
from tests.leads.helpers import read, send

DeskOf = Callable[..., Desk]

CELADON, SHINO = Option("1", "celadon"), Option("2", "shino")
GLAZES = FieldDefinition("glazes", "choices", "14", (CELADON, SHINO))
LEAD = Lead(
    id="7",
    email="ada@example.com",
    profile={"city": "Boston", "company": ""},
    custom_fields=(FieldValue("glazes", "choices", chosen=(CELADON,)), FieldValue("shoe_size", "text", "38")),
    tags=("vip",),
    lists=(ListSubscription("Newsletter", True), ListSubscription("Old promo", False)),
    sequences=(SequenceSubscription("Welcome", "3", True), SequenceSubscription("Win back", "1", False)),
    score=35,
)

# change; the state before; the state expected after
CASES: list[tuple[Change, effects.State, effects.State]] = [
    (
        changes.EditLead({"city": "Dallas"}, {"glazes": ["1", "2"], "shoe_size": ""}, "new@example.com"),
        {"City": "Boston", "glazes": "celadon", "shoe_size": "38", "Email": "ada@example.com"},
        {"City": "Dallas", "glazes": "celadon, shino", "shoe_size": "", "Email": "new@example.com"},
    ),
    (changes.AssignTag("gold"), {"Tag gold": "no"}, {"Tag gold": "yes"}),
    (changes.UnassignTag("vip"), {"Tag vip": "yes"}, {"Tag vip": "no"}),
    (changes.SubscribeToList("Old promo"), {"List Old promo": "not subscribed"}, {"List Old promo": "subscribed"}),
    (
        changes.UnsubscribeFromList("Newsletter"),
        {"List Newsletter": "subscribed"},
        {"List Newsletter": "not subscribed"},
    ),
    (changes.SubscribeToSequence("Welcome", "5"), {"Sequence Welcome": "step 3"}, {"Sequence Welcome": "step 5"}),
    (
        changes.SubscribeToSequence("Win back", "2"),
        {"Sequence Win back": "not subscribed"},
        {"Sequence Win back": "step 2"},
    ),
    (
        changes.UnsubscribeFromSequence("Welcome"),
        {"Sequence Welcome": "step 3"},
        {"Sequence Welcome": "not subscribed"},
    ),
    (changes.GivePoints(5), {"Points": "35"}, {"Points": "40"}),
    (changes.RemovePoints(40), {"Points": "35"}, {"Points": "-5"}),
    (
        changes.SubscribeToCalendar("Visits", "Tour", "2030-01-02 10:00"),
        {},
        {"Class Tour of Visits": "booked 2030-01-02 10:00"},
    ),
    (changes.CancelCalendar("Visits", "Tour"), {}, {"Class Tour of Visits": "cancelled"}),
    (changes.CreateField("thread", "text"), {}, {"Field thread": "text"}),
    (
        changes.CreateLead("new@example.com", {"city": "Dallas"}, {"glazes": ["2"]}),
        {"City": "Boston", "glazes": "celadon", "Email": "ada@example.com"},
        {"City": "Dallas", "glazes": "shino", "Email": "new@example.com"},
    ),
]


@pytest.mark.parametrize(("change", "before", "after"), CASES, ids=[repr(case[0]) for case in CASES])
def test_a_change_has_a_state_before_and_after(change: Change, before: effects.State, after: effects.State) -> None:
    assert effects.state_of(change, LEAD) == before
    assert effects.expected(change, before, [GLAZES]) == after


@pytest.mark.parametrize(("change", "before", "after"), CASES, ids=[repr(case[0]) for case in CASES])
def test_a_lead_agrees_with_its_own_state(change: Change, before: effects.State, after: effects.State) -> None:
    assert effects.agrees(change, effects.state_of(change, LEAD), LEAD)


@pytest.mark.parametrize(
    "change",
    [
        changes.EditLead({"city": "Boston"}, {"glazes": ["1"], "shoe_size": "38"}),
        changes.AssignTag("vip"),
        changes.UnassignTag("gold"),
        changes.SubscribeToList("Newsletter"),
        changes.UnsubscribeFromList("Old promo"),
        changes.UnsubscribeFromList("Never was on it"),
        changes.SubscribeToSequence("Welcome", "3"),
        changes.UnsubscribeFromSequence("Win back"),
    ],
    ids=repr,
)
def test_what_is_so_already_is_known(change: Change) -> None:
    assert effects.is_already_so(change, LEAD, [GLAZES])


@pytest.mark.parametrize(
    "change",
    [
        changes.GivePoints(0),
        changes.RemovePoints(5),
        changes.SubscribeToCalendar("Visits", "Tour"),
        changes.CancelCalendar("Visits", "Tour"),
        changes.EditLead({"city": "boston"}),
        changes.EditLead({}, {"glazes": []}),
        changes.SubscribeToSequence("Welcome", "1"),
        changes.AssignTag("VIP"),
    ],
    ids=repr,
)
def test_what_is_not_so_yet_counts_as_a_change(change: Change) -> None:
    assert not effects.is_already_so(change, LEAD, [GLAZES])


def test_a_sequence_that_went_on_by_itself_still_agrees() -> None:
    change = changes.SubscribeToSequence("Welcome", "1")
    assert effects.agrees(change, {"Sequence Welcome": "step 1"}, LEAD)
    assert not effects.agrees(change, {"Sequence Welcome": "not subscribed"}, LEAD)


def test_points_of_a_lead_without_a_known_score_are_left_open() -> None:
    blank = replace(LEAD, score=None)
    change = changes.GivePoints(5)
    assert effects.expected(change, effects.state_of(change, blank)) == {"Points": ""}


@pytest.mark.parametrize(
    "change",
    [
        changes.GivePoints(5, 30),
        changes.SubscribeToCalendar("Visits", "Tour"),
        changes.CancelCalendar("Visits", "Tour"),
        changes.CreateField("thread", "text"),
        changes.CreateLead("new@example.com"),
    ],
    ids=repr,
)
def test_nothing_brings_this_back(change: Change) -> None:
    assert effects.inverse(change, LEAD) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        changes.EditLead({"city": "Dallas", "company": "", "picture_url": "https://pics.example.com/a.png"}),
        changes.EditLead({"time_zone": "Europe/Rome", "first_name": "نور 🏺"}),
        changes.EditLead({}, {"shoe_size": "", "about_me": "a\nb", "plan": "", "glazes": [], "newsletter_day": "2"}),
        changes.EditLead({}, {"plan": "1", "glazes": ["2"], "workshop_interests": [], "accessibility": ["1", "3"]}),
        changes.EditLead({}, {}, "ada.new@example.com"),
        changes.AssignTag("🔥 wood-firing"),
        changes.UnassignTag("vip"),
        changes.SubscribeToList("Old promo"),
        changes.SubscribeToList("Podcast listeners"),
        changes.UnsubscribeFromList("Newsletter"),
        changes.SubscribeToSequence("Win back", "2"),
        changes.SubscribeToSequence("Welcome series", "5"),
        changes.UnsubscribeFromSequence("Welcome series"),
        changes.GivePoints(12),
        changes.RemovePoints(100),
    ],
    ids=repr,
)
def test_the_inverse_brings_the_state_back_at_kartra(change: Change, desk_of: DeskOf) -> None:
    desk = desk_of("agent")
    before = read(desk)
    state = effects.state_of(change, before)
    inverse = effects.inverse(change, before)
    assert inverse is not None
    assert [outcome.state for outcome in send(desk, change)] == ["succeeded"]
    changed = read(desk)
    definitions = catalogues.for_account(desk.account).fields
    assert effects.state_of(change, changed) == effects.expected(change, state, definitions) != state
    assert [outcome.state for outcome in send(desk, inverse)] == ["succeeded"]
    assert effects.state_of(change, read(desk)) == state
