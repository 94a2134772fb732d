"""The shared cache: what one web process counts, the others know."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import environ
import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User
from kartra_admin.settings import BASE_DIR
from tests.conftest import PASSWORD

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def _redis(settings: Any) -> Iterator[None]:
    settings.CACHES = {"default": environ.Env.cache_url_config(os.environ["TEST_REDIS_URL"])}
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
    program = f"import django; django.setup(); from django.core.cache import cache; {code}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_processes_share_what_is_cached() -> None:
    cache.set("seen", "here", timeout=60)
    assert in_another_process("print(cache.get('seen')); cache.set('seen', 'there', timeout=60)") == "here"
    assert cache.get("seen") == "there"


def test_failed_sign_ins_are_counted_for_all_processes(user_of: Callable[[str], User], client: Client) -> None:
    user = user_of("agent")
    for password in [*["wrong"] * 6, PASSWORD]:
        client.post(reverse("account_login"), {"login": user.email, "password": password})
    assert "_auth_user_id" not in client.session
    in_another_process("cache.clear()")
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert "_auth_user_id" in client.session
