"""The export of a thousand slides: seconds, and whether memory stays flat.

The slides are those of benchmarks/custody.py: one that was screened, and copies of it, pictures and all.
`edge-slides export` runs as a program of its own on a tenth of them and on all.

    python benchmarks/export.py [--slides 1000] [--cells 150] [--formats csv,json,html] [--json OUT]
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from custody import filled, measured
from results import Results, parser_of

WHOLE_S, FLAT_MIB = 60.0, 20.0


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--slides", type=int, default=1000, help="a power of ten")
    parser.add_argument("--cells", type=int, default=150, help="of a slide (default: 150)")
    parser.add_argument("--formats", default="csv,json,html", help="of each export")
    arguments = parser.parse_args()
    results = Results("export", parser, arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["LEUKOSCOPE_HOME"] = str(folder / "home")
        path = folder / "records.db"
        filled(path, arguments.slides, arguments.cells)
        first = f"S-{0:05d}"[: 7 - len(str(arguments.slides - 1)) + 1]  # in the names of a tenth of them
        asked = ("export", "--records", path, "--format", arguments.formats)
        _, some_mib = measured(*asked, "--search", first, "--out", folder / "some")
        taken, all_mib = measured(*asked, "--all", "--out", folder / "all")
        files = [file for file in (folder / "all").rglob("*") if file.is_file()]
        size_mb = sum(file.stat().st_size for file in files) / 1e6
    what = f"{arguments.slides} slides of {arguments.cells} cells: {arguments.formats}"
    about = {"what": what, "n": arguments.slides, "of": "slides"}
    print(f"{what}: {taken:.1f} s, {len(files)} files, {size_mb:.0f} MB")
    results.add("export", taken, unit="s", wanted=f"≤ {WHOLE_S:g}", **about)
    results.add("written", size_mb, unit="MB", **about)
    results.add("more memory than a tenth", all_mib - some_mib, unit="MiB", wanted=f"≤ {FLAT_MIB:g}", **about)
    results.write()


if __name__ == "__main__":
    main()
