"""How well leukocytes are found in fields of three public data sets, by the line itself.

Each field goes through the line as a slide of its own, scale from its red cells; what the classifier calls
artefact is left out, and so is everything in a field that the quality checks reject. A find counts when the
centre of one found cell lies in a labelled box, one to one. What the frame's edge cuts, labelled or found, is
neither asked for nor counted false. In `chula_wbc` only the cells of the file's type are labelled, so only
recall and the number found beyond the labels mean something there.

    python benchmarks/detection.py --data ../shared/data --set bccd --split test --pictures out/
    python benchmarks/detection.py --data ../shared/data --segmentation-only --um-per-px nominal
"""

from __future__ import annotations

import argparse
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import bundle
from edge.cells import segment
from edge.line.engine import open_engine
from edge.line.pipeline import Line
from edge.machine.profile import load_profile
from edge.optics import specimen
from edge.optics.scale import Scales
from edge.records.labels import label_images
from edge.types import F32, I32, U8, Bools, CellsInFrame, Frame

PITCH_UM = 0.25
UM_PER_PX = {"bccd": 0.077, "txl_pbc": 0.058, "chula_wbc": 0.085}
"""Pixel sizes from the mean width of labelled red cells (7.5 µm), chula's from a ruler laid on them."""

CHULA_TEST_SLIDES = ("B-42", "B-53", "B-56", "B-57", "E-13", "E-15", "L-9")
"""Those that `train.data.sets.fields` never trains on."""

BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Field:
    """A picture and the boxes of its labelled leukocytes, (n, 4) xyxy in pixels."""

    path: Path
    boxes: F32


@dataclass(frozen=True)
class Score:
    """What came of one field: labelled cells asked for, those found, and finds beyond them."""

    asked: int
    found: int
    beyond: int


def fields(name: str, data: Path, split: str) -> Iterator[Field]:
    """The fields of a data set's split ('train' or 'test')."""
    if name == "bccd":
        root = data / "bccd" / "BCCD"
        listed = root / "ImageSets" / "Main" / ("test.txt" if split == "test" else "trainval.txt")
        for stem in listed.read_text().split():
            yield Field(root / "JPEGImages" / f"{stem}.jpg", _voc_boxes(root / "Annotations" / f"{stem}.xml"))
        return
    images = data / name / "images" / (split if name == "txl_pbc" else "")
    for path in sorted(images.iterdir()):
        if name == "chula_wbc" and (path.stem.split("_")[0] in CHULA_TEST_SLIDES) != (split == "test"):
            continue
        label = data / name / "labels" / (split if name == "txl_pbc" else "") / f"{path.stem}.txt"
        yield Field(path, _yolo_boxes(label, path, leukocyte="0" if name == "txl_pbc" else None))


def _voc_boxes(path: Path) -> F32:
    boxes = []
    for thing in ET.parse(path).getroot().iter("object"):
        if thing.findtext("name") == "WBC":
            box = thing.find("bndbox")
            assert box is not None
            boxes.append([float(box.findtext(k) or 0) for k in ("xmin", "ymin", "xmax", "ymax")])
    return np.array(boxes, np.float32).reshape(-1, 4)


def _yolo_boxes(path: Path, image: Path, leukocyte: str | None) -> F32:
    height, width = read(image).shape[:2]
    boxes = []
    for line in path.read_text().splitlines():
        kind, *numbers = line.split()
        if leukocyte is None or kind == leukocyte:
            x, y, w, h = map(float, numbers)
            boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return np.array(boxes, np.float32).reshape(-1, 4) * np.array([width, height] * 2, np.float32)


def read(path: Path) -> U8:
    """(H, W, 3) uint8 RGB."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path}: not a picture")
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8, copy=False)


def find(pixels: U8, um_per_px: float) -> CellsInFrame:
    """The segmentation's cells of a field."""
    view = specimen.specimen(pixels, um_per_px, PITCH_UM)
    return segment.segment(view).in_frame(*pixels.shape[:2])


class WholeLine:
    """Fields through the line, each a slide of its own."""

    live = False

    def __init__(self, path: Path | None, um_per_px: float | str, nominal: float) -> None:
        self.name = "fields"
        profile = load_profile()
        exact = replace(profile.runtime, kind="ort", precision="fp32")  # the same on every machine
        opened = bundle.load(path, allow_unsigned=True)
        engine = open_engine(replace(profile, runtime=exact), opened, None, print)
        self._classifier, self._find = engine.classifier, engine.find
        self._scales = Scales(asked=um_per_px, nominal=nominal, camera=self, independent=True)

    def find(self, pixels: U8, source: str) -> tuple[CellsInFrame, Bools]:
        """The cells of a field, and which of them are not called artefact."""
        line = Line(self._classifier, self._scales.for_slide(), find=self._find, mapped=False)
        reading = line.read(Frame(pixels, 0, source, datetime.now(UTC), time.monotonic()))
        artefact = self._classifier.manifest.classes.index("artefact")
        return reading.cells, reading.classes != artefact


