"""The limit of calls a second, the record of calls, and many callers at once."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlencode

from leads.providers.kartra.sandbox.app import app_for
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.providers.kartra.sandbox.state import configure
from leads.providers.kartra.sandbox.traffic import calls
from tests.leads.providers.kartra.sandbox.box import Box, action, credentials

READ = urlencode({**credentials(), "get_lead[id]": NOTABLE["empty"].id}).encode()


def test_the_twenty_first_call_within_a_second_is_refused(box: Box) -> None:
    configure(box.path, calls_per_second=20)
    started = time.monotonic()
    answers = [box.raw(READ)[0][:3] for _ in range(22)]
    if time.monotonic() - started < 1:
        assert answers == ["200"] * 20 + ["429"] * 2
    time.sleep(1.05)
    assert box.raw(READ)[0].startswith("200")


def test_a_refused_call_is_text_and_does_nothing(box: Box) -> None:
    configure(box.path, calls_per_second=1)
    body = urlencode({**credentials(), "lead[id]": NOTABLE["empty"].id, **action("give_points_to_lead", points="5")})
    answers = [box.raw(body.encode()) for _ in range(2)]
    assert answers[1][0] == "429 Too Many Requests"
    assert answers[1][2] == b"Too many requests"
    configure(box.path, calls_per_second=0)
    assert box.lead("empty")["score"] == "5"


def _hammer(path: Path) -> int:
    """How many of 40 calls were admitted, from a process of its own."""
    box = Box(path)
    return sum(box.raw(READ)[0].startswith("200") for _ in range(40))


def test_the_limit_is_shared_by_processes(box: Box) -> None:
    configure(box.path, calls_per_second=20)
    with get_context("spawn").Pool(2) as pool:
        admitted = sum(pool.map(_hammer, [box.path] * 2))
    arrived = [call.at for call in calls(box.path)]
    assert len(arrived) == 80
    assert all(earlier <= later for earlier, later in pairwise(arrived))
    assert admitted <= 20 * (int(arrived[-1] - arrived[0]) + 1)


def test_the_record_names_account_and_commands_and_no_credentials(box: Box) -> None:
    box.did("search_lead", "ada")
    box.lead("ada")
    box.post({**action("retrieve_account_tags", 0), **action("retrieve_account_lists", 1)}, ACCOUNTS[1])
    box.post({**action("made_up"), "api_key": "a secret typed into the wrong box"})
    assert [(call.account, call.commands) for call in calls(box.path)] == [
        ("Kiln & Clay Studio", ("search_lead",)),
        ("Kiln & Clay Studio", ("get_lead",)),
        ("Second Sparrow Bindery", ("retrieve_account_tags", "retrieve_account_lists")),
        ("", ("unknown",)),
    ]
    assert "secret" not in repr(calls(box.path))


def test_threads_do_not_lose_each_others_changes(box: Box) -> None:
    tags = ["beginner", "advanced", "teacher", "porcelain", "throwing", "wholesale", "prospect", "étudiant"]
    start = threading.Barrier(len(tags))

    def give(tag: str) -> str:
        start.wait()
        box.did("give_points_to_lead", "empty", points="1")
        return str(box.did("assign_tag", "empty", tag_name=tag)["status"])

    with ThreadPoolExecutor(len(tags)) as pool:
        assert Counter(pool.map(give, tags)) == {"Success": len(tags)}
    assert sorted(box.tags("empty")) == sorted(tags)
    assert box.lead("empty")["score"] == str(len(tags))


def test_there_is_one_application_for_a_path_and_it_seeds_a_missing_file(box: Box, tmp_path: Path) -> None:
    assert app_for(box.path) is app_for(box.path)
    fresh = tmp_path / "sub" / "fresh.sqlite3"
    app_for(fresh)
    assert len(Box(fresh).transactions("long_history")) > 500


def test_a_lead_is_read_quickly(box: Box) -> None:
    fastest = min(_timed(box) for _ in range(30))
    assert fastest < 0.02


def _timed(box: Box) -> float:
    started = time.perf_counter()
    box.raw(READ)
    return time.perf_counter() - started
