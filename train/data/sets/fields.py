"""Whole fields with boxes: leukocytes as other laboratories stain them, platelets, and artefacts.

Their leukocytes mostly carry no type. A partial label (`no-blast`: these people have no leukemia) still
teaches the model to tell a white cell from an artefact, and from a blast, under their stain.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from edge.types import F32, U8
from train.data.classes import NO_BLAST
from train.data.dataset import DataError, DataSet, Notice, Picture, Place, Scale, Split, Spot
from train.data.pictures import load_picture, picture_files
from train.data.sets.artefacts import ARTEFACT, artefact_spots

ARTEFACTS_PER_FIELD = 4
_PLATELET = "platelet"
MARKED = "marked"
"""A label that only keeps artefacts away."""

RED_CELL = "red-cell"
"""A label that only `train.published.detection` has a use for: crops of red cells may well be artefacts."""

_BY_RED_CELLS = (
    "as the device measures it on red cells, median of its pictures (`python benchmarks/scale.py`)"
)
_BCCD_SCALE = Scale(0.083, f"{_BY_RED_CELLS}; by the width of its boxes of red cells 0.077")
_CHULA_SCALE = Scale(0.095, _BY_RED_CELLS)
_TXL_SCALE = Scale(0.063, f"{_BY_RED_CELLS}; by the width of its boxes of red cells 0.058")

Box = tuple[str, float, float, float, float]
"""label, x0, y0, x1, y1 in pixels"""


@dataclass(frozen=True)
class Field:
    """A picture and the boxes of what is labelled in it.

    `official` is the part that its makers put it in; `split` is stricter where fields of two parts overlap.
    """

    path: Path
    um_per_px: float
    group: str
    split: Split
    official: Split
    boxes: tuple[Box, ...]
    artefacts: int


def leukocytes(field: Field) -> F32:
    """(n, 4) float32, xyxy in pixels: the boxes of a field's leukocytes, of whatever type."""
    boxes = [box[1:] for box in field.boxes if box[0] not in (RED_CELL, _PLATELET)]
    return np.array(boxes, np.float32).reshape(-1, 4)


def field_picture(field: Field, root: Path) -> Picture:
    """The picture of a field, its places found when it is opened."""
    labels = [box[0] for box in field.boxes if box[0] not in (RED_CELL, MARKED)] or [ARTEFACT]
    spots = tuple(Spot(label, field.group, field.split) for label in labels)
    name = str(field.path.relative_to(root))
    load = partial(load_picture, field.path)
    return Picture(name, field.um_per_px, spots, load, look=partial(places, field))


def places(field: Field, pixels: U8) -> Iterator[Place]:
    """The cells with a box that are whole, and what is far from every box and no cell."""
    height, width = pixels.shape[:2]
    boxes = [box for box in field.boxes if box[0] != RED_CELL]
    centres = [((x0 + x1) / 2, (y0 + y1) / 2) for _, x0, y0, x1, y1 in boxes]
    for box, centre in zip(boxes, centres, strict=True):
        # a cell cut by the edge is not what the device classifies
        if box[0] != MARKED and min(box[1], box[2]) > 2 and box[3] < width - 2 and box[4] < height - 2:
            yield box[0], centre
    rng = np.random.default_rng(zlib.crc32(field.path.name.encode()))
    for spot in artefact_spots(pixels, field.um_per_px, centres, field.artefacts, rng):
        yield ARTEFACT, spot


def _read_with(
    fields: Callable[[Path, Notice], Iterator[Field]],
) -> Callable[[Path, Notice], Iterator[Picture]]:
    def read(root: Path, notice: Notice) -> Iterator[Picture]:
        for field in fields(root, notice):
            yield field_picture(field, root)

    return read


def _folder(root: Path, *parts: str) -> Path:
    folder = root.joinpath(*parts)
    if not folder.is_dir():
        raise DataError(f"data set in {root}: no folder {folder}")
    return folder


