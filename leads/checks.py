"""The desk's own settings, refused at the start where they cannot be used."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from kartra_admin.checks import TAG
from leads import unusual


@checks.register(TAG)
def check_unusual(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """The numbers and the hours of what is unusual."""
    found: list[checks.CheckMessage] = []
    hours = settings.WORKING_HOURS
    if not (len(hours) == 2 and 0 <= hours[0] < hours[1] <= 24):
        found.append(
            checks.Error("WORKING_HOURS must be two hours of a day, such as 6,22.", id="kartra_admin.working_hours")
        )
    try:
        unusual.numbered(settings.UNUSUAL)
    except ValueError as error:
        found.append(checks.Error(f"UNUSUAL cannot be used: {error}.", id="kartra_admin.unusual"))
    return found
