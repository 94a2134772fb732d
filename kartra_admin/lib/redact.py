"""Values that must not show by accident."""

import logging
import re
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Secret(Generic[T]):
    """Holds a value that no repr, log line, debug page or pickle may show. ``reveal`` is the only way out."""

    __slots__ = ("_reveal",)

    def __init__(self, value: T) -> None:
        # Kept in a closure: tools that walk attributes (debug pages, error collectors) find a function, not the value.
        self._reveal: Callable[[], T] = lambda: value

    def reveal(self) -> T:
        return self._reveal()

    def __repr__(self) -> str:
        return "<hidden>"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written down")


class Hiding(logging.Filter):
    """Takes out of every log line what ``pattern`` matches: an address that is a secret, say."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self._pattern = re.compile(pattern)

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # the handler says what is wrong with it
            return True
        record.msg, record.args = self._pattern.sub("…", said), ()
        return True
