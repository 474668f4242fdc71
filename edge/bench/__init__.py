"""`edge-device bench`: how fast the line is on this machine and how much memory it takes.

Fields of the simulated microscope are drawn first, which is not measured; then they go through the line as
those of a camera would. Milliseconds of shared machines differ from minute to minute: compare ratios taken
in one run, or runs on a quiet machine.

The JSON of `--json` is one object. Fields may be added to it; those listed here stay.

- `kind` "bench", `format` 1, `version` of the program, `measured` the date, `quick` whether `--quick` was
  given.
- `machine`: `name`, `cpu`, `architecture`, `instructions` that networks run on (`avx512_vnni`, `avx_vnni`,
  `avx2`, `asimddp`, `asimd`, or null), `cores` it may use, `memory_mb`, `system`, `python`.
- `runtime`: `variant` as the records show it ("ort-int8"), `version` of its library, `threads` of one graph
  run, `image_threads` of OpenCV, `opencv`, `numpy`, `profile`, `bundle`, `bundle_sha256`.
- `line`: a usual field from camera to finding, records on, each frame new. `width`, `height`, `um_per_px`,
  `fields` measured, `cells_per_field` (mean found), `warm_up_fields` before them and `first_ms` of the first,
  `median_ms` and `p95_ms` of the whole, `stages`: {name: {`median_ms`, `p95_ms`}}, `fields_per_s` by the
  clock, with the records.
- `lines`: the same for each `field`: "sparse" with about two cells, "usual" with nine, and "crowded" with
  thirty of a leukemic smear, in clumps, among smudge cells and stain deposit.
- `video`: the same fields from an MJPEG file, decoding and line overlapped. `fields`, `quality` of the JPEGs,
  `mb_per_field`, `fields_per_s`, `decode_fields_per_s` of decoding alone, `ratio` of the two; medians of
  `rounds`, taken in turn. `videos`: of the usual and of the crowded fields, each with its `field`.
- `cells`: time of a field against its number of cells. `um_per_px`, `fields`: [{`cells`, `ms`}],
  `ms_per_cell` and `base_ms` of the line fitted through them, `r2`, and `ms_per_cell_lower`,
  `ms_per_cell_upper` fitted to the emptier and to the fuller half (null where all have as many cells).
- `classifier`: [{`batch`, `median_ms`, `p95_ms`, `ms_per_cell`, `cells_per_s`}].
- `process`: `edge-run --headless` on the MJPEG file in a process of its own. `first_reading_s` after it was
  started (the least of `starts`), `frames`, `resident_mb` at their end and `peak_mb`; null where the system
  does not tell.
- `long_run`, only with `--long`: `edge-run --headless` on the simulated slide for so many fields, in a
  process of its own. `first_reading_s` (the least of `starts`), `frames`, `resident_mb` {fields read:
  memory}, `largest_resident_mb`, `peak_mb`, and `growth_after_500`: by what share the memory of the last
  looks lies above that of the first ones after 500 fields; null where it was too short, or not told.
- `conditions`: `temperatures_c` {sensor: highest seen}, `cpu_c` the processor's, `clock_mhz` {`lowest`,
  `highest`} seen, `load` at the start and at the end; null or empty where the system does not tell.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from edge import command
from edge.types import LeukoscopeError

FRAMES, QUICK_FRAMES = 60, 12
FORMAT = 1

_EXAMPLE = "edge-device bench --json bench.json --plot bench.png"


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `bench` to the subcommands of `edge-device`; its `run` takes the arguments and gives the status."""
    summary = "measure the line's speed and memory on this machine, on simulated 1080p fields"
    parser = command.add(commands, "bench", summary, _EXAMPLE, run)
    add = parser.add_argument
    add("--json", metavar="PATH or -", help="write the figures as JSON, to standard output for -")
    add("--plot", type=Path, metavar="PNG", help="draw them (needs matplotlib)")
    add("--frames", type=command.whole(4, 2000), metavar="N",
        help=f"usual fields to measure (default {FRAMES}); each takes 6 MB of memory")  # fmt: skip
    add("--quick", action="store_true", help=f"{QUICK_FRAMES} fields and fewer rounds: a rough look")
    add("--long", type=command.whole(1), default=0, metavar="N",
        help="screen N fields more in a process of its own, to see whether its memory grows")  # fmt: skip
    add("--bundle", type=Path, metavar="PATH", help="model bundle (default: the one in use)")
    add("--allow-unsigned", action="store_true", help="run a bundle that nobody vouches for")
    command.add_large(parser)
    add("--profile", metavar="NAME or PATH", help="device profile (default: the one that fits this machine)")
    add("--runtime", choices=("auto", "ort", "trt"), help="what runs the networks (default: auto)")


def run(arguments: argparse.Namespace) -> int:
    """Measure, show the table, write what was asked for. Returns the exit status.

    Raises
    ------
    LeukoscopeError : a file cannot be written, matplotlib is missing, or the line cannot run.
    """
    _check_targets(arguments)

    from edge.bench import table
    from edge.bench.measure import Extent, measure
    from edge.bench.rig import rig

    extent = Extent.short(arguments.frames) if arguments.quick else Extent.full(arguments.frames)
    extent = replace(extent, long=arguments.long)
    steps = count(1)
    asked = (arguments.bundle, arguments.allow_unsigned, arguments.profile, arguments.runtime)
    opened = rig(*asked, partial(command.say, "edge-device"), large=arguments.large)
    with opened as rigged, command.Progress(extent.steps) as bar:
        figures = measure(rigged, extent, lambda text: bar.show(next(steps), text))
    text = json.dumps(figures, indent=2)
    if arguments.json is not None:
        command.write("--json", arguments.json, text + "\n")
    if arguments.json != "-":
        command.put(table.table(figures))
    if arguments.plot is not None:
        from edge.bench.plot import plot

        plot(figures, arguments.plot)
    return command.DONE


def _check_targets(arguments: argparse.Namespace) -> None:
    """What would fail after minutes of measuring is told before."""
    if arguments.plot is not None and find_spec("matplotlib") is None:
        raise LeukoscopeError("--plot: needs matplotlib; install it with: pip install matplotlib")
    for flag, path in (("--json", arguments.json), ("--plot", arguments.plot)):
        if path in (None, "-"):
            continue
        if Path(path).is_dir() or not os.access(Path(path).absolute().parent, os.W_OK):
            raise LeukoscopeError(f"{flag} {path}: cannot be written there; give another file")
