"""The list of 5,000 slides: how long until it is open, until all are there, and until a letter is answered.

The store is filled by the store itself with one slide, of which the others are copies under other names. What
is timed is everything from the key to the characters that go to the terminal; beside it stands what nobody
could spare in the same run, reading the rows of that many slides.

    python benchmarks/slides.py [--slides 5000] [--size 160x48] [--json out.json]
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
from results import Results, parser_of
from textual.app import App
from textual.screen import Screen

from edge.bundle import bundle
from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.line.rules import Rules
from edge.records.book import Book
from edge.records.people import About
from edge.records.store import Store
from edge.tui.slides.slides import SlidesScreen
from edge.types import SlideHeader

OPEN_MS, LETTER_MS = 200.0, 50.0
FINDINGS = ("refer", "read-film", "no-blasts-seen", "keep-scanning", "not-readable")
TYPED = "P-0000"


def filled(path: Path, slides: int) -> None:
    """So many slides, each with a patient who has two of them."""
    about = bundle.load().manifest
    rules = Rules.of(about)
    header = SlideHeader("", "", "drawn", "", about.name, "0" * 64, True, rules.classes, rules.record())
    tally = Ledger(rules).tally(frames=1)
    with Store(path) as store:
        store.begin_slide("S-00000", header, about=About("P-00000", 4, "female"))
        store.finish_slide(judge(tally, rules), tally)
    chance = random.Random(0)
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        slide = dict(database.execute("SELECT * FROM slides").fetchone())
        notes = [dict(row) for row in database.execute("SELECT * FROM notes")]
        for i in range(1, slides):
            name = {
                "id": f"S-{i:05d}",
                "started_s": slide["started_s"] + i,
                "finding": chance.choice(FINDINGS),
            }
            _insert(database, "slides", slide | name)
            for note in notes:
                value = {"value": f"P-{i // 2:05d}"} if note["field"] == "patient" else {}
                _insert(database, "notes", note | {"id": None, "slide": name["id"]} | value)


def _insert(database: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    marks = ", ".join(f":{column}" for column in row)
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _painted(screen: Screen[None]) -> None:
    """Make the characters that go to the terminal."""
    screen._compositor.render_full_update().render_segments(screen.app.console)


async def timed(path: Path, slides: int, size: tuple[int, int], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each action, time after time."""
    taken: dict[str, list[float]] = {"open": [], "all there": [], "letter": []}
    app: App[None] = App()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for _ in range(rounds):
            started = time.perf_counter()
            screen = SlidesScreen(path, lambda slide: None)
            await app.push_screen(screen)
            _painted(screen)
            taken["open"].append((time.perf_counter() - started) * 1e3)
            while len(screen._slides) < slides:
                await asyncio.sleep(0.001)
            taken["all there"].append((time.perf_counter() - started) * 1e3)
            for end in range(1, len(TYPED) + 1):
                started = time.perf_counter()
                screen._look_for(TYPED[:end])
                _painted(screen)
                taken["letter"].append((time.perf_counter() - started) * 1e3)
            assert 0 < len(screen._table.slides) < slides
            await screen.dismiss()
    return taken


def read(path: Path) -> float:
    """Milliseconds to get every slide's row out of the file, and do nothing with it."""
    with Book(path, reads_only=True) as book:
        started = time.perf_counter()
        book._database.execute("SELECT * FROM slides").fetchall()
        return (time.perf_counter() - started) * 1e3


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--slides", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--size", default="160x48", help="columns x rows of the terminal")
    arguments = parser.parse_args()
    columns, rows = (int(n) for n in arguments.size.split("x"))
    results = Results("slides", parser, arguments)
    os.environ["COLORTERM"] = "truecolor"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.db"
        filled(path, arguments.slides)
        taken = asyncio.run(timed(path, arguments.slides, (columns, rows), arguments.rounds))
        taken["rows read"] = [read(path) for _ in range(arguments.rounds)]
    wanted = {"open": OPEN_MS, "letter": LETTER_MS}
    print(f"{'':12}{'median':>10}{'slowest':>10} ms   {arguments.slides} slides, {arguments.size}")
    for name, times in taken.items():
        print(f"{name:12}{np.median(times):>10.1f}{max(times):>10.1f}")
        goal = f"≤ {wanted[name]:g}" if name in wanted else ""
        about = {"what": f"{arguments.slides} slides", "unit": "ms", "n": len(times), "of": "times"}
        results.add(name, float(np.median(times)), wanted=goal, **about)
        results.add(f"{name}, slowest", max(times), **about)
    results.write()


if __name__ == "__main__":
    main()
