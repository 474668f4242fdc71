"""The export of a thousand slides: seconds, and whether memory stays flat.

A simulated slide is screened as `edge-run` does and copied under other names, pictures and all. Then
`edge-slides export` runs as a program of its own on a tenth of the slides and on all of them: how long it
takes, and how much more memory ten times the slides took at their peak.

    python benchmarks/export.py [--slides 1000] [--fields 60] [--formats csv,json,html] [--json OUT]
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import Results, parser_of

from edge.records.book import Book

WHOLE_S, FLAT_MIB = 60.0, 20.0


def screened(folder: Path, fields: int) -> Path:
    """A store with one slide of so many fields, 40% blasts."""
    path = folder / "records.db"
    camera = ("--camera", "demo:1", "--max-frames", str(fields), "--slide", "S-0", "--headless")
    _edge("edge.cli", *camera, "--records", str(path))
    return path


def copied(path: Path, slides: int) -> None:
    """So many slides in all, which differ in nothing but their names."""
    digits = len(str(slides - 1))
    with sqlite3.connect(path) as store:
        readings = [row[0] for row in store.execute("SELECT id FROM readings ORDER BY id")]
        for i in range(1, slides):
            name = f"S-{i:0{digits}d}"
            _copy(store, "slides", f"'{name}'", "id", "id = 'S-0'")
            for reading in readings:
                into = _copy(store, "readings", f"'{name}'", "slide", f"id = {reading}")
                _copy(store, "cells", str(into), "reading", f"reading = {reading}")


def _copy(store: sqlite3.Connection, table: str, value: str, column: str, which: str) -> int:
    """Copy rows of a table with another value in this column and, where they are numbered, new numbers."""
    columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
    columns = [name for name in columns if name not in ("id", column)]
    names = ", ".join([column, *columns])
    rest = ", ".join([value, *columns])
    cursor = store.execute(f"INSERT INTO {table} ({names}) SELECT {rest} FROM {table} WHERE {which}")
    return int(cursor.lastrowid or 0)


def exported(path: Path, formats: str, out: Path, search: str) -> tuple[float, float]:
    """Seconds and peak MiB of an export of the slides with this text in their names."""
    began = time.perf_counter()
    flags = ("--records", str(path), "--format", formats, "--out", str(out), "--search", search)
    peak_mib = _edge("edge.slides", "export", *flags)
    return time.perf_counter() - began, peak_mib


def _edge(module: str, *arguments: str) -> float:
    """Run a command of this program to its end; the most memory that it took, MiB."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)}: ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--slides", type=int, default=1000)
    parser.add_argument("--fields", type=int, default=60)
    parser.add_argument("--formats", default="csv,json,html", help="of each export")
    arguments = parser.parse_args()
    results = Results("export", parser, arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = screened(Path(folder), arguments.fields)
        copied(path, arguments.slides)
        with Book(path, reads_only=True) as book:
            cells = len(book.views("S-0"))
            some_s, some_mib = exported(path, arguments.formats, Path(folder) / "some", "S-0")
        all_s, all_mib = exported(path, arguments.formats, Path(folder) / "all", "S-")
        files = [file for file in (Path(folder) / "all").rglob("*") if file.is_file()]
        size_mb = sum(file.stat().st_size for file in files) / 1e6
    what = f"{arguments.slides} slides of {cells} cells: {arguments.formats}"
    about = {"n": arguments.slides, "of": "slides"}
    print(f"{what}: {all_s:.1f} s, {len(files)} files, {size_mb:.0f} MB")
    print(f"peak {all_mib:.0f} MiB, of a tenth {some_mib:.0f} MiB in {some_s:.1f} s")
    results.add("export", all_s, what=what, unit="s", wanted=f"≤ {WHOLE_S:g}", **about)
    results.add("more memory than a tenth", all_mib - some_mib, what=what, unit="MiB",
                wanted=f"≤ {FLAT_MIB:g}", **about)  # fmt: skip
    results.write()


if __name__ == "__main__":
    main()
