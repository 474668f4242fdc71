"""A fleet of simulated boxes reports to one server over links that break: what is lost, what is there twice.

Each box has records of its own and runs `edge-device sync`'s own sender by the timer's beat. Clocks are off
by minutes to years, not set, or jump; boxes start anew, are restored from a backup and merged. Connections
are cut after some bytes, for a while there is no link at all, and the server answers with 429, 500, 503,
refusals or nonsense, or accepts and drops. When the time is up and the faults have ended, all boxes send
what is left, and what the server holds is compared with what the boxes finished. Simulated time goes by at
most `--speed` times as fast; a machine that cannot keep up takes longer.

    python benchmarks/fleet.py [--boxes 500] [--hours 1] [--speed 60] [--seed 0] [--folder DIR] [--json OUT]
"""

from __future__ import annotations

import argparse
import heapq
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from fleet_boxes import Box, own_clocks
from results import Results, parser_of

sys.path.append(str(Path(__file__).resolve().parents[1]))
from tests.edge.sync.fhir_server import Fault, FhirServer
from tests.edge.sync.proxy import Cut, Proxy

WORKERS = 8
_MINUTE = 60.0
_CUT = 0.3  # of connections
_FAULTS = {
    Fault.BUSY: 0.02, Fault.BUSY_503: 0.01, Fault.BROKEN: 0.02, Fault.REFUSED: 0.005, Fault.GARBAGE: 0.01,
    Fault.DROPPED: 0.01, Fault.CUT_BODY: 0.01, Fault.CUT_ANSWER: 0.03, Fault.CUT_WITHIN: 0.02,
    Fault.LOCKED: 0.005,
}  # fmt: skip
"""How often the server does what, of its requests."""

_EXCHANGE = 6000  # bytes of a slide there and back, about
_ROUNDS = 12  # in which what is left is sent at the end
_KINDS = ("Patient", "Device", "Specimen", "Observation", "DiagnosticReport")


Act = Callable[[Box], None]


class Weather:
    """Which link breaks and what the server does, drawn anew each time; `clears` ends it."""

    def __init__(self, seed: int, now_s: Callable[[], float], whole_s: float) -> None:
        self._drawn, self._now_s, self._whole_s = random.Random(seed), now_s, whole_s
        self._lock, self._clear = threading.Lock(), False

    def clears(self) -> None:
        self._clear = True

    def cut(self, _number: int) -> Cut | None:
        """For a fifth of the time nobody has a link."""
        with self._lock:
            if self._clear:
                return None
            if 0.4 < self._now_s() / self._whole_s < 0.6:
                return Cut(0)
            if self._drawn.random() > _CUT:
                return None
            after = self._drawn.choice((0, self._drawn.randrange(1, _EXCHANGE)))
            return Cut(after, self._drawn.choices(("reset", "end", "silence"), (60, 38, 2))[0])

    def fault(self, _number: int) -> Fault | None:
        with self._lock:
            if self._clear or self._drawn.random() > sum(_FAULTS.values()):
                return None
            return self._drawn.choices(list(_FAULTS), list(_FAULTS.values()))[0]


class Days:
    """What happens to whom and when, in simulated time; a box does one thing at a time."""

    def __init__(self, boxes: list[Box], seed: int, now_s: Callable[[], float], whole_s: float) -> None:
        self._now_s, self._whole_s = now_s, whole_s
        self._drawn, self._order = random.Random(seed), count()
        self._events: list[tuple[float, int, Box, Act, float]] = []
        for box in boxes:
            self._plan(box, boxes)

    def _plan(self, box: Box, boxes: list[Box]) -> None:
        drawn, whole_s = self._drawn, self._whole_s
        self._at(drawn.uniform(0, 20) * _MINUTE, box, Box.finishes, 20 * _MINUTE)
        self._at(drawn.uniform(2, 12) * _MINUTE, box, Box.sends, 11 * _MINUTE)
        self._at(drawn.uniform(20, 40) * _MINUTE, box, Box.signs, 30 * _MINUTE)
        once = drawn.random
        for share, what in ((0.5, Box.is_set), (0.3, Box.boots)):
            if once() < share:
                self._at(once() * whole_s, box, what)
        if once() < 0.1:
            self._at(0.5 * whole_s, box, Box.backs_up)
            self._at(0.75 * whole_s, box, Box.is_restored)
            self._at(0.9 * whole_s, box, Box.merges)
        elif once() < 0.05:
            other = drawn.choice(boxes)
            if other is not box:
                self._at(0.8 * whole_s, box, lambda box: box.merges(other))

    def _at(self, when_s: float, box: Box, what: Act, again_s: float = 0) -> None:
        if when_s < self._whole_s:
            heapq.heappush(self._events, (when_s, next(self._order), box, what, again_s))

    def pass_by(self, do: Callable[[Box, Act], None], tell: Callable[[float], None]) -> None:
        """Have it all done, each at its time or as soon as the box is free."""
        while self._events:
            when_s, _, box, what, again_s = heapq.heappop(self._events)
            while self._now_s() < when_s:
                tell(self._now_s())
                time.sleep(0.01)
            do(box, what)
            if again_s:
                self._at(when_s + again_s * self._drawn.uniform(0.6, 1.4), box, what, again_s)


