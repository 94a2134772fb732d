"""What a bench found, a line for each thing, and the one table that they make: `tests.bench.__main__` prints it."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

# Where the benches of one run put their lines.
TABLE = "BENCH_TABLE"


@dataclass(frozen=True)
class Line:
    """One measured thing: ours over what it is compared with. The goal is the most it may be, or the least."""

    what: str
    ratio: float
    how: str
    goal: float | None = None
    at_least: bool = False

    @property
    def shown_goal(self) -> str:
        """'at most 1.5', and whether that was missed."""
        if self.goal is None:
            return ""
        is_met = self.ratio >= self.goal if self.at_least else self.ratio <= self.goal
        bound = f"at {'least' if self.at_least else 'most'} {as_text(self.goal)}"
        return bound if is_met else f"{bound}: **missed**"


def as_text(ratio: float) -> str:
    """Three digits; as '1/47' where it is small."""
    return f"1/{1 / ratio:,.0f}" if 0 < ratio < 0.095 else f"{ratio:.3g}"


def say(line: Line) -> None:
    """Print the line, and hand it to the run that this bench is a part of."""
    print(f"  {line.what:<72} {as_text(line.ratio):>8}   {line.shown_goal}", flush=True)
    if path := os.environ.get(TABLE):
        with Path(path).open("a") as lines:
            lines.write(json.dumps(asdict(line)) + "\n")


def read(path: Path) -> list[Line]:
    """The lines in the order in which they were said."""
    return [Line(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def as_markdown(lines: Sequence[Line]) -> str:
    """The table as the README shows it, under a sentence that says when and where it was taken."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rows = [f"| {line.what} | {as_text(line.ratio)} | {line.shown_goal} | {line.how} |" for line in lines]
    taken = f"Taken on {datetime.now(UTC):%Y-%m-%d} on a machine of {os.cpu_count()} processors and {memory:.0f} GB."
    return "\n".join([taken, "", "| what | ratio | goal | how it was taken |", "|---|---|---|---|", *rows])