def score(
    field: Field, size: tuple[int, int], cells: CellsInFrame, kept: Bools | None = None
) -> tuple[Score, Bools, Bools]:
    """Match finds (those `kept`) to labels one to one; what is not kept is neither true nor false.

    Returns
    -------
    The score, which labels were found (or are cut), and which finds are true (or do not count).
    """
    left_out = np.zeros(len(cells), np.bool_) if kept is None else ~kept
    labelled_cut = _at_edge(field.boxes, size)
    inside = _inside(field.boxes, cells.centres_px) & ~left_out
    found = np.zeros(len(field.boxes), np.bool_)
    true = np.zeros(len(cells), np.bool_)
    middle = (field.boxes[:, :2] + field.boxes[:, 2:]) / 2
    for i in np.argsort(labelled_cut, kind="stable"):
        candidates = np.flatnonzero(inside[i] & ~true)
        if len(candidates):
            distance = np.linalg.norm(cells.centres_px[candidates] - middle[i], axis=1)
            found[i] = True
            true[candidates[np.argmin(distance)]] = True
    false = np.asarray(~true & ~left_out & ~cells.cut & ~_at_edge(cells.boxes_px, size), np.bool_)
    result = Score(int((~labelled_cut).sum()), int((found & ~labelled_cut).sum()), int(false.sum()))
    return result, found | labelled_cut, ~false


def _inside(boxes: F32, centres: F32) -> Bools:
    x, y = centres[None, :, 0], centres[None, :, 1]
    x0, y0, x1, y1 = (boxes[:, i, None] for i in range(4))
    inside: Bools = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return inside


def _at_edge(boxes: F32 | I32, size: tuple[int, int], within: int = 2) -> Bools:
    low, high = boxes[:, :2] <= within, boxes[:, 2:] >= np.array(size[::-1]) - within
    return np.asarray(np.concatenate([low, high], axis=1).any(axis=1), np.bool_)


def interval(scores: list[Score], seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Each figure with its 95% interval, by a bootstrap over fields."""
    table = np.array([(s.asked, s.found, s.beyond) for s in scores], np.float64)
    rng = np.random.default_rng(seed)
    draws = table[rng.integers(0, len(table), (BOOTSTRAPS, len(table)))].sum(axis=1)
    whole = _figures(table.sum(axis=0)[None], len(table))
    spread = _figures(draws, len(table))
    ends = {k: np.percentile(v, [2.5, 97.5]) for k, v in spread.items()}
    return {k: (float(v[0]), float(ends[k][0]), float(ends[k][1])) for k, v in whole.items()}


def _figures(sums: NDArray[np.float64], n: int) -> dict[str, NDArray[np.float64]]:
    asked, found, beyond = sums.T
    recall, precision = found / np.maximum(asked, 1), found / np.maximum(found + beyond, 1)
    f1 = 2 * recall * precision / np.maximum(recall + precision, 1e-9)
    return {"recall": recall, "precision": precision, "F1": f1, "beyond the labelled per field": beyond / n}


def draw(field: Field, pixels: U8, cells: CellsInFrame, found: Bools, true: Bools) -> U8:
    """The field with outlines: labels green, missed ones red; cells yellow, false ones magenta."""
    out = pixels.copy()
    labels, nuclei = label_images(cells)
    for i in range(len(cells)):
        colour = (255, 230, 0) if true[i] else (255, 0, 255)
        for part, thickness in ((labels == i + 1, 2), (nuclei == i + 1, 1)):
            outline, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(out, outline, -1, colour, thickness)
    for box, hit in zip(field.boxes, found, strict=True):
        x0, y0, x1, y1 = map(int, box)
        cv2.rectangle(out, (x0, y0), (x1, y1), (0, 160, 0) if hit else (255, 0, 0), 1 if hit else 3)
    return out


def main() -> None:
    about, form = __doc__, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=form)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--set", choices=sorted(UM_PER_PX), action="append", dest="sets")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--bundle", type=Path, help="model bundle; without it the one that ships")
    parser.add_argument("--um-per-px", choices=("auto", "nominal"), default="auto", help="scale of a field")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the nominal pixel size")
    parser.add_argument("--segmentation-only", action="store_true", help="no quality check, no classifier")
    parser.add_argument("--pictures", type=Path, metavar="OUT", help="write fields with outlines and boxes")
    parser.add_argument("--wrong", action="store_true", help="with --pictures: only fields with an error")
    args = parser.parse_args()
    for name in args.sets or sorted(UM_PER_PX):
        nominal = UM_PER_PX[name] * args.scale
        asked = nominal if args.um_per_px == "nominal" else "auto"
        line = None if args.segmentation_only else WholeLine(args.bundle, asked, nominal)
        scores = []
        listed = list(fields(name, args.data, args.split))
        for n, field in enumerate(listed):
            pixels = read(field.path)
            if line is None:
                cells = find(pixels, nominal)
                kept = np.ones(len(cells), np.bool_)
            else:
                cells, kept = line.find(pixels, field.path.name)
            size = (pixels.shape[0], pixels.shape[1])
            result, found, true = score(field, size, cells, kept)
            scores.append(result)
            if args.pictures and not (args.wrong and found.all() and true.all()):
                folder = args.pictures / name
                folder.mkdir(parents=True, exist_ok=True)
                picture = draw(field, pixels, cells, found, true)
                cv2.imwrite(str(folder / f"{field.path.stem}.png"), picture[..., ::-1])
            if sys.stderr.isatty():
                print(f"\r{name} {n + 1}/{len(listed)} ", end="", file=sys.stderr)
        asked_for = sum(s.asked for s in scores)
        print(f"{name} {args.split}: {len(listed)} fields, {asked_for} leukocytes asked for")
        for figure, (value, low, high) in interval(scores).items():
            print(f"  {figure:30s} {value:.3f}  [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