@dataclass(frozen=True)
class Outcome:
    """What the server holds beside what the boxes finished.

    Attributes
    ----------
    slides : finished. lost : of those, not there. twice : resources there more often than once.
    stale : slides of which an older revision is there. strange : there, and finished by nobody.
    waiting : slides that a box still takes for due.
    """

    slides: int
    lost: int
    twice: int
    stale: int
    strange: int
    waiting: int


def compared(server: FhirServer, boxes: list[Box]) -> Outcome:
    wanted = {slide.name: slide for box in boxes for slide in box.slides.values()}
    reports = server.resources.search("DiagnosticReport", "")
    found = Counter(f"{one['identifier'][1]['system']}|{one['identifier'][1]['value']}" for one in reports)
    status = {
        f"{one['identifier'][1]['system']}|{one['identifier'][1]['value']}": one["status"] for one in reports
    }
    counted = [n for kind in _KINDS for n in Counter(server.resources.names(kind)).values()]
    return Outcome(
        slides=len(wanted),
        lost=sum(name not in found for name in wanted),
        twice=sum(n - 1 for n in (*counted, *found.values())),
        stale=sum(slide.signed and status.get(name) == "preliminary" for name, slide in wanted.items()),
        strange=sum(name not in wanted for name in found),
        waiting=sum(box.due() for box in boxes),
    )


def lived(arguments: argparse.Namespace, folder: Path, results: Results) -> Outcome:
    """Let the time go by, have everything sent that is left, and look."""
    began, whole_s = time.monotonic(), arguments.hours * 3600

    def now_s() -> float:
        return (time.monotonic() - began) * arguments.speed

    weather = Weather(arguments.seed, now_s, whole_s)
    with (
        own_clocks(),
        FhirServer(weather.fault) as server,
        Proxy(server.port, weather.cut) as link,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        boxes = [
            Box(folder / f"box-{i}", link.url, arguments.seed * 100_003 + i, now_s, arguments.speed)
            for i in range(arguments.boxes)
        ]
        doing: list[Future[None]] = []

        def do(box: Box, what: Act) -> None:
            if box.is_to(what):
                doing.append(pool.submit(box.acts))

        def told(what: str) -> None:
            slides = sum(len(box.slides) for box in boxes)
            there = len(server.resources.names("DiagnosticReport"))
            print(f"{what}: {slides} slides, {there} there, {server.requests} requests, {link.cuts} cuts")

        last_s = [0.0]

        def tell(s: float) -> None:
            if s - last_s[0] >= whole_s / 12:
                last_s[0] = s
                told(f"{s / _MINUTE:4.0f} min")

        Days(boxes, arguments.seed, now_s, whole_s).pass_by(do, tell)
        for one in doing:
            one.result()
        told("time is up")
        weather.clears()
        for _ in range(_ROUNDS):
            left = [box for box, due in zip(boxes, pool.map(Box.due, boxes), strict=True) if due]
            doing = []
            for box in left:
                do(box, Box.sends)
            for one in doing:
                one.result()
        told("at the end")
        found = compared(server, boxes)
        _add(results, found, server, link, time.monotonic() - began)
    return found


def _add(results: Results, found: Outcome, server: FhirServer, link: Proxy, seconds: float) -> None:
    of = {"n": found.slides, "of": "slides"}
    results.add("slides", found.slides)
    for name in ("lost", "twice", "stale", "strange", "waiting"):
        results.add(name, getattr(found, name), wanted="0", **of)
    results.add("requests", server.requests)
    results.add("connections", link.connections)
    results.add("cuts", link.cuts)
    results.add("faults of the server", server.faults)
    wire = (link.sent + link.answered) / max(found.slides, 1)
    results.add("on the wire a slide, all tries together", wire, unit="B", wanted="≤ 20000", **of)
    results.add("seconds", seconds, unit="s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.add("memory, server included", peak, unit="MiB")
    for figure in results.figures:
        print(f"{figure['name']:42}{figure['value']:>12,.0f} {figure['unit']}")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--boxes", type=int, default=500)
    parser.add_argument("--hours", type=float, default=1.0, help="of simulated time (default: 1)")
    parser.add_argument("--speed", type=float, default=60.0, help="of simulated time, at most (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the records lie (default: temporary)")
    arguments = parser.parse_args()
    results = Results("fleet", parser, arguments)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        found = lived(arguments, Path(folder), results)
    results.write()
    if found.lost or found.twice or found.stale or found.strange or found.waiting:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
