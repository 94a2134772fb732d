"""How near the limiter comes to the rate, and what waiting costs: ``python3 run.py bench``.

The ideal is the rate itself. Calls are counted over whole windows after a start that is left out, and take 0.3 s each.
"""

import multiprocessing
import statistics
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kartra_admin.lib.pacing import Limiter
from kartra_admin.lib.pacing_slots import FileSlots
from tests.bench.table import Line, say

RATE = 20
SECONDS = 1.008 * 15
CALL = 0.3
HOW = f"limiter alone, 4 processes, calls of {CALL} s, {SECONDS:.0f} s"


@dataclass(frozen=True)
class Call:
    at: float
    waited: float
    is_background: bool


def work(path: Path, people: int, background: int, until: float, results: "multiprocessing.Queue[list[Call]]") -> None:
    calls: list[Call] = []

    def call(is_background: bool) -> None:
        while (asked := time.time()) < until:
            limiter.wait("app", background=is_background)
            at = time.time()
            calls.append(Call(at, at - asked, is_background))
            time.sleep(CALL if is_background or background == 0 else 1)

    with closing(Limiter(FileSlots(path), RATE)) as limiter:
        kinds = [False] * people + [True] * background
        threads = [threading.Thread(target=call, args=(kind,)) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results.put(calls)


def measure(title: str, *, people: int, background: int, processes: int = 4) -> None:
    results: multiprocessing.Queue[list[Call]] = multiprocessing.Queue()
    start = time.time() + 2
    with tempfile.TemporaryDirectory() as folder:
        arguments = (Path(folder, "pacing.sqlite3"), people, background, start + SECONDS + 2, results)
        workers = [multiprocessing.Process(target=work, args=arguments) for _ in range(processes)]
        for worker in workers:
            worker.start()
        calls = sorted((call for _ in workers for call in results.get()), key=lambda call: call.at)
        for worker in workers:
            worker.join()
    times = [call.at for call in calls]
    most = max(sum(at <= other < at + 1 for other in times[index : index + RATE * 3]) for index, at in enumerate(times))
    share = sum(start <= at < start + SECONDS for at in times) / SECONDS / RATE
    say(Line(f"limiter, {title}: calls a second, to the limit", share, HOW, goal=0.99, at_least=True))
    print(f"    at most {most / RATE:.2f} of the limit in any one second")
    for kind in (False, True):
        waits = sorted(call.waited for call in calls if call.is_background is kind and call.at >= start)
        if waits:
            who = "background" if kind else "people"
            print(f"    {who} wait {statistics.median(waits):.2f} s, 95 % under {waits[int(len(waits) * 0.95)]:.2f} s")


def measure_idle() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Limiter(FileSlots(Path(folder, "pacing.sqlite3")), 5000)) as limiter,
    ):
        limiter.wait("app")
        start = time.perf_counter()
        for _ in range(1000):
            limiter.wait("app")
        print(f"  an idle name: {time.perf_counter() - start:.3f} ms a call")


if __name__ == "__main__":
    measure_idle()
    measure("8 people in each", people=8, background=0)
    measure("8 background threads in each", people=0, background=8)
    measure("1 person and 8 background threads in each", people=1, background=8)
