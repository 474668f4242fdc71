"""1,000 slides of 400 cells kept whole: how long verify, backup, restore and merge take, and their memory.

One slide of the simulated microscope goes through `edge-run`'s own line; the others are copies of it under
other names, with digests of their own. Each command runs in a process of its own. Beside them stand the two
views, asked for one slide.

    python benchmarks/custody.py [--slides 1000] [--cells 400] [--folder DIR] [--json OUT]
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from results import Results, parser_of

from edge import cli
from edge.records.rows import insert
from edge.records.seals import digest, insert_sealed, seal

_LIMIT_S = 3600
_MEASURED = (
    "import sys; from edge.slides import main; status = main(sys.argv[1:]); "
    "text = open('/proc/self/status').read(); "
    "print(text.partition('VmHWM:')[2].split()[0], file=sys.stderr); sys.exit(status)"
)
"""The peak by /proc, in KiB: that of getrusage(2) counts what this program had when it started the other."""


def screened(path: Path, cells: int) -> None:
    """One slide with at least so many rows of cells."""
    frames, seen = 8, 0
    while seen < cells:
        for ending in ("", "-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        cli.main(["--camera", "demo:1", "--slide", "S-00000", "--headless", "--records", str(path),
                  "--max-frames", str(frames)])  # fmt: skip
        with sqlite3.connect(path) as database:
            (seen,) = database.execute("SELECT count(*) FROM cells").fetchone()
        frames *= 2


def filled(path: Path, slides: int, cells: int) -> None:
    """So many slides, each with `cells` cells, a patient and a word."""
    screened(path, cells)
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA synchronous = OFF")
        slide = dict(database.execute("SELECT * FROM slides").fetchone())
        readings, left = [], cells
        for row in map(dict, database.execute("SELECT * FROM readings ORDER BY id")):
            of = "SELECT * FROM cells WHERE reading = ? ORDER BY id LIMIT ?"
            kept = [dict(cell) for cell in database.execute(of, (row["id"], left))]
            left -= len(kept)
            readings.append((row, kept, [digest(cell) for cell in kept]))
        for table in ("cells", "readings", "slides"):
            database.execute(f"DELETE FROM {table}")
        for i in range(slides):
            name = f"S-{i:05d}"
            row = slide | {"id": name, "started_s": slide["started_s"] + i, "sha256": None}
            insert(database, "slides", row)
            for reading, kept, digests in readings:
                own = reading | {"id": None, "slide": name, "sha256": None}
                key = insert(database, "readings", own | {"sha256": digest(own, *digests)})
                for cell in kept:
                    insert(database, "cells", cell | {"id": None, "reading": key})
            seal(database, name)
            at = {
                "slide": name,
                "initials": "AB",
                "boot": slide["boot"],
                "at": row["started_at"],
                "at_s": 1.0,
            }
            insert_sealed(database, "notes", at | {"field": "patient", "value": f"P-{i // 2:05d}"})
            cell = readings[0][1][0]["cell"] if readings[0][1] else 1
            insert_sealed(database, "words", at | {"cell": cell, "named": "blast", "step": i + 1})
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measured(*arguments: object, status: int = 0) -> tuple[float, float]:
    """Seconds and peak MiB of `edge-slides` with these arguments."""
    began = time.perf_counter()
    command = [sys.executable, "-c", _MEASURED, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=_LIMIT_S)
    taken = time.perf_counter() - began
    if done.returncode != status:
        raise SystemExit(f"edge-slides {arguments[0]}: {done.stderr}")
    peak = int(done.stderr.split()[-1]) / 1024
    print(f"{arguments[0]:10}{taken:>8.1f} s{peak:>8.0f} MiB   {done.stdout.splitlines()[-1]}")
    return taken, peak


def asked(path: Path, view: str, slides: int, times: int = 5) -> float:
    """Milliseconds to read a view's rows of one slide."""
    with sqlite3.connect(path) as database:
        taken = []
        for i in range(times):
            began = time.perf_counter()
            database.execute(f"SELECT * FROM {view} WHERE slide = ?", (f"S-{i * 7 % slides:05d}",)).fetchall()
            taken.append((time.perf_counter() - began) * 1e3)
    return float(np.median(taken))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--slides", type=int, default=1000)
    parser.add_argument("--cells", type=int, default=400, help="of a slide (default: 400)")
    parser.add_argument("--folder", type=Path, help="where the records lie (default: temporary)")
    arguments = parser.parse_args()
    results = Results("custody", parser, arguments)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        os.environ["LEUKOSCOPE_HOME"] = str(folder / "home")
        path, backup = folder / "records.db", folder / "backup"
        filled(path, arguments.slides, arguments.cells)
        size = path.stat().st_size / 1e6
        about = {
            "what": f"{arguments.slides} slides of {arguments.cells} cells",
            "n": arguments.slides,
            "of": "slides",
        }
        print(f"{arguments.slides} slides, {size:,.0f} MB")
        results.add("records", size, unit="MB", **about)
        for name, command in (
            ("verify", ("verify", "--records", path)),
            ("backup", ("backup", backup, "--records", path)),
            ("restore", ("restore", backup, "--records", folder / "restored.db")),
            ("merge", ("merge", backup, "--records", folder / "merged.db")),
            ("merge again", ("merge", backup, "--records", folder / "merged.db")),
        ):  # fmt: skip
            taken, peak = measured(*command)
            results.add(name, taken, unit="s", **about)
            results.add(f"{name}, memory", peak, unit="MiB", **about)
        for view in ("v_slides", "v_cells"):
            ms = asked(path, view, arguments.slides)
            print(f"{view} of one slide: {ms:.1f} ms")
            results.add(f"{view} of one slide", ms, unit="ms", **about)
    results.write()


if __name__ == "__main__":
    main()
