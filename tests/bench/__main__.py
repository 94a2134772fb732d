"""``python3 run.py bench [name ...]``: measure, each bench in a process of its own, and print one table at the end."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import table


def main() -> int:
    """1 where a bench broke; a goal that is missed is said in the table and breaks nothing."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="run.py bench", description="Measure, and print one table of ratios.")
    only = f"only these: {', '.join(known)}; a number is how many rows log has"
    parser.add_argument("names", nargs="*", metavar="name", help=only)
    given = parser.parse_args().names
    names, sizes = ([text for text in given if text.isdecimal() is is_size] for is_size in (False, True))
    if unknown := set(names) - set(known):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}. There are {', '.join(known)}.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines"
        broken = [name for name in names or known if _run(name, path, sizes)]
        print(f"\n{table.as_markdown(table.read(path))}")
    if not os.environ.get("TEST_POSTGRES_URL"):
        print("\nLEFT OUT: PostgreSQL. To measure it, set TEST_POSTGRES_URL.")
    if broken:
        print(f"\nBROKEN: {', '.join(broken)}")
    return int(bool(broken))


def _run(name: str, path: Path, sizes: list[str]) -> int:
    print(f"\n== {name}", flush=True)
    return subprocess.call(
        [sys.executable, "-m", f"tests.bench.bench_{name}", *sizes], env={**os.environ, table.TABLE: str(path)}
    )


if __name__ == "__main__":
    sys.exit(main())
