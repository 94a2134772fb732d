"""The body is read as PHP reads it into ``$_POST``."""

import json
import random
import subprocess
from typing import Any

import pytest

from leads.providers.kartra.sandbox import form
from tests import parts

CASES: list[tuple[str, Any]] = [
    ("a=1&b=2", {"a": "1", "b": "2"}),
    ("a=1&a=2", {"a": "2"}),
    ("a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
    ("a%5Bb%5D=1", {"a": {"b": "1"}}),
    ("a[]=1&a[]=2", {"a": {0: "1", 1: "2"}}),
    ("a[5]=1&a[]=2", {"a": {5: "1", 6: "2"}}),
    ("a[-5]=1", {"a": {-5: "1"}}),
    ("a[01]=1&a[1]=2", {"a": {"01": "1", 1: "2"}}),
    ("a[b][]=1&a[b][]=2", {"a": {"b": {0: "1", 1: "2"}}}),
    ("a=1&a[b]=2", {"a": {"b": "2"}}),
    ("a[b]=1&a=2", {"a": "2"}),
    ("a.b=1&c d=2&e+f=3", {"a_b": "1", "c_d": "2", "e_f": "3"}),
    ("a[b.c d]=1", {"a": {"b.c d": "1"}}),
    ("a[b=1", {"a_b": "1"}),
    ("a[b]c=1", {"a": {"b": "1"}}),
    ("[a]=1&=2&&", {}),
    ("a", {"a": ""}),
    ("a=S%C3%A3o+Paulo", {"a": "São Paulo"}),
    ("a=%FF", {"a": "\ufffd"}),
    ("a=b=c", {"a": "b=c"}),
]


@pytest.mark.parametrize(("body", "post"), CASES)
def test_decodes_as_php(body: str, post: Any) -> None:
    assert form.decode(body.encode()) == post


def test_what_is_past_the_limit_of_variables_is_dropped_in_silence() -> None:
    body = "&".join(f"a[{n}]=1" for n in range(1200))
    assert len(form.decode(body.encode())["a"]) == 1001


def test_what_is_too_deep_is_dropped() -> None:
    assert form.decode(b"a" + b"[b]" * 64 + b"=1") != {}
    assert form.decode(b"a" + b"[b]" * 65 + b"=1&c=1") == {"c": "1"}


def test_a_body_that_is_too_big_is_dropped() -> None:
    assert form.decode(b"a=" + b"x" * form.MAX_BYTES) == {}


PHP = """
function plain($value) {
    if (!is_array($value)) return $value;
    $rows = [];
    foreach ($value as $key => $item) $rows[] = [$key, plain($item)];
    return ["rows" => $rows];
}
foreach (json_decode(stream_get_contents(STDIN)) as $body) {
    $post = [];
    parse_str($body, $post);
    echo json_encode(plain($post), JSON_INVALID_UTF8_SUBSTITUTE), "\\n";
}
"""


def plain(value: Any) -> Any:
    return {"rows": [[key, plain(item)] for key, item in value.items()]} if isinstance(value, dict) else value


@pytest.mark.php
def test_a_real_php_reads_the_same() -> None:
    rng = random.Random(20)
    letters = "ab[[]][]. =0112&+-" + "é"
    bodies = [body for body, _ in CASES]
    for _ in range(1500):
        bodies.append("".join(rng.choice(letters) for _ in range(rng.randint(1, 40))))
        bodies.append("&".join(f"a[{rng.choice('ab01')}][{rng.choice(['', 'x', '0'])}]={n}" for n in range(6)))
    ran = subprocess.run(
        [parts.php() or "php", "-d", "display_errors=stderr", "-r", PHP],
        input=json.dumps(bodies), capture_output=True, text=True, check=True,
    )  # fmt: skip
    read = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(read) == len(bodies)
    differing = [
        body
        for body, theirs in zip(bodies, read, strict=True)
        if json.loads(json.dumps(plain(form.decode(body.encode())))) != theirs
    ]
    assert not differing
