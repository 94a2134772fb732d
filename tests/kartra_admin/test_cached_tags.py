"""What is drawn once and kept."""

import threading
import time

from kartra_admin import cached_tags


def test_threads_that_ask_for_the_same_at_once_have_it_drawn_once() -> None:
    asked: list[str] = []

    def draw(name: str, size: int = 24) -> str:
        asked.append(name)
        time.sleep(0.05)
        return f"{name} {size}"

    kept = cached_tags._once(draw)  # type: ignore[arg-type]
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(kept("plus", size=14))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (asked, seen) == (["plus"], ["plus 14"] * 8)
