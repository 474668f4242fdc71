"""Whole fields with boxes: leukocytes as other laboratories stain them, platelets, and artefacts.

Their leukocytes mostly carry no type. A partial label (`leukocyte`, `nucleated`) still teaches the model
to tell a white cell from an artefact under their stain.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np

from edge.types import U8
from train.classes import LEUKOCYTE, NUCLEATED
from train.datasets import DataError, DataSet, Notice, Picture, Split, Spot, load_picture, picture_files
from train.datasets.artefacts import artefact_spots, nucleated_spots
from train.split import split_of

_ARTEFACTS_PER_FIELD = 4
_MARKED = ("marked", "red-cell")  # labels that only keep artefacts away

Box = tuple[str, float, float, float, float]
"""label, x0, y0, x1, y1 in pixels"""


@dataclass(frozen=True)
class _Field:
    path: Path
    um_per_px: float
    group: str
    split: Split
    boxes: tuple[Box, ...]
    artefacts: int


def _picture(field: _Field, root: Path, notice: Notice) -> Picture | None:
    try:
        pixels = load_picture(field.path)
    except DataError as error:
        notice(str(error))
        return None
    height, width = pixels.shape[:2]
    centres = [((x0 + x1) / 2, (y0 + y1) / 2) for _, x0, y0, x1, y1 in field.boxes]
    spots = [
        Spot(box[0], field.group, field.split, centre)
        for box, centre in zip(field.boxes, centres, strict=True)
        # a cell cut by the edge is not what the device classifies
        if box[0] not in _MARKED and min(box[1], box[2]) > 2 and box[3] < width - 2 and box[4] < height - 2
    ]
    rng = np.random.default_rng(zlib.crc32(field.path.name.encode()))
    for spot in artefact_spots(pixels, field.um_per_px, centres, field.artefacts, rng):
        spots.append(Spot("artefact", field.group, field.split, spot))
    name = str(field.path.relative_to(root))
    return Picture(name, field.um_per_px, tuple(spots), partial(load_picture, field.path))


def _read_with(
    fields: Callable[[Path, Notice], Iterator[_Field]],
) -> Callable[[Path, Notice], Iterator[Picture]]:
    def read(root: Path, notice: Notice) -> Iterator[Picture]:
        for field in fields(root, notice):
            picture = _picture(field, root, notice)
            if picture is not None and picture.spots:
                yield picture

    return read


def _folder(root: Path, *parts: str) -> Path:
    folder = root.joinpath(*parts)
    if not folder.is_dir():
        raise DataError(f"data set in {root}: no folder {folder}")
    return folder


def _yolo(
    label_file: Path, pixels_size: tuple[int, int], names: dict[int, str], notice: Notice
) -> tuple[Box, ...]:
    """Boxes of a YOLO text file: class, centre and size as fractions of the picture."""
    if not label_file.is_file():
        return ()
    width, height = pixels_size
    boxes = []
    for line in label_file.read_text().splitlines():
        try:
            kind, x, y, w, h = (float(v) for v in line.split()[:5])
        except ValueError:
            notice(f"{label_file}: {line!r} is no box, left out")
            continue
        label = names.get(int(kind), _MARKED[0])
        boxes.append(
            (label, (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        )
    return tuple(boxes)


def _bccd(root: Path, notice: Notice) -> Iterator[_Field]:
    base = _folder(root, "BCCD") if (root / "BCCD").is_dir() else root
    names = {"WBC": LEUKOCYTE, "Platelets": "platelet"}
    parts: dict[str, Split] = {"train": "train", "val": "validation", "test": "test"}
    listed: dict[str, Split] = {}
    for part, split in parts.items():
        table = base / "ImageSets" / "Main" / f"{part}.txt"
        if not table.is_file():
            raise DataError(f"data set bccd: no file {table}; the layout is {BCCD.layout}")
        listed |= dict.fromkeys(table.read_text().split(), split)
    for path in picture_files(_folder(base, "JPEGImages"), notice):
        annotation = base / "Annotations" / f"{path.stem}.xml"
        if path.stem not in listed or not annotation.is_file():
            notice(f"{path}: in no split or without annotation, left out")
            continue
        boxes = []
        for item in ElementTree.parse(annotation).iter("object"):
            box = item.find("bndbox")
            kind = item.findtext("name", "")
            if box is None:
                continue
            x0, y0, x1, y1 = (float(box.findtext(k, "0")) for k in ("xmin", "ymin", "xmax", "ymax"))
            if kind in names:
                boxes.append((names[kind], x0, y0, x1, y1))
        yield _Field(path, 0.077, path.stem, listed[path.stem], tuple(boxes), _ARTEFACTS_PER_FIELD)


_CHULA_TYPES = {0: "neutrophil", 1: "eosinophil", 2: "basophil", 3: "lymphocyte", 4: "monocyte"}
_CHULA_TRAIN = frozenset({"B-30", "E-11", "E-12", "L-8", "M-8", "N-2B"})
"""Slides that may be trained on, of all five types: were one missing, the network would learn that this
laboratory's stain rules that type out. The others stay unseen."""


