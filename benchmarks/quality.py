"""Whether real fields pass the focus check, and the same fields blurred do not.

For every set: the share of pictures turned down as they are and after a Gaussian blur of so many µm, and
the share of pictures whose sharpness falls at every step of blur.

    python benchmarks/quality.py --data ../shared/data --limit 200
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from results import Results, parser_of
from scale import pictures, um_per_px

from edge.line import quality
from edge.optics import specimen
from edge.types import U8, Frame

SETS = ("bccd", "chula", "txl-pbc", "aria-fields", "deepapl", "pbc")
BLURS_UM = (0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 2.0)
WANTED = {0.0: "≤ 0.02", 1.2: "≥ 0.95"}
PITCH_UM = 0.25


def judged(picture: U8, um_per_px: float, blur_um: float) -> quality.Quality:
    """Quality of a picture after a blur of this standard deviation."""
    if blur_um:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur_um / um_per_px), np.uint8)
    frame = Frame(picture, 0, "benchmark", datetime.now(UTC), 0.0)
    return quality.assess(specimen.specimen(picture, um_per_px, PITCH_UM), frame)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=200, help="pictures of each set (default 200)")
    arguments = parser.parse_args()
    results = Results("quality", parser, arguments)
    cv2.setNumThreads(1)
    print(f"{'turned down at blur of':22}" + "".join(f"{b:>7.1f}" for b in BLURS_UM) + " µm   falling   blur")
    for name in SETS:
        rows = [
            [judged(p, um_per_px(name), b) for b in BLURS_UM]
            for p in pictures(arguments.data, name, arguments.limit)
        ]
        if not rows:
            continue
        refused = np.mean([[bool(q.problems) for q in row] for row in rows], axis=0)
        falling = np.mean([all(a.sharpness > b.sharpness for a, b in pairwise(row)) for row in rows])
        own = np.median([row[0].blur_um for row in rows if row[0].blur_um is not None])
        print(f"{name:22}" + "".join(f"{r:>7.1%}" for r in refused) + f"{falling:>13.1%}{own:>7.2f}")
        about = {"n": len(rows), "of": "pictures"}
        for blur, share in zip(BLURS_UM, refused, strict=True):
            what = f"{name}, blurred by {blur:g} µm" if blur else name
            results.add("turned down", share, what=what, wanted=WANTED.get(blur, ""), **about)
        results.add("sharpness falls at every step", falling, what=name, **about)
    results.write()


if __name__ == "__main__":
    main()