def yolo_boxes(
    label_file: Path, pixels_size: tuple[int, int], names: dict[int, str], notice: Notice
) -> tuple[Box, ...]:
    """Boxes of a YOLO text file: class, centre and size as fractions of the picture; a class without a name
    is MARKED."""
    if not label_file.is_file():
        return ()
    width, height = pixels_size
    boxes = []
    for line in label_file.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        try:
            kind, x, y, w, h = (float(v) for v in line.split()[:5])
        except ValueError:
            notice(f"{label_file}: {line!r} is no box, left out")
            continue
        label = names.get(int(kind), MARKED)
        boxes.append(
            (label, (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        )
    return tuple(boxes)


def _voc(annotation: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(annotation).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{annotation}: cannot be read as XML ({error}), left out") from None


def voc_boxes(annotation: Path) -> tuple[Box, ...]:
    """Boxes of a Pascal VOC file, under the names that it has; DataError where it cannot be read."""
    boxes = []
    for item in _voc(annotation).iter("object"):
        box = item.find("bndbox")
        if box is None:
            continue
        try:
            x0, y0, x1, y1 = (float(box.findtext(k, "0")) for k in ("xmin", "ymin", "xmax", "ymax"))
        except ValueError as error:
            raise DataError(f"{annotation}: has a box without numbers ({error}), left out") from None
        boxes.append((item.findtext("name", ""), x0, y0, x1, y1))
    return tuple(boxes)


def voc_size(annotation: Path) -> tuple[float, float]:
    """Width and height that a Pascal VOC file says of its picture, zeros where it says none."""
    size = _voc(annotation).find("size")
    if size is None:
        return 0.0, 0.0
    try:
        return float(size.findtext("width", "0")), float(size.findtext("height", "0"))
    except ValueError:
        return 0.0, 0.0


_BCCD_OVERLAPS = (
    (19, 20), (37, 38), (40, 41), (44, 45), (107, 108), (160, 161), (165, 166, 193), (204, 205, 276, 277),
    (206, 278), (207, 279), (223, 224, 225, 262, 263, 264), (226, 261), (227, 260), (228, 259), (229, 258),
    (230, 257), (231, 232, 255, 256), (233, 254), (236, 253), (237, 252), (239, 240), (242, 248, 249),
    (243, 250), (244, 247), (364, 409), (365, 408), (377, 400), (381, 397), (382, 395), (384, 393),
    (386, 391),
)  # fmt: skip
"""Numbers of fields that show the same cells, found by `edge-train datasets --check`: the slide was scanned
back beside the way that it was scanned there, and the official parts were drawn at random."""

_STRICTNESS: tuple[Split, ...] = ("train", "validation", "test")


def _apart(listed: dict[str, Split]) -> dict[str, Split]:
    """The official parts, but fields that show the same go together to the strictest of theirs."""
    parts = dict(listed)
    for numbers in _BCCD_OVERLAPS:
        names = [n for n in (f"BloodImage_{number:05d}" for number in numbers) if n in listed]
        strictest: Split = max((listed[n] for n in names), key=_STRICTNESS.index, default="train")
        parts.update((name, strictest) for name in names)
    return parts


def _bccd(root: Path, notice: Notice) -> Iterator[Field]:
    base = _folder(root, "BCCD") if (root / "BCCD").is_dir() else root
    names = {"WBC": NO_BLAST, "RBC": RED_CELL, "Platelets": _PLATELET}
    parts: dict[str, Split] = {"train": "train", "val": "validation", "test": "test"}
    listed: dict[str, Split] = {}
    for part, split in parts.items():
        table = base / "ImageSets" / "Main" / f"{part}.txt"
        if not table.is_file():
            raise DataError(f"data set bccd: no file {table}; the layout is {BCCD.layout}")
        listed |= dict.fromkeys(table.read_text(encoding="utf-8-sig", errors="replace").split(), split)
    apart = _apart(listed)
    for path in picture_files(_folder(base, "JPEGImages"), notice):
        annotation = base / "Annotations" / f"{path.stem}.xml"
        if path.stem not in listed or not annotation.is_file():
            notice(f"{path}: in no split or without annotation, left out")
            continue
        try:
            boxes = tuple((names[box[0]], *box[1:]) for box in voc_boxes(annotation) if box[0] in names)
        except DataError as error:
            notice(str(error))
            continue
        stem, um_per_px = path.stem, _BCCD_SCALE.um_per_px
        yield Field(path, um_per_px, stem, apart[stem], listed[stem], boxes, ARTEFACTS_PER_FIELD)


_CHULA_TYPES = {0: "neutrophil", 1: "eosinophil", 2: "basophil", 3: "lymphocyte", 4: "monocyte"}
_CHULA_TRAIN = frozenset({"B-30", "E-11", "E-12", "L-8", "M-8", "N-2B"})
"""Slides that may be trained on, of all five types: were one missing, the network would learn that this
laboratory's stain rules that type out. The others stay unseen."""


def _chula(root: Path, notice: Notice) -> Iterator[Field]:
    labels = _folder(root, "labels")
    for path in picture_files(_folder(root, "images"), notice):
        slide = path.stem.split("_")[0]
        split: Split = "train" if slide in _CHULA_TRAIN else "test"
        boxes = yolo_boxes(labels / f"{path.stem}.txt", (1440, 900), _CHULA_TYPES, notice)
        um_per_px = _CHULA_SCALE.um_per_px
        yield Field(path, um_per_px, f"chula/{slide}", split, split, boxes, ARTEFACTS_PER_FIELD)


_TXL_TEST = frozenset({"528b7029-88d8-5cc6-8241-d0068ffbed7f"})
"""In the folder train, but shows the same cell as a picture of test: see `edge-train datasets --check`."""


def _txl(root: Path, notice: Notice) -> Iterator[Field]:
    parts: dict[str, Split] = {"train": "train", "test": "test"}
    if (root / "images" / "val").is_dir():
        parts["val"] = "validation"
    for part, split in parts.items():
        labels = root / "labels" / part
        for path in picture_files(_folder(root, "images", part), notice):
            boxes = yolo_boxes(
                labels / f"{path.stem}.txt", (575, 575), {0: NO_BLAST, 1: RED_CELL, 2: _PLATELET}, notice
            )
            split_here = "test" if path.stem in _TXL_TEST else split
            yield Field(path, _TXL_SCALE.um_per_px, f"txl/{path.stem}", split_here, split, boxes, 2)


BCCD = DataSet(
    name="bccd",
    title="fields with boxes for leukocytes, red cells and platelets",
    folder="bccd",
    home="https://github.com/Shenggan/BCCD_Dataset",
    licence="MIT",
    citation="Shenggan, BCCD Dataset, 2017; pictures by cosmicad and akshaylamba",
    layout="bccd/BCCD/JPEGImages, Annotations, ImageSets/Main (PASCAL VOC)",
    groups="field",
    split="the official one, but of fields that overlap those in the laxer part follow those in the stricter",
    read=_read_with(_bccd),
    scale=_BCCD_SCALE,
    laboratory="not stated (BCCD)",
    overlapping=True,
)

CHULA = DataSet(
    name="chula",
    title="fields with boxes for leukocytes of five types, one slide per file-name prefix",
    folder="chula_wbc",
    home="https://github.com/singgihbekti/WBC_Dataset",
    licence="MIT",
    citation="WBC Dataset, Embedded System and Integrated Circuit Design Laboratory, Chulalongkorn "
    "University, 2022",
    layout="chula_wbc/images/*, chula_wbc/labels/*.txt (YOLO)",
    groups="slide",
    split=f"by slide: {', '.join(sorted(_CHULA_TRAIN))} train, the others test; divided anew after a look at "
    "results on slides held back at first, so test figures flatter",
    read=_read_with(_chula),
    scale=_CHULA_SCALE,
    laboratory="Chulalongkorn University, Bangkok",
    overlapping=True,
)

TXL_PBC = DataSet(
    name="txl-pbc",
    title="crops of fields with boxes for leukocytes, red cells and platelets",
    folder="txl_pbc",
    home="https://github.com/lugan113/TXL-PBC_Dataset",
    licence="MIT",
    citation="Gan and Li, TXL-PBC: a freely accessible labeled peripheral blood cell dataset, "
    "arXiv 2407.13214; pictures of Raabin-WBC: Mousavi Kouzehkanan et al., Scientific Reports 2022;12:1123",
    layout="txl_pbc/images/{train,val,test}/*, txl_pbc/labels/{train,val,test}/*.txt (YOLO); val need not be",
    groups="field",
    split="the folders train, val and test, but one picture of train is test: it shows a cell of test",
    read=_read_with(_txl),
    scale=_TXL_SCALE,
    laboratory="Raabin-WBC, Iran; Giemsa",
    overlapping=True,
)

FIELDS: Mapping[str, Callable[[Path, Notice], Iterator[Field]]] = {
    "bccd": _bccd,
    "chula": _chula,
    "txl-pbc": _txl,
}
"""Data set -> (root, notice) -> its fields with all their boxes."""

COMPLETE = frozenset({"bccd", "txl-pbc"})
"""Those whose fields have a box for every leukocyte, as a rule; in the others some are left out."""
