import copy
import json
import logging
import pickle

import pytest

from kartra_admin.lib.redact import Hiding, Secret


def test_a_secret_shows_itself_to_nobody_but_who_asks() -> None:
    secret = Secret("hush")
    assert secret.reveal() == "hush"
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        "{}".format(secret),  # noqa: UP032
        repr([secret]),
        repr({"a": secret}),
    ):
        assert "hush" not in shown
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_not_written_down() -> None:
    for write in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            write(Secret(b"hush"))


@pytest.mark.parametrize("said", [("POST /hooks/hush-hush/ 200",), ("%s: %s", "Not Found", "/hooks/hush-hush/?a=1")])
def test_what_a_filter_hides_is_in_no_line(said: tuple[str, ...]) -> None:
    record = logging.LogRecord("any", logging.INFO, "", 0, said[0], said[1:], None)
    assert Hiding(r"(?<=/hooks/)[^/\s]+").filter(record)
    assert "hush" not in record.getMessage()
    assert "/hooks/…/" in record.getMessage()


def test_a_broken_line_is_left_to_the_handler() -> None:
    record = logging.LogRecord("any", logging.INFO, "", 0, "%d", ("x",), None)
    assert Hiding("x").filter(record)
    assert record.args == ("x",)
