"""Telling a fragment from a page."""

from django_htmx.middleware import HtmxDetails


def is_fragment(htmx: HtmxDetails) -> bool:
    """Whether a part of the page was asked for. A boosted link wants the whole page, and so does the back button."""
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request