def _chula(root: Path, notice: Notice) -> Iterator[_Field]:
    labels = _folder(root, "labels")
    for path in picture_files(_folder(root, "images"), notice):
        slide = path.stem.split("_")[0]
        split: Split = "train" if slide in _CHULA_TRAIN else "test"
        boxes = _yolo(labels / f"{path.stem}.txt", (1440, 900), _CHULA_TYPES, notice)
        yield _Field(path, 0.076, f"chula/{slide}", split, boxes, _ARTEFACTS_PER_FIELD)


def _txl(root: Path, notice: Notice) -> Iterator[_Field]:
    parts: tuple[Split, ...] = ("train", "test")
    for part in parts:
        labels = root / "labels" / part
        for path in picture_files(_folder(root, "images", part), notice):
            boxes = _yolo(labels / f"{path.stem}.txt", (575, 575), {0: LEUKOCYTE, 2: "platelet"}, notice)
            near = tuple(b for b in boxes if b[0] != _MARKED[0])  # red cells may well be artefact crops
            yield _Field(path, 0.055, f"txl/{path.stem}", part, near, 2)


def _stretched(path: Path) -> U8:
    """A field of aria_all at its true shape: it was squeezed from 4:3 to a square."""
    picture = load_picture(path)
    height = picture.shape[0]
    return np.asarray(
        cv2.resize(picture, (round(height * 4 / 3), height), interpolation=cv2.INTER_CUBIC), np.uint8
    )


_ARIA_STEP = 6  # neighbours are near-identical frames
_ARIA_BLOCK = 30
_ARIA_UM_PER_PX = 0.38


def _aria(root: Path, notice: Notice) -> Iterator[Picture]:
    for folder in sorted(p for p in _folder(root, "Original").iterdir() if p.is_dir()):
        for index, path in enumerate(picture_files(folder, notice)):
            if index % _ARIA_STEP:
                continue
            number = re.search(r"(\d+)$", path.stem)
            group = f"aria/{folder.name}/{int(number.group(1)) // _ARIA_BLOCK if number else 0}"
            try:
                pixels = _stretched(path)
            except DataError as error:
                notice(str(error))
                continue
            split = split_of(group)
            rng = np.random.default_rng(zlib.crc32(path.name.encode()))
            nuclei = nucleated_spots(pixels, _ARIA_UM_PER_PX, 3)
            others = artefact_spots(pixels, _ARIA_UM_PER_PX, nuclei, 3, rng)
            spots = [Spot(NUCLEATED, group, split, s) for s in nuclei]
            spots += [Spot("artefact", group, split, s) for s in others]
            if spots:
                name = str(path.relative_to(root))
                yield Picture(name, _ARIA_UM_PER_PX, tuple(spots), partial(_stretched, path))


BCCD = DataSet(
    name="bccd",
    title="fields with boxes for leukocytes, red cells and platelets",
    folder="bccd",
    home="https://github.com/Shenggan/BCCD_Dataset",
    licence="MIT",
    citation="BCCD data set, Shenggan and cosmicad",
    layout="bccd/BCCD/JPEGImages, Annotations, ImageSets/Main (PASCAL VOC)",
    groups="field",
    split="the official one",
    read=_read_with(_bccd),
)

CHULA = DataSet(
    name="chula",
    title="fields with boxes for leukocytes of five types, one slide per file-name prefix",
    folder="chula_wbc",
    home="where your copy came from (its LICENSE: singgihbekti, 2022)",
    licence="MIT",
    citation="Chula white blood cell fields, 2022",
    layout="chula_wbc/images/*, chula_wbc/labels/*.txt (YOLO)",
    groups="slide",
    split=f"by slide: {', '.join(sorted(_CHULA_TRAIN))} train, the others test; divided anew after a look at "
    "results on slides held back at first, so test figures flatter",
    read=_read_with(_chula),
)

TXL_PBC = DataSet(
    name="txl-pbc",
    title="crops of fields with boxes for leukocytes, red cells and platelets",
    folder="txl_pbc",
    home="https://github.com/lugan113/TXL-PBC_Dataset",
    licence="MIT",
    citation="TXL-PBC data set (its Raabin part)",
    layout="txl_pbc/images/{train,test}/*, txl_pbc/labels/{train,test}/*.txt (YOLO)",
    groups="field",
    split="the folders train and test",
    read=_read_with(_txl),
)

ARIA = DataSet(
    name="aria",
    title="fields of acute lymphoblastic leukemia and hematogones, read for artefacts and nuclei only",
    folder="aria_all",
    home="https://www.kaggle.com/datasets/mehradaria/leukemia",
    licence="free for research",
    citation="Aria et al., Acute lymphoblastic leukemia image data set, 2021",
    layout="aria_all/Original/<class>/*",
    groups="block of file numbers",
    split=f"every {_ARIA_STEP}th field, by blocks of {_ARIA_BLOCK} file numbers, by a hash of the block",
    read=_aria,
)
