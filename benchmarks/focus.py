"""Whether the focus meter moves in the right direction when real fields are put out of focus.

Every picture is blurred in steps, by Gaussians of up to 6 µm standard deviation and by discs of up to 6 µm
radius (what geometrical optics makes of a point). A meter sees it in focus and then step by step outwards;
another, which never saw it in focus, sees it from far out inwards. For every set: the share of
neighbouring steps in the right order (inwards a needle that stays at the end of its scale is right too), what
the meter shows at 0, 1, 2, 4 and 6 µm, the tenth percentile of what it shows of other fields of the set as
they are, and its time as a share of the quality check's, whose measurement it uses.

    python benchmarks/focus.py --data ../shared/data --limit 40
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from quality import PITCH_UM
from results import Results, parser_of
from scale import SETS, WITHOUT, pictures, um_per_px

from edge.line import quality
from edge.line.focus import FocusMeter
from edge.line.quality import Quality
from edge.optics import specimen
from edge.types import U8, Frame

STEPS_UM = tuple(float(s) for s in np.arange(0, 6.01, 0.5))
SHOWN_UM = (0.0, 1.0, 2.0, 4.0, 6.0)

Defocus = tuple[str, float]


def defocused(picture: U8, kind: str, um: float, scale: float) -> U8:
    """The picture blurred by a 'gauss' of this standard deviation or a 'disc' of this radius."""
    px = um / scale
    if px < 0.5:
        return picture
    if kind == "gauss":
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), px, borderType=cv2.BORDER_REFLECT), np.uint8)
    reach = int(np.ceil(px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(px + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(cv2.filter2D(picture, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT), np.uint8)


def assess(picture: U8, scale: float) -> Quality:
    """Quality of a picture as the line sees it."""
    frame = Frame(picture, 0, "benchmark", datetime.now(UTC), 0.0)
    return quality.assess(specimen.specimen(picture, scale, PITCH_UM), frame)


def outwards(sweep: Sequence[Quality]) -> list[float]:
    """What a meter shows from focus outwards, having seen focus."""
    meter = FocusMeter()
    for _ in range(3):
        meter.see(sweep[0])
    return [meter.see(q) or 0.0 for q in sweep]


def inwards(sweep: Sequence[Quality]) -> list[float]:
    """What a meter shows from far out inwards, having seen nothing else."""
    meter = FocusMeter()
    return [meter.see(q) or 0.0 for q in reversed(sweep)]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=40, help="pictures of each set (default 40)")
    parser.add_argument("--dataset", choices=(*SETS, *WITHOUT), action="append", help="default: all of them")
    arguments = parser.parse_args()
    results = Results("focus", parser, arguments)
    cv2.setNumThreads(1)
    print(
        f"{'set':20}{'blur':>7}{'outwards':>10}{'inwards':>9}"
        + "".join(f"{s:>6.0f}" for s in SHOWN_UM)
        + " µm   other fields    time"
    )
    for name in arguments.dataset or (*SETS, *WITHOUT):
        fields = list(pictures(arguments.data, name, arguments.limit))
        if name == "cnmc":  # cells cut out on black: on white they have a natural edge
            fields = [np.where(f.max(axis=2, keepdims=True) <= 12, np.uint8(240), f) for f in fields]
        for kind in ("gauss", "disc"):
            print(row(fields, name, kind, results) if fields else f"{name:20}{'absent':>7}")
    results.write()


def row(fields: Sequence[U8], name: str, kind: str, results: Results) -> str:
    """A line of the table."""
    scale = um_per_px(name)
    sweeps = [[assess(defocused(f, kind, s, scale), scale) for s in STEPS_UM] for f in fields]
    out, back = [outwards(s) for s in sweeps], [inwards(s) for s in sweeps]
    falling = np.mean([a > b for shown in out for a, b in pairwise(shown)])
    rising = np.mean([b > a or b == 1.0 for shown in back for a, b in pairwise(shown)])
    levels = np.median([[shown[STEPS_UM.index(s)] for s in SHOWN_UM] for shown in out], axis=0)
    meter = FocusMeter()
    started = perf_counter()
    others = [meter.see(sweep[0]) or 0.0 for sweep in sweeps]
    metered = perf_counter() - started
    started = perf_counter()
    for field in fields:
        assess(field, scale)
    share = metered / (perf_counter() - started)
    about = {"what": f"{name}, {kind}", "n": len(fields), "of": "fields"}
    results.add("steps in the right order, outwards", falling, **about)
    results.add("steps in the right order, inwards", rising, **about)
    results.add("time of the meter", metered / len(fields) * 1e3, unit="ms", wanted="≤ 1 ms", **about)
    return (
        f"{name:20}{kind:>7}{falling:>10.1%}{rising:>9.1%}"
        + "".join(f"{level:>6.2f}" for level in levels)
        + f"{np.percentile(others, 10):>17.2f}{share:>9.2%}"
    )


if __name__ == "__main__":
    main()
