"""Thousands of pictures, each a slide of its own: what the records and all else round the line cost a slide.

Windows of a simulated smear go through `edge-run`'s own screening with `--independent`: in turns without
records and with them, into a folder of this disk or another. The line's time is what its readings tell;
what is left of a slide's time is finding its file, decoding it, and bookkeeping; what records add to it is
the store. Then all of them once more with records and JSON lines, as `edge-run` would.

    python benchmarks/many_slides.py [--slides 3000] [--each 100] [--rounds 3] [--folder DIR] [--json OUT]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.selection import camera_for
from edge.line.engine import Engine, open_engine
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.machine.profile import load_profile
from edge.optics.scale import Scales
from edge.records.book import Book
from edge.records.jsonl import JsonLines
from edge.records.store import Store, Unrecorded
from edge.records.summary import Summary
from edge.review.unfinished import judged
from edge.types import U8, Sink

SIDE = 224  # pixels, as data sets of single cells have them
UM_PER_PX = 0.1
STORE_MS, LIST_S = 10.0, 1.0


@dataclass(frozen=True)
class Cost:
    """Milliseconds a slide: from picture to picture, and those of the line within them."""

    whole: float
    line: float

    @property
    def round_it(self) -> float:
        return self.whole - self.line


def pictures(folder: Path, count: int) -> Path:
    """So many small pictures, of which a dozen differ."""
    camera = SimulatedCamera(1)
    camera.open()
    folder.mkdir()
    windows = list(_windows(camera.read().pixels))[:12]
    camera.close()
    for i in range(count):
        path = folder / f"{i:05d}.png"
        if i < len(windows):
            cv2.imwrite(str(path), cv2.cvtColor(windows[i], cv2.COLOR_RGB2BGR))
        else:
            path.hardlink_to(folder / f"{i % len(windows):05d}.png")
    return folder


def _windows(field: U8) -> Iterator[U8]:
    for y in range(0, field.shape[0] - SIDE, SIDE):
        for x in range(0, field.shape[1] - SIDE, SIDE):
            yield field[y : y + SIDE, x : x + SIDE]


def screened(
    engine: Engine, folder: Path, store: Store | Unrecorded, frames: int | None, sinks: Sequence[Sink] = ()
) -> Cost:
    """What the folder's pictures cost, the first ones of them or all."""
    camera = camera_for(str(folder), engine.profile.camera)
    screening = Screening(
        camera=camera, bundle=engine.bundle, classifier=engine.classifier, store=store,
        scales=Scales(asked=UM_PER_PX, nominal=UM_PER_PX, camera=camera, independent=True),
        profile=engine.profile.name, find=engine.find, sinks=sinks,
        options=ScreeningOptions(independent=True, max_frames=frames),
    )  # fmt: skip
    began, slides, line_ms = time.perf_counter(), 0, 0.0
    for reading in screening.readings():
        slides, line_ms = slides + 1, line_ms + reading.ms["total"]
    return Cost((time.perf_counter() - began) * 1e3 / slides, line_ms / slides)


def in_turns(engine: Engine, folder: Path, records: Path, each: int, rounds: int) -> list[tuple[Cost, Cost]]:
    """Costs without records and with them, round after round."""
    found = []
    for number in range(rounds):
        without = screened(engine, folder, Unrecorded(), each)
        with Store(records / f"{number}.db") as store:
            found.append((without, screened(engine, folder, store, each)))
    return found


def to_the_end(engine: Engine, folder: Path, records: Path, results: Results) -> None:
    """All pictures once, as `edge-run` reads them."""
    lines, summary = JsonLines(str(records / "out.jsonl")), Summary()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ExitStack() as held:
        held.callback(lines.close)
        store = held.enter_context(Store(records / "records.db"))
        cost = screened(engine, folder, store, None, [lines, summary])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with Book(records / "records.db", reads_only=True) as book:
        began = time.perf_counter()
        slides = [judged(book, slide) for slide in book.listed()]
        list_s = time.perf_counter() - began
    assert all(slide["finished_at"] for slide in slides)
    kib = (records / "records.db").stat().st_size / 1024 / len(slides)
    print(f"{summary.line}\n{cost.whole * len(slides) / 1e3:.0f} s, memory grew by {grown:.1f} MiB, "
          f"{kib:.0f} KiB of records a slide, listed in {list_s:.2f} s")  # fmt: skip
    about = {"what": "all slides", "n": len(slides), "of": "slides"}
    results.add("a slide", cost.whole, unit="ms", **about)
    results.add("memory grown", grown, unit="MiB", **about)
    results.add("records a slide", kib, unit="KiB", **about)
    results.add("listed", list_s, unit="s", wanted=f"≤ {LIST_S:g}", **about)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--slides", type=int, default=3000)
    parser.add_argument("--each", type=int, default=100, help="slides of a turn (default: 100)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the records are written (default: temporary)")
    arguments = parser.parse_args()
    results = Results("many_slides", parser, arguments)
    engine = open_engine(load_profile(None), bundle.load(), None, lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary, ExitStack() as held:
        held.callback(engine.close)
        records = Path(temporary)
        folder = pictures(records / "pictures", arguments.slides)
        screened(engine, folder, Unrecorded(), 10)  # what is made at the first picture is none's
        turns = in_turns(engine, folder, records, arguments.each, arguments.rounds)
        whole, line = (float(np.median([getattr(kept, of) for _, kept in turns])) for of in ("whole", "line"))
        store = float(np.median([kept.round_it - free.round_it for free, kept in turns]))
        round_it = float(np.median([free.round_it for free, _ in turns]))
        print(f"{'':24}{'ms a slide':>10}{'share':>8}   {arguments.rounds} × {arguments.each} slides")
        about = {"what": "a slide of one picture", "unit": "ms", "n": arguments.rounds, "of": "rounds"}
        for name, value in (
            ("all", whole), ("line", line), ("file and bookkeeping", round_it), ("store", store),
        ):  # fmt: skip
            print(f"{name:24}{value:>10.2f}{value / whole:>8.0%}")
            results.add(name, value, wanted=f"≤ {STORE_MS:g}" if name == "store" else "", **about)
        if arguments.slides > arguments.each:
            to_the_end(engine, folder, records, results)
    results.write()


if __name__ == "__main__":
    main()
