"""``manage.py kartrasandbox``."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from django.core.management import CommandError, call_command

from kartra_admin.settings import BASE_DIR
from leads.providers.kartra.sandbox.credentials import ACCOUNTS, APP_ID
from leads.providers.kartra.sandbox.notable import NOTABLE
from tests.leads.providers.kartra.sandbox.box import FORM, Box, credentials


def test_serves_on_loopback_until_it_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "served.sqlite3"
    command = ["manage.py", "kartrasandbox", "--port", "0", "--path", str(path), "--leads", "30"]
    more = ["--fault", "get_lead:500:1", "--switch", "calls_per_second=5", "--switch", "test_mode=on"]
    started = subprocess.Popen(
        [sys.executable, *command, *more], cwd=BASE_DIR, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip
    assert started.stdout is not None
    with started:
        try:
            printed = "".join(started.stdout.readline() for _ in range(8))
            address = re.search(r"http://127\.0\.0\.1:\d+/api", printed)
            assert address
            assert APP_ID in printed
            assert all(account.api_key in printed and account.api_password in printed for account in ACCOUNTS)
            line = http.client.HTTPConnection(urlsplit(address[0]).netloc, timeout=10)
            body = urlencode({**credentials(), "get_lead[id]": NOTABLE["ada"].id})
            statuses = []
            for _ in range(2):
                line.request("POST", "/api", body, {"Content-Type": FORM})
                answer = line.getresponse()
                statuses.append(answer.status)
                page = answer.read()
            line.close()
            assert statuses == [500, 200]
            assert json.loads(page)["lead_details"]["first_name"] == "Ada"
        finally:
            started.send_signal(signal.SIGINT)
    assert started.returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [["--fault", "lost"], ["--fault", "*:explode"], ["--switch", "colour=red"], ["--switch", "calls_per_second=many"]],
)
def test_what_makes_no_sense_is_said_in_a_sentence(box: Box, wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("kartrasandbox", "--path", str(box.path), "--port", "0", *wrong)


def test_reset_makes_the_state_anew(box: Box) -> None:
    box.did("give_points_to_lead", "empty", points="9")
    with pytest.raises(CommandError):
        call_command("kartrasandbox", "--path", str(box.path), "--leads", "0", "--reset", "--fault", "*:explode")
    assert box.lead("empty")["score"] == "0"
