"""What is drawn once and then the same on every page: icons, and parts that say nothing of their page."""

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

register = template.Library()
_drawing = threading.RLock()


def _once(draw: Callable[..., SafeString]) -> Callable[..., SafeString]:
    """Kept, and drawn by one thread at a time: a server that has just started is asked for the same icon by all of its
    threads at once, and unpacking it takes tens of milliseconds."""
    kept = cache(draw)

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> SafeString:
        with _drawing:
            return kept(*args, **kwargs)

    return drawn


# As the package has it, which copies the icon's XML and writes it out anew for each place on a page.
register.simple_tag(_once(lucide), name="lucide")


@register.simple_tag
@_once
def always(name: str) -> SafeString:
    """A template that needs no context, as it was when it was first drawn."""
    return render_to_string(name)
