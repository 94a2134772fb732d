"""``python -m tests.rig``: run cases, print the table, fail where one went wrong. ``bulk``, ``keys``: own rigs."""

import argparse
import logging
import sys
import time
from collections import defaultdict
from dataclasses import dataclass

from tests.rig import bulk, keys, world

PARTS = {"faults": 50, "killed": 20, "at once": 12, "locked": 12, "stalled": 6}  # of a hundred cases


@dataclass
class Row:
    runs: int = 0
    done: int = 0
    double: int = 0
    lost: int = 0
    wrong: int = 0
    by_reading: int = 0
    by_person: int = 0


def main() -> int:
    if sys.argv[1:2] == ["bulk"]:
        return bulk.main(sys.argv[2:])
    if sys.argv[1:2] == ["keys"]:
        return keys.main(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="run.py rig",
        description="Break refunds and subscription acts on purpose.",
        epilog="On SQLite; on PostgreSQL with TEST_DATABASE_URL=postgres://user:password@host/database.",
    )
    parser.add_argument("--runs", type=int, default=2000, help="how many cases (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="what the cases are made from (default: %(default)s)")
    parser.add_argument("--part", choices=PARTS, nargs="+", help="only cases of these kinds")
    parser.add_argument("--act", default="", help="only this act, as the table names it, whatever chance would choose")
    parser.add_argument("--case", type=int, help="only the case of this number, and tell its story")
    options = parser.parse_args()
    started = time.monotonic()
    with world.opened():
        bad = run(options)
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    if bad:
        print(f"FAILED: {bad} cases went wrong. Their stories are above.")
    return 1 if bad else 0


def run(options: argparse.Namespace) -> int:
    from tests.rig.cases import Case, every

    logging.disable(logging.CRITICAL)  # every fault is logged, as it should be
    parts = options.part or list(PARTS)
    share = sum(PARTS[part] for part in parts)
    rows: dict[str, Row] = defaultdict(Row)
    bad = 0
    for part in parts:
        runs = -(-options.runs * PARTS[part] // share)
        first = every(part, options.act)
        for number in range(runs) if options.case is None else [options.case]:
            name = f"{options.seed}:{part}:{number}"
            act, what = first[number] if number < len(first) else (options.act, "")
            verdict = Case(part, name, act, what).run()
            for row in (rows[part], rows[verdict.act], rows["all"]):
                row.runs += 1
                row.done += verdict.done > 0
                row.double += verdict.double
                row.lost += verdict.lost
                row.wrong += bool(verdict.wrong)
                row.by_reading += verdict.by_reading
                row.by_person += verdict.by_person
            bad += verdict.is_bad
            if verdict.is_bad or options.case is not None:
                print(f"\n--seed {options.seed} --part '{part}' --act '{verdict.act}' --case {number}")
                print("", *verdict.story, *(f"WRONG: {wrong}" for wrong in verdict.wrong), sep="\n  ")
                if verdict.double or verdict.lost:
                    print(f"  double acts {verdict.double}, lost outcomes {verdict.lost}")
    show(rows)
    return bad


def show(rows: dict[str, Row]) -> None:
    heads = ("runs", "done", "double acts", "lost outcomes", "wrong verdicts", "settled by reading", "left to a person")
    print("\n" + " " * 14 + "  ".join(heads))
    for name in [*PARTS, *sorted(rows.keys() - PARTS.keys() - {"all"}), "all"]:
        if name in rows:
            figures = zip(vars(rows[name]).values(), heads, strict=True)
            print(f"{name:<14}" + "  ".join(f"{figure:>{len(head)}}" for figure, head in figures))


if __name__ == "__main__":
    sys.exit(main())
