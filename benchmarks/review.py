"""The review of a slide of 2,000 cells: how long until it is open, the next screenful shown, a word kept.

The slide is drawn, put into a record store by the store itself, and gone through as keys would: what is timed
is everything from the key to the characters that go to the terminal. Each time stands beside what nobody
could spare in the same run: decoding the screenful's crops, one write that reaches the disk.

    python benchmarks/review.py [--cells 2000] [--size 160x48] [--json out.json]
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from results import Results, parser_of
from textual.pilot import Pilot

from edge.bench import fields
from edge.bundle import bundle
from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.line.rules import Rules
from edge.records.book import Book
from edge.records.rows import JPEG
from edge.records.store import Store
from edge.review.review import Review
from edge.tui.review.app import ReviewApp
from edge.tui.review.screen import ReviewScreen
from edge.types import U8, Cells, Frame, Reading, SlideHeader

SLIDE = "drawn"
FIELD = 8  # cells of a field
SIDE = 96  # px of a crop
SUSPICIOUS = 0.02  # of the cells
WANTED_MS = 50.0


def readings(cells: int, rules: Rules) -> Iterator[Reading]:
    """Fields of cells whose crops are parts of drawn fields."""
    rng = np.random.default_rng(0)
    pictures = list(fields.draw(fields.microscope(), 4))
    for index, first in enumerate(range(0, cells, FIELD)):
        yield _reading(index, np.arange(first, min(first + FIELD, cells)), pictures[index % 4], rules, rng)


def _reading(index: int, ids: np.ndarray, pixels: U8, rules: Rules, rng: np.random.Generator) -> Reading:
    height, width, _ = pixels.shape
    n = len(ids)
    centres = rng.integers(SIDE, (width - SIDE, height - SIDE), (n, 2))
    classes = np.where(
        rng.random(n) < SUSPICIOUS,
        rules.classes.index(rules.positive[0]),
        rng.integers(0, len(rules.classes), n),
    ).astype(np.int32)
    probabilities = rng.dirichlet(np.full(len(rules.classes), 0.02), n).astype(np.float32)
    probabilities[np.arange(n), classes] += 1
    half = SIDE // 2
    found = replace(
        Cells.none(height, width),
        boxes=np.hstack([centres - half, centres + half]).astype(np.float32),
        centres=centres.astype(np.float64),
        area_um2=np.full(n, 120, np.float32),
        nucleus_area_um2=np.full(n, 80, np.float32),
        cut=np.zeros(n, np.bool_),
    )
    empty = Ledger(rules).tally()
    return Reading(
        frame=Frame(pixels, index, "drawn", datetime.now(UTC), float(index)),
        cells=found.in_frame(height, width),
        um_per_px=fields.UM_PER_PX,
        um_per_px_from="given",
        crops=np.stack([pixels[y - half : y + half, x - half : x + half] for x, y in centres]),
        probabilities=probabilities / probabilities.sum(1, keepdims=True),
        classes=classes,
        uncertain=np.zeros(n, np.bool_),
        certain=np.zeros(n, np.bool_),
        ids=ids.astype(np.int32),
        new=np.ones(n, np.bool_),
        counted=rules.in_differential(classes),
        settled=np.ones(n, np.bool_),
        problems=(),
        repeated=False,
        sharpness=0.8,
        brightness=0.6,
        tally=empty,
        finding=judge(empty, rules),
    )


def screened(path: Path, cells: int) -> None:
    """Fill a store as a screening does."""
    about = bundle.load().manifest
    rules = Rules.of(about)
    header = SlideHeader("", "", "drawn", "", about.name, "0" * 64, True, rules.classes, rules.record())
    ledger = Ledger(rules)
    with Store(path) as store:
        store.begin_slide(SLIDE, header)
        for reading in readings(cells, rules):
            ledger.count(reading.ids, reading.classes)
            store.add(reading)
            store.committed()
        store.flush()
        tally = ledger.tally(frames=-(-cells // FIELD))
        store.finish_slide(judge(tally, rules), tally)


def ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1e3


def written(path: Path) -> float:
    """Milliseconds of one small write that reaches the disk, beside the store."""
    with open(path.with_suffix(".probe"), "wb") as file:

        def write() -> None:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())

        return float(np.median([ms(write) for _ in range(20)]))


def decoded(pictures: list[U8]) -> float:
    """Milliseconds to decode these crops as they are kept."""
    kept = [cv2.imencode(".jpg", picture, JPEG)[1] for picture in pictures]
    return float(
        np.median([ms(lambda: [cv2.imdecode(one, cv2.IMREAD_COLOR) for one in kept]) for _ in range(9)])
    )


async def timed(path: Path, size: tuple[int, int], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each action, time after time."""
    taken: dict[str, list[float]] = {name: [] for name in ("open", "screenful", "read ahead", "word", "undo")}
    with Book(path) as book:
        taken["open"] = [ms(lambda: Review(book, SLIDE, "AB").close()) for _ in range(3)]
        review = Review(book, SLIDE, "AB")
        app = ReviewApp(review)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            screen = app.screen
            assert isinstance(screen, ReviewScreen)
            taken["screenful"] = [_jump(screen, i, rounds) for i in range(rounds)]
            screen.action_move(-len(review.cells))
            for _ in range(rounds):
                await _rested(pilot)
                taken["read ahead"].append(ms(lambda: _painted(screen, screen.action_move_pages, 1)))
            screen.action_move(-len(review.cells))
            for _ in range(rounds):
                taken["word"].append(ms(lambda: _painted(screen, screen.action_confirm)))
            for _ in range(rounds):
                taken["undo"].append(ms(lambda: _painted(screen, screen.action_undo)))
            page = [review.crop(cell.id) for cell in screen._panes.gallery.on_page]
        taken["decoding"] = [decoded([crop for crop in page if crop is not None])]
    return taken


