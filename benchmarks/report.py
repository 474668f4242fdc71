"""What the report of a slide costs: seconds and megabytes of its HTML and its PDF.

A simulated slide (`demo:1`, 40% blasts) is screened until so many leukocytes are counted, or a number of
fields are read; then its report is gathered from the records and written several times.

    python benchmarks/report.py [--cells 400] [--fields 400] [--rounds 5]
"""

from __future__ import annotations

import resource
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from edge.cameras.selection import camera_for
from edge.line.engine import open_engine
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.machine.profile import load_profile
from edge.optics.scale import Scales
from edge.records.book import Book
from edge.records.store import Store
from edge.report.formats import Layout, Writer, writer
from edge.report.gather import gather
from edge.report.report import Report

SLIDE, CAMERA = "drawn", "demo:1"
FORMATS = ("html", "pdf")
AT_MOST_S, AT_MOST_MB = 2, 3
MADE_AT = datetime(2026, 11, 30, tzinfo=UTC)


def screened(records: Path, cells: int, fields: int) -> None:
    """Fill a store as `edge-run` does."""
    profile = load_profile(None)
    engine = open_engine(profile, bundle.load(), None, lambda line: print(line, file=sys.stderr))
    with closing(engine), Store(records) as store:
        camera = camera_for(CAMERA, profile.camera)
        screening = Screening(
            camera=camera, bundle=engine.bundle, classifier=engine.classifier, store=store,
            scales=Scales(asked="auto", nominal=profile.camera.nominal_um_per_px, camera=camera),
            profile=profile.name, find=engine.find,
            options=ScreeningOptions(slide=SLIDE, max_frames=fields),
        )  # fmt: skip
        for reading in screening.readings():
            if reading.tally.leukocytes >= cells:
                screening.stop()


def written(book: Book, write: Writer) -> tuple[float, int]:
    """Seconds from the records to the files, and their bytes."""
    began = perf_counter()
    size = sum(len(content) for _, content in write(gather(book, SLIDE, MADE_AT), Layout()))
    return perf_counter() - began, size


def about(report: Report) -> str:
    return (
        f"{len(report.cells)} cells, {len(report.gallery)} of them shown, "
        f"{len(report.map.fields) if report.map else 0} fields"
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--cells", type=int, default=400, help="leukocytes counted (default: 400)")
    parser.add_argument("--fields", type=int, default=400, help="read at most (default: 400)")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    results = Results("report", parser, arguments)
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.db"
        screened(records, arguments.cells, arguments.fields)
        with Book(records, reads_only=True) as book:
            what = about(gather(book, SLIDE, MADE_AT))
            print(what)
            for name in FORMATS:
                rounds = [written(book, writer(name)) for _ in range(arguments.rounds)]
                seconds, size = float(np.median([took for took, _ in rounds])), rounds[0][1]
                assert all(other == size for _, other in rounds)
                print(f"{name}: {seconds:.2f} s, {size / 1e6:.2f} MB")
                told = {
                    "what": f"{name}, {arguments.cells} leukocytes",
                    "n": arguments.rounds,
                    "of": "rounds",
                }
                results.add("a report takes", seconds, unit="s", wanted=f"≤ {AT_MOST_S}", **told)
                results.add("a report's size", size / 1e6, unit="MB", wanted=f"≤ {AT_MOST_MB}", **told)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.add("memory at most, screening included", peak, unit="MiB")
    results.write({"slide": what})


if __name__ == "__main__":
    main()
