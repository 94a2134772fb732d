import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from kartra_admin.lib.crypto import Keyring, SealBroken

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(st.text(), st.text())
def test_what_was_sealed_opens_in_its_own_place(value: str, place: str) -> None:
    ring = Keyring([NEW])
    assert ring.open(ring.seal(value, bound_to=place), bound_to=place) == value


def test_a_seal_does_not_open_in_another_place() -> None:
    ring = Keyring([NEW])
    token = ring.seal("secret", bound_to="connection:1:kartra:key")
    for place in ("connection:2:kartra:key", "connection:1:kartra:password", ""):
        with pytest.raises(SealBroken):
            ring.open(token, bound_to=place)


@pytest.mark.parametrize(
    "token",
    ["", "x", "gAAAAA", "é" * 9, pytest.param(Fernet(NEW.encode()).encrypt(b'"text"').decode(), id="sealed otherwise")],
)
def test_junk_does_not_open(token: str) -> None:
    with pytest.raises(SealBroken):
        Keyring([NEW]).open(token, bound_to="place")


def test_a_changed_seal_does_not_open() -> None:
    token = Keyring([NEW]).seal("secret", bound_to="place")
    flipped = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    with pytest.raises(SealBroken):
        Keyring([NEW]).open(flipped, bound_to="place")


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    token = Keyring([OLD]).seal("secret", bound_to="place")
    ring = Keyring([NEW, OLD])
    assert ring.open(token, bound_to="place") == "secret"
    assert not ring.is_current(token)
    assert ring.is_current(ring.seal("secret", bound_to="place"))
    with pytest.raises(SealBroken) as broken:
        Keyring([NEW]).open(token, bound_to="place")
    assert "cannot be opened with the current keys" in broken.value.sentence


def test_digests_differ_by_key_and_purpose_and_come_newest_first() -> None:
    newest, older = Keyring([NEW, OLD]).digest("text", purpose="account")
    assert [newest] == Keyring([NEW]).digest("text", purpose="account")
    assert [older] == Keyring([OLD]).digest("text", purpose="account")
    assert newest not in Keyring([NEW]).digest("text", purpose="other")


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "not a key"], ["é" * 44]])
def test_malformed_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Keyring(keys)


def test_a_seal_may_bear_the_name_of_its_key_which_is_not_believed() -> None:
    ring, plain = Keyring([NEW, OLD], named=True), Keyring([NEW, OLD])
    token = ring.seal("secret", bound_to="place")
    assert token.startswith(ring.marks[0])
    made = ring.made_by(token)
    assert made is not None
    assert token[8:17] == f"{made.at:08x}."
    assert ring.is_current(token)
    old = Keyring([OLD], named=True).seal("secret", bound_to="place")
    for one in (token, old, plain.seal("secret", bound_to="place")):
        assert ring.open(one, bound_to="place") == plain.open(one, bound_to="place") == "secret"
    assert not ring.is_current(plain.seal("secret", bound_to="place"))  # rotation names it
    assert not ring.is_current(ring.marks[0] + old[8:])
