"""Every change can be kept as JSON, has words for people, and actions in the log."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import permissions
from accounts.audit_actions import ACTIONS
from leads import labels
from leads.change_permissions import PERMISSIONS
from leads.playbook_steps import ACTS
from leads.providers import changes
from leads.providers.base import PROFILE_FIELDS
from leads.providers.changes import Change, from_json

EXAMPLES: list[Change] = [
    changes.CreateLead("ada@example.com", {"city": "Boston"}, {"plan": "2", "glazes": ["1", "3"]}),
    changes.EditLead({"city": ""}, {"glazes": [], "plan": ""}, "new@example.com"),
    changes.AssignTag("🔥 wood-firing"),
    changes.UnassignTag('"quoted" tag'),
    changes.SubscribeToList("Élèves du mardi"),
    changes.UnsubscribeFromList("Newsletter"),
    changes.SubscribeToSequence("Welcome series", "3"),
    changes.UnsubscribeFromSequence("Welcome series"),
    changes.GivePoints(20, 30),
    changes.RemovePoints(5),
    changes.SubscribeToCalendar("Studio visits", "Tour of the kiln shed", "2030-01-02 10:00"),
    changes.CancelCalendar("Studio visits", "Tour of the kiln shed"),
    changes.CreateField("thread", "choices", ["silk", "linen"]),
    changes.RefundTransaction("99601", "10.50"),
    changes.RefundTransaction("99601", everything=True),
    changes.CancelSubscription("14833"),
    changes.CancelSubscriptionOfTransaction(transaction_id="99432"),
    changes.PauseSubscription("14833"),
    changes.ResumeSubscription("14833"),
    changes.EditSubscription("14833", amount="12.00"),
]

_MONEY = ("transaction", "subscription")
SENT_BY_STAFF = [change for change in EXAMPLES if not change.kind.startswith(_MONEY)]


def _all_kinds(of: type[Change] = Change) -> set[str]:
    return {sub.kind for sub in of.__subclasses__() if sub.kind} | {
        kind for sub in of.__subclasses__() for kind in _all_kinds(sub)
    }


def test_there_is_an_example_of_every_change() -> None:
    assert {change.kind for change in EXAMPLES} == _all_kinds()


@pytest.mark.parametrize("change", EXAMPLES, ids=repr)
def test_a_change_comes_back_from_json_as_it_was(change: Change) -> None:
    kept = json.loads(json.dumps(change.as_json()))
    assert from_json(change.kind, kept) == change


@pytest.mark.parametrize("change", EXAMPLES, ids=repr)
def test_the_subject_is_a_field_of_the_change(change: Change) -> None:
    assert not change.subject_field or change.subject_field in {field.name for field in fields(change)}


@pytest.mark.parametrize("change", SENT_BY_STAFF, ids=repr)
def test_what_staff_can_send_has_words_actions_and_a_permission(change: Change) -> None:
    assert labels.to_do(change.kind, change.subject)
    assert labels.done(change.kind, change.subject)
    assert {f"{change.kind}.{outcome}" for outcome in ("requested", "succeeded", "failed", "unknown")} <= set(ACTIONS)
    assert PERMISSIONS[change.kind] in permissions.PERMISSIONS


def test_an_act_of_a_playbook_is_of_the_kind_that_it_sends() -> None:
    sent = {name: act.make("x").kind for name, act in ACTS.items() if act.make}
    assert sent == {name: ACTS[name].kind for name in sent}
    assert {act.kind for act in ACTS.values()} <= set(PERMISSIONS)


def test_words_are_kept_for_nothing_that_does_not_exist() -> None:
    assert set(PERMISSIONS) == set(labels.CHANGE_WORDS)
    assert set(labels.CHANGE_WORDS) <= _all_kinds()
    assert set(labels.FIELD_LABELS) == {"email", *PROFILE_FIELDS}


def test_a_kind_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        from_json("tag.explode", {})


@given(st.sampled_from(["tag.assign", "lead.create"]), st.text())
def test_a_subject_with_braces_is_told_as_it_is(kind: str, subject: str) -> None:
    assert subject.strip() in labels.done(kind, subject)
