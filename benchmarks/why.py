"""What it takes to say why a cell was called what it was, and whether what decided lies in the cell.

Milliseconds a cell of the explanation, and by one classification in the same run; then, on cells whose
outlines were drawn by hand (`segmentation_WBC`), the share of the heat inside the cell, inside its nucleus,
and how much of the crop these are, which is what chance would give.

    python benchmarks/why.py --data ../shared/data
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from edge.bundle.model_input import crops
from edge.cells.classify import Classifier
from edge.line.explain import Explainer
from edge.optics.specimen import Specimen, specimen
from edge.types import U8
from train.data.dataset import NUCLEUS
from train.data.registry import dataset

DATA_SETS = ("zheng-1", "zheng-2")
_ROUNDS = 5  # of both for each cell, the quickest of which counts: others may be at work here too


def cells(data: Path, name: str, size: int, pitch_um: float) -> Iterator[tuple[U8, U8]]:
    """Crops round cells as drawn, and their masks: 0, CYTOPLASM, NUCLEUS."""
    source = dataset(name)
    for picture in source.read(source.root(data), print):
        if picture.load_mask is None:
            raise SystemExit(f"{picture.name}: no mask beside it")
        pixels, drawn = picture.load(), picture.load_mask()
        view = specimen(pixels, picture.um_per_px, pitch_um)
        y, x = np.nonzero(drawn)
        centre = np.array([[x.mean() + 0.5, y.mean() + 0.5]]) * view.scale
        shape = view.pixels.shape[1::-1]
        mask = cv2.resize(drawn, shape, interpolation=cv2.INTER_NEAREST)
        beside = np.repeat(np.where(mask == 0, np.uint8(240), mask)[..., None], 3, axis=2)
        masked = Specimen(beside.astype(np.uint8), pitch_um, view.scale, view.glass, 1.0)
        part = crops(masked, centre, size)[0, ..., 0]
        yield crops(view, centre, size)[0], np.where(part == 240, np.uint8(0), part).astype(np.uint8)


def took_ms(work: Callable[[], object]) -> float:
    """The quickest of some rounds."""
    times = []
    for _ in range(_ROUNDS):
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    return min(times) * 1e3


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    parser.add_argument("--bundle", type=Path, metavar="NAME.bundle", help="default: the one in use")
    parser.add_argument("--variant", default="ort-int8", help="of its graphs (default: ort-int8)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of the classifier (default: 2)")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="cells of each set; default: all")
    arguments = parser.parse_args()
    results = Results("why", parser, arguments)
    model = bundle.load(arguments.bundle, allow_unsigned=True)
    about = model.manifest
    classifier = Classifier(model, variant=arguments.variant, threads=arguments.threads)
    classifier.warm_up()
    explainer = Explainer(classifier, model.references())
    times, singles, words = [], [], Counter[str]()
    for name in DATA_SETS:
        shares = []
        for crop, mask in islice(
            cells(arguments.data, name, about.size_px, about.pitch_um), arguments.limit or None
        ):
            named = about.classes[int(classifier(crop[None]).classes[0])]
            singles.append(took_ms(lambda c=crop: classifier(c[None])))
            times.append(took_ms(lambda c=crop, n=named: explainer.of(c, n)))
            why = explainer.of(crop, named)
            words[why.decided] += 1
            if total := float(why.heat.sum()):
                inside = [float(why.heat[part].sum()) / total for part in (mask > 0, mask == NUCLEUS)]
                shares.append([*inside, np.mean(mask > 0), np.mean(mask == NUCLEUS)])
        cell, nucleus, cell_chance, nucleus_chance = np.mean(shares, axis=0).tolist()
        print(
            f"{name}: {len(shares)} cells; of the heat in the cell {cell:.1%} (chance {cell_chance:.1%}), in "
            f"the nucleus {nucleus:.1%} (chance {nucleus_chance:.1%})"
        )
        told = {"what": name, "n": len(shares), "of": "cells"}
        results.add("share of the heat in the cell", cell, **told, wanted="more than by chance")
        results.add("share of the heat in the cell, by chance", cell_chance, **told)
        results.add("share of the heat in the nucleus", nucleus, **told)
        results.add("share of the heat in the nucleus, by chance", nucleus_chance, **told)
    taken, one = float(np.median(times)), float(np.median(singles))
    print(f"{taken:.0f} ms a cell, {taken / one:.0f} times one classification of {one:.2f} ms")
    for what, n in words.most_common():
        print(f"  {what}: {n}")
    told = {"what": f"{arguments.variant}, {arguments.threads} threads", "n": len(times), "of": "cells"}
    results.add("an explanation takes", taken, unit="ms", wanted="≤ 200", **told)
    results.add("an explanation by one classification", taken / one, **told)
    results.write({"decided": dict(words)})


if __name__ == "__main__":
    main()
