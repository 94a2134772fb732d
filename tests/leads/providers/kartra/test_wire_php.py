"""Our encoding beside a real PHP's: the bytes that http_build_query writes, and the values that $_POST reads."""

import http.client
import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leads.providers.kartra import wire

pytestmark = pytest.mark.php

BODIES = 400
CHARACTERS = "aZ09 ~-_.*()!'\"&=+%/\\?#[]{}<>;:@$,|^`\t\r\néßИ漢🙂\u202eשלום\0\x7f"
NAMES = ("lead", "actions", "id", "email", "cmd", "tag_name", "custom_fields", "field_value", "get_lead", "x1")


def text(dice: random.Random) -> str:
    return "".join(dice.choices(CHARACTERS, k=dice.randrange(9)))


def scalar(dice: random.Random) -> Any:
    return dice.choice(
        (
            None,
            True,
            False,
            dice.randrange(-(2**63), 2**63),
            dice.randrange(100),
            text(dice),
            "",
            dice.uniform(-1000, 1000),
            round(dice.uniform(0, 10_000), 2),
            dice.choice((1, -1)) * 10.0 ** dice.randrange(-30, 30) * dice.randrange(1, 1000),
        )
    )


def value(dice: random.Random, depth: int, keys: Any) -> Any:
    kind = dice.randrange(4) if depth else 0
    if kind == 1:
        return [value(dice, depth - 1, keys) for _ in range(dice.randrange(4))]
    if kind == 2:
        return {keys(dice): value(dice, depth - 1, keys) for _ in range(dice.randrange(4))}
    return scalar(dice)


def generated(seed: int, keys: Any) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    return [{keys(dice): value(dice, 4, keys) for _ in range(dice.randrange(1, 7))} for _ in range(BODIES)]


def any_key(dice: random.Random) -> str:
    return dice.choice((*NAMES, str(dice.randrange(20)), "05", "a.b", text(dice)))


def plain_key(dice: random.Random) -> str:
    """Names that PHP's reader takes as they are: it rewrites dots, blanks and brackets in names."""
    return dice.choice((*NAMES, "é", "~"))


def php() -> str:
    path = shutil.which("php")
    assert path
    return path


def test_http_build_query_writes_the_same_bytes(tmp_path: Path) -> None:
    script = tmp_path / "build.php"
    script.write_text(
        "<?php foreach (json_decode(stream_get_contents(STDIN), true) as $params)"
        " $bodies[] = http_build_query($params); echo json_encode($bodies);"
    )
    calls = generated(1, any_key)
    done = subprocess.run(
        [php(), "-n", str(script)], input=json.dumps(calls), capture_output=True, text=True, check=True, timeout=30
    )
    written = json.loads(done.stdout)
    assert len(written) == BODIES
    assert sum(bool(body) for body in written) > 300
    for call, body in zip(calls, written, strict=True):
        assert wire.encode(call).decode() == body, call


def seen_by_php(value: Any) -> Any:
    """What $_POST holds of a value: every leaf a text, keys as texts, nothing where nothing was."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        items = {str(key): seen_by_php(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, {})}
    if isinstance(value, bool):
        return str(int(value))
    return (
        None
        if value is None
        else value
        if isinstance(value, str)
        else wire.encode({"a": value}).decode()[2:].replace("%2B", "+")
    )


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Sends a body to a PHP on loopback and returns its $_POST."""
    root = tmp_path_factory.mktemp("php")
    (root / "index.php").write_text("<?php echo json_encode($_POST, JSON_FORCE_OBJECT);")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [php(), "-n", "-d", "display_startup_errors=0", "-S", f"127.0.0.1:{port}", "-t", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)

        def send(body: bytes) -> Any:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", "/", body, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = json.loads(connection.getresponse().read())
            connection.close()
            return answer

        yield send
    finally:
        server.terminate()
        server.wait(timeout=10)


def test_post_reads_what_was_meant(post: Any) -> None:
    for call in generated(2, plain_key)[:320]:
        assert post(wire.encode(call)) == seen_by_php(call), call


def test_post_reads_a_whole_call(post: Any) -> None:
    call = {
        "lead": {"id": "7", "city": "", "custom_fields": [{"field_identifier": "a", "field_value": ["1", "3"]}]},
        "actions": [{"cmd": "edit_lead"}, {"cmd": "refund_transaction", "refund_amount": Decimal("19.90")}],
    }
    assert post(wire.encode(call)) == {
        "lead": {
            "id": "7",
            "city": "",
            "custom_fields": {"0": {"field_identifier": "a", "field_value": {"0": "1", "1": "3"}}},
        },
        "actions": {"0": {"cmd": "edit_lead"}, "1": {"cmd": "refund_transaction", "refund_amount": "19.90"}},
    }


def test_php_drops_what_is_past_a_thousand_variables_and_takes_as_many_as_we_send(post: Any) -> None:
    """Why a call is refused that holds more than `wire.MAX_VARIABLES`."""
    assert len(post(wire.encode({"a": list(range(wire.MAX_VARIABLES))}))["a"]) == wire.MAX_VARIABLES
    assert len(post(wire.encode({"a": list(range(1200))}))["a"]) <= 1001