def _jump(screen: ReviewScreen, i: int, rounds: int) -> float:
    """To a screenful that nobody could foresee, whose crops are on the disk only."""
    review = screen.review
    review._crops.clear()
    screen._walk.at = (i + 1) * len(review.cells) // (rounds + 2)
    return ms(lambda: _painted(screen, screen.action_move_pages, 1))


def _painted(screen: ReviewScreen, act: Callable[..., object], *values: object) -> None:
    """Do it, and make the characters that go to the terminal."""
    act(*values)
    screen._compositor.render_full_update().render_segments(screen.app.console)


async def _rested(pilot: Pilot[None]) -> None:
    """Until the next screenful was read ahead."""
    await pilot.pause(0.1)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--size", default="160x48", help="columns x rows of the terminal")
    arguments = parser.parse_args()
    columns, rows = (int(n) for n in arguments.size.split("x"))
    results = Results("review", parser, arguments)
    os.environ["COLORTERM"] = "truecolor"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.db"
        screened(path, arguments.cells)
        taken = asyncio.run(timed(path, (columns, rows), arguments.rounds))
        disk = written(path)
    what = f"{arguments.cells} cells, {arguments.size}"
    decoding = taken.pop("decoding")[0]
    beside = {"screenful": ("decoding its crops", decoding), "read ahead": ("decoding its crops", decoding),
              "word": ("a write to the disk", disk), "undo": ("a write to the disk", disk)}  # fmt: skip
    for name, values in taken.items():
        middle, best, worst = float(np.median(values)), float(np.min(values)), float(np.max(values))
        wanted = f"≤ {WANTED_MS:.0f}" if name != "open" else ""
        results.add(name, middle, what=what, unit="ms", n=len(values), of="times", wanted=wanted)
        for which, value in (("quickest", best), ("slowest", worst)):
            results.add(f"{name}, the {which}", value, what=what, unit="ms", n=len(values), of="times")
        line = f"{name:<12} {middle:7.1f} ms, {best:.1f} to {worst:.1f}"
        if name in beside:
            of, unit = beside[name]
            results.add(f"{name} by {of}", middle / unit, what=what, n=len(values), of="times")
            line += f", {middle / unit:.1f} times {of} ({unit:.2f} ms)"
        print(line)
    results.write()


if __name__ == "__main__":
    main()
