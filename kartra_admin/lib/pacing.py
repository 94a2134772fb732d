"""At most so many calls in any second, over all threads and processes that share the slots.

Each call takes the next numbered slot of its name. A slot is due `_SECOND` after the slot N places before it. Who wakes
late moves his slot to then, and so does who has the call on the wire only later; the slot N places after it moves with
it. So of any N + 1 calls two lie at least a second apart, whatever the scheduler does; an idle name gives N at once.

People reserve ahead and are served in order. Background work never reserves: it takes a slot that is due now, which
none is while a person waits for his. It takes them one after the other, nearly evenly, so that a person who comes never
has a burst before him.

Where the slots lie is for `pacing_slots`: in a file for one machine, in the database for several.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

_SECOND = 1.004  # a second, and by how much two calls may differ in the time they take to arrive
_LATE = 0.0035
_SOON = 0.001  # so late a call is sent as if at once
_SLACK = 0.004  # so far back a slot taken now may be dated, so that waking late does not add up
_CLOCK_WENT_BACK = 1.0  # a slot made this far in the future was made before the clock was set back
# Background calls may follow each other a little closer than evenly, to make up for waking late.
_CLOSER = 0.94

Rows = list[tuple[Any, ...]]
Execute = Callable[..., Rows]


class NoTurn(Exception):
    """The slots cannot be reached, so nobody can tell whether a call may be made."""


class Slots(Protocol):
    """A table ``pacing_slots (name, number, due, made)``, and the clock that its times are read on.

    SQL has ``?`` for its values. Everything raises `NoTurn` where the table cannot be reached.
    """

    def transaction(self, name: str) -> AbstractContextManager[tuple[Execute, float]]:
        """One at a time for each name; with the time, read inside it, so that times follow the order of the slots."""

    def read(self, sql: str, *values: Any) -> Rows: ...

    def clock(self) -> float: ...

    def close(self) -> None:
        """The next use opens it again."""


class Turn(NamedTuple):
    """A slot that was waited for. ``due`` is when it was to be used."""

    number: int
    due: float


class _Slot(NamedTuple):
    number: int
    due: float
    made: float


class Limiter:
    """Paces the calls of each name. Threads may share one; make it after a fork."""

    def __init__(self, slots: Slots, calls_per_second: int, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._slots = slots
        self._calls = calls_per_second
        self._sleep = sleep

    def wait(self, name: str, *, background: bool = False) -> Turn:
        """Return when one call may be made, and make it at once. Call it outside any database transaction.

        Raises `NoTurn`; no call may be made then.
        """
        while True:
            slot, is_mine = self._take(name, background=background)
            if is_mine:
                if turn := self._wait_for(name, slot):
                    return turn
            else:
                self._sleep(max(0.0, slot.due - self._slots.clock()))

    def sent(self, name: str, turn: Turn) -> None:
        """Tell that the call of this turn is on the wire only now. Raises `NoTurn`, which is no reason to fail."""
        now = self._slots.clock()
        if now - turn.due > _SOON:
            self._move(name, turn.number, now)

    def pause(self, name: str, seconds: float) -> None:
        """Let nobody call for so long, nor those who wait already; their order stays. Never shortens a pause."""
        with self._slots.transaction(name) as (execute, now):
            last = _last(execute, name, now)
            waiting = execute("SELECT min(due) FROM pacing_slots WHERE name = ? AND due > ?", name, now)[0][0]
            if waiting is None:  # a slot that nobody uses holds the place
                _insert(execute, name, _Slot(last.number + 1, now + seconds, now))
            elif waiting < now + seconds:
                later = now + seconds - waiting
                execute("UPDATE pacing_slots SET due = due + ? WHERE name = ? AND due > ?", later, name, now)

    def close(self) -> None:
        self._slots.close()

    def _take(self, name: str, *, background: bool) -> tuple[_Slot, bool]:
        """The next slot, and whether it is taken now; background work does not take one that is not due."""
        with self._slots.transaction(name) as (execute, now):
            last = _last(execute, name, now)
            due = max(last.due, _due(execute, name, last.number + 1 - self._calls) + _SECOND)
            if background:
                due = max(due, last.due + _CLOSER / self._calls)
            slot = _Slot(last.number + 1, max(due, now - _SLACK), now)
            if background and slot.due > now:
                return slot, False
            _insert(execute, name, slot)
            execute(
                "DELETE FROM pacing_slots WHERE name = ? AND number <= ? AND due < ?",
                name,
                slot.number - self._calls,
                now - _SECOND,
            )
            return slot, True

    def _move(self, name: str, number: int, to: float) -> Turn:
        """Let the slot count from a later time, and with it those made from it already, one from the other: where many
        people wait, several seconds are reserved ahead."""
        with self._slots.transaction(name) as (execute, _):
            rows = execute(
                "SELECT number, due FROM pacing_slots WHERE name = ? AND number >= ? ORDER BY number", name, number
            )
            for each, due_before in rows:
                places, rest = divmod(each - number, self._calls)
                due = to + places * _SECOND
                if not rest and due_before < due:
                    execute("UPDATE pacing_slots SET due = ? WHERE name = ? AND number = ?", due, name, each)
        return Turn(number, to)

    def _wait_for(self, name: str, slot: _Slot) -> Turn | None:
        """Sleep until the slot is due. None where it is gone, or the clock was set back meanwhile."""
        clock = self._slots.clock
        while (now := clock()) < slot.due:
            self._sleep(slot.due - now)
            rows = self._slots.read(  # a pause moves the slot
                "SELECT number, due, made FROM pacing_slots WHERE name = ? AND number = ?", name, slot.number
            )
            if not rows or rows[0][2] > clock() + _CLOCK_WENT_BACK:
                return None
            slot = _Slot(*rows[0])
        return Turn(slot.number, slot.due) if now - slot.due <= _LATE else self._move(name, slot.number, now)


def _last(execute: Execute, name: str, now: float) -> _Slot:
    """The newest slot. Where the clock was set back, all slots give way to one that keeps a second of silence."""
    rows = execute("SELECT number, due, made FROM pacing_slots WHERE name = ? ORDER BY number DESC LIMIT 1", name)
    if not rows:
        return _Slot(0, 0.0, 0.0)
    last = _Slot(*rows[0])
    if last.made <= now + _CLOCK_WENT_BACK:
        return last
    execute("DELETE FROM pacing_slots WHERE name = ?", name)
    silence = _Slot(last.number + 1, now + _SECOND, now)
    _insert(execute, name, silence)
    return silence


def _due(execute: Execute, name: str, number: int) -> float:
    """When that slot was due; long ago where it is gone."""
    rows = execute("SELECT due FROM pacing_slots WHERE name = ? AND number = ?", name, number)
    return float(rows[0][0]) if rows else 0.0


def _insert(execute: Execute, name: str, slot: _Slot) -> None:
    execute("INSERT INTO pacing_slots (name, number, due, made) VALUES (?, ?, ?, ?)", name, *slot)
