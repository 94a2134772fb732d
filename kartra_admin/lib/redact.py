"""Values that must not show by accident."""

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
