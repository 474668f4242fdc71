"""Windows cut a second, by one process and by one for every processor, in turns.

    python benchmarks/cutting.py --data DATA [--sets pbc,deepapl] [--limit 600] [--rounds 3]

Whatever the number of processes, the windows are the same; that is checked.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from results import Results, parser_of

from train.data.crew import Crew
from train.data.registry import dataset
from train.data.windows import Windows, read
from train.recipes import recipe as recipes

RECIPE = "leukocytes"
AT_LEAST = 1.7


def main() -> int:
    """Measure; the exit status."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DATA")
    parser.add_argument("--sets", default="deepapl,pbc,bccd,aria", metavar="NAME[,NAME]")
    parser.add_argument("--limit", type=int, default=800, help="pictures of each (default: 800)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    results = Results("cutting", parser, arguments)
    hands = len(os.sched_getaffinity(0))
    for name in arguments.sets.split(","):
        seconds: dict[int, list[float]] = {1: [], hands: []}
        first: Windows | None = None
        for _ in range(arguments.rounds):
            for count, taken in seconds.items():
                cut, took = _cut(name, arguments.data, arguments.limit, count)
                taken.append(took)
                first = cut if first is None else first
                assert np.array_equal(cut.pixels, first.pixels)
                assert np.array_equal(cut.masks, first.masks)
        assert first is not None
        rates = [len(first) / median(taken) for taken in seconds.values()]
        for count, rate in zip(seconds, rates, strict=True):
            results.add(
                "windows a second", rate, what=f"{name}, {count} processes", n=len(first), of="windows"
            )
            print(f"{name}: {rate:.0f} windows a second by {count} processes")
        results.add("times as many", rates[-1] / rates[0], what=name, wanted=f"≥ {AT_LEAST}")
        print(f"{name}: {rates[-1] / rates[0]:.2f} times as many")
    results.write()
    return 0


def _cut(name: str, data: Path, limit: int, hands: int) -> tuple[Windows, float]:
    """The windows of a data set, and the seconds that they took once the processes had begun."""
    window = recipes.load(RECIPE).window
    with Crew(hands) as crew:
        read(dataset(name), data, window, _quiet, 80, crew=crew)
        started = perf_counter()
        return read(dataset(name), data, window, _quiet, limit, crew=crew), perf_counter() - started


def _quiet(line: str) -> None:
    """What is left out was told before."""


if __name__ == "__main__":
    sys.exit(main())
