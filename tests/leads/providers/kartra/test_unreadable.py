"""A list that cannot be read is an error, never an empty or a shorter list.

What would follow from a shorter one: a tag that is there would be read as absent and settle an open change as failed,
an edit form would open on 'no tags', and a catalogue would be replaced by nothing.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.providers.base import LeadRef
from leads.providers.errors import Unavailable
from leads.providers.kartra import values
from leads.providers.kartra.provider import KartraProvider
from tests.leads.providers.kartra.script import enveloped

REF = LeadRef(id="7")
TRANSACTIONS, SUBSCRIPTIONS = "retrieve_transactions_from_lead", "retrieve_subscriptions_from_lead"

Row = Callable[[str], dict[str, Any]]
Read = Callable[[Any], list[str]]


class Unvarying:
    """A client that gets the same answer each time, as text."""

    def __init__(self, body: Any) -> None:
        self._body = values.load(json.dumps(body))

    def call(self, params: Any, *, is_write: bool) -> Any:
        return self._body


def provider(body: Any) -> KartraProvider:
    return KartraProvider(Unvarying(body))  # type: ignore[arg-type]


def account(key: str, method: str) -> Read:
    def read(value: Any) -> list[str]:
        return [*getattr(provider({"status": "Success", key: value}), method)()]

    return read


def definitions(value: Any) -> list[str]:
    return [field.identifier for field in provider({"status": "Success", "custom_fields": value}).list_fields()]


def money(value: Any, of: str) -> list[str]:
    lists = {
        TRANSACTIONS: {"transaction_list": value if of == "transactions" else []},
        SUBSCRIPTIONS: {"subscriptions_list": value if of == "subscriptions" else []},
    }
    return [row.id for row in getattr(provider(enveloped(*lists.items())).get_money(REF), of)]


def of_lead(key: str, name: str = "name") -> Read:
    def read(value: Any) -> list[str]:
        lead = provider({"status": "Success", "lead_details": {"id": "7", key: value}}).get_lead(REF)
        return [item if isinstance(item, str) else getattr(item, name) for item in getattr(lead, key)]

    return read


def surveys(value: Any) -> list[str]:
    lead = provider({"status": "Success", "lead_details": {"id": "7", "surveys": value}}).get_lead(REF)
    return [row.get("survey_name", "?") for row in lead.surveys]


def field(name: str) -> dict[str, Any]:
    return {"field_identifier": name, "field_type": "checkbox", "field_value": [{"option_id": 1}]}


# What is asked, how a row of it looks, and the names or ids that are read.
KEYS: dict[str, tuple[Row, Read]] = {
    "account_tags": (lambda name: {"tag_name": name}, account("account_tags", "list_tags")),
    "account_lists": (lambda name: {"list_name": name}, account("account_lists", "list_lists")),
    "account_sequences": (lambda name: {"sequence_name": name}, account("account_sequences", "list_sequences")),
    "account_pages": (lambda name: {"page_name": name}, account("account_pages", "list_pages")),
    "custom_fields": (field, definitions),
    "transaction_list": (lambda name: {"transaction_id": name}, lambda value: money(value, "transactions")),
    "subscriptions_list": (lambda name: {"subscription_id": name}, lambda value: money(value, "subscriptions")),
    "lead.tags": (lambda name: {"tag_name": name}, of_lead("tags")),
    "lead.lists": (lambda name: {"list_name": name, "active": "1"}, of_lead("lists")),
    "lead.sequences": (lambda name: {"sequence_name": name, "step": "1"}, of_lead("sequences")),
    "lead.memberships": (lambda name: {"membership_name": name}, of_lead("memberships")),
    "lead.custom_fields": (field, of_lead("custom_fields", "identifier")),
    "lead.surveys": (lambda name: {"survey_name": name}, surveys),
}
each_key = pytest.mark.parametrize("key", KEYS)


@each_key
@pytest.mark.parametrize(
    "junk", ["garbage", "12", 12, 0, 1.5, True, "true", "N/A", json.dumps(json.dumps([])), "[", "{", [[1]], [True]]
)
def test_what_is_no_list_is_an_error(key: str, junk: Any) -> None:
    with pytest.raises(Unavailable, match="could not be read"):
        KEYS[key][1](junk)


@each_key
@pytest.mark.parametrize("nothing", [None, "", [], {}, False, "null", "false", "[]", "{}"])
def test_what_kartra_writes_for_none_is_none(key: str, nothing: Any) -> None:
    assert KEYS[key][1](nothing) == []


@each_key
def test_a_text_that_was_cut_is_an_error_wherever_it_was_cut(key: str) -> None:
    row, read = KEYS[key]
    whole = json.dumps([row("5"), row("6")])
    assert sorted(read(whole)) == ["5", "6"]
    for length in range(1, len(whole)):
        with pytest.raises(Unavailable, match="could not be read"):
            read(whole[:length])


@each_key
def test_a_row_that_nobody_can_read_is_not_left_out(key: str) -> None:
    row, read = KEYS[key]
    unreadable: list[Any] = [[1], True, json.dumps(row("6"))[:-3]]
    if key != "lead.surveys":  # kept as they come, whatever they hold
        unreadable.append({"foo": 1})
        unreadable += [{name: junk} for name in row("6") for junk in (None, "", " ", {"x": 1})][:4]
    for junk in unreadable:
        with pytest.raises(Unavailable, match="could not be read"):
            read([row("5"), junk])


@each_key
def test_one_row_in_place_of_a_list_is_an_error(key: str) -> None:
    row, read = KEYS[key]
    with pytest.raises(Unavailable, match="could not be read"):
        read(row("5"))


@pytest.mark.parametrize(
    "value",
    [
        '[{"option_id":"1"',
        "{x",
        {"x": 1},
        [{"option_id": 1}, {"x": 1}],
        [[1]],
        True,
        [True],
        [{"option_id": 1}, 1.5, [2]],
    ],
)
def test_a_choice_that_cannot_be_read_is_an_error_and_not_no_choice(value: Any) -> None:
    rows = [{"field_identifier": "f", "field_type": "checkbox", "field_value": value}]
    for read in (definitions, of_lead("custom_fields", "identifier")):
        with pytest.raises(Unavailable, match="could not be read"):
            read(rows)


@pytest.mark.parametrize("details", ["garbage", '{"id":"7","tags":[', False, 12, ["7"], [["id", "7"]], True])
def test_a_lead_that_cannot_be_read_is_an_error(details: Any) -> None:
    with pytest.raises(Unavailable, match="could not be read"):
        provider({"status": "Success", "lead_details": details}).get_lead(REF)


NAMED = st.sampled_from(sorted(set(KEYS) - {"lead.surveys"}))  # a survey is shown as it comes, which may be nothing
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(["name", "active", "x"]), st.text(max_size=3)), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(NAMED, JUNK)
def test_no_junk_is_read_as_an_empty_list(key: str, junk: Any) -> None:
    try:
        found = KEYS[key][1](junk)
    except Unavailable:
        return
    if not found:
        inner = values.decoded(values.load(json.dumps(junk)))
        rows = inner if isinstance(inner, list) else inner.values() if isinstance(inner, dict) else [inner]
        assert all(values.is_nothing(row) for row in rows)


@settings(max_examples=400, deadline=None)
@given(
    NAMED,
    st.lists(st.integers(1, 99).map(str), unique=True, max_size=3),
    st.lists(JUNK.filter(lambda junk: not isinstance(junk, dict)), max_size=2),
    st.sampled_from(["list", "map", "text"]),
)
def test_junk_among_the_rows_makes_no_list_shorter(key: str, ids: list[str], junk: list[Any], form: str) -> None:
    row, read = KEYS[key]
    rows = [*junk, *(row(number) for number in ids)]
    held: Any = {str(place + 1): item for place, item in enumerate(rows)} if form == "map" else rows
    told = [item for item in values.load(json.dumps(junk)) if not values.is_nothing(item)]
    try:
        found = read(json.dumps(held) if form == "text" else held)
    except Unavailable:
        assert told
    else:
        assert set(found) == {*ids, *told}
