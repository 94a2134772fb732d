import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.providers.kartra import wire
from tests.leads.providers.kartra.script import form

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXTS)
KEYS = st.one_of(TEXTS, st.integers(0, 99))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)
MAPS = st.dictionaries(KEYS, VALUES, max_size=5)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """What is left when None and empty lists and maps are gone, in order."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, str(key)))]
    if isinstance(value, list):
        return leaves(dict(enumerate(value)), path)
    return [] if value is None else [(path, value)]


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({}, ""),
        ({"a": None}, ""),
        ({"a": []}, ""),
        ({"a": {"b": []}, "c": {}}, ""),
        ({"a": ""}, "a="),
        ({"a": True, "b": False}, "a=1&b=0"),
        ({"a": [1, None, 3]}, "a%5B0%5D=1&a%5B2%5D=3"),
        ({"a": ("x",)}, "a%5B0%5D=x"),
        ({3: {7: "x"}}, "3%5B7%5D=x"),
        ({"a": "São Paulo 🙂"}, "a=S%C3%A3o+Paulo+%F0%9F%99%82"),
        ({"a": "~-_.*()!'\"&=+%/"}, "a=%7E-_.%2A%28%29%21%27%22%26%3D%2B%25%2F"),
        ({"a b": {"c]": "\r\n\0"}}, "a+b%5Bc%5D%5D=%0D%0A%00"),
        ({"a": Decimal("19.90"), "b": Decimal("1E+3")}, "a=19.90&b=1000"),
        ({"a": 1.0, "b": 0.1, "c": 1 / 3, "d": -0.0}, "a=1&b=0.1&c=0.33333333333333&d=-0"),
        ({"a": 1e20, "b": 1e-7, "c": 1.5e300, "d": 1e13}, "a=1.0E%2B20&b=1.0E-7&c=1.5E%2B300&d=10000000000000"),
    ],
)
def test_bodies_are_as_php_writes_them(params: dict[Any, Any], body: str) -> None:
    assert wire.encode(params) == body.encode()


def test_the_worked_example_of_the_reference() -> None:
    call = {
        "app_id": "APPID",
        "lead": {
            "id": 4174086,
            "first_name": "Ada",
            "city": "São Paulo",
            "custom_fields": [
                {"field_identifier": "shoe_size", "field_value": "38"},
                {"field_identifier": "glazes", "field_value": ["1", "3"]},
            ],
        },
        "actions": [{"cmd": "edit_lead"}, {"cmd": "assign_tag", "tag_name": "vip & friends"}],
    }
    assert wire.encode(call).decode().split("&") == [
        "app_id=APPID",
        "lead%5Bid%5D=4174086",
        "lead%5Bfirst_name%5D=Ada",
        "lead%5Bcity%5D=S%C3%A3o+Paulo",
        "lead%5Bcustom_fields%5D%5B0%5D%5Bfield_identifier%5D=shoe_size",
        "lead%5Bcustom_fields%5D%5B0%5D%5Bfield_value%5D=38",
        "lead%5Bcustom_fields%5D%5B1%5D%5Bfield_identifier%5D=glazes",
        "lead%5Bcustom_fields%5D%5B1%5D%5Bfield_value%5D%5B0%5D=1",
        "lead%5Bcustom_fields%5D%5B1%5D%5Bfield_value%5D%5B1%5D=3",
        "actions%5B0%5D%5Bcmd%5D=edit_lead",
        "actions%5B1%5D%5Bcmd%5D=assign_tag",
        "actions%5B1%5D%5Btag_name%5D=vip+%26+friends",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_what_is_no_number_is_not_sent(value: Any) -> None:
    with pytest.raises(ValueError, match=r"NaN|not a number"):
        wire.encode({"a": value})


def test_half_a_character_is_not_sent() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        wire.encode({"a": "\ud83d"})


@pytest.mark.parametrize("value", [b"x", object(), {1}])
def test_other_objects_are_not_sent(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        wire.encode({"a": value})


@given(MAPS)
def test_every_leaf_arrives_in_order_and_nothing_else(params: dict[Any, Any]) -> None:
    expected = []
    for path, value in leaves(params):
        text = str(int(value)) if isinstance(value, bool) else str(value)
        expected.append((path[0] + "".join(f"[{key}]" for key in path[1:]), text))
    arrived = parse_qsl(wire.encode(params).decode(), keep_blank_values=True)
    assert arrived == expected


@given(MAPS)
def test_bodies_are_ascii_of_few_characters(params: dict[Any, Any]) -> None:
    assert re.fullmatch(rb"[A-Za-z0-9%&=+_.-]*", wire.encode(params))


@given(MAPS)
def test_the_count_is_that_of_the_leaves(params: dict[Any, Any]) -> None:
    assert wire.count(wire.encode(params)) == len(leaves(params))


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}", fullmatch=True), VALUES.filter(lambda value: leaves(value)), min_size=1
    )
)
def test_none_never_shows(params: dict[str, Any]) -> None:
    assert b"None" not in wire.encode({"a": [None, {"b": None}], "c": None})
    assert set(form(wire.encode({**params, "zzzzzz": None}))) == set(params)
