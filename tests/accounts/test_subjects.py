"""Whose data it is: one key for each lead, found by keyed digests, of no use once destroyed."""

import pickle
import uuid

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from accounts import subjects
from accounts.models import Forgotten, IndexKey, Subject, SubjectTerm
from accounts.services.rotation import rotate_keys
from kartra_admin.lib.crypto import SealBroken

pytestmark = pytest.mark.django_db


def test_a_lead_has_one_subject_in_each_account() -> None:
    one = subjects.of_lead(1, "77")
    assert subjects.of_lead(1, "77") == one
    assert len({one, subjects.of_lead(2, "77"), subjects.of_lead(1, "78")}) == 3
    assert subjects.find_lead(1, "77") == one
    assert subjects.find_lead(1, "79") is None


def test_what_one_key_sealed_no_other_opens_and_no_other_place() -> None:
    one, other = subjects.of_lead(1, "77"), subjects.of_lead(1, "78")
    token = one.seal("Jane", bound_to="note:5")
    assert one.open(token, bound_to="note:5") == "Jane"
    assert "Jane" not in token
    with pytest.raises(SealBroken):
        other.open(token, bound_to="note:5")
    with pytest.raises(SealBroken):
        one.open(token, bound_to="note:6")


def test_without_its_key_nothing_opens() -> None:
    token = subjects.of_lead(1, "77").seal("Jane", bound_to="note:5")
    Subject.objects.update(sealed_key="", digest=None)
    with pytest.raises(Forgotten):
        Subject.objects.get().open(token, bound_to="note:5")
    assert subjects.find_lead(1, "77") is None


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("jane@example.com", True),
        ("JANE@Example.com", True),
        ("smith", True),
        ("Smïth jane", True),
        ("jane@example.co", False),
        ("smi", False),
        ("jane miller", False),
        ("", False),
        ("<> ,", False),
    ],
)
def test_found_by_whole_addresses_and_words(text: str, is_found: bool) -> None:
    one = subjects.of_lead(1, "77")
    subjects.learn(one, "Jane O'Neil-Smith <jane@example.com>")
    subjects.learn(one, "Jane O'Neil-Smith <jane@example.com>")
    subjects.learn(subjects.of_lead(1, "78"), "Bob Miller <bob@example.com>")
    assert subjects.find(text) == ([one.pk] if is_found else [])
    assert SubjectTerm.objects.filter(subject=one).count() == 4


def test_a_part_is_of_the_family() -> None:
    part, lead, other = subjects.of_operation(uuid.uuid4()), subjects.of_lead(1, "77"), subjects.of_lead(1, "78")
    subjects.join(part, lead)
    assert subjects.family([part.pk]) == subjects.family([lead.pk]) == sorted([part.pk, lead.pk])
    assert subjects.family([other.pk]) == [other.pk]


def test_turned_keys_find_and_open_as_before(settings: Settings) -> None:
    one = subjects.of_lead(1, "77")
    subjects.learn(one, "jane@example.com")
    token = one.seal("Jane", bound_to="x")
    new = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [new, *settings.CREDENTIAL_KEYS]
    assert rotate_keys(program="test").left == ()
    settings.CREDENTIAL_KEYS = [new]
    assert subjects.find("jane@example.com") == [one.pk]
    assert subjects.of_lead(1, "77").open(token, bound_to="x") == "Jane"


def test_a_lost_key_is_loud(settings: Settings) -> None:
    subjects.of_lead(1, "77")
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SealBroken):
        subjects.of_lead(1, "77")
    assert IndexKey.objects.count() == 1


def test_a_subject_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(subjects.of_lead(1, "77"))
