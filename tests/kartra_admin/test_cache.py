"""The shared cache: what one web process counts, the others know."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User
from kartra_admin.settings import BASE_DIR
from tests.conftest import PASSWORD, redis_cache

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def _redis(settings: Any) -> Iterator[None]:
    settings.CACHES = {"default": redis_cache()}
    cache.clear()
    yield
    cache.clear()


def in_another_process(code: str) -> str:
    """What the code prints where ``CACHE_URL`` is all that is shared."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_CACHE_URL": os.environ["TEST_REDIS_URL"],
    }
    program = f"import django; django.setup(); from django.core.cache import cache\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_processes_share_what_is_cached() -> None:
    cache.set("seen", "here", timeout=60)
    assert in_another_process("print(cache.get('seen')); cache.set('seen', 'there', timeout=60)") == "here"
    assert cache.get("seen") == "there"


def test_what_is_cached_comes_back_as_it_was() -> None:
    for value in (True, 0, -3, 1763812345.6789012, "ä 1", "", [1763812345.6789012, 2.5], []):
        cache.set("any", value, timeout=60)
        back = cache.get("any")
        assert (back, type(back)) == (value, type(value))
    cache.add("count", 0, timeout=60)
    assert (cache.incr("count"), cache.incr("count", 4), cache.decr("count"), cache.get("count")) == (1, 5, 4, 4)


class Program:
    """What is pickled of it is a call, made by whoever reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def test_a_program_that_somebody_put_into_the_cache_is_not_run(tmp_path: Path) -> None:
    shared = cache._cache.get_client(write=True)  # type: ignore[attr-defined]
    shared.set(cache.make_key("seen"), pickle.dumps(Program(tmp_path / "was-run")))
    assert in_another_process("try: cache.get('seen')\nexcept ValueError: print('refused')") == "refused"
    assert list(tmp_path.iterdir()) == []


def test_failed_sign_ins_are_counted_for_all_processes(user_of: Callable[[str], User], client: Client) -> None:
    user = user_of("agent")
    for password in [*["wrong"] * 6, PASSWORD]:
        client.post(reverse("account_login"), {"login": user.email, "password": password})
    assert "_auth_user_id" not in client.session
    in_another_process("cache.clear()")
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert "_auth_user_id" in client.session
