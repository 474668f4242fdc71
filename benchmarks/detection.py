"""How well leukocytes are found in fields of three public data sets, by the line itself.

As `edge-train evaluate --dataset bccd` does it (`train.judging.fields`), but on the parts that the makers of
the data sets drew, as others count; if asked for with the scale given, without the classifier, or with
pictures of all fields.

    python benchmarks/detection.py --data ../shared/data --dataset bccd --json out.json
    python benchmarks/detection.py --data ../shared/data --segmentation-only --pictures out/
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from edge.cells.segment import segment
from edge.optics.specimen import specimen
from edge.types import U8, Bools, CellsInFrame
from train.data.dataset import spread
from train.data.registry import dataset
from train.data.sets.fields import FIELDS
from train.judging.fieldpictures import write
from train.judging.fields import WholeLine, judge

PITCH_UM = 0.25
WANTED = {
    "bccd": {"recall": "≥ 0.97", "precision": "≥ 0.93"},
    "chula": {"recall": "≥ 0.95", "beyond_per_field": "≤ 1.5"},
    "txl-pbc": {"recall": "≥ 0.97", "precision": "≥ 0.93"},
}


def segmented(um_per_px: float, pixels: U8, name: str) -> tuple[CellsInFrame, Bools]:
    """The segmentation's cells of a field, all of them."""
    cells = segment(specimen(pixels, um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
    return cells, np.ones(len(cells), np.bool_)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--dataset", choices=FIELDS, action="append", help="default: all three")
    parser.add_argument("--split", choices=("train", "test"), default="test", help="official part")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="fields of each; default: all")
    parser.add_argument("--bundle", type=Path, help="model bundle; without it the one that ships")
    parser.add_argument("--um-per-px", choices=("auto", "nominal"), default="auto", help="scale of a field")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the nominal pixel size")
    parser.add_argument("--segmentation-only", action="store_true", help="no quality check, no classifier")
    parser.add_argument("--pictures", type=Path, metavar="OUT", help="write fields with outlines and boxes")
    parser.add_argument("--wrong", action="store_true", help="with --pictures: only fields with an error")
    args = parser.parse_args()
    results = Results("detection", parser, args)
    for name in args.dataset or FIELDS:
        source = dataset(name)
        assert source.scale is not None
        nominal = source.scale.um_per_px * args.scale
        asked = nominal if args.um_per_px == "nominal" else "auto"
        official = ("test",) if args.split == "test" else ("train", "validation")
        listed = [f for f in FIELDS[name](source.root(args.data), print) if f.official in official]
        if args.segmentation_only:
            find = partial(segmented, nominal)
        else:
            find = WholeLine(bundle.load(args.bundle, allow_unsigned=True), nominal, print, asked)
        show = partial(write, args.pictures / name, not args.wrong) if args.pictures else None
        found = judge(find, source, spread(listed, args.limit), f"official {args.split}", print, show)
        print("\n".join(found.lines()), flush=True)
        for figure, value in found.figures.items():
            wanted = WANTED[name].get(figure, "") if args.split == "test" else ""
            results.add(
                figure, value, what=f"{name} {found.part}", n=found.asked, of="leukocytes", wanted=wanted
            )
    results.write()


if __name__ == "__main__":
    sys.exit(main())
