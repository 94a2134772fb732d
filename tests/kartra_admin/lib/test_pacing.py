"""The limiter: exact where it must be, in simulated time wherever real time would make a test hang on the machine."""

import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kartra_admin.lib.pacing import Execute, Limiter, NoTurn, Slots
from kartra_admin.lib.pacing_slots import DatabaseSlots, FileSlots


class World:
    """Threads in simulated time: it moves on to the next waking when all of them sleep.

    ``lateness`` gives the seconds by which one sleep overruns; ``offset`` is what the wall clock was set by.
    """

    def __init__(self, lateness: Callable[[], float] = lambda: 0.0) -> None:
        self.time = 1_000_000.0
        self.offset = 0.0
        self._lateness = lateness
        self._running = 0
        self._sleeping: list[float] = []
        self._changed = threading.Condition()

    def clock(self) -> float:
        return self.time + self.offset

    def sleep(self, seconds: float) -> None:
        with self._changed:
            waking = self.time + max(seconds, 1e-6) + self._lateness()
            self._sleeping.append(waking)
            self._rest()
            self._changed.wait_for(lambda: self.time >= waking)

    def run(self, *scripts: Callable[[], None]) -> None:
        def perform(script: Callable[[], None]) -> None:
            try:
                script()
            finally:
                with self._changed:
                    self._rest()

        self._running = len(scripts)
        threads = [threading.Thread(target=perform, args=(script,), daemon=True) for script in scripts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "the simulation stands still"

    def _rest(self) -> None:
        self._running -= 1
        if not self._running and self._sleeping:
            self.time = min(self._sleeping)
            self._running = sum(waking <= self.time for waking in self._sleeping)
            self._sleeping = [waking for waking in self._sleeping if waking > self.time]
            self._changed.notify_all()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make(tmp_path: Path, world: World) -> Iterator[Callable[..., Limiter]]:
    made: list[Limiter] = []

    def make(rate: int, world: World = world) -> Limiter:
        made.append(Limiter(FileSlots(tmp_path / "pacing.sqlite3", clock=world.clock), rate, sleep=world.sleep))
        return made[-1]

    yield make
    for limiter in made:
        limiter.close()


def most_in_a_second(grants: list[float]) -> int:
    grants = sorted(grants)
    first = most = 0
    for index, grant in enumerate(grants):
        while grant - grants[first] >= 1:
            first += 1
        most = max(most, index - first + 1)
    return most


def make_calls(limiter: Limiter, times: int, name: str = "app") -> None:
    for _ in range(times):
        limiter.wait(name)


# Never above the rate


def work(place: Path | str, background: bool, seconds: float, results: "multiprocessing.Queue[list[float]]") -> None:
    """Four threads that call as fast as they may. A call counts at the limiter's own look at the clock as it is told
    that the call is on the wire; what it does with that may wait for the other processes."""
    seen = threading.local()
    grants: list[float] = []
    slots: Slots = DatabaseSlots(lambda: connect(str(place))) if isinstance(place, str) else FileSlots(place)
    own_clock = slots.clock
    until = time.time() + seconds

    def clock() -> float:
        now = own_clock()
        seen.first = getattr(seen, "first", None) or now
        return now

    def call() -> None:
        while time.time() < until:
            turn = limiter.wait("app", background=background)
            seen.first = None
            limiter.sent("app", turn)
            grants.append(seen.first)

    slots.clock = clock  # type: ignore[method-assign]
    with closing(Limiter(slots, 20)) as limiter:
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results.put(grants)


@pytest.fixture(params=["file", pytest.param("database", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where processes meet: a file, or the database that the tests' own is made beside."""
    if request.param == "file":
        yield tmp_path / "pacing.sqlite3"
        return
    yield request.getfixturevalue("database_url")


@pytest.fixture
def database_url() -> Iterator[str]:
    """One table beside the tests' own databases, so one test at a time, in whichever worker."""
    url = os.environ["TEST_DATABASE_URL"]
    with closing(connect(url)) as guard:
        guard.execute("SELECT pg_advisory_lock(7226002)")
        yield url
        with closing(connect(url)) as connection:  # a test may have broken all that were open
            connection.execute("DROP TABLE IF EXISTS pacing_slots")


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True)


@pytest.mark.parametrize("background", [False, True], ids=["people", "background"])
def test_no_second_holds_more_calls_than_the_rate_over_processes_and_threads(
    place: Path | str, background: bool
) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (place, background, 3.0, results)
    workers = [context.Process(target=work, args=arguments) for _ in range(4)]
    for worker in workers:
        worker.start()
    grants = [grant for _ in workers for grant in results.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert most_in_a_second(grants) == 20
    assert len(grants) > 20


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.integers(1, 40),
    people=st.integers(0, 5),
    background=st.integers(0, 5),
    late=st.sampled_from([0, 0.005, 0.03]),
    sending=st.sampled_from([0, 0.01, 0.06]),
    thinking=st.sampled_from([0, 0.01, 0.3]),
)
def test_no_second_holds_more_calls_than_the_rate_however_late_callers_wake(
    tmp_path_factory: pytest.TempPathFactory,
    rate: int,
    people: int,
    background: int,
    late: float,
    sending: float,
    thinking: float,
) -> None:
    """Nor however long it takes them until the call is on the wire."""
    chance = random.Random(rate)
    world = World(lateness=lambda: chance.random() * late)
    grants: list[float] = []
    path = tmp_path_factory.mktemp("pacing") / "pacing.sqlite3"
    with closing(Limiter(FileSlots(path, clock=world.clock), rate, sleep=world.sleep)) as limiter:

        def call(is_background: bool) -> None:
            for _ in range(rate):
                if thinking and not is_background:
                    world.sleep(chance.random() * thinking)
                turn = limiter.wait("app", background=is_background)
                if sending:
                    world.sleep(chance.random() * sending)
                grants.append(world.time)
                limiter.sent("app", turn)

        world.run(*[lambda: call(False)] * people, *[lambda: call(True)] * background)
    assert len(grants) == rate * (people + background)
    assert most_in_a_second(grants) <= rate


def test_a_late_call_moves_all_who_have_reserved_behind_it(make: Callable[..., Limiter], world: World) -> None:
    """With one call a second, three people wait for the three seconds to come."""
    limiter = make(1)
    grants: list[float] = []

    def call_late() -> None:
        turn = limiter.wait("app")
        world.sleep(0.5)
        limiter.sent("app", turn)
        grants.append(world.time)

    def call(after: float) -> None:
        world.sleep(after)
        limiter.wait("app")
        grants.append(world.time)

    world.run(call_late, *[lambda after=after: call(after) for after in (0.1, 0.2, 0.3)])
    assert len(grants) == 4
    assert most_in_a_second(grants) == 1


def test_an_idle_name_gives_a_whole_second_of_calls_at_once(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(20)
    grants: list[float] = []

    def call() -> None:
        for _ in range(21):
            limiter.wait("app")
            grants.append(world.time)

    world.run(call)
    assert grants[19] == grants[0]
    assert 1 <= grants[20] - grants[0] < 1.1


def test_who_need_not_wait_writes_his_slot_once(tmp_path: Path, world: World) -> None:
    """Sending takes some milliseconds, by which the slot was dated ahead."""
    written: list[str] = []

    class Slots(FileSlots):
        @contextmanager
        def transaction(self, name: str) -> Iterator[tuple[Execute, float]]:
            written.append(name)
            with super().transaction(name) as opened:
                yield opened

    with closing(Limiter(Slots(tmp_path / "pacing.sqlite3", clock=world.clock), 20, sleep=world.sleep)) as limiter:

        def call() -> None:
            for _ in range(3):
                turn = limiter.wait("app")
                world.sleep(0.015)
                limiter.sent("app", turn)
                world.sleep(1)

        world.run(call)
    assert len(written) == 3


def test_names_do_not_share_their_rate(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(2)
    world.run(lambda: make_calls(limiter, 2, "one"), lambda: make_calls(limiter, 2, "another"))
    assert world.time == 1_000_000


def test_a_lower_rate_counts_the_calls_made_under_the_higher(make: Callable[..., Limiter], world: World) -> None:
    before, after = make(20), make(5)
    world.run(lambda: make_calls(before, 20))
    world.run(lambda: after.wait("app"))
    assert world.time >= 1_000_001


# People and background


def test_people_are_served_in_the_order_they_came(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(2)
    served: list[int] = []

    def person(number: int) -> Callable[[], None]:
        def call() -> None:
            world.sleep(number / 100)
            limiter.wait("app")
            served.append(number)

        return call

    world.run(*[person(number) for number in (5, 1, 4, 2, 3, 6, 8, 7)])
    assert [sorted(served[i : i + 2]) for i in range(0, 8, 2)] == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_background_work_alone_reaches_the_rate(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(20)
    grants: list[float] = []

    def call() -> None:
        while world.time < 1_000_060:
            limiter.wait("app", background=True)
            grants.append(world.time)

    world.run(*[call] * 4)
    assert 0.99 * 60 * 20 <= len(grants) <= 61 * 20


def test_background_work_reaches_the_rate_though_to_take_a_slot_lasts(tmp_path: Path, world: World) -> None:
    grants: list[float] = []

    class Slots(FileSlots):
        @contextmanager
        def transaction(self, name: str) -> Iterator[tuple[Execute, float]]:
            world.sleep(0.01)
            with super().transaction(name) as opened:
                yield opened

    limiter = Limiter(Slots(tmp_path / "pacing.sqlite3", clock=world.clock), 20, sleep=world.sleep)

    def call() -> None:
        while world.time < 1_000_060:
            limiter.wait("app", background=True)
            grants.append(world.time)

    with closing(limiter):
        world.run(*[call] * 4)
    assert 0.99 * 60 * 20 <= len(grants) <= 61 * 20


def test_a_person_waits_a_tenth_of_a_second_where_background_work_takes_all(
    make: Callable[..., Limiter], world: World
) -> None:
    limiter = make(20)
    waits: list[float] = []

    def toil() -> None:
        while world.time < 1_000_020:
            limiter.wait("app", background=True)

    def person() -> None:
        for _ in range(40):
            world.sleep(0.37)
            asked = world.time
            limiter.wait("app")
            waits.append(world.time - asked)

    world.run(person, *[toil] * 8)
    assert len(waits) == 40
    assert max(waits) <= 0.12


def test_background_work_stands_back_while_people_wait(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(4)
    served: list[str] = []

    def call(kind: str, start: float) -> Callable[[], None]:
        def run() -> None:
            world.sleep(start)
            limiter.wait("app", background=kind == "background")
            served.append(kind)

        return run

    world.run(lambda: make_calls(limiter, 4))
    world.run(*[call("background", 0.01)] * 3, *[call("person", 0.02)] * 8)
    assert served == ["person"] * 8 + ["background"] * 3


# Pauses and clocks


def test_a_pause_holds_those_who_come_and_those_who_wait_in_their_order(
    make: Callable[..., Limiter], world: World
) -> None:
    limiter = make(1)
    served: list[tuple[str, float]] = []

    def call(who: str, start: float) -> Callable[[], None]:
        def run() -> None:
            world.sleep(start)
            limiter.wait("app", background=who == "background")
            served.append((who, world.time - 1_000_000))

        return run

    def pause() -> None:
        world.sleep(0.5)
        limiter.pause("app", 10)
        limiter.pause("app", 3)

    world.run(call("first", 0), call("waits", 0.1), pause, call("comes", 2), call("background", 0.2))
    assert [who for who, _ in served] == ["first", "waits", "comes", "background"]
    assert served[0][1] < 0.1
    assert 10.5 <= served[1][1] < 10.6
    assert served[2][1] - served[1][1] >= 1


def test_a_pause_holds_those_who_come_after_a_call_that_was_sent_late(
    make: Callable[..., Limiter], world: World
) -> None:
    """It was the first of those before whom others had reserved, so their slots do not lie in their order any more."""
    limiter = make(20)
    after: list[float] = []

    def first() -> None:
        turn = limiter.wait("app")
        world.sleep(0.3)
        limiter.sent("app", turn)
        world.sleep(0.8)
        limiter.pause("app", 5)

    def call() -> None:
        world.sleep(0.01)
        limiter.wait("app")

    def come_later() -> None:
        world.sleep(1.15)
        limiter.wait("app")
        after.append(world.time)

    world.run(first, *[call] * 22, come_later)
    assert after[0] >= 1_000_006.1


def test_a_pause_holds_an_idle_name_and_no_other(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(20)
    limiter.pause("app", 5)
    world.run(lambda: limiter.wait("other"))
    assert world.time == 1_000_000
    world.run(lambda: limiter.wait("app", background=True))
    assert 1_000_005 <= world.time < 1_000_005.1


@pytest.mark.parametrize("background", [False, True], ids=["people", "background"])
def test_a_clock_set_back_blocks_nobody_for_long(make: Callable[..., Limiter], world: World, background: bool) -> None:
    limiter = make(2)
    grants: list[float] = []

    def call() -> None:
        for _ in range(4):
            limiter.wait("app", background=background)
            grants.append(world.time)

    def set_back() -> None:
        world.sleep(0.5)
        world.offset = -3600

    world.run(call, call, set_back)
    assert most_in_a_second(grants) <= 2
    assert world.time < 1_000_010


def test_a_clock_set_forward_gives_no_more_than_the_rate_anew(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(2)
    world.run(lambda: make_calls(limiter, 2))
    world.offset = 3600
    world.run(lambda: make_calls(limiter, 2))
    assert world.time == 1_000_000
    world.run(lambda: limiter.wait("app"))
    assert world.time >= 1_000_001


def test_a_call_that_is_sent_late_counts_from_then(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(2)
    sent: list[float] = []

    def call() -> None:
        for lasts in (0.3, 0.0, 0.0, 0.2, 0.0, 0.1):
            turn = limiter.wait("app")
            world.sleep(lasts)
            sent.append(world.time)
            limiter.sent("app", turn)

    world.run(call)
    assert most_in_a_second(sent) <= 2
    assert world.time < 1_000_004


def test_who_could_not_send_in_time_takes_another_turn(make: Callable[..., Limiter], world: World) -> None:
    limiter = make(2)
    sent: list[float] = []

    def call(connecting: float) -> None:
        turn = limiter.wait("app")
        world.sleep(connecting)
        turn = limiter.still("app", turn)
        sent.append(world.time)
        limiter.sent("app", turn)

    def others() -> None:
        world.sleep(0.1)
        for _ in range(5):
            call(0.01)

    world.run(lambda: call(1.4), others)
    assert len(sent) == 6
    assert most_in_a_second(sent) <= 2


def test_of_a_process_one_thread_at_a_time_asks_for_background_work(tmp_path: Path, world: World) -> None:
    asked: list[float] = []

    class Slots(FileSlots):
        @contextmanager
        def transaction(self, name: str) -> Iterator[tuple[Execute, float]]:
            asked.append(world.time)
            with super().transaction(name) as opened:
                yield opened

    limiter = Limiter(Slots(tmp_path / "pacing.sqlite3", clock=world.clock), 20, sleep=world.sleep)

    def call() -> None:
        for _ in range(10):
            limiter.wait("app", background=True)

    with closing(limiter):
        world.run(*[call] * 8)
    assert len(asked) < 2.5 * 80


def test_a_person_who_waits_already_waits_for_a_call_that_was_sent_late(
    make: Callable[..., Limiter], world: World
) -> None:
    limiter = make(1)
    sent: list[float] = []

    def first() -> None:
        turn = limiter.wait("app")
        world.sleep(0.5)
        sent.append(world.time)
        limiter.sent("app", turn)

    def second() -> None:
        world.sleep(0.1)
        limiter.wait("app")
        sent.append(world.time)

    world.run(first, second)
    assert sent[1] - sent[0] >= 1


# The file


def test_the_file_stays_small(make: Callable[..., Limiter], world: World, tmp_path: Path) -> None:
    limiter = make(100)
    world.run(lambda: make_calls(limiter, 3000))
    limiter.close()
    assert (tmp_path / "pacing.sqlite3").stat().st_size < 40_000


# The database


@pytest.mark.postgres
def test_a_connection_that_breaks_is_no_turn_and_opened_anew_afterwards(database_url: str) -> None:
    slots = DatabaseSlots(lambda: connect(database_url))
    limiter = Limiter(slots, 20)
    limiter.wait("app")
    with closing(connect(database_url)) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query NOT LIKE '%advisory_lock(7226002)'"
        )
    with pytest.raises(NoTurn):
        limiter.wait("app")
    limiter.wait("app")
    limiter.close()


@pytest.mark.postgres
def test_the_table_stays_small(database_url: str) -> None:
    with closing(Limiter(DatabaseSlots(lambda: connect(database_url)), 5000)) as limiter:
        make_calls(limiter, 300)
        time.sleep(1.1)
        make_calls(limiter, 5100)
        time.sleep(1.1)
        limiter.wait("app")
    with closing(connect(database_url)) as connection:
        row = connection.execute("SELECT count(*) FROM pacing_slots").fetchone()
    assert row is not None
    assert row[0] <= 5001


def test_a_file_that_cannot_be_opened_is_no_turn(tmp_path: Path) -> None:
    limiter = Limiter(FileSlots(tmp_path), 20)
    with pytest.raises(NoTurn):
        limiter.wait("app")


def test_a_lock_that_cannot_be_opened_is_no_turn(tmp_path: Path) -> None:
    (tmp_path / "pacing.sqlite3.lock").mkdir()
    with closing(Limiter(FileSlots(tmp_path / "pacing.sqlite3"), 20)) as limiter, pytest.raises(NoTurn):
        limiter.wait("app")
