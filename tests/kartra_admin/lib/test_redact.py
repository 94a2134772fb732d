import copy
import json
import pickle

import pytest

from kartra_admin.lib.redact import Secret


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
