"""Whether true colours are believed, and grey ones and those with red and blue exchanged are noticed.

The fields of each public data set as one slide: the share that is turned down for its colours as they are,
with red and blue exchanged, and grey; and at which field of the exchanged ones the slide is told.

    python benchmarks/colours.py --data ../shared/data --limit 100
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from results import Results, parser_of
from scale import pictures, um_per_px

from edge.line.colours import Colours
from edge.optics.specimen import specimen
from edge.types import U8
from edge.types.problems import EXCHANGED, NO_COLOUR

SETS = ("bccd", "deepapl", "pbc", "chula", "txl-pbc", "aria-fields")
PITCH_UM = 0.25


def exchanged(pixels: U8) -> U8:
    """Red in blue's place."""
    return np.ascontiguousarray(pixels[..., ::-1])


def grey(pixels: U8) -> U8:
    """Brightness alone."""
    return np.asarray(cv2.merge([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)] * 3), np.uint8)


def told(fields: list[U8], scale: float) -> tuple[list[str | None], float]:
    """What each of a slide's fields is said to suffer from, and the milliseconds that a field takes."""
    colours, said, took = Colours(), [], []
    for pixels in fields:
        view = specimen(pixels, scale, PITCH_UM)
        started = perf_counter()
        said.append(colours.see(view, pixels))
        took.append((perf_counter() - started) * 1e3)
    return said, float(np.median(took))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=100, help="fields of each set (default 100)")
    arguments = parser.parse_args()
    results = Results("colours", parser, arguments)
    cv2.setNumThreads(1)
    print(f"{'set':14}{'fields':>7}{'turned down':>13}{'exchanged':>11}{'told at':>9}{'grey':>7}{'ms':>7}")
    for name in SETS:
        fields = list(pictures(arguments.data, name, arguments.limit))
        if not fields:
            continue
        scale, about = um_per_px(name), {"n": len(fields), "of": "fields"}
        true, ms = told(fields, scale)
        false, _ = told([exchanged(pixels) for pixels in fields], scale)
        without, _ = told([grey(pixels) for pixels in fields], scale)
        down = np.mean([one is not None for one in true])
        noticed, colourless = (
            np.mean([one == EXCHANGED for one in false]),
            np.mean([*map(NO_COLOUR.__eq__, without)]),
        )
        first = false.index(EXCHANGED) + 1 if EXCHANGED in false else 0
        print(f"{name:14}{len(fields):>7}{down:>13.1%}{noticed:>11.1%}{first:>9}{colourless:>7.1%}{ms:>7.2f}")
        results.add("turned down for its colours", down, what=name, wanted="0", **about)
        results.add("turned down with red and blue exchanged", noticed, what=name, **about)
        results.add("field at which exchanged colours are told", first, what=name, wanted="≤ 3", **about)
        results.add("turned down without colour", colourless, what=name, wanted="1", **about)
    results.write()


if __name__ == "__main__":
    main()
