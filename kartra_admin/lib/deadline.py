"""A time until which something may be begun, by a clock that goes on while the machine sleeps."""

import time

# macOS has no such clock by this name; its monotonic one goes on.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds since some moment, also those in which the machine was suspended, whatever the wall clock is set to."""
    return time.clock_gettime(_CLOCK)


class Deadline:
    """``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self._at = clock() + seconds

    def is_over(self) -> bool:
        return clock() > self._at
