"""At most so many calls in any second, over all threads and processes that share the slots.

Each call takes the next numbered slot of its name. A slot is due `_SECOND` after the slot N places before it. Who wakes
late moves his slot to then, and so does who has the call on the wire only later; the slot N places after it moves with
it. So of any N + 1 calls two lie at least a second apart, whatever the scheduler does; an idle name gives N at once.
Who is so late that the slot N places on may be used before he tells takes another slot: see `Limiter.still`. The slot
of a person who need not wait is dated ahead by what sending takes, so that nothing has to be moved.

People reserve ahead and are served in order. Background work takes only a slot that is due in the next instant, which
none is while a person waits for his: so far ahead as taking it may last, so that the call itself is in time. It takes
them one after the other, nearly evenly, so that a person who comes never has a burst before him. Of a process's threads
one asks for it at a time: the others would ask in vain.

Where the slots lie is for `pacing_slots`: in a file for one machine, in the database for several.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

_SECOND = 1.003  # a second, and by how much two calls may differ in the time they take to arrive
_LATE = 0.0025
_SOON = 0.001  # so late a call is sent as if at once
_SLACK = 0.003  # so far back a slot taken now may be dated, so that waking late does not add up
_STALE = 0.5  # a slot is not used any later
_SENDING = 0.02  # so long a call that need not wait may take to be on the wire
_AHEAD = 0.015  # so long before it is due background work may take a slot
_CLOCK_WENT_BACK = 1.0  # a slot made this far in the future was made before the clock was set back
# Background calls may follow each other closer than evenly, to make up for waking late: one by this much, those of a
# quarter of a second by less.
_CLOSER = 0.8
_QUARTER_CLOSER = 0.975

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


class _Found(NamedTuple):
    """The newest slot, and when those were due that the next counts from: long ago where they are gone."""

    last: _Slot
    before: float  # as many places before the next as calls a second
    lately: float  # a quarter as many


class Limiter:
    """Paces the calls of each name. Threads may share one; make it after a fork."""

    def __init__(self, slots: Slots, calls_per_second: int, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._slots = slots
        self._calls = calls_per_second
        self._sleep = sleep
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by name, for background work

    def wait(self, name: str, *, background: bool = False) -> Turn:
        """Return when one call may be made, and make it at once. Call it outside any database transaction.

        Raises `NoTurn`; no call may be made then.
        """
        while background and not self._asking[name].acquire(blocking=False):
            self._sleep(_CLOSER / self._calls)
        try:
            while True:
                if background:
                    self._sleep_until_due(name)
                taken = self._take(name, background=background)
                turn = self._wait_for(name, taken) if isinstance(taken, _Slot) else taken
                if turn:
                    return turn
        finally:
            if background:
                self._asking[name].release()

    def still(self, name: str, turn: Turn, *, background: bool = False) -> Turn:
        """The turn by which a call may go on the wire now: this one or, where connecting took too long, a new one, as
        `wait` gives it. Raises `NoTurn`; no call may be made then."""
        while self._slots.clock() - turn.due > _STALE:
            turn = self.wait(name, background=background)
        return turn

    def sent(self, name: str, turn: Turn) -> None:
        """Tell that the call of this turn is on the wire only now. Raises `NoTurn`, which is no reason to fail."""
        now = self._slots.clock()
        if now - turn.due > _SOON:
            self._move(name, turn.number, now)

    def pause(self, name: str, seconds: float) -> None:
        """Let nobody call for so long, nor those who wait already; their order stays. Never shortens a pause."""
        with self._slots.transaction(name) as (execute, now):
            until = now + seconds + _SENDING
            waiting = execute("SELECT min(due) FROM pacing_slots WHERE name = ? AND due > ?", name, now)[0][0]
            if waiting is not None and waiting < until:
                later = until - waiting
                execute("UPDATE pacing_slots SET due = due + ? WHERE name = ? AND due > ?", later, name, now)
            last = _last(execute, name, now, self._calls).last
            if last.due < until:  # a slot that nobody uses holds the place
                _insert(execute, name, _Slot(last.number + 1, until, now))

    def close(self) -> None:
        self._slots.close()

    def _sleep_until_due(self, name: str) -> None:
        """Until background work may take a slot, as far as can be seen without keeping others from theirs."""
        while found := _newest(self._slots.read, name, self._calls):
            now = self._slots.clock()
            due = self._next_due(found, background=True)
            if due <= now + _AHEAD or found.last.made > now + _CLOCK_WENT_BACK:
                return
            self._sleep(due - _AHEAD - now)

    def _take(self, name: str, *, background: bool) -> _Slot | Turn | None:
        """The next slot, to wait for, or a turn where there is nothing to wait for; None for background work where the
        slot is not nearly due."""
        with self._slots.transaction(name) as (execute, now):
            found = _last(execute, name, now, self._calls)
            due = self._next_due(found, background=background)
            if background and due > now + _AHEAD:
                return None
            at_once = not background and found.before + _SECOND <= now and found.last.due <= now + _SENDING
            slot = _Slot(found.last.number + 1, now + _SENDING if at_once else max(due, now - _SLACK), now)
            _insert(execute, name, slot)
            execute(
                "DELETE FROM pacing_slots WHERE name = ? AND number <= ? AND due < ?",
                name,
                slot.number - self._calls,
                now - _SECOND,
            )
            return Turn(slot.number, slot.due) if at_once else slot

    def _next_due(self, found: _Found, *, background: bool) -> float:
        """When the slot after the newest is due."""
        due = max(found.last.due, found.before + _SECOND)
        if not background:
            return due
        evenly = 1 / self._calls
        return max(
            due, found.last.due + _CLOSER * evenly, found.lately + _QUARTER_CLOSER * evenly * _quarter(self._calls)
        )

    def _move(self, name: str, number: int, to: float) -> Turn:
        """Let the slot count from a later time, and with it those made from it already, one from the other: where many
        people wait, several seconds are reserved ahead."""
        later = "? + (number - ?) / ? * ?"
        moved = (to, number, self._calls, _SECOND)
        with self._slots.transaction(name) as (execute, _):
            execute(
                f"UPDATE pacing_slots SET due = {later}"  # noqa: S608  (constants)
                f" WHERE name = ? AND number >= ? AND (number - ?) % ? = 0 AND due < {later}",
                *moved,
                name,
                number,
                number,
                self._calls,
                *moved,
            )
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


def _quarter(calls: int) -> int:
    return max(calls // 4, 1)


def _newest(read: Execute, name: str, calls: int) -> _Found | None:
    places_before = "(SELECT due FROM pacing_slots WHERE name = ? AND number = newest.number + 1 - ?)"
    rows = read(
        f"SELECT number, due, made, {places_before}, {places_before}"  # noqa: S608  (constants)
        " FROM (SELECT number, due, made FROM pacing_slots WHERE name = ? ORDER BY number DESC LIMIT 1) AS newest",
        *(name, calls),
        *(name, _quarter(calls)),
        name,
    )
    return _Found(_Slot(*rows[0][:3]), rows[0][3] or 0.0, rows[0][4] or 0.0) if rows else None


def _last(execute: Execute, name: str, now: float, calls: int) -> _Found:
    """`_newest`. Where the clock was set back, all slots give way to one that keeps a second of silence."""
    found = _newest(execute, name, calls) or _Found(_Slot(0, 0.0, 0.0), 0.0, 0.0)
    if found.last.made <= now + _CLOCK_WENT_BACK:
        return found
    execute("DELETE FROM pacing_slots WHERE name = ?", name)
    silence = _Slot(found.last.number + 1, now + _SECOND, now)
    _insert(execute, name, silence)
    return _Found(silence, 0.0, 0.0)


def _insert(execute: Execute, name: str, slot: _Slot) -> None:
    execute("INSERT INTO pacing_slots (name, number, due, made) VALUES (?, ?, ?, ?)", name, *slot)
