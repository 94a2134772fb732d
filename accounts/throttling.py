"""How long somebody has to wait who tried too often, of allauth's own count."""

import math
import time

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest


def wait_seconds(request: HttpRequest, action: str, key: str) -> int:
    """Seconds until ``action`` is open again, to this address and for this key alike; 0 where it is."""
    waits = [0.0]
    for rate in ratelimit.get_rates(app="allauth.account", action=action):
        tries = cache.get(
            ratelimit.get_cache_key(request, app="allauth.account", action=action, rate=rate, key=key), []
        )
        if len(tries) >= rate.amount:
            waits.append(tries[rate.amount - 1] + rate.duration - time.time())
    return math.ceil(max(waits))


def wait_sentence(request: HttpRequest, action: str, key: str) -> str:
    """The same for a person. It says nothing about whether the key, an email, is anybody's."""
    seconds = max(wait_seconds(request, action, key), 1)
    wait = f"{seconds} seconds" if seconds < 100 else f"{math.ceil(seconds / 60)} minutes"
    return f"Too many attempts. Wait {wait}, then try again; until then even the right password is refused."
