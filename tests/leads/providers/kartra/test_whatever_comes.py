"""Whatever comes in whatever shape: no read crashes, and no write succeeds that was not called one."""

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leads.providers.base import LeadRef, Money, Outcome, Subscription, Transaction
from leads.providers.changes import AssignTag, CreateLead, EditLead, RefundTransaction, SubscribeToList
from leads.providers.errors import OutcomeUnknown, ProviderError
from leads.providers.kartra import answers, commands
from leads.providers.kartra.provider import KartraProvider
from tests.leads.providers.kartra.script import PAYLOADS

KEYS = [
    *sorted(commands.ALL),
    *("status", "type", "message", "actions", "0", "1"),
    *("lead_details", "id", "tags", "custom_fields", "field_value", "account_tags"),
    *("transaction_list", "subscriptions_list", "transaction_details"),
]
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from(["Success", "Error", "success", "212", "203", "243", "[]", "{}", "null", "0", "N/A"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(KEYS),
                st.text(max_size=5),
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=25,
)
EXAMPLES = [json.loads(path.read_text()) for path in sorted(PAYLOADS.glob("*.*.json"))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An example in which some values were replaced, dropped, or turned into text."""
    body = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(0, 3))):
        place, key = body, None
        while isinstance(place, dict | list) and place:
            key = (
                draw(st.sampled_from(sorted(place)))
                if isinstance(place, dict)
                else draw(st.integers(0, len(place) - 1))
            )
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                break
            place = place[key]
        if key is None or not place:
            continue
        match draw(st.integers(0, 2)):
            case 0:
                place[key] = draw(JSON)
            case 1:
                place[key] = json.dumps(place[key])
            case 2:
                del place[key]
    return body


BODIES = st.one_of(JSON, mutated())
REF = LeadRef(id="4174086")
CHAIN = (EditLead(profile={"city": "Rome"}), AssignTag("a"), AssignTag("b"), SubscribeToList("c"))
ROWS = Money((Transaction("99432", "sale"),), (Subscription("14833", "active"),))
READS: dict[str, Callable[[Any], Any]] = {
    "get_lead": lambda provider: provider.get_lead(REF),
    "find_lead_id": lambda provider: provider.find_lead_id(REF),
    "list_tags": lambda provider: provider.list_tags(),
    "list_lists": lambda provider: provider.list_lists(),
    "list_sequences": lambda provider: provider.list_sequences(),
    "list_pages": lambda provider: provider.list_pages(),
    "list_fields": lambda provider: provider.list_fields(),
    "has_transaction": lambda provider: provider.has_transaction("99432"),
    "get_transaction": lambda provider: provider.get_transaction("99432"),
    "list_transactions": lambda provider: provider.list_transactions(REF),
    "has_subscription": lambda provider: provider.has_subscription("14833"),
    "get_subscription": lambda provider: provider.get_subscription("14833"),
    "list_subscriptions": lambda provider: provider.list_subscriptions(REF),
    "get_money": lambda provider: provider.get_money(REF),
    "add_details": lambda provider: provider.add_details(ROWS, [*ROWS.transactions, *ROWS.subscriptions]),
}


class Unvarying:
    """A client that gets the same answer each time."""

    def __init__(self, body: Any) -> None:
        self._body = answers.decode(json.dumps(body).encode())

    def call(self, params: Any, *, is_write: bool) -> Any:
        return self._body


def provider_given(body: Any) -> Any:
    return KartraProvider(Unvarying(body))  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(BODIES.filter(lambda body: isinstance(body, dict)))
def test_no_answer_makes_a_read_crash(body: Any) -> None:
    provider = provider_given(body)
    for read in READS.values():
        with contextlib.suppress(ProviderError):
            repr(read(provider))


def success_statuses(value: Any) -> int:
    """How many times an answer says success, in whatever depth, also inside texts."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return 0
    if isinstance(value, list):
        return sum(success_statuses(item) for item in value)
    if not isinstance(value, dict):
        return 0
    own = isinstance(value.get("status"), str) and value["status"].strip().casefold() == "success"
    return own + sum(success_statuses(item) for item in value.values())


@settings(max_examples=300, deadline=None)
@given(BODIES.filter(lambda body: isinstance(body, dict)))
def test_no_answer_makes_a_write_crash_or_succeed_without_saying_so(body: Any) -> None:
    for changes in (CHAIN, (AssignTag("a"),), (RefundTransaction("1", everything=True),), (CreateLead("a@b.c"),)):
        outcomes = provider_given(body).send(REF, changes)
        assert len(outcomes) == len(changes)
        assert all(isinstance(outcome, Outcome) for outcome in outcomes)
        assert sum(outcome.state == "succeeded" for outcome in outcomes) <= success_statuses(body)
        assert all(bool(outcome.error) == (outcome.state != "succeeded") for outcome in outcomes)
        assert all((outcome.state == "unknown") == isinstance(outcome.error, OutcomeUnknown) for outcome in outcomes)
