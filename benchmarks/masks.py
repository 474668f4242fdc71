"""How well outlines fit those drawn by hand: Dice of whole cell and nucleus on `segmentation_WBC`.

python benchmarks/masks.py --data ../shared/data --pictures out/
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from results import Results, parser_of

from edge.cells import segment
from edge.optics import specimen
from edge.records.labels import label_images
from edge.types import U8, Bools
from train.data.dataset import NUCLEUS
from train.data.registry import dataset

PITCH_UM = 0.25
DATA_SETS = ("zheng-1", "zheng-2")


def dice(found: Bools, drawn: Bools) -> float:
    """Twice the overlap by the sum of the areas, 1 when both are empty."""
    total = np.count_nonzero(found) + np.count_nonzero(drawn)
    return 2 * np.count_nonzero(found & drawn) / total if total else 1.0


def outline(pixels: U8, um_per_px: float) -> tuple[Bools, Bools]:
    """Masks of the cell in the middle and of its nucleus, at full size."""
    view = specimen.specimen(pixels, um_per_px, PITCH_UM)
    cells, nuclei = label_images(segment.single(view).in_frame(*pixels.shape[:2]))
    return cells > 0, nuclei > 0


def draw(pixels: U8, masks: list[tuple[Bools, tuple[int, int, int]]]) -> U8:
    """The picture, twice as large, with outlines of masks."""
    out = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for mask, colour in masks:
        big = cv2.resize(mask.astype(np.uint8), (out.shape[1], out.shape[0]), interpolation=cv2.INTER_NEAREST)
        edges, _ = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, edges, -1, colour, 1)
    return np.asarray(out, np.uint8)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the pixel size")
    parser.add_argument("--pictures", type=Path, metavar="OUT", help="found yellow, drawn green")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="cells of each set; default: all")
    args = parser.parse_args()
    results = Results("masks", parser, args)
    for name in DATA_SETS:
        source, scores = dataset(name), []
        for picture in islice(source.read(source.root(args.data), print), args.limit or None):
            if picture.load_mask is None:
                raise SystemExit(f"{picture.name}: no mask beside it")
            pixels, drawn = picture.load(), picture.load_mask()
            cell, nucleus = outline(pixels, picture.um_per_px * args.scale)
            scores.append((dice(cell, drawn > 0), dice(nucleus, drawn == NUCLEUS)))
            if args.pictures:
                folder = args.pictures / name
                folder.mkdir(parents=True, exist_ok=True)
                green, yellow = (0, 200, 0), (255, 230, 0)
                masks = [(drawn > 0, green), (drawn == NUCLEUS, green), (cell, yellow), (nucleus, yellow)]
                number = Path(picture.name).stem
                file = f"{round(scores[-1][0] * 1000):04d}-{round(scores[-1][1] * 1000):04d}-{number}.png"
                cv2.imwrite(str(folder / file), draw(pixels, masks)[..., ::-1])
        table = np.array(scores)
        for part, column in (("cell", table[:, 0]), ("nucleus", table[:, 1])):
            tenth, middle = np.percentile(column, [10, 50])
            line = f"mean {column.mean():.3f}  median {middle:.3f}  lowest tenth below {tenth:.3f}"
            print(f"{name} {part:8s} Dice {line}")
            results.add(f"Dice of the {part}, mean", column.mean(), what=name, n=len(scores), of="cells")
    results.write()


if __name__ == "__main__":
    main()
